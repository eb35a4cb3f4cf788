"""Command-line arguments shared by several commands: parsing, checking, printing."""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tridentjax.currents import FLAVOURS, Channel
from tridentjax.experiment.flux import SPECIES
from tridentjax.faults import InputError, collect, unknown
from tridentjax.process.cuts import CutRequest, Cuts, make_cuts
from tridentjax.process.laboratory import OBSERVABLES
from tridentjax.theory.binding import BoundTheory, bind_theory, theory_faults


def emit(content: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the JSON object or the text on standard output."""
    print(json.dumps(content, allow_nan=False) if as_json else text)


def parse_settings(items: list[str], place: str) -> dict[str, float]:
    """`name=number` options as a dictionary.

    Raises
    ------
    InputError : an item without '=', a repeated name, or a value that is no number; all at once.
    """
    values: dict[str, float] = {}
    faults = []
    for item in items:
        name, separator, text = item.partition("=")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not separator or not name or not math.isfinite(number):
            faults.append(f"{place} {item!r}: expected name=number")
        elif name in values:
            faults.append(f"{place} {name} is given twice")
        else:
            values[name] = number
    if faults:
        raise InputError(faults)
    return values


def parse_channel(neutrino: str, leptons: str) -> Channel:
    """Channel from CLI names, e.g. 'antinumu' and 'mu-e+'."""
    faults = [] if neutrino in SPECIES else [unknown("neutrino", neutrino, SPECIES, "--neutrino")]
    match = re.fullmatch(r"(\w+)-(\w+)\+", leptons)
    if not match or not set(match.groups()) <= set(FLAVOURS):
        faults.append(
            f"--leptons {leptons!r}; allowed: negative then positive lepton of {', '.join(FLAVOURS)}, e.g. mu-e+"
        )
    if faults or match is None:
        raise InputError(faults)
    return Channel.of(neutrino, match[1], match[2])


def parse_theory(theory: str, settings: list[str], extra: Mapping[str, float] | None = None) -> BoundTheory:
    """Theory of --theory with the numbers and words of --set; a comma separates several mediators.

    Raises
    ------
    InputError : items of another shape, and every fault of `bind_theory`; all at once.
    """
    given: dict[str, Any] = dict(extra or {})
    faults = []
    for item in settings:
        name, separator, text = item.partition("=")
        if not separator or not name or not text:
            faults.append(f"--set {item!r}: expected name=value")
        elif name in given:
            faults.append(f"--set {name} is given twice")
        else:
            given[name] = _value(text)
    place = "--theory/--set"
    faults += theory_faults(theory, given, place)
    if faults:
        raise InputError(faults)
    return bind_theory(theory, given, place)


def _value(text: str) -> Any:
    """A number, true or false, several numbers, or a word."""
    if text in ("true", "false"):
        return text == "true"
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return text
    return numbers[0] if len(numbers) == 1 else numbers


def parse_cuts(items: list[str], efficiency: float = 1.0) -> Cuts:
    """Cuts from OBSERVABLE=MIN:MAX[:RESOLUTION] options in the observable's unit (GeV, rad); empty means open.

    Raises
    ------
    InputError : items of another shape, and every fault of `make_cuts`; all at once.
    """
    requests, faults = [], []
    for item in items:
        name, _, window = item.partition("=")
        parts = window.split(":")
        try:
            numbers = [float(part) if part.strip() else None for part in parts]
        except ValueError:
            numbers = []
        if len(numbers) not in (2, 3):
            faults.append(f"--cut {item!r}: expected OBSERVABLE=MIN:MAX or MIN:MAX:RESOLUTION, e.g. E_minus=0.5:")
            continue
        low, high, resolution = (*numbers, None)[:3]
        unit = OBSERVABLES[name].unit if name in OBSERVABLES else ""
        requests.append(CutRequest(name, unit, low, high, resolution or 0.0))
    cuts = collect(faults, make_cuts, requests, efficiency, "--cut")
    if faults:
        raise InputError(faults)
    return cuts


def mass_grid(
    masses: list[float],
    low: float | None,
    high: float | None,
    points: int | None,
    *,
    default: tuple[float, float, int],
    allowed: Callable[[float], bool],
    text: str,
    most: int,
) -> np.ndarray:
    """Masses of a reach curve [GeV]: those that are given, or a grid in their logarithm.

    `default` are ends and count of the grid, `allowed` tells which masses are (`text` says it in words), `most` is
    the largest count.

    Raises
    ------
    InputError : masses that are not allowed, masses beside a grid, an empty or too large grid; all at once.
    """
    faults = [f"--mass {x:g}; allowed: {text}" for x in masses if not allowed(x)]
    if masses and not low is high is points is None:
        faults.append("give either --mass or a grid of --mass-min, --mass-max, --points, not both")
    low, high = default[0] if low is None else low, default[1] if high is None else high
    count = default[2] if points is None else points
    if not (allowed(low) and allowed(high) and low < high):
        faults.append(f"--mass-min {low:g} --mass-max {high:g}; allowed: {text}, the first below the second")
    if not 2 <= count <= most:
        faults.append(f"--points {count}; allowed: 2 to {most}")
    if faults:
        raise InputError(faults)
    return np.asarray(masses) if masses else np.geomspace(low, high, count)
