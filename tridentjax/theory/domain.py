"""Where theories are defined: limits of their parameters, in NumPy, so that no JAX starts."""

from collections.abc import Callable, Iterator, Mapping
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


def _too_light(mass: Any) -> Any:
    return mass < SMALLEST_MEDIATOR_MASS


LIMITS = (
    *(Limit((name,), lambda x: ~np.isfinite(x), "a finite number") for name in UNITS),
    Limit(("Lambda_IR",), lambda x: x <= 0, "positive [GeV]"),
    Limit(("k",), lambda x: x <= 0, "positive [GeV]"),
    Limit(("Lambda_IR", "k"), lambda x, k: (x > 0) & (k > 0) & (x >= k), "Lambda_IR below k"),
    Limit(("kappa_IR",), lambda x: x < 0, "0 or more (else a mode has negative norm)"),
    Limit(
        ("Lambda_IR", "k", "kappa_UV", "kappa_IR"),
        lambda x, k, UV, IR: (x > 0) & (k > x) & (np.log(k / x) + UV + IR <= 0),
        "ln(k/Lambda_IR) + kappa_UV + kappa_IR positive (else the massless mode has negative norm)",
    ),
    Limit(("mass",), _too_light, "1e-3 GeV or more, what the integration nodes resolve"),
    Limit(("sin2_theta_w",), lambda x: (x <= 0) | (x >= 0.5), "between 0 and 1/2"),
)


def violations(names: tuple[str, ...], block: np.ndarray) -> Iterator[tuple[Limit, np.ndarray]]:
    """Every edge that these parameters have, and which rows are outside."""
    values = dict(zip(names, block, strict=True))
    full = _DEFAULTS | values
    for limit in LIMITS:
        if any(name in values for name in limit.names) and all(name in full for name in limit.names):
            with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
                yield limit, limit.outside(*(full[name] for name in limit.names))


def point_faults(numbers: Mapping[str, float]) -> list[str]:
    """Sentences for every edge of the domain that one point is outside of."""
    block = np.asarray(list(numbers.values()), dtype=float)[:, None]
    full = _DEFAULTS | dict(numbers)
    return [
        ", ".join(f"{name} = {full[name]:g}" for name in limit.names) + f"; allowed: {limit.allowed}"
        for limit, outside in violations(tuple(numbers), block)
        if outside.any()
    ]
