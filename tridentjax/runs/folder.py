"""Run folders: occupied or new, and the provenance of what is in them."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tridentjax._version import __version__
from tridentjax.faults import InputError


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
