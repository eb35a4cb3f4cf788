"""Disk cache of arrays that are slow to compute, keyed by a hash of every input.

Files are plain `.npz` without pickles, written to a temporary name and renamed. A cache that cannot be
read or written costs time, never correctness.
"""

import hashlib
import logging
import os
import platform
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from tridentjax.files import replacing

logger = logging.getLogger("tridentjax")


def cache_folder() -> Path:
    """`$TRIDENTJAX_CACHE`, else `$XDG_CACHE_HOME/tridentjax`, else `~/.cache/tridentjax`."""
    if folder := os.environ.get("TRIDENTJAX_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tridentjax"


def processor_hash() -> str:
    """Hash of the processor's features: code compiled for one machine must not meet another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        features = ""
    return hashlib.sha256((platform.machine() + platform.processor() + features).encode()).hexdigest()[:12]


def source_hash(*modules: object) -> str:
    """Hash of the source text of modules, so that a changed formula never meets an old file."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(module.__file__).read_bytes())  # type: ignore[attr-defined]
    return digest.hexdigest()


def cached_arrays(name: str, inputs: str, compute: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Arrays from the cache, or computed and then stored.

    Parameters
    ----------
    name : readable first part of the file name.
    inputs : text that fixes the result completely; its hash is the second part.
    compute : called on a miss.
    """
    path = cache_folder() / f"{name}-{hashlib.sha256(inputs.encode()).hexdigest()[:16]}.npz"
    with _alone(path):  # workers that start together wait for the first instead of doing its work again
        if (found := _read(path)) is not None:
            return found
        arrays = compute()
        try:
            save_arrays(path, arrays)
        except OSError as error:
            logger.warning("cannot store %s (%s); it will be computed again next time", path, error)
        return arrays


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, TypeError) as error:
        logger.warning("ignoring damaged cache file %s (%s); computing it again", path, error)
        return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a cache file; it goes with the process. Where there are no locks, everybody works."""
    with ExitStack() as stack:
        try:
            import fcntl

            path.parent.mkdir(parents=True, exist_ok=True)
            stream = stack.enter_context(path.with_suffix(".lock").open("a"))
            fcntl.flock(stream, fcntl.LOCK_EX)
        except (ImportError, OSError) as error:
            logger.debug("no lock for %s (%s)", path, error)
        yield


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as `.npz` atomically: a reader sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        stream.flush()
        os.fsync(stream.fileno())
