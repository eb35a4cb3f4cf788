"""The largest or smallest value of any output over the allowed region, and the boundary point nearest to a model.

    max or min of f(theta)   where   Delta chi2(theta) = F(theta) - min F <= c                      (1)
    min |u - u_0|            where   Delta chi2(theta) = c                                          (2)

inside the ranges of the priors; c is the quantile of a chi2. F is the deviance with every nuisance at its best
(`profiled`, see `profile`) or at its centre (`nominal`). SLSQP (SciPy) solves both from many starts with exact
gradients, in units u of the prior ranges. The constraint enters as ln(1 + Delta chi2/c) <= ln 2: the same region, but
tame where couplings are so large that Delta chi2 grows like their eighth power.
"""

from collections.abc import Mapping
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import minimize, nnls
from scipy.stats import chi2

from tridentjax.faults import InputError, unknown
from tridentjax.inference.fit import Fit
from tridentjax.inference.joint import Joint, make_joint
from tridentjax.inference.model import Model
from tridentjax.inference.profile import deviances, profile
from tridentjax.inference.search import is_bounded, make_starts, maximise, to_unit
from tridentjax.rates import Response

_SAMPLES = 256  # of the prior box, to begin from allowed points
_RAYS, _ALONG = 24, 13  # to find a boundary: rays from the given model, and points on each
_ITERATIONS = 60
_ACCURACY = 1e-9  # of the scaled output
_RETURNS, _LEFT = 4, 0.1  # steps back onto the boundary, from a violation below
_ACTIVE = 1e-6  # of ln(1 + Delta chi2/c): the constraint holds as an equality, or is not violated
_ON_BOUND = 1e-7  # of u
_AGREE = 1e-4  # of the spread of the output
_KKT = 1e-3
_DECADES = 30.0  # positive outputs that vary by more are sought in their logarithm


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
    converged : SLSQP ended, the point is allowed, and kkt is below 1e-3.
    starts, agreeing, failed : number of starts, those with the same value, those without a solution.
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


class Allowed(eqx.Module):
    """Delta chi2 of a model as a function of u, and its outputs.

    `responses` are those at nominal nuisances: outputs are predictions of the theory, which no fit moves; only
    `log_likelihood` is at the nuisances of the constraint.
    """

    joint: Joint
    search: Model
    responses: tuple[Response, ...]
    lowest: Float[Array, ""]
    threshold: Float[Array, ""]
    profiled: bool = eqx.field(static=True)

    def deviance(self, u: Float[Array, " theory"]) -> Float[Array, ""]:
        """F at the best nuisances, or at nominal ones."""
        point, model = self.joint.point(u), self.joint.model
        if self.profiled:
            own = profile(model, self.joint.data, model.ratios_at, point, search=self.search.ratios_at).deviance
        else:
            own = deviances(model, self.joint.data, model.rate_ratios(point, self.responses)).sum()
        return own - 2.0 * model.auxiliary_log_likelihood(point)

    def excess(self, u: Float[Array, " theory"]) -> Float[Array, ""]:
        """ln(1 + Delta chi2/c) - ln 2, negative inside the region."""
        delta = jnp.maximum(self.deviance(u) - self.lowest, -0.5 * self.threshold)
        return jnp.log1p(delta / self.threshold) - jnp.log(2.0)

    def output(self, name: str, u: Float[Array, " theory"]) -> Float[Array, ""]:
        """A parameter, `rate_ratio_NAME`, `log_likelihood`, or a derived quantity of the theory."""
        point, model = self.joint.point(u), self.joint.model
        if name in point:
            return point[name]
        if name == "log_likelihood":
            return -0.5 * self.deviance(u)
        if name.startswith("rate_ratio_"):
            ratios = model.rate_ratios(point, self.responses)
            return ratios[model.experiments.index(name.removeprefix("rate_ratio_"))]
        return jnp.asarray(model.derived(point)[name])


