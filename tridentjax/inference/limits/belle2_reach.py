"""Reach of Belle II in the coupling of an invisible mediator: the rate of `belle2` against a Poisson limit."""

import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from scipy.special import gammaincc, gammainccinv, pdtr

from tridentjax._types import Scalar
from tridentjax.constants import SIN2_THETA_W
from tridentjax.experiment.belle2 import (
    Belle2Assumptions,
    belle2_events,
    invisible_branching_ratio,
    photon_cross_section,
)
from tridentjax.faults import InputError
from tridentjax.roots import bisect
from tridentjax.theory.mediators import ELECTRIC_CHARGE

LARGEST_COUPLING = 1.0  # beyond it neither the width nor O(eps^2) can be left out
_SMALLEST_COUPLING = 1e-12

Mixing = Literal["loop", "tree"]


def signal_upper_limit(
    confidence_level: float,
    background: float = 0.0,
    observed: float | None = None,
    statistic: str = "cls",
) -> float:
    """Poisson upper limit on the signal count s at a known background b.

        cls:        P(N <= n | s + b) = (1 - CL) P(N <= n | b)
        classical:  P(N <= n | s + b) = 1 - CL                                                           (1)

    `observed` is n; without it the median of the limits expected from background alone, i.e. (1) at the median n.
    For b = 0 both are -ln(1 - CL) at n = 0. On the host, not differentiable: nothing fitted enters.

    Raises
    ------
    InputError : a number outside its range, or a classical limit below 0 (n far below b).
    """
    Belle2Assumptions(confidence_level=confidence_level, background=background, statistic=statistic)  # refuses bad ones
    if observed is not None and not 0.0 <= observed < math.inf:
        raise InputError([f"Belle II: observed = {observed:g}; allowed: 0 or more, finite"])
    if observed is None:
        first = max(0, math.floor(background - math.log(2.0)))  # the median lies in [b - ln 2, b + 1/3]
        observed = next(float(n) for n in range(first, first + 4) if pdtr(n, background) >= 0.5)
    share = float(gammaincc(observed + 1.0, background)) if statistic == "cls" else 1.0
    limit = float(gammainccinv(observed + 1.0, (1.0 - confidence_level) * share)) - background  # (1)
    if not limit > 0.0:
        place = f"{statistic} limit at n = {observed:g}, b = {background:g}"
        raise InputError([f"{place}: no signal count is allowed; use cls or a higher confidence level"])
    return limit


def lmutau_events(
    mixing: Mixing,
    mass: Float[Array, " mass"],
    coupling: Float[Array, " mass"],
    assumptions: Belle2Assumptions,
    g: Scalar | None = None,
) -> Float[Array, " mass"]:
    """Signal events of the L_mu - L_tau boson with one of the two mixings.

    'loop': `coupling` is g, nothing else mixes. 'tree': `coupling` is the hypercharge mixing eps at a given `g`, the
    loop left out; without `g`, g >> e eps, so that mixing does not matter for the branching ratio.
    """
    if mixing == "loop":
        return belle2_events({"mass": mass, "g": coupling, "loop_mixing": True}, assumptions)
    chi = coupling * math.sqrt(1.0 - SIN2_THETA_W)  # (5) of `belle2`
    if g is not None:
        return belle2_events({"mass": mass, "g": jnp.full_like(mass, 1.0) * g, "kinetic_mixing": chi}, assumptions)
    exposure = assumptions.luminosity * assumptions.efficiency
    invisible = invisible_branching_ratio({"mass": mass, "g": jnp.ones_like(mass)})
    return exposure * photon_cross_section(mass, assumptions) * (ELECTRIC_CHARGE * chi) ** 2 * invisible


def expected_reach(
    mixing: Mixing, mass: Float[Array, " mass"], assumptions: Belle2Assumptions, g: Scalar | None = None
) -> Float[Array, " mass"]:
    """Coupling of `lmutau_events` at which the events equal the expected `signal_upper_limit`; NaN without one.

    Without `g` events go as the coupling squared: closed form, differentiable in the mass. With it, `first_crossing`.
    """
    a = assumptions
    limit = signal_upper_limit(a.confidence_level, float(a.background), statistic=a.statistic)
    if g is not None:
        return first_crossing(lambda coupling: lmutau_events(mixing, mass, coupling, a, g), limit, mass.shape[0])
    events = lmutau_events(mixing, mass, jnp.ones_like(mass), a)
    reached = events * LARGEST_COUPLING**2 >= limit
    return jnp.where(reached, jnp.sqrt(limit / jnp.where(reached, events, 1.0)), jnp.nan)


def first_crossing(
    events_at: Callable[[Float[Array, " mass"]], Float[Array, " mass"]], limit: float, count: int
) -> Float[Array, " mass"]:
    """Smallest coupling in [1e-12, 1] at which `events_at` reaches `limit`, for each of `count` masses; NaN if none.

    A lattice in the logarithm finds the first step across (a rate need not rise for ever: mixing also opens visible
    decays), bisection the place in it, to rounding. For any charges; not differentiable.
    """
    lattice = jnp.linspace(math.log(_SMALLEST_COUPLING), math.log(LARGEST_COUPLING), 257)
    above = jax.vmap(lambda u: events_at(jnp.full((count,), jnp.exp(u))) >= limit)(lattice)
    first = jnp.argmax(above, axis=0)
    low, high = lattice[jnp.maximum(first - 1, 0)], lattice[first]

    high = bisect(lambda u: ~(events_at(jnp.exp(u)) >= limit), low, high, 52)[1]
    return jnp.where(above.any(axis=0), jnp.exp(high), jnp.nan)
