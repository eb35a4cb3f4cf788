"""Run folders: posterior in ArviZ-layout NetCDF, summary JSON, resolved config; all written atomically."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tridentjax._version import __version__
from tridentjax.faults import InputError

if TYPE_CHECKING:
    import xarray


def write_text(path: Path, text: str) -> None:
    """Write a text file through a temporary name: the old content or the new, never half."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_yaml(path: Path, *documents: dict[str, Any]) -> None:
    """Write plain data as YAML 1.2, one document or several."""
    from ruamel.yaml import YAML

    stream = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump_all(documents, stream)
    write_text(path, stream.getvalue())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write plain data as JSON, refusing NaN."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


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


def save_posterior(
    path: Path,
    groups: dict[str, dict[str, np.ndarray]],
    units: dict[str, str],
    attributes: dict[str, Any],
) -> None:
    """Write draws as NetCDF-4 in the ArviZ InferenceData layout (dimensions chain, draw).

    Parameters
    ----------
    path : file, written through a temporary name.
    groups : e.g. posterior, sample_stats, posterior_predictive: (chain, draw) arrays by name;
        observed_data: scalars.
    units : of the variables.
    attributes : of the file and of every group.
    """
    import xarray

    datasets = {}
    for group, variables in groups.items():
        content = {}
        for name, values in variables.items():
            dimensions = ("chain", "draw") if np.ndim(values) == 2 else ()
            content[name] = (dimensions, np.asarray(values), {"unit": units.get(name, "1")})
        datasets[group] = xarray.Dataset(content, attrs=attributes)
    datasets["/"] = xarray.Dataset(attrs=attributes)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        xarray.DataTree.from_dict(datasets).to_netcdf(temporary, engine="h5netcdf")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_posterior(path: Path) -> "xarray.DataTree":
    """Read a posterior file into memory.

    Raises
    ------
    InputError : missing, truncated or foreign file.
    """
    import xarray

    if not path.is_file():
        raise InputError([f"no posterior file {str(path)!r}"])
    try:
        with xarray.open_datatree(path, engine="h5netcdf") as tree:
            loaded = tree.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError([f"{str(path)!r} is truncated or not NetCDF-4 ({type(error).__name__}: {error})"]) from None
    if loaded.attrs.get("inference_library") != "tridentjax" or "posterior" not in loaded.children:
        raise InputError([f"{str(path)!r} is NetCDF but not a tridentjax posterior (no group 'posterior' of ours)"])
    return loaded