def output_names(model: Model) -> tuple[str, ...]:
    """Everything that `find_extremum` can make large or small."""
    joint = make_joint(model)
    middle = joint.point(jnp.asarray(make_starts(joint.bounded[: len(joint.theory)], 1, 1)[0]))
    derived = jax.eval_shape(lambda: {k: jnp.asarray(v, dtype=float) for k, v in model.derived(middle).items()})
    ratios = tuple(f"rate_ratio_{name}" for name in model.experiments)
    return (*joint.theory, *ratios, "log_likelihood", *derived)


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
    best : from `fit`, the reference of Delta chi2 with profiled nuisances; sought here if None.
    confidence_level, parameters_of_interest : c is the quantile of a chi2 with so many degrees of freedom.
    nuisances : `profiled` or `nominal`.
    starts, seed : of the search for the reference.

    Raises
    ------
    InputError : another word for the nuisances.
    """
    if nuisances not in ("profiled", "nominal"):
        raise InputError([f"nuisances = {nuisances!r}; allowed: profiled, nominal"])
    threshold = float(chi2.ppf(confidence_level, parameters_of_interest))
    joint, responses = make_joint(model), model.responses({})
    region = Allowed(joint, search, responses, jnp.zeros(()), jnp.asarray(threshold), nuisances == "profiled")
    if best is not None and region.profiled:
        lowest = best.deviance
    else:
        priors = {name: model.priors[name] for name in joint.theory}
        lowest = -2.0 * float(maximise(_LogLikelihood(region), priors, starts=starts, seed=seed).value)
    return eqx.tree_at(lambda r: r.lowest, region, jnp.asarray(lowest))


class _LogLikelihood(eqx.Module):
    region: Allowed

    def __call__(self, point: dict[str, Float[Array, ""]]) -> Float[Array, ""]:
        model, joint = self.region.joint.model, self.region.joint
        if self.region.profiled:
            search = self.region.search
            F = profile(search, joint.data, search.ratios_at, point).deviance
        else:
            F = deviances(model, joint.data, model.rate_ratios(point, self.region.responses)).sum()
        return -0.5 * F + model.auxiliary_log_likelihood(point)


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
    if output not in (known := output_names(region.joint.model)):
        faults.append(unknown("output", output, known))
    if sense not in ("max", "min"):
        faults.append(f"sense = {sense!r}; allowed: max, min")
    if faults:
        raise InputError(faults)
    problem = _Problem(region, output, 1.0 if sense == "min" else -1.0)
    samples = _samples(region, seed)
    tables = [problem.at(u) for u in samples]
    f, excess = np.asarray([t[0] for t in tables]), np.asarray([t[2] for t in tables])
    order = np.lexsort((problem.sign * f, np.maximum(excess, 0.0)))
    order = order[np.isfinite(f[order]) & np.isfinite(excess[order])]
    allowed = [i for i in order if excess[i] <= 0.0]
    if not order.size:
        return _nothing(region, output, sense, starts)
    problem.scale(f[allowed] if len(allowed) > 1 else f[order])
    # half of the starts where the output is best, the others anywhere in the region
    half = [*order[: (starts + 1) // 2], *order[(starts + 1) // 2 :: max(1, (len(allowed) or len(order)) // starts)]]
    return problem.solve(samples[half[:starts]], sense, equality=False)


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
    origin = _unit_point(region.joint, model_point)
    problem = _Problem(region, "distance", 1.0, origin)
    targets = [*_samples(region, seed)[:_RAYS], *_axes(region.joint, origin)]
    crossings = []
    for target in targets:
        path = [origin + s * (target - origin) for s in np.linspace(0.0, 1.0, _ALONG)]
        excess = np.asarray([problem.at(u)[2] for u in path])
        for i in np.flatnonzero(np.isfinite(excess[1:] * excess[:-1]) & (excess[1:] * excess[:-1] <= 0.0)):
            share = excess[i] / (excess[i] - excess[i + 1]) if excess[i] != excess[i + 1] else 0.5
            crossings.append(path[i] + share * (path[i + 1] - path[i]))
    if not crossings:
        return _nothing(region, "distance", "min", starts)
    crossings.sort(key=lambda u: float(np.linalg.norm(u - origin)))
    return problem.solve(np.asarray(crossings[:starts]), "min", equality=True)


class _Problem:
    """Scaled objective and constraint of one search, with the last point kept: SLSQP asks for its parts apart."""

    def __init__(self, region: Allowed, output: str, sign: float, origin: np.ndarray | None = None) -> None:
        self.region, self.output, self.sign, self.origin = region, output, sign, origin
        self.unit, self.centre, self.logarithmic = 1.0, 0.0, False
        self._last: tuple[bytes, tuple[float, np.ndarray, float, np.ndarray]] | None = None

    def scale(self, f: np.ndarray) -> None:
        """Centre and unit of the output, and whether its logarithm is sought, from values that it takes."""
        if f.min() > 0.0 and f.max() > _DECADES * f.min():
            self.logarithmic, f = True, np.log(f)
        spread = float(np.ptp(f))
        self.centre = float(np.median(f))
        self.unit = spread if spread > 1e-12 * max(1.0, float(np.abs(f).max())) else 1.0

    def at(self, u: np.ndarray) -> tuple[float, np.ndarray, float, np.ndarray]:
        """Output and constraint with their gradients; inf where the theory has no solution."""
        key = u.tobytes()
        if self._last is None or self._last[0] != key:
            c, dc = jax.device_get(_constraint(self.region, jnp.asarray(u)))
            if self.origin is None:
                f, df = jax.device_get(_output(self.region, self.output, jnp.asarray(u)))
            else:
                f, df = float(np.sum((u - self.origin) ** 2)), 2.0 * (u - self.origin)
            sound = np.isfinite(f) and np.isfinite(c) and np.isfinite(df).all() and np.isfinite(dc).all()
            numbers = (float(f), df, float(c), dc) if sound else (np.inf, np.zeros(u.size), np.inf, np.zeros(u.size))
            self._last = (key, numbers)
        return self._last[1]

    def objective(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Scaled output, to be made small; a large number where the theory has no solution."""
        f, slope, _, _ = self.at(u)
        if not np.isfinite(f):
            return 1e6, np.zeros(u.size)
        if self.logarithmic:
            f, slope = (np.log(f), slope / f) if f > 0.0 else (-1e6 * self.sign, np.zeros(u.size))
        scaled = (f - self.centre) / self.unit
        # outside the region outputs grow by powers: arsinh keeps the order and the steps short
        return self.sign * float(np.arcsinh(scaled)), self.sign * slope / (self.unit * np.hypot(1.0, scaled))

    def inside(self, u: np.ndarray) -> float:
        """Positive in the region."""
        excess = self.at(u)[2]
        return -excess if np.isfinite(excess) else -1e3

    def solve(self, starts: np.ndarray, sense: str, *, equality: bool) -> Extremum:
        """Best of SLSQP from all starts."""
        joint = self.region.joint
        bounds = [(0.0, 1.0) if joint.bounded[i] else (None, None) for i in range(len(joint.theory))]
        constraint = {"type": "eq" if equality else "ineq", "fun": self.inside, "jac": lambda u: -self.at(u)[3]}
        ends: list[tuple[float, np.ndarray, bool]] = []
        for start in starts:
            found = minimize(
                self.objective, start, jac=True, bounds=bounds, constraints=[constraint], method="SLSQP",
                options={"maxiter": _ITERATIONS, "ftol": _ACCURACY},
            )  # fmt: skip
            u = self._on_boundary(self._on_bounds(found.x), equality)
            excess = self.at(u)[2]
            if np.isfinite(excess) and (abs(excess) if equality else excess) <= _ACTIVE:
                ends.append((self.objective(u)[0], u, bool(found.success)))
        if not ends:
            return _nothing(self.region, self.output, sense, len(starts))
        ends.sort(key=lambda end: end[0])
        best, u, _ = ends[0]
        return self._describe(u, sense, best, [end[0] for end in ends], len(starts), equality)

    def _on_boundary(self, u: np.ndarray, equality: bool) -> np.ndarray:
        """Newton steps along the normal of the region where SLSQP has left it by a little, bounds kept."""
        held = self._held(u)
        for _ in range(_RETURNS):
            _, _, excess, normal = self.at(u)
            normal = np.where(held, 0.0, normal)
            if (
                not (abs(excess) if equality else excess) < _LEFT
                or (excess <= 0.0 and not equality)
                or not normal.any()
            ):
                break
            u = self._clipped(u - excess * normal / (normal @ normal))
        return u

    def _held(self, u: np.ndarray) -> np.ndarray:
        return np.asarray(self.region.joint.bounded[: u.size]) & ((u <= 0.0) | (u >= 1.0))

    def _clipped(self, u: np.ndarray) -> np.ndarray:
        return np.where(np.asarray(self.region.joint.bounded[: u.size]), np.clip(u, 0.0, 1.0), u)

    def _on_bounds(self, u: np.ndarray) -> np.ndarray:
        """Coordinates within rounding of a bound lie on it."""
        has_range = np.asarray(self.region.joint.bounded[: u.size])
        low, high = has_range & (u < _ON_BOUND), has_range & (u > 1.0 - _ON_BOUND)
        return np.where(low, 0.0, np.where(high, 1.0, u))

    def _describe(
        self, u: np.ndarray, sense: str, best: float, values: list[float], starts: int, equality: bool
    ) -> Extremum:
        joint, (f, _, excess, normal) = self.region.joint, self.at(u)
        active = bool(abs(excess) <= _ACTIVE)
        residual, pressed = _kkt(u, self.objective(u)[1], normal, np.asarray(joint.bounded[: u.size]), active, equality)
        at_bound = {
            name: "lower" if u[i] <= 0.0 else "upper"
            for i, name in enumerate(joint.theory)
            if joint.bounded[i] and not 0.0 < u[i] < 1.0
        }
        value = float(np.sqrt(f)) if self.origin is not None else f
        point = {name: float(x) for name, x in joint.point(jnp.asarray(u)).items()}
        delta = float(self.region.threshold) * float(np.expm1(excess + np.log(2.0)))
        return Extremum(
            self.output, sense, value, point, delta, float(self.region.threshold), active and pressed, at_bound,
            residual, bool(residual < _KKT), starts, sum(bool(x - best < _AGREE) for x in values), starts - len(values),
            "profiled" if self.region.profiled else "nominal",
        )  # fmt: skip


