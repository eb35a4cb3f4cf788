"""Best fit of a model: theory parameters and nuisances together, from many starts, with its covariance.

F(theta, z) of `deviance` is searched with responses expanded in the nuisances (`expanded_response`). The best
point is then moved onto the kernels themselves by Newton steps in theta, and the numbers reported are theirs.
Degenerate likelihoods are the rule with trident data: `Fit` says so instead of giving errors that mean nothing.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from tridentjax.experiment.likelihood import best_background
from tridentjax.inference.covariance import Covariance, make_covariance, reduced, stiff_directions
from tridentjax.inference.deviance import (
    AtPoint,
    Deviance,
    evaluate,
    hessian,
    jacobian,
    make_deviance,
    profiled_at,
    search_lanes,
)
from tridentjax.inference.model import Model, expand_model
from tridentjax.inference.optimise import make_starts

_APART = 0.02  # of the prior range: distinct optima
_SAME = 1e-4  # of F: starts that agree
_LEFT = 1e-4  # of F along a whole prior range: gradient at a converged fit on the exact chain
_ALONG, _IDLE = 9, 1e-2  # points along a range, and the change of F along it that is none
_NEWTON_STEPS = 8
_MOST_OPTIMA = 10


class PointFit(NamedTuple):
    """An end of the search: theory parameters, how far its F lies above the best, how many starts ended there."""

    values: dict[str, float]
    excess: float
    starts: int


class Fit(NamedTuple):
    """Best fit of a model.

    Attributes
    ----------
    values : theory parameters and nuisances, physical.
    deviance, log_likelihood : F at the best fit, and -(F - |z|^2)/2, that of the measurements alone.
    status : `converged`, `at bound`, `degenerate` (flat directions, and perhaps bounds) or `not converged`.
    covariance : with the flat directions, and the reasons why parameters have no error.
    optima : distinct ends of the search, best first (at most 10), as found with the expanded responses.
    agreeing, dropped : starts that reached the best F, and starts where the likelihood is not a number.
    gradient : largest projected dF/du that is left on the exact chain.
    x : coordinates of the best fit, in the order of `deviance.Deviance.names`.
    """

    values: dict[str, float]
    deviance: float
    log_likelihood: float
    rate_ratios: dict[str, float]
    derived: dict[str, float]
    status: str
    at_bound: dict[str, str]
    covariance: Covariance
    optima: tuple[PointFit, ...]
    starts: int
    agreeing: int
    dropped: int
    gradient: float
    x: Float[np.ndarray, " coordinate"]


def fit(model: Model, *, starts: int = 16, seed: int = 1, search: Model | None = None) -> Fit:
    """Find the largest likelihood of a model inside its priors' ranges.

    The constraints of the nuisances count, prior densities do not. Parameters that the likelihood does not depend on
    keep the value of the best start.

    Parameters
    ----------
    model : with exact chains; all its nuisances are profiled.
    starts : number of starts over the theory parameters, nuisances at their centres.
    seed : of the starts.
    search : the same model with expanded responses (`expand_model`), made here if None.

    Returns
    -------
    The covariance is that of the expanded responses: exact second derivatives of polynomials that interpolate the
    chain. Against second derivatives of the chain itself errors differ by 2e-9 of themselves and correlations by
    8e-7 (CCFR, delta_g_V at delta_g_A = 0.05; NuTeV 1998: 5e-10 and 1e-7).

    Raises
    ------
    ValueError : the likelihood is not a number at any start.
    """
    if search is None:
        search = expand_model(model) if model.profiled else model
    deviance, fast = make_deviance(model), make_deviance(search)
    ends, F, converged = fast_ends(fast, starts, seed)
    x = _pushed(fast, ends[0])
    found, x, gradient = _polished(deviance, fast, x, np.asarray(hessian(fast, jnp.asarray(x))))
    at_bound = _at_bound(fast, x)
    slopes = jacobian(fast, jnp.asarray(x))
    covariance = make_covariance(
        deviance.names,
        len(deviance.theory),
        np.asarray(hessian(fast, jnp.asarray(x))) / 2.0,
        np.stack([np.asarray(slopes[name]) for name in deviance.names]),
        at_bound,
    )
    F_best = float(found.deviance)
    status = "degenerate" if covariance.flat else "at bound" if at_bound else "converged"
    if not converged[0] or gradient > _LEFT * max(1.0, 1e-3 * abs(F_best)):
        status = "not converged"
    physical = deviance.values(jnp.asarray(x))
    values = {name: float(physical[name]) for name in deviance.names}
    ratios = dict(zip(model.experiments, (float(R) for R in found.ratios), strict=True))
    pulls = x[len(deviance.theory) :]
    return Fit(
        values=values | _backgrounds(model, ratios),
        deviance=F_best,
        log_likelihood=-(F_best - float(pulls @ pulls)) / 2.0,
        rate_ratios=ratios,
        derived={name: float(value) for name, value in found.derived.items()},
        status=status,
        at_bound=at_bound,
        covariance=covariance,
        optima=_optima(fast, ends, F),
        starts=starts,
        agreeing=int((F - F[0] < _SAME).sum()),
        dropped=starts - len(F),
        gradient=gradient,
        x=x,
    )


def fast_ends(
    fast: Deviance, starts: int, seed: int, nuisances: bool = True
) -> tuple[Float[np.ndarray, "start coordinate"], Float[np.ndarray, " start"], np.ndarray]:
    """Ends of the searches, best first: x, F, and whether they converged; those without a value are left out.

    The nuisances stay at their centres unless they are searched too.

    Raises
    ------
    ValueError : none has a value.
    """
    count = len(fast.theory)
    first = np.zeros((starts, len(fast.names)))
    first[:, :count] = make_starts(fast.bounded[:count], starts, seed)
    free = np.ones(first.shape, bool)
    free[:, count:] = nuisances
    found = search_lanes(fast, first, free)
    F = np.asarray(found.value)
    order = np.argsort(F, kind="stable")
    order = order[np.isfinite(F[order])]
    if not order.size:
        raise ValueError(f"fit: the likelihood is not a number at any of {starts} starts; narrow the priors")
    return np.asarray(found.u)[order], F[order], np.asarray(found.converged)[order]


def _pushed(deviance: Deviance, x: Float[np.ndarray, " coordinate"]) -> Float[np.ndarray, " coordinate"]:
    """Where F is too flat for a gradient, a parameter goes to the end of its range where F is lower."""
    F = float(evaluate(deviance, x[None])[0])
    ranged = [i for i, has_range in enumerate(deviance.bounded) if has_range]
    for _ in ranged:
        trials = np.repeat(x[None], 2 * len(ranged), axis=0)
        for row, i in enumerate(ranged):
            trials[2 * row, i], trials[2 * row + 1, i] = 0.0, 1.0
        values = evaluate(deviance, trials)
        values = np.where(np.isfinite(values), values, np.inf)
        best = int(np.argmin(values))
        if not values[best] < F - 1e-13 * max(1.0, abs(F)):
            break
        x, F = trials[best], float(values[best])
    return x


def _polished(
    deviance: Deviance, fast: Deviance, x: Float[np.ndarray, " coordinate"], curvature: Float[np.ndarray, "n n"]
) -> tuple[AtPoint, Float[np.ndarray, " coordinate"], float]:
    """Newton steps in u on the exact chain, nuisances profiled: what is there, x, and what is left of the gradient."""
    count = len(deviance.theory)
    bounded, S = np.asarray(deviance.bounded[:count]), reduced(curvature / 2.0, count)
    u, best = x[:count], None
    for _ in range(_NEWTON_STEPS):
        found, slope = profiled_at(deviance, fast.model, jnp.asarray(u))
        gradient = np.asarray(slope)
        left = np.abs(np.where(bounded, u - np.clip(u - gradient, 0.0, 1.0), gradient)).max()
        if best is not None and not float(found.deviance) < float(best[0].deviance):
            break
        best = (found, np.concatenate([u, np.asarray(found.z)]), float(left))
        held = bounded & (((u <= 0.0) & (gradient > 0.0)) | ((u >= 1.0) & (gradient < 0.0)))
        step = np.zeros(count)
        step[~held] = _newton(S[np.ix_(~held, ~held)], gradient[~held] / 2.0)
        ahead = np.where(bounded, np.clip(u + step, 0.0, 1.0), u + step)
        if np.abs(ahead - u).max() < 1e-10:
            break
        u = ahead
    assert best is not None  # the first step has set it
    return best


def _newton(S: Float[np.ndarray, "n n"], gradient: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Step along the directions that are not flat."""
    if not gradient.size:
        return gradient
    eigenvalues, vectors, stiff = stiff_directions(S)
    return -vectors[:, stiff] @ ((vectors[:, stiff].T @ gradient) / eigenvalues[stiff])


