"""Where theories are defined: limits of their parameters, in NumPy, so that no JAX starts.

Every edge is monotonous in each of its parameters, so a range is inside where all its ends are.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tridentjax.constants import PLANCK_MASS

SMALLEST_MEDIATOR_MASS = 1e-3  # [GeV]; the K2 nodes resolve no lighter propagator


UNITS = {
    "Lambda_IR": "GeV", "k": "GeV", "c_L_e": "1", "c_L_mu": "1", "c_R_mu": "1", "kappa_UV": "1", "kappa_IR": "1",
    "mass": "GeV", "g_nu": "1", "g_V": "1", "g_A": "1", "g_L": "1", "g_R": "1",
    "delta_g_V": "1", "delta_g_A": "1", "sin2_theta_w": "1",
}  # fmt: skip
_DEFAULTS = {"k": PLANCK_MASS, "kappa_UV": 0.0, "kappa_IR": 0.0}


class Limit(NamedTuple):
    """Edge of the theories' domain: the numbers that decide, where they are outside, what is allowed."""

    names: tuple[str, ...]
    outside: Callable[..., Any]
    allowed: str


def _space(suffix: str = "") -> tuple[Limit, ...]:
    """Brane terms of one gauge group that leave no mode with a negative norm."""
    kappas = f"kappa_UV{suffix}", f"kappa_IR{suffix}"
    return (
        Limit(kappas[1:], lambda x: x < 0, "0 or more (else a mode has negative norm)"),
        Limit(
            ("Lambda_IR", "k", *kappas),
            lambda x, k, UV, IR: (x > 0) & (k > x) & (np.log(k / x) + UV + IR <= 0),
            f"ln(k/Lambda_IR) + {' + '.join(kappas)} positive (else the massless mode has negative norm)",
        ),
    )


STANDARD_MODEL = (
    Limit(("sin2_theta_w",), lambda x: (x <= 0) | (x >= 0.5), "between 0 and 1/2"),
    Limit(("one_loop",), lambda x: (x < 0) | (x > 1), "0 (tree level) to 1 (one loop)"),
)
MEDIATOR = (
    Limit(("mass",), lambda x: x < SMALLEST_MEDIATOR_MASS, "1e-3 GeV or more, what the integration nodes resolve"),
)
SPACE = (
    Limit(("Lambda_IR",), lambda x: x <= 0, "positive [GeV]"),
    Limit(("k",), lambda x: x <= 0, "positive [GeV]"),
    Limit(("Lambda_IR", "k"), lambda x, k: (x > 0) & (k > 0) & (x >= k), "Lambda_IR below k"),
    *_space(),
)
SPACE_U1 = _space("_U1")
FINITE = tuple(Limit((name,), lambda x: ~np.isfinite(x), "a finite number") for name in UNITS)
LIMITS = (*FINITE, *SPACE, *MEDIATOR, *STANDARD_MODEL)  # of the parameters that `UNITS` names


def violations(
    values: Mapping[str, Any], limits: Iterable[Limit] = LIMITS, fixed: Mapping[str, Any] = MappingProxyType({})
) -> list[tuple[Limit, Any]]:
    """Every edge that these parameters have, and where they are outside; `fixed` are others that are given.

    Hypercharge has the brane terms of the other group where it is not given its own.
    """
    full = _completed({**fixed, **values})
    own = [
        limit for limit in limits
        if not values.keys().isdisjoint(limit.names) and full.keys() >= set(limit.names)
    ]  # fmt: skip
    numbers = {name: np.asarray(full[name], dtype=float) for limit in own for name in limit.names}
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return [(limit, limit.outside(*(numbers[name] for name in limit.names))) for limit in own]


def point_faults(
    numbers: Mapping[str, Any], limits: Iterable[Limit] = LIMITS, notes: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Sentences for every edge of the domain that one point is outside of; `notes` follow numbers that have one."""
    full = _completed(numbers)
    return [
        ", ".join(f"{name} = {_shown(full[name])}{notes.get(name, '')}" for name in limit.names)
        + f"; allowed: {limit.allowed}"
        for limit, outside in violations(numbers, limits)
        if outside.any()
    ]


def _completed(values: Mapping[str, Any]) -> dict[str, Any]:
    full = {**_DEFAULTS, **values}
    if "kappa_UV_U1" in values or "kappa_IR_U1" in values:
        full = {f"{name}_U1": full[name] for name in ("kappa_UV", "kappa_IR")} | full
    return full


def _shown(value: Any) -> str:
    several = ", ".join(f"{x:.10g}" for x in np.ravel(value))
    return f"[{several}]" if np.ndim(value) else several