@eqx.filter_jit
def _output(region: Allowed, name: str, u: Float[Array, " theory"]) -> tuple[Array, Array]:
    return jax.value_and_grad(lambda v: region.output(name, v))(u)


@eqx.filter_jit
def _constraint(region: Allowed, u: Float[Array, " theory"]) -> tuple[Array, Array]:
    return jax.value_and_grad(region.excess)(u)


def _kkt(
    u: np.ndarray, slope: np.ndarray, normal: np.ndarray, has_range: np.ndarray, active: bool, equality: bool
) -> tuple[float, bool]:
    """What is left of the gradient without the best multipliers, and whether the region presses on the point."""
    size = float(np.abs(slope).max(initial=0.0))
    if size == 0.0:
        return 0.0, False
    unit = np.eye(u.size)
    columns = [*(-unit[i] for i in np.flatnonzero(has_range & (u <= 0.0)))]
    columns += [unit[i] for i in np.flatnonzero(has_range & (u >= 1.0))]
    length = float(np.linalg.norm(normal))
    if active and length > 0.0:
        columns = [normal / length, *([-normal / length] if equality else []), *columns]
    if not columns:
        return 1.0, False
    multipliers, _ = nnls(np.stack(columns, 1), -slope / size)
    left = float(np.abs(slope / size + np.stack(columns, 1) @ multipliers).max())
    pressing = active and length > 0.0 and bool(multipliers[: 1 + equality].max() > 0.0)
    return left, pressing