def _optima(
    fast: Deviance, ends: Float[np.ndarray, "start coordinate"], F: Float[np.ndarray, " start"]
) -> tuple[PointFit, ...]:
    """Ends that lie apart from each other."""
    count = len(fast.theory)
    found: list[list[int]] = []
    for i, end in enumerate(ends):
        near = [group for group in found if np.abs(end - ends[group[0]])[:count].max() < _APART]
        if near:
            near[0].append(i)
        else:
            found.append([i])
    return tuple(
        PointFit(
            {name: float(v) for name, v in fast.point(jnp.asarray(ends[group[0]][:count])).items()},
            float(F[group[0]] - F[0]),
            len(group),
        )
        for group in found[:_MOST_OPTIMA]
    )


def _at_bound(fast: Deviance, x: Float[np.ndarray, " coordinate"]) -> dict[str, str]:
    """Theory parameters on a bound that F would leave; one along whose whole range F stays the same is just flat."""
    found = {}
    for i, name in enumerate(fast.theory):
        if not fast.bounded[i] or 0.0 < x[i] < 1.0:
            continue
        line = np.repeat(x[None], _ALONG, axis=0)
        line[:, i] = np.linspace(0.0, 1.0, _ALONG)
        if not np.ptp(evaluate(fast, line)) < _IDLE:
            found[name] = "lower" if x[i] <= 0.0 else "upper"
    return found


def _backgrounds(model: Model, ratios: dict[str, float]) -> dict[str, float]:
    """Best backgrounds of the counting experiments that have one as a nuisance."""
    return {
        background: float(best_background(chain.experiment.measurement, jnp.asarray(ratios[chain.experiment.name])))
        for chain, background in zip(model.chains, model.background_names, strict=True)
        if background
    }
