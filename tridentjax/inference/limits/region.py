"""Regions of a model: the rays of a plane, a statistic, and what was found, with the exact chain at the end.

The search uses responses expanded in the nuisances (`expanded_response`). Every bracket is then tested with the
kernels themselves, at the nuisances that the expansion finds (F is stationary there), and moved where the two
disagree: boundaries reported are those of the exact chain.
"""

from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize

from tridentjax.faults import InputError
from tridentjax.inference.data import observed
from tridentjax.inference.limits.cls import make_toy_CLs
from tridentjax.inference.limits.rays import Boundary, Objective, Plane, Ray, sample_rays, trace
from tridentjax.inference.limits.statistics import (
    CLs,
    Point,
    Statement,
    bayesian,
    gaussian,
    profile_ratio,
    profiled_deviance,
)
from tridentjax.inference.model import Model, expand_model

_BRACKET = 1e-7  # half width of a bracket, in t
_LONGEST_STEP = 0.05
_WIDENINGS = 12
_TOY_STEPS = 4


class Rays(NamedTuple):
    """Rays that leave a point, `radius` prior ranges long."""

    origin: dict[str, float]
    radius: float = 1.0


class ContourSettings(NamedTuple):
    """Which plane a contour is drawn in and how finely; without `rays` along lines of constant x.

    `at` fixes other sampled parameters, which else are at the middle of their priors. `points` rays are sampled
    `samples` times each; between rays of different topology come `refinements` generations of new ones.
    """

    x: str
    y: str
    confidence_level: float = 0.95
    parameters_of_interest: int = 1
    points: int = 60
    samples: int = 64
    refinements: int = 4
    toys: int = 2000
    seed: int = 1
    rays: Rays | None = None
    at: dict[str, float] = {}  # noqa: RUF012


class Region(NamedTuple):
    """Allowed region of some experiments by one statistic; rays in order of their position."""

    experiments: tuple[str, ...]
    statement: Statement
    plane: Plane
    rays: list[Ray]
    model: Model

    def point(self, boundary: Boundary, t: float | None = None) -> Point:
        """Physical parameters at a boundary, or elsewhere on its ray."""
        return self.plane.point(jnp.asarray(boundary.position), jnp.asarray(boundary.t if t is None else t))


def make_plane(model: Model, spec: ContourSettings) -> Plane:
    """The plane of a contour: ranges are those of the priors, other sampled parameters are fixed.

    Raises
    ------
    InputError : x, y or `at` that are no sampled parameters, priors without a range, origins of other parameters;
        all at once.
    """
    faults = []
    for key in ("x", "y"):
        name = getattr(spec, key)
        if name not in model.priors:
            allowed = ", ".join(model.priors)
            faults.append(f"contour.{key} = {name!r}; allowed: a parameter with a prior ({allowed})")
        elif model.priors[name].kind == "normal":
            faults.append(f"contour.{key}: {name} has a normal prior, which has no range; use uniform or loguniform")
    if spec.x == spec.y:
        faults.append(f"contour: x and y are both {spec.x}")
    others = [name for name in model.priors if name not in (spec.x, spec.y)]
    faults += [f"contour.at: {name} is not among the other sampled parameters ({', '.join(others) or 'none'})"
               for name in spec.at if name not in others]  # fmt: skip
    origin = None
    if spec.rays is not None and set(spec.rays.origin) != {spec.x, spec.y}:
        faults.append(f"contour.rays.origin gives {', '.join(spec.rays.origin)}; needed: {spec.x} and {spec.y}")
    if faults:
        raise InputError(faults)
    if spec.rays is not None:
        origin = _flat_origin(model, spec)
    middle = {name: float(model.priors[name].from_normal(jnp.zeros(()))) for name in others} | dict(spec.at)
    priors = {name: model.priors[name] for name in (spec.x, spec.y)}
    return Plane(spec.x, spec.y, priors, middle, origin, spec.rays.radius if spec.rays else 1.0)


def _flat_origin(model: Model, spec: ContourSettings) -> tuple[float, float]:
    assert spec.rays is not None
    values = []
    for name in (spec.x, spec.y):
        value = spec.rays.origin[name]
        if model.priors[name].kind == "loguniform":
            if value <= 0.0:
                raise InputError([f"contour.rays.origin.{name} = {value}; allowed: positive (its prior is loguniform)"])
            value = float(np.log(value))
        values.append(value)
    return values[0], values[1]


def find_region(model: Model, plane: Plane, key: str, spec: ContourSettings) -> Region:
    """Allowed region by one of `STATISTICS`.

    Raises
    ------
    InputError : a statistic that the model does not have.
    """
    if key == "cls_toys" and any(c.experiment.measurement.is_limit for c in model.chains):
        raise InputError(["statistic cls_toys: a published limit cannot be thrown; choose cls or profile"])
    exact_at_once = key in ("gaussian", "bayesian")  # nuisances nominal, or folded for every draw
    searched = model if exact_at_once else expand_model(model)
    statement = _statement(searched, plane, key, spec)
    objective = Objective(statement.function, plane)
    rays = trace(objective, plane.positions(spec.points), statement.levels, spec.samples, spec.refinements)
    if not exact_at_once:
        if key == "profile":
            function: Any = partial(profiled_deviance, model, observed(model), search=searched)
        else:
            function = CLs(model, spec.confidence_level, searched).function
        exact = Objective(function, plane, slopes=False)
        rays = _certify(rays, statement, objective, exact)
    region = Region(model.experiments, statement, plane, rays, model)
    return _with_toys(region, spec) if key == "cls_toys" else region