def _samples(region: Allowed, seed: int) -> np.ndarray:
    joint = region.joint
    return np.array(make_starts(joint.bounded[: len(joint.theory)], _SAMPLES, seed))


def _axes(joint: Joint, origin: np.ndarray) -> list[np.ndarray]:
    """Ends of the lines through a point along the axes."""
    found = []
    for i in range(origin.size):
        for end in (0.0, 1.0) if joint.bounded[i] else (-4.0, 4.0):
            target = origin.copy()
            target[i] = end
            found.append(target)
    return found


def nearest_faults(model: Model, point: Mapping[str, float]) -> list[str]:
    """What is wrong with the model that `nearest_boundary` is given."""
    names, priors = make_joint(model).theory, model.priors
    faults = [f"nearest: {name} is missing; give every sampled parameter" for name in names if name not in point]
    faults += [unknown("parameter", name, names, "nearest") for name in point if name not in names]
    for name in names:
        if name in point and is_bounded(priors[name]) and not priors[name].low <= point[name] <= priors[name].high:
            faults.append(
                f"nearest.{name} = {point[name]}; allowed: inside its prior, {priors[name].low} to {priors[name].high}"
            )
    return faults


def _unit_point(joint: Joint, point: Mapping[str, float]) -> np.ndarray:
    if faults := nearest_faults(joint.model, point):
        raise InputError(faults)
    return np.asarray([to_unit(joint.model.priors[name], float(point[name])) for name in joint.theory])


def _nothing(region: Allowed, output: str, sense: str, starts: int) -> Extremum:
    nan = float("nan")
    return Extremum(
        output, sense, nan, dict.fromkeys(region.joint.theory, nan), nan, float(region.threshold), False, {}, nan,
        False, starts, 0, starts, "profiled" if region.profiled else "nominal",
    )  # fmt: skip
