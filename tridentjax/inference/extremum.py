"""The largest or smallest value of any output over the allowed region, and the boundary point nearest to a model.

    max or min of f(theta)   where   Delta chi2(theta) = F(theta) - min F <= c                      (1)
    min |u - u_0|            where   Delta chi2(theta) = c                                          (2)

inside the ranges of the priors; u is theta in units of these ranges and c the quantile of a chi2. F is the deviance
with every nuisance at its best (`profiled`, see `profile`) or at its centre (`nominal`). `constrained` solves both.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.stats import chi2

from tridentjax.faults import InputError, unknown
from tridentjax.inference.constrained import Allowed, Problem
from tridentjax.inference.deviance import evaluate, make_deviance
from tridentjax.inference.fit import Fit, fast_ends, fit
from tridentjax.inference.model import Model
from tridentjax.inference.optimise import is_bounded, make_starts, to_unit

_SAMPLES = 256  # of the prior box, to begin from allowed points
_RAYS, _ALONG = 24, 13  # to find a boundary: rays from the given model, and points on each
_FAR = 4.0  # end of a ray along a parameter without bounds, in its widths
_AGREE = 1e-4  # of the spread of the output
_KKT = 1e-3


class Extremum(NamedTuple):
    """Solution of Eq. (1) or (2).

    Attributes
    ----------
    output, sense : what was sought (`distance` for the nearest boundary point).
    value : of the output; of the distance in prior ranges.
    parameters : of the theory.
    delta_chi2, threshold : there, and c.
    constrained : the boundary of the region holds it, not the prior alone.
    at_bound : parameters on a bound of their prior and which one.
    kkt : largest component of the Lagrangian's gradient over the largest of the output's, bounds taken out.
    converged : the point is allowed, and kkt is below 1e-3.
    starts, agreeing, failed : number of starts, those that reached the value before any restart, those without a
        solution.
    nuisances : `profiled` or `nominal`.
    """

    output: str
    sense: str
    value: float
    parameters: dict[str, float]
    delta_chi2: float
    threshold: float
    constrained: bool
    at_bound: dict[str, str]
    kkt: float
    converged: bool
    starts: int
    agreeing: int
    failed: int
    nuisances: str


def output_names(model: Model) -> tuple[str, ...]:
    """Everything that `find_extremum` can make large or small."""
    deviance = make_deviance(model)
    middle = deviance.point(jnp.asarray(make_starts(deviance.bounded[: len(deviance.theory)], 1, 1)[0]))
    derived = jax.eval_shape(lambda: {k: jnp.asarray(v, dtype=float) for k, v in model.derived(middle).items()})
    ratios = tuple(f"rate_ratio_{name}" for name in model.experiments)
    return (*deviance.theory, *ratios, "log_likelihood", *derived)


def make_allowed(
    model: Model,
    search: Model,
    *,
    best: Fit | None = None,
    confidence_level: float = 0.95,
    parameters_of_interest: int = 1,
    nuisances: str = "profiled",
    starts: int = 16,
    seed: int = 1,
) -> Allowed:
    """The allowed region of a model.

    Parameters
    ----------
    model : with exact chains.
    search : the same with expanded responses, to look for the nuisances.
    best : from `fit`, the reference of Delta chi2 with profiled nuisances; fitted here if None.
    confidence_level, parameters_of_interest : c is the quantile of a chi2 with so many degrees of freedom.
    nuisances : `profiled` or `nominal`.
    starts, seed : of the search for the reference.

    Raises
    ------
    InputError : another word for the nuisances.
    """
    if nuisances not in ("profiled", "nominal"):
        raise InputError([f"nuisances = {nuisances!r}; allowed: profiled, nominal"])
    deviance = make_deviance(model)
    if nuisances == "nominal":
        ends, _, _ = fast_ends(make_deviance(search), starts, seed, nuisances=False)
        lowest = float(np.nanmin(evaluate(deviance, ends)))
    else:
        lowest = (fit(model, starts=starts, seed=seed, search=search) if best is None else best).deviance
    threshold = float(chi2.ppf(confidence_level, parameters_of_interest))
    return Allowed(
        deviance, search, model.responses({}), jnp.asarray(lowest), jnp.asarray(threshold), nuisances == "profiled"
    )


def find_extremum(region: Allowed, output: str, sense: str, *, starts: int = 16, seed: int = 1) -> Extremum:
    """Largest or smallest value of an output over an allowed region, Eq. (1).

    Parameters
    ----------
    region : from `make_allowed`.
    output : one of `output_names`.
    sense : `max` or `min`.
    starts : searches, from the best and from arbitrary allowed points of the prior box.
    seed : of these points.

    Raises
    ------
    InputError : unknown output or sense; all at once.
    """
    faults = []
    if output not in (known := output_names(region.deviance.model)):
        faults.append(unknown("output", output, known))
    if sense not in ("max", "min"):
        faults.append(f"sense = {sense!r}; allowed: max, min")
    if faults:
        raise InputError(faults)
    problem = Problem(region, output, 1.0 if sense == "min" else -1.0)
    samples = make_starts(tuple(region.bounded.tolist()), _SAMPLES, seed)
    values = [problem.at(u) for u in samples]
    f, h = np.asarray([v.f for v in values]), np.asarray([v.h for v in values])
    order = np.lexsort((problem.sign * f, np.maximum(h, 0.0)))
    order = order[np.isfinite(f[order])]
    if not order.size:
        return _nothing(problem, sense, starts)
    allowed = order[h[order] <= 0.0]
    problem.scale(f[allowed] if allowed.size > 1 else f[order])
    # half of the starts where the output is best, the others anywhere in the region
    half, apart = (starts + 1) // 2, max(1, (allowed.size or order.size) // starts)
    chosen = [*order[:half], *order[half::apart]][:starts]
    return _describe(problem, sense, samples[chosen], equality=False)


def nearest_boundary(region: Allowed, model_point: Mapping[str, float], *, starts: int = 16, seed: int = 1) -> Extremum:
    """Boundary point of an allowed region nearest to a model, in prior ranges, Eq. (2).

    Parameters
    ----------
    region : from `make_allowed`.
    model_point : a value of every theory parameter; inside the region or outside.
    starts : searches, from the nearest crossings on rays through the prior box.
    seed : of the rays.

    Returns
    -------
    `converged` is False, and the numbers are NaN, where no ray crosses a boundary.

    Raises
    ------
    InputError : missing or unknown parameters, values outside their priors; all at once.
    """
    deviance = region.deviance
    if faults := nearest_faults(deviance.model, model_point):
        raise InputError(faults)
    origin = np.asarray([to_unit(deviance.model.priors[name], float(model_point[name])) for name in deviance.theory])
    problem = Problem(region, "distance", 1.0, origin)
    rays = [*make_starts(tuple(region.bounded.tolist()), _RAYS, seed), *_axes(region, origin)]
    crossings = [crossing for target in rays for crossing in _crossings(problem, origin, target)]
    if not crossings:
        return _nothing(problem, "min", starts)
    crossings.sort(key=lambda u: float(np.linalg.norm(u - origin)))
    return _describe(problem, "min", np.asarray(crossings[:starts]), equality=True)


def nearest_faults(model: Model, point: Mapping[str, float]) -> list[str]:
    """What is wrong with the model that `nearest_boundary` is given."""
    names, priors = make_deviance(model).theory, model.priors
    faults = [f"nearest: {name} is missing; give every sampled parameter" for name in names if name not in point]
    faults += [unknown("parameter", name, names, "nearest") for name in point if name not in names]
    for name in names:
        if name in point and is_bounded(priors[name]) and not priors[name].low <= point[name] <= priors[name].high:
            faults.append(
                f"nearest.{name} = {point[name]}; allowed: inside its prior, {priors[name].low} to {priors[name].high}"
            )
    return faults


def _axes(region: Allowed, origin: Float[np.ndarray, " theory"]) -> list[Float[np.ndarray, " theory"]]:
    """Ends of the lines through a point along the axes."""
    found = []
    for i, has_range in enumerate(region.bounded):
        for end in (0.0, 1.0) if has_range else (-_FAR, _FAR):
            target = origin.copy()
            target[i] = end
            found.append(target)
    return found


def _crossings(
    problem: Problem, origin: Float[np.ndarray, " theory"], target: Float[np.ndarray, " theory"]
) -> list[Float[np.ndarray, " theory"]]:
    """Where the line from a point to another crosses the boundary, to first order between points along it."""
    path = [origin + share * (target - origin) for share in np.linspace(0.0, 1.0, _ALONG)]
    h = np.asarray([problem.at(u).h for u in path])
    found = []
    for i in range(_ALONG - 1):
        if np.isfinite(h[i : i + 2]).all() and h[i] * h[i + 1] <= 0.0:
            share = h[i] / (h[i] - h[i + 1]) if h[i] != h[i + 1] else 0.5
            found.append(path[i] + share * (path[i + 1] - path[i]))
    return found


def _describe(problem: Problem, sense: str, starts: Float[np.ndarray, "start theory"], *, equality: bool) -> Extremum:
    """Solve and put the solution in words."""
    region, deviance = problem.region, problem.region.deviance
    best, ends = problem.solve(starts, equality=equality)
    if best is None:
        return _nothing(problem, sense, len(starts))
    at = problem.at(best.u)
    kkt, pressed = problem.optimality(best.u, equality)
    at_bound = {
        name: "lower" if best.u[i] <= 0.0 else "upper"
        for i, name in enumerate(deviance.theory)
        if region.bounded[i] and not 0.0 < best.u[i] < 1.0
    }
    return Extremum(
        output=problem.output,
        sense=sense,
        value=float(np.sqrt(at.f)) if problem.origin is not None else at.f,
        parameters={name: float(x) for name, x in deviance.point(jnp.asarray(best.u)).items()},
        delta_chi2=float(region.threshold) * float(np.expm1(at.h + np.log(2.0))),
        threshold=float(region.threshold),
        constrained=pressed,
        at_bound=at_bound,
        kkt=kkt,
        converged=kkt < _KKT,
        starts=len(starts),
        agreeing=sum(end.value - best.value < _AGREE for end in ends),
        failed=len(starts) - len(ends),
        nuisances=_word(region),
    )


def _nothing(problem: Problem, sense: str, starts: int) -> Extremum:
    nan, region = float("nan"), problem.region
    return Extremum(
        output=problem.output, sense=sense, value=nan, parameters=dict.fromkeys(region.deviance.theory, nan),
        delta_chi2=nan, threshold=float(region.threshold), constrained=False, at_bound={}, kkt=nan, converged=False,
        starts=starts, agreeing=0, failed=starts, nuisances=_word(region),
    )  # fmt: skip


def _word(region: Allowed) -> str:
    return "profiled" if region.profiled else "nominal"