def _statement(model: Model, plane: Plane, key: str, spec: ContourSettings) -> Statement:
    level = spec.confidence_level
    if key == "gaussian":
        return gaussian(model, level)
    if key == "bayesian":
        return bayesian(model, level, (plane.x, plane.y))
    if key != "profile":
        return CLs(model, level)
    if spec.parameters_of_interest == 1:
        return profile_ratio(model, level)
    return profile_ratio(model, level, _best_fit(model, plane, spec))


def _best_fit(model: Model, plane: Plane, spec: ContourSettings) -> tuple[float, float, float]:
    """Position, t and F of the best fit in the plane: the best sample of all rays, improved by a simplex."""
    objective = Objective(partial(profiled_deviance, model, observed(model)), plane)
    found = sample_rays(objective, plane.positions(spec.points), spec.samples)
    row, column = np.unravel_index(np.nanargmin(found.F), found.F.shape)
    start = np.asarray([found.positions[row], found.t[row, column]])
    bounds = [(float(found.positions.min()), float(found.positions.max())), (0.0, 1.0)]

    def value(x: np.ndarray) -> float:
        return float(objective(x[:1], x[1:])[0][0])

    better = minimize(value, start, method="Nelder-Mead", bounds=bounds, options={"xatol": 1e-4, "fatol": 1e-9})
    if better.fun < found.F[row, column]:
        return float(better.x[0]), float(better.x[1]), float(better.fun)
    return float(start[0]), float(start[1]), float(found.F[row, column])


def _certify(rays: list[Ray], statement: Statement, fast: Objective, exact: Objective) -> list[Ray]:
    """Move every bracket onto the exact chain: Newton steps, then ends on both sides until their signs are right."""
    owner = [i for i, ray in enumerate(rays) for b in ray.boundaries if np.isfinite(b.excess_excluded)]
    if not owner:
        return rays
    found = [b for ray in rays for b in ray.boundaries if np.isfinite(b.excess_excluded)]
    position = np.asarray([b.position for b in found])
    level = np.asarray([rays[i].level for i in owner])
    if statement.relative:
        where = (position, np.asarray([rays[i].best for i in owner]))
        if statement.best is not None:
            where = tuple(np.full(position.size, x) for x in statement.best)  # type: ignore[assignment]
        level = level + exact(*where)[0] - fast(*where)[0]
    t = np.asarray([b.t for b in found])
    for _ in range(2):
        F, slope = exact(position, t)[0], fast(position, t)[1]
        step = np.where(slope != 0.0, (level - F) / np.where(slope != 0.0, slope, 1.0), 0.0)
        t = np.clip(t + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP), 0.0, 1.0)
    side = np.asarray([1.0 if b.above else -1.0 for b in found])
    width = np.maximum(np.abs(step), _BRACKET)
    ends = {}
    for sign in (-1.0, 1.0):  # allowed, then excluded
        away, pending = width.copy(), np.ones(t.size, bool)
        at, excess = t.copy(), np.zeros(t.size)
        for _ in range(_WIDENINGS):
            at = np.where(pending, np.clip(t + sign * side * away, 0.0, 1.0), at)
            excess = exact(position, at)[0] - level
            pending = (excess <= 0.0) != (sign < 0.0)
            away = np.where(pending, 4.0 * away, away)
            if not pending.any():
                break
        if pending.any():
            raise RuntimeError(f"{statement.key}: no bracket on the exact chain at {int(pending.sum())} boundaries")
        ends[sign] = at, excess
    (t_in, e_in), (t_out, e_out) = ends[-1.0], ends[1.0]
    root = t_in - e_in * (t_out - t_in) / (e_out - e_in)
    certified = iter(
        Boundary(*(float(x) for x in row)) for row in zip(position, root, t_in, t_out, e_in, e_out, strict=True)
    )
    return [
        ray._replace(boundaries=tuple(next(certified) if np.isfinite(b.excess_excluded) else b for b in ray.boundaries))
        for ray in rays
    ]


def _with_toys(region: Region, spec: ContourSettings) -> Region:
    """Replace asymptotic roots by those of toys: Newton steps with the asymptotic slope, at common random numbers.

    The bracket of such a root is two standard errors wide on either side; its excesses are unknown (NaN).
    """
    toy_CLs = make_toy_CLs(expand_model(region.model), spec.toys, spec.seed)
    asymptotic = Objective(region.statement.function, region.plane)
    alpha = 1.0 - spec.confidence_level

    def improved(boundary: Boundary) -> Boundary:
        slope = float(asymptotic(np.asarray([boundary.position]), np.asarray([boundary.t]))[1][0])
        t = boundary.t
        for _ in range(_TOY_STEPS):
            found = toy_CLs(region.point(boundary, t))
            t = float(np.clip(t + (np.log(max(found.CLs, 1.0 / spec.toys) / alpha)) / slope, 0.0, 1.0))
        error = found.error / alpha / abs(slope)
        side = np.sign(slope)
        return Boundary(boundary.position, t, t - 2.0 * side * error, t + 2.0 * side * error, np.nan, np.nan)

    rays = [ray._replace(boundaries=tuple(improved(b) for b in ray.boundaries)) for ray in region.rays]
    text = region.statement.text.replace("asymptotic", f"{spec.toys} toys (brackets: 2 standard errors)")
    return region._replace(rays=rays, statement=region.statement._replace(key="cls_toys", text=text))
