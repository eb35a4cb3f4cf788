"""Input of a named theory: everything that is wrong with it at once, then numbers and choices apart.

Choices (words, such as `scheme`) are bound to the function, so that only numbers travel through the chain.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.currents import FLAVOURS, Channel, LeptonCurrent
from tridentjax.faults import InputError, collect, unknown
from tridentjax.theory.catalogue import Theory, find_theory, own_parameters
from tridentjax.theory.domain import Limit, point_faults
from tridentjax.theory.theories import ELECTROWEAK, Parameters, TheoryFunction, electroweak_part
from tridentjax.theory.wcxf import load_wcxf


class Range(NamedTuple):
    """Values that a parameter with a prior can take."""

    low: float
    high: float


class BoundTheory(NamedTuple):
    """A theory with its choices made: a function of numbers, and the numbers that were given."""

    function: TheoryFunction
    values: dict[str, Float[Array, "*tower"]]
    choices: dict[str, Any]
    theory: Theory
    notes: tuple[str, ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """Numbers and choices as plain data."""
        return {name: np.asarray(x).tolist() for name, x in self.values.items()} | self.choices

    @property
    def electroweak(self) -> Parameters:
        """Parameters of the Standard-Model part."""
        return electroweak_part(self.values)

    def described(self) -> tuple[dict[str, float], list[str]]:
        """Derived quantities at the given numbers, as data and as lines to print."""
        found = {name: float(x) for name, x in self.derive(self.values).items()}
        items = self.theory.derived
        units = {name: "" if item.unit == "1" else f" {item.unit}" for name, item in items.items()}
        return found, [f"{name} = {x:.6g}{units[name]} ({items[name].meaning})" for name, x in found.items()]

    def derive(self, values: Parameters) -> dict[str, Scalar]:
        """Derived quantities at given numbers; differentiable where they are."""
        return {name: item.function({**self.choices, **values}) for name, item in self.theory.derived.items()}


def theory_faults(name: str, given: Mapping[str, Any], place: str = "theory", *, partial: bool = False) -> list[str]:
    """Faults of a theory name with its numbers, choices and ranges (of parameters that have a prior).

    `wcxf` among the parameters is the path of a file with Wilson coefficients. With `partial`, others are given
    elsewhere: none is missed.
    """
    faults: list[str] = []
    theory = collect(faults, find_theory, name, place)
    given, _ = collect(faults, _with_file, name, given, place) or ({}, ())
    if faults:
        return faults
    allowed = (*theory.parameters, *theory.choices, *ELECTROWEAK)
    faults = [_misnamed(name, theory, key, allowed, place) for key in given if key not in allowed]
    if not partial and not any(need <= set(given) for need in theory.required):
        needs = " or ".join("(" + ", ".join(sorted(need)) + ")" for need in theory.required[:3])
        needs += " or the like" if len(theory.required) > 3 else ""
        faults.append(f"{place}: theory {name} needs {needs}; received ({', '.join(given) or 'nothing'})")
    sound = {}
    for key, value in given.items():
        if key in theory.choices:
            found = _choice_faults(key, value, theory.choices[key], place)
        elif key in allowed:
            found = _number_faults(key, value, place)
            if not isinstance(value, Range) and np.size(value) > 1 and key not in theory.several:
                found.append(f"{place}: {key} = {value}; allowed: one number")
        else:
            continue
        faults += found
        if not found or key not in theory.choices:
            sound[key] = np.nan if found else value  # its name still counts
    found = _domain_faults(sound, theory.limits)
    if theory.faults is not None:
        found += theory.faults(own_parameters(theory, _lowest(sound)))
    return [*dict.fromkeys(faults), *(f"{place}: {fault}" for fault in found)]


def _misnamed(name: str, theory: Theory, key: str, allowed: tuple[str, ...], place: str) -> str:
    explained = theory.misnamed(key, place) if theory.misnamed else None
    return explained or unknown(f"parameter of theory {name}", key, allowed, place)


def _with_file(name: str, given: Mapping[str, Any], place: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Parameters with those of a WCxf file among them, and what to know about the file."""
    own = {key: x for key, x in given.items() if key != "wcxf"}
    if "wcxf" not in given:
        return own, ()
    file = load_wcxf(str(given["wcxf"]))
    faults = [f"{place}: {key} is given here and in {given['wcxf']}" for key in own if key in file.parameters]
    if file.theory != name:
        faults.append(f"{place}: {given['wcxf']} is for theory {file.theory}; received {name}")
    if faults:
        raise InputError(faults)
    notes = [f"{given['wcxf']}: coefficients at {file.scale:g} GeV, used as they are (no running)"]
    if file.ignored:
        notes.append(f"ignored, no part of nu nu l l at tree level: {', '.join(file.ignored)}")
    return own | file.parameters, tuple(notes)


