"""A scan of a regular grid as one NetCDF file: axes are coordinates, columns are variables."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tridentjax._version import __version__
from tridentjax.files import replacing
from tridentjax.scan.parts import part_path, read_part
from tridentjax.scan.plan import Plan
from tridentjax.scan.points import Grid


def assemble_grid(path: Path, plan: Plan, name: str, numbers: Iterable[int]) -> None:
    """Join the parts of a grid into a NetCDF-4 file, one part in memory at a time, and remove them.

    Dimensions are the parameters in the order of the config, variables have unit and meaning; `flag_meanings` of
    `status` names the reason codes.
    """
    import h5netcdf

    assert isinstance(plan.source, Grid)
    axes = dict(zip(plan.names, plan.source.axes, strict=True))
    shape = tuple(len(axis) for axis in axes.values())
    folder, numbers = Path(plan.folder), sorted(numbers)
    with replacing(path) as temporary, h5netcdf.File(temporary, "w") as file:
        file.attrs.update(_attributes(plan, name))
        file.dimensions = {parameter: len(axis) for parameter, axis in axes.items()}
        for parameter, axis in axes.items():
            variable = file.create_variable(parameter, (parameter,), float)
            variable[:] = axis
            _describe(variable, plan, parameter)
        for number in numbers:
            columns = read_part(part_path(folder, number, plan.suffix))
            start, stop = plan.span(number)
            for column, values in columns.items():
                if column in (*plan.names, "index"):
                    continue
                values = values.astype(np.int8) if values.dtype == bool else values  # noqa: PLW2901
                if column not in file.variables:
                    _describe(file.create_variable(column, plan.names, values.dtype), plan, column)
                done = 0
                for corner in slabs(start, stop, shape):
                    size = math.prod(part.stop - part.start for part in corner)
                    block = values[done : done + size].reshape([part.stop - part.start for part in corner])
                    file.variables[column][corner] = block
                    done += size
    for number in numbers:
        part_path(folder, number, plan.suffix).unlink()
    (folder / "parts").rmdir()


def slabs(start: int, stop: int, shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Blocks of an array that together are its elements start..stop-1 in row-major order, in that order."""
    if len(shape) == 1:
        yield (slice(start, stop),)
        return
    inner = math.prod(shape[1:])
    while start < stop:
        row, offset = divmod(start, inner)
        if offset == 0 and stop - start >= inner:
            rows = (stop - start) // inner
            yield (slice(row, row + rows), *(slice(0, length) for length in shape[1:]))
            start += rows * inner
        else:
            end = min(stop - row * inner, inner)
            yield from ((slice(row, row + 1), *rest) for rest in slabs(offset, end, shape[1:]))
            start = row * inner + end


def _attributes(plan: Plan, name: str) -> dict[str, Any]:
    return {
        "title": f"tridentjax scan of {name}",
        "inference_library": "tridentjax",
        "version": __version__,
        "config_hash": plan.identity,
        "best_log_likelihood": plan.best,
        "delta_chi2_threshold": plan.threshold,
        "nuisances": plan.spec.nuisances,
    }


def _describe(variable: Any, plan: Plan, column: str) -> None:
    about = plan.about[column]
    variable.attrs["units"] = about.unit
    variable.attrs["long_name"] = about.meaning
