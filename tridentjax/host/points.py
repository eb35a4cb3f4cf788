"""Model points of NumPy hosts: names, units, shapes and the edges of the theories' domain. Imports no JAX."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tridentjax.faults import InputError, unknown
from tridentjax.theory.domain import UNITS

ALIASES = {
    "c_L": ("c_L_e", "c_L_mu"), "c_E": ("c_R_mu",), "c_E2": ("c_R_mu",), "kappa_uv": ("kappa_UV",),
    "kappa_ir": ("kappa_IR",), "delta_g_v": ("delta_g_V",), "delta_g_a": ("delta_g_A",), "input_scheme": ("scheme",),
}  # fmt: skip
CHOICES = ("embedding", "scheme", "order")
_OWNERS = {  # parameters of each part of the amplitude; the first ones are required
    "rs": (("Lambda_IR", "c_L_e", "c_L_mu", "c_R_mu"), ("k", "kappa_UV", "kappa_IR", *CHOICES)),
    "zprime": (("mass", "g_nu"), ("g_V", "g_A", "g_L", "g_R")),
    "contact": ((), ("delta_g_V", "delta_g_A")),
}
_BLOCK = 1 << 16  # rows read at once


NO_NUMBER = "no solution of the electroweak inputs below the first Kaluza-Klein mass, or a rate beyond floating point"


class Points(NamedTuple):
    """Checked names of some model points, their numbers and choices as views of one shape, and the theory's name."""

    names: tuple[str, ...]
    numbers: tuple[np.ndarray, ...]
    choices: dict[str, np.ndarray]
    shape: tuple[int, ...]
    theory: str

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows and their numbers (parameter, row), a few at a time."""
        for start in range(0, int(np.prod(self.shape)), _BLOCK):
            rows = slice(start, start + _BLOCK)
            yield rows, np.stack([np.asarray(x.flat[rows], dtype=float) for x in self.numbers])


def read_points(points: Mapping[str, Any]) -> Points:
    """Names, shapes and kinds checked; values are left to `LIMITS`.

    Raises
    ------
    InputError : see `trident_ratio`; every fault at once.
    """
    faults, given = [], dict[str, np.ndarray]()
    allowed = (*UNITS, *ALIASES, *CHOICES)
    for key, value in points.items():
        names = ALIASES.get(key, (key,))
        words = names[0] in CHOICES
        array = np.asarray(value, dtype=str) if words else np.asarray(value)
        if key not in allowed:
            faults.append(unknown("parameter", key, allowed, "points"))
        elif not words and array.dtype.kind not in "fiu":
            faults.append(f"points: {key} has elements of type {array.dtype}; allowed: real numbers")
        for name in names:
            if name in given:
                faults.append(f"points: {key} gives {name} a second time; leave one out")
            given[name] = array
    faults += _part_faults(given)
    try:
        shape = np.broadcast_shapes(*(x.shape for x in given.values()))
    except ValueError:
        faults.append(f"points: shapes { ({name: x.shape for name, x in given.items()}) } do not broadcast")
    if faults:
        raise InputError(faults)
    theory = "+".join(_parts(given))
    choices = _checked_words({key: x for key, x in given.items() if key in CHOICES}) if "rs" in theory else {}
    choices = {key: np.broadcast_to(x, shape) for key, x in choices.items()}
    own = tuple(name for name in UNITS if name in given)
    numbers = tuple(np.broadcast_to(given[name], shape) for name in own)
    return Points(own, numbers, choices, shape, theory)


def _parts(given: Mapping[str, Any]) -> list[str]:
    return [part for part, (needed, other) in _OWNERS.items() if any(name in given for name in (*needed, *other))]


def _part_faults(given: Mapping[str, Any]) -> list[str]:
    parts = _parts(given)
    faults = [
        f"points: {name} is missing; theory {part} needs {', '.join(_OWNERS[part][0])}"
        for part in parts
        for name in _OWNERS[part][0]
        if name not in given
    ]
    chiral, vector = ([name for name in pair if name in given] for pair in (("g_L", "g_R"), ("g_V", "g_A")))
    if len(chiral) == 1 or (chiral and vector) or ("zprime" in parts and not chiral + vector):
        received = ", ".join(chiral + vector) or "none"
        faults.append(f"points: muon couplings received: {received}; allowed: g_V and/or g_A, or g_L and g_R")
    if not parts:
        faults.append("points: no model; give Lambda_IR with bulk masses, mass with couplings, or delta_g_V, delta_g_A")
    return faults


def _checked_words(words: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All choices of theory `rs`, in one order; those not given at their default."""
    from tridentjax.theory.catalogue import THEORIES

    faults, complete = [], {}
    for key in CHOICES:
        known = THEORIES["rs"].choices[key]
        complete[key] = array = words.get(key, np.asarray(known[0]))
        starts = range(0, array.size, _BLOCK)
        found = {str(word) for start in starts for word in np.unique(array.flat[start : start + _BLOCK])}
        faults += [unknown(key, word, known, "points") for word in sorted(found.difference(known))]
    if faults:
        raise InputError(faults)
    return complete
