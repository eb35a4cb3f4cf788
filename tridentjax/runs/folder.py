"""Run folders: occupied or new, what every verb writes into its own, and the provenance of it."""

import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from tridentjax._version import __version__
from tridentjax.faults import InputError
from tridentjax.figures.style import pyplot, write_figure
from tridentjax.files import write_json, write_yaml
from tridentjax.runs.config import physics_hash

RECORDS = ("run.yaml", "run.resolved.yaml", "summary.json")


class RunFolder(eqx.Module):
    """The folder of one run of a verb, and what all verbs do in it; the clock starts here, the folder with `open`.

    Attributes
    ----------
    path : the folder.
    config : file that the run was started from; a copy is kept as `run.yaml`.
    settings : the resolved config, and whatever else the results depend on.
    block : of the config, that the verb reads; it counts in the hash, those of other verbs do not.
    own : patterns of the verb's own files and folders, which go with --force as the common ones do.
    log : whether what is said is kept in `log.txt`.
    started : by the monotonic clock [s].
    """

    path: Path
    config: Path
    settings: dict[str, Any]
    block: str
    own: tuple[str, ...] = ()
    log: bool = False
    started: float = eqx.field(default_factory=time.monotonic)

    @property
    def hash(self) -> str:
        """Of everything that fixes the results."""
        return physics_hash(self.settings, self.block)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started

    def open(self, *, force: bool, resume: bool | None = None) -> None:
        """Create or reopen the folder; `resume` is None for a verb that has nothing to resume.

        Raises
        ------
        InputError : see `run_folder`.
        """
        run_folder(self.path, resume=bool(resume), force=force, resumable=resume is not None)

    def clear(self) -> None:
        """Delete what an earlier run of this verb left; files of others stay, as does a run.yaml that is the config."""
        for pattern in (*RECORDS, "figures", *(("log.txt",) if self.log else ()), *self.own):
            for path in sorted(self.path.glob(pattern)):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif not path.samefile(self.config):
                    path.unlink()

    def record(self, **more: Any) -> None:
        """Write the resolved config with hash, `more` and provenance, beside the config as it was first given."""
        if not (self.path / "run.yaml").exists():
            shutil.copyfile(self.config, self.path / "run.yaml")
        content = self.settings | {"hash": self.hash, **more, "provenance": provenance()}
        write_yaml(self.path / "run.resolved.yaml", content)

    def say(self, message: object) -> None:
        """Progress: one line on standard error, and in the log where the run has one."""
        print(message, file=sys.stderr, flush=True)
        if self.log:
            with (self.path / "log.txt").open("a", encoding="utf-8") as log:
                log.write(f"{message}\n")

    def save_figures(self, figures: Mapping[str, Any]) -> list[str]:
        """Save figures by name as `figures/NAME.png` and close them, leaving out None; paths inside the folder."""
        drawn = {f"figures/{name}.png": figure for name, figure in figures.items() if figure is not None}
        if drawn:
            (self.path / "figures").mkdir(exist_ok=True)
        for name, figure in drawn.items():
            write_figure(self.path / name, figure)
            pyplot().close(figure)
        return list(drawn)

    def finish(self, content: Mapping[str, Any], files: Sequence[str]) -> dict[str, Any]:
        """Write the summary: config, hash, `content`, seconds (unless `content` has its own), files; it is returned."""
        summary = {"config": self.settings["name"], "hash": self.hash, **content}
        summary.setdefault("seconds", self.seconds)
        summary["files"] = [str(self.path / name) for name in files]
        write_json(self.path / "summary.json", summary)
        return summary


def provenance() -> dict[str, Any]:
    """Versions, git revision (if any), device and precision of this process."""
    import jax
    import numpyro

    return {
        "tridentjax": __version__,
        "git_revision": _git_revision(),
        "jax": jax.__version__,
        "numpyro": numpyro.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "device": ", ".join(sorted({device.device_kind for device in jax.local_devices()})),
        "devices": jax.local_device_count(),
        "x64": bool(jax.numpy.zeros(()).dtype == "float64"),
        "constants": "PDG 2024/2026 and CODATA 2022, see tridentjax/constants.py",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _git_revision() -> str:
    try:
        command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def run_folder(folder: Path, *, resume: bool = False, force: bool, resumable: bool = True) -> Path:
    """Create or reopen the folder of a run; some verbs have nothing to resume.

    Raises
    ------
    InputError : both flags given, the folder exists without --resume or --force, or cannot be written.
    """
    if resume and force:
        raise InputError(["--resume and --force exclude each other; give one"])
    if folder.exists() and not folder.is_dir():
        raise InputError([f"--out {str(folder)!r} is a file; give a folder"])
    if folder.is_dir() and any(folder.iterdir()) and not (resume or force):
        remedy = "continue it with --resume or replace it with --force" if resumable else "replace it with --force"
        raise InputError([f"run folder {str(folder)!r} exists; {remedy}"])
    probe = folder / f".write-test.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            [f"cannot write to run folder {str(folder)!r}: {error.strerror}; choose another --out"]
        ) from None
    return folder