def _choice_faults(key: str, value: Any, options: tuple[Any, ...], place: str) -> list[str]:
    if any(value is option or (isinstance(value, str) and value == option) for option in options):
        return []
    return [f"{place}: {key} = {_word(value)}; allowed: {', '.join(map(_word, options))}"]


def _number_faults(key: str, value: Any, place: str) -> list[str]:
    if isinstance(value, str | bool):
        return [f"{place}: {key} = {_word(value)}; allowed: a finite number"]
    numbers = np.ravel(np.asarray(value, dtype=float))
    if isinstance(value, Range) or (numbers.size and np.isfinite(numbers).all()):
        return []
    return [f"{place}: {key} = {value}; allowed: a finite number"]


def _domain_faults(given: Mapping[str, Any], limits: tuple[Limit, ...]) -> list[str]:
    """Every limit that the numbers are outside of at some ends of the ranges."""
    faults = []
    for limit in limits:
        ranges = {name: x for name in limit.names if isinstance(x := given.get(name), Range)}
        if any(name in ELECTROWEAK and np.isinf(x.low) for name, x in ranges.items()):
            continue  # a normal prior around what is measured
        corners = ({**_lowest(given), **dict(zip(ranges, ends, strict=True))} for ends in product(*ranges.values()))
        notes = dict.fromkeys(ranges, " (an end of its prior)")
        faults += next(filter(None, (point_faults(corner, (limit,), notes) for corner in corners)), [])
    return faults


def _lowest(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: x.low if isinstance(x, Range) else x for key, x in given.items()}


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def bind_theory(name: str, given: Mapping[str, Any], place: str = "theory") -> BoundTheory:
    """A named theory with numbers and choices checked; a choice that is not given takes its default.

    Parameters that have a `Range` are checked, and left to the caller.

    Raises
    ------
    InputError : unknown theory, parameter or choice, missing or unphysical value; all at once.
    """
    if faults := theory_faults(name, given, place):
        raise InputError(faults)
    theory = find_theory(name, place)
    given, notes = _with_file(name, given, place)
    choices = {key: given.get(key, options[0]) for key, options in theory.choices.items()}
    numbers = {key: x for key, x in given.items() if key not in choices and not isinstance(x, Range)}
    values = {key: jnp.asarray(x, dtype=float) for key, x in numbers.items()}
    return BoundTheory(_with_choices(theory.function, choices), values, choices, theory, notes)


def choose(name: str, choices: Mapping[str, Any]) -> BoundTheory:
    """The functions of a named theory with its choices made, without numbers: what another process has to rebuild."""
    theory = find_theory(name)
    return BoundTheory(_with_choices(theory.function, dict(choices)), {}, dict(choices), theory)


def _with_choices(function: TheoryFunction, choices: dict[str, Any]) -> TheoryFunction:
    if not choices:
        return function

    def bound(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
        return function({**choices, **parameters}, channel, K2)

    bound.__name__ = function.__name__  # files and run folders record it
    return bound


def refuse_undefined(theory: str, bound: BoundTheory, channel: Channel) -> None:
    """Refuse parameters at which a theory has no current, instead of printing NaN.

    Raises
    ------
    InputError : the current or a derived quantity is not finite.
    """
    current = bound.function(bound.values, channel, jnp.asarray([1e-6, 1.0]))
    numbers = [*jax.tree.leaves(current), *bound.derive(bound.values).values()]
    if not all(np.isfinite(np.asarray(x)).all() for x in numbers):
        given = ", ".join(f"{name} = {value}" for name, value in bound.given.items())
        raise InputError([f"theory {theory} has no solution at {given}; move the parameters (a higher Lambda_IR, ...)"])


def shown_rows(channel: Channel, current: LeptonCurrent) -> list[tuple[int, str, str]]:
    """Rows of a current to show, with outgoing neutrino and part: the Standard Model's first, empty others left out."""
    own, count = channel.outgoing_neutrinos, current.g_V.shape[0]
    if count == len(own):
        return [(i, flavour, "real") for i, flavour in enumerate(own)]
    rows = [(i, FLAVOURS[i % 3], ("real", "imaginary")[i // 3]) for i in range(count)]
    filled = np.abs(np.asarray(current.g_V)).sum(1) + np.abs(np.asarray(current.g_A)).sum(1) > 0.0
    kept = [row for row in rows if filled[row[0]] or (row[1] in own and row[2] == "real")]
    return sorted(kept, key=lambda row: (row[1] not in own, row[0]))
