"""The highest point of a function of named parameters inside the ranges of their priors, from many starts.

Bounded parameters are searched as u in [0, 1], the prior's flat coordinate in units of its range; normal priors and
nuisances in units of their widths, without bounds. `descent` does the search.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from tridentjax.inference.coordinates import Prior
from tridentjax.inference.descent import minimise
from tridentjax.quadrature import sobol_rule

_SAME = 1e-4  # starts that agree reach the same value


class Optimum(NamedTuple):
    """The best of many starts.

    `status` is `converged`, `at bound` (converged, with the parameters of `at_bound` on the bound named there) or
    `not converged`. `agreeing` of the `starts` reached the value; `dropped` began where the objective is not a
    number. `endpoints` and `endpoint_values` hold all of them, best first, without the dropped ones.
    """

    values: dict[str, Float[Array, ""]]
    value: Float[Array, ""]
    status: str
    at_bound: dict[str, str]
    starts: int
    agreeing: int
    dropped: int
    endpoints: dict[str, Float[Array, " start"]]
    endpoint_values: Float[Array, " start"]


def is_bounded(prior: Prior) -> bool:
    """Whether the prior has a range."""
    return prior.kind != "normal"


def from_unit(prior: Prior, u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Physical value at u: in units of the range, or of the width from the mean of a normal prior."""
    if not is_bounded(prior):
        return prior.low + prior.high * u
    low, high = prior.flat_range()
    # the ends themselves, not the exponentials of their logarithms
    inside = prior.from_flat(low + (high - low) * u)
    ends = jnp.where(u <= 0.0, prior.low, jnp.where(u >= 1.0, prior.high, inside))
    return inside + jax.lax.stop_gradient(ends - inside)


def to_unit(prior: Prior, value: float) -> float:
    """Inverse of `from_unit`."""
    if not is_bounded(prior):
        return (value - prior.low) / prior.high
    low, high = (float(x) for x in prior.flat_range())
    return ((float(np.log(value)) if prior.kind == "loguniform" else value) - low) / (high - low)


def make_starts(bounded: tuple[bool, ...], count: int, seed: int) -> Float[np.ndarray, "start coordinate"]:
    """Sobol points over the ranges (quantiles of normal priors), the first one in the middle."""
    nodes = np.asarray(sobol_rule(1 << max(count - 1, 0).bit_length(), len(bounded), seed).nodes)[:count]
    nodes = np.clip(nodes, 0.01, 0.99)
    nodes[0] = 0.5
    return np.where(np.asarray(bounded)[None], nodes, ndtri(nodes))


def maximise(
    objective: Callable[[dict[str, Float[Array, ""]]], Float[Array, ""]],
    priors: Mapping[str, Prior],
    *,
    starts: int = 16,
    seed: int = 1,
    tolerance: float = 1e-6,
    evaluations: int = 400,
    batch_size: int | None = None,
) -> Optimum:
    """Highest value of a function of named parameters inside their priors' ranges.

    Parameters
    ----------
    objective : of a dictionary of physical values; differentiable, NaN where it has no value. An `eqx.Module`
        with a `__call__` is compiled once for all its instances of one shape, a plain function for each call.
    priors : ranges; the prior densities do not count.
    starts : number of starts: the middle and Sobol points.
    seed : of the Sobol points.
    tolerance : largest projected gradient where a start has converged: what the objective could at most rise, to
        first order, along the whole range of a parameter.
    evaluations : most of each start.
    batch_size : starts that run at once; all of them if None.

    Returns
    -------
    The best start and the ends of all others. A function that is flat converges wherever it is.

    Raises
    ------
    ValueError : no parameters, or the objective is not a number at any start.
    """
    names = tuple(priors)
    if not names:
        raise ValueError("maximise: there is no parameter to vary; give at least one a prior")
    bounded = tuple(is_bounded(prior) for prior in priors.values())
    u = jnp.asarray(make_starts(bounded, starts, seed))
    found = minimise(Negative(objective, dict(priors), names), u, bounded, None, tolerance, evaluations, batch_size)
    order = np.argsort(np.asarray(found.value), kind="stable")
    kept = order[np.isfinite(np.asarray(found.value)[order])]
    if not kept.size:
        raise ValueError(f"maximise: the objective is not a number at any of {starts} starts; narrow the priors")
    best = kept[0]
    at_bound = bounds_at(names, bounded, np.asarray(found.u[best]), np.asarray(found.gradient[best]))
    status = "not converged" if not bool(found.converged[best]) else "at bound" if at_bound else "converged"
    values = np.asarray(found.value)
    physical = {name: from_unit(priors[name], found.u[:, i]) for i, name in enumerate(names)}
    return Optimum(
        values={name: x[best] for name, x in physical.items()},
        value=-found.value[best],
        status=status,
        at_bound=at_bound,
        starts=starts,
        agreeing=int((values[kept] - values[best] < _SAME).sum()),
        dropped=starts - kept.size,
        endpoints={name: x[kept] for name, x in physical.items()},
        endpoint_values=-found.value[kept],
    )


class Negative(eqx.Module):
    """An objective of physical values as a function of u, to be made small."""

    objective: Callable[..., Any]
    priors: dict[str, Prior]
    names: tuple[str, ...] = eqx.field(static=True)

    def __call__(self, u: Float[Array, " coordinate"]) -> Float[Array, ""]:
        """Minus the objective."""
        return -self.objective({name: from_unit(self.priors[name], u[i]) for i, name in enumerate(self.names)})


def bounds_at(
    names: tuple[str, ...],
    bounded: tuple[bool, ...],
    u: Float[np.ndarray, " coordinate"],
    gradient: Float[np.ndarray, " coordinate"],
) -> dict[str, str]:
    """Parameters on a bound that a function to be made small would leave: name and `lower` or `upper`."""
    found = {}
    for name, has_range, x, slope in zip(names, bounded, u, gradient, strict=True):
        if has_range and x <= 0.0 and slope > 0.0:
            found[name] = "lower"
        elif has_range and x >= 1.0 and slope < 0.0:
            found[name] = "upper"
    return found
