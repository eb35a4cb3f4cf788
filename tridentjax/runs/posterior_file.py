"""Posterior as NetCDF-4 in the ArviZ layout."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tridentjax.faults import InputError
from tridentjax.files import replacing

if TYPE_CHECKING:
    import xarray


def save_posterior(
    path: Path,
    groups: dict[str, dict[str, np.ndarray]],
    units: dict[str, str],
    attributes: dict[str, Any],
) -> None:
    """Write draws as NetCDF-4 in the ArviZ InferenceData layout (dimensions chain, draw).

    Parameters
    ----------
    path : file, replaced whole.
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
    with replacing(path) as temporary:
        xarray.DataTree.from_dict(datasets).to_netcdf(temporary, engine="h5netcdf")


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
