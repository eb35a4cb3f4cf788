"""Curves of others to draw beside a contour: tables with declared columns and units, and analytic bands."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tridentjax.faults import InputError, collect
from tridentjax.schema.contour import OverlaySpec
from tridentjax.theory.muon_moment import historical_band

_UNITS = {"GeV": {"eV": 1e-9, "keV": 1e-6, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3}, "1": {"1": 1.0}}


class Overlay(NamedTuple):
    """A curve (or, with `upper`, a band between y and upper) in the units of the plane."""

    label: str
    x: np.ndarray
    y: np.ndarray
    upper: np.ndarray | None = None


def load_overlay(
    spec: OverlaySpec, units: tuple[str, str], ranges: tuple[tuple[float, float], tuple[float, float]], folder: Path
) -> Overlay:
    """One overlay for a plane with these units and ranges; files are looked up from here, then beside the config.

    A wrong unit that still gives numbers in range cannot be found; columns that are swapped are.

    Raises
    ------
    InputError : missing file or column, unknown unit, cells that are no numbers, points outside the plane; all
        at once.
    """
    place = f"overlay {spec.label!r}"
    if spec.band is not None:
        if units != ("GeV", "1"):
            raise InputError([f"{place}: the g-2 band needs a plane of a mass [GeV] and a coupling, received {units}"])
        mass = np.geomspace(*ranges[0], 200)
        low, high = historical_band(mass)
        return Overlay(spec.label, mass, low, high)
    faults: list[str] = []
    factors = []
    for axis, unit, given in zip("xy", units, (spec.x_unit, spec.y_unit), strict=True):
        allowed = _UNITS.get(unit, {unit: 1.0})
        if given not in allowed:
            faults.append(f"{place}: {axis}_unit = {given!r}; allowed: {', '.join(allowed)} (the axis is in {unit})")
        factors.append(allowed.get(str(given), 1.0))
    path = Path(str(spec.file))
    path = path if path.is_file() or path.is_absolute() else folder / path
    columns = collect(faults, _columns, path, (spec.x, spec.y), place)
    if faults:
        raise InputError(faults)
    x, y = (column * factor for column, factor in zip(columns, factors, strict=True))
    exchanged = columns[1] * factors[0], columns[0] * factors[1]
    _check_ranges((x, y), exchanged, ranges, place)
    return Overlay(spec.label, x, y)


def _columns(path: Path, wanted: tuple[str | int, str | int], place: str) -> list[np.ndarray]:
    """Two columns of a table (comma or white space; lines with # are comments), by name or number from 1."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([f"{place}: cannot read {str(path)!r}: {error}"]) from None
    rows = list(csv.reader(lines, skipinitialspace=True)) if "," in "".join(lines[:2]) else [x.split() for x in lines]
    names = rows[0] if rows and not _is_number(rows[0][0]) else []
    body = rows[1:] if names else rows
    if not body:
        raise InputError([f"{place}: {str(path)!r} has no rows of numbers"])
    faults, found = [], []
    for key in wanted:
        if isinstance(key, str) and key not in names:
            listed = ", ".join(names) if names else "no header line: give column numbers"
            faults.append(f"{place}: no column {key!r} in {path.name}; it has {listed}")
        elif isinstance(key, int) and not 1 <= key <= len(body[0]):
            faults.append(f"{place}: column {key} of {path.name}; allowed: 1 to {len(body[0])}")
        else:
            index = names.index(key) if isinstance(key, str) else key - 1
            bad = [i for i, row in enumerate(body, 1) if index >= len(row) or not _is_number(row[index])]
            faults += [f"{place}: {path.name}, row {i}, column {key} is not a number" for i in bad]
            found.append(np.asarray([float(row[index]) for row in body]) if not bad else np.zeros(0))
    if wanted[0] == wanted[1]:
        faults.append(f"{place}: x and y are both column {wanted[0]}")
    if faults:
        raise InputError(faults)
    return found


def _check_ranges(
    curve: tuple[np.ndarray, np.ndarray],
    exchanged: tuple[np.ndarray, np.ndarray],
    ranges: tuple[tuple[float, float], tuple[float, float]],
    place: str,
) -> None:
    (x, y), inside = curve, _share_inside(*curve, ranges)
    received = f"x in [{x.min():.3g}, {x.max():.3g}], y in [{y.min():.3g}, {y.max():.3g}]"
    if _share_inside(*exchanged, ranges) > inside:
        raise InputError([f"{place}: {received} fits the plane better exchanged; are the columns swapped?"])
    if inside == 0.0:
        (a, b), (c, d) = ranges
        plane = f"x in [{a:.3g}, {b:.3g}], y in [{c:.3g}, {d:.3g}]"
        raise InputError([f"{place}: {received} lies outside the plane, {plane}; check the units"])


def _share_inside(x: np.ndarray, y: np.ndarray, ranges: tuple[tuple[float, float], tuple[float, float]]) -> float:
    (a, b), (c, d) = ranges
    return float(np.mean((x >= a) & (x <= b) & (y >= c) & (y <= d)))


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
