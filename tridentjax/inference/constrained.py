"""The smallest value of a function over the allowed region of a model, or on its boundary: SLSQP from many starts.

    min s f(theta)   where   Delta chi2(theta) = F(theta) - min F <= c   (or = c)                   (1)

inside the ranges of the priors, in units u of these ranges; s is 1 or -1. Gradients are exact. The constraint
enters as

    h = ln(1 + Delta chi2/c) - ln 2 <= 0,                                                            (2)

the same region, but tame where couplings are so large that Delta chi2 grows like their eighth power. Where f changes
with Delta chi2 alone the solution is a long ridge, on which SLSQP (SciPy) creeps and gives up: its best ends, and the
corners of the region beside them, are starts of another round until nothing improves.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from scipy.optimize import minimize, nnls

from tridentjax.inference.data import deviances
from tridentjax.inference.deviance import Deviance, at_point, profiled_at
from tridentjax.inference.model import Model
from tridentjax.rates.response import Response

_ACTIVE = 1e-6  # of h: the constraint holds as an equality, or is not violated
_ITERATIONS = 25
_ACCURACY = 1e-9  # of the scaled output
_ROUNDS, _KEPT, _APART = 6, 3, 1e-3  # restarts: rounds, ends that go on, and how far apart in u they are
_RETURNS, _LEFT = 6, 0.1  # steps back onto the boundary, from a violation below
_ON_BOUND = 1e-7  # of u
_DECADES = 30.0  # positive outputs that vary by more are sought in their logarithm
_NOWHERE = 1e6  # objective where the theory has no solution


class Allowed(eqx.Module):
    """Delta chi2 of a model as a function of u, and its outputs.

    `responses` are those at nominal nuisances: outputs are predictions of the theory, which no fit moves; only
    `log_likelihood` is at the nuisances of the constraint.
    """

    deviance: Deviance
    search: Model
    responses: tuple[Response, ...]
    lowest: Float[Array, ""]
    threshold: Float[Array, ""]
    profiled: bool = eqx.field(static=True)

    @property
    def bounded(self) -> Bool[np.ndarray, " theory"]:
        """Which parameters of the theory have a range."""
        return np.asarray(self.deviance.bounded[: len(self.deviance.theory)])

    def F(self, u: Float[Array, " theory"]) -> Float[Array, ""]:
        """F at the best nuisances, or at nominal ones."""
        if self.profiled:
            return at_point(self.deviance, self.search, u)[0]
        point, model = self.deviance.point(u), self.deviance.model
        own = deviances(model, self.deviance.data, model.rate_ratios(point, self.responses)).sum()
        return own - 2.0 * model.auxiliary_log_likelihood(point)

    def output(self, name: str, u: Float[Array, " theory"]) -> Float[Array, ""]:
        """A parameter, `rate_ratio_NAME`, or a derived quantity of the theory."""
        point, model = self.deviance.point(u), self.deviance.model
        if name in point:
            return point[name]
        if name.startswith("rate_ratio_"):
            ratios = model.rate_ratios(point, self.responses)
            return ratios[model.experiments.index(name.removeprefix("rate_ratio_"))]
        return jnp.asarray(model.derived(point)[name])


class Values(NamedTuple):
    """Output f and constraint h of Eq. (2) at a point, with their gradients; inf where the theory has no solution."""

    f: float
    f_slope: Float[np.ndarray, " theory"]
    h: float
    h_slope: Float[np.ndarray, " theory"]


class End(NamedTuple):
    """Where a search ended: the scaled output, which was made small, and u."""

    value: float
    u: Float[np.ndarray, " theory"]


class Problem:
    """Eq. (1) with a scaled output; `origin` makes the output the squared distance from a point."""

    def __init__(
        self, region: Allowed, output: str, sign: float, origin: Float[np.ndarray, " theory"] | None = None
    ) -> None:
        self.region, self.output, self.sign, self.origin = region, output, sign, origin
        self._unit, self._centre, self._logarithmic = 1.0, 0.0, False
        self._last: tuple[bytes, Values] | None = None  # SLSQP asks for its parts apart

    def scale(self, f: Float[np.ndarray, " point"]) -> None:
        """Centre and unit of the output, and whether its logarithm is sought, from values that it takes."""
        if f.min() > 0.0 and f.max() > _DECADES * f.min():
            self._logarithmic, f = True, np.log(f)
        spread = float(np.ptp(f))
        self._centre = float(np.median(f))
        self._unit = spread if spread > 1e-12 * max(1.0, float(np.abs(f).max())) else 1.0

    def at(self, u: Float[np.ndarray, " theory"]) -> Values:
        """Output and constraint."""
        key = u.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = (key, self._evaluate(u))
        return self._last[1]

    def _evaluate(self, u: Float[np.ndarray, " theory"]) -> Values:
        region = self.region
        F, F_slope = _deviance(region, u)
        if self.origin is not None:
            f, slope = float(np.sum((u - self.origin) ** 2)), 2.0 * (u - self.origin)
        elif self.output == "log_likelihood":
            f, slope = -0.5 * F, -0.5 * F_slope
        else:
            f, slope = jax.device_get(_output(region, self.output, jnp.asarray(u)))
        if not (np.isfinite([f, F]).all() and np.isfinite([slope, F_slope]).all()):
            return Values(np.inf, np.zeros(u.size), np.inf, np.zeros(u.size))
        c = float(region.threshold)
        delta = max(F - float(region.lowest), -0.5 * c)  # a bad reference must not end in ln(0)
        h = float(np.log1p(delta / c) - np.log(2.0))  # (2)
        return Values(float(f), slope, h, F_slope / (c + delta))

    def objective(self, u: Float[np.ndarray, " theory"]) -> tuple[float, Float[np.ndarray, " theory"]]:
        """Scaled output, to be made small, and its gradient; a large number where the theory has no solution."""
        f, slope, _, _ = self.at(u)
        if not np.isfinite(f):
            return _NOWHERE, np.zeros(u.size)
        if self._logarithmic:
            f, slope = (np.log(f), slope / f) if f > 0.0 else (-_NOWHERE * self.sign, np.zeros(u.size))
        scaled = (f - self._centre) / self._unit
        # outside the region outputs grow by powers: arsinh keeps the order and the steps short
        return self.sign * float(np.arcsinh(scaled)), self.sign * slope / (self._unit * np.hypot(1.0, scaled))

    def solve(self, starts: Float[np.ndarray, "start theory"], *, equality: bool) -> tuple[End | None, list[End]]:
        """Best point, None if there is no allowed one, and where the searches from the starts ended first."""
        first = ends = self._round(list(starts), equality)
        for _ in range(_ROUNDS if ends else 0):
            best = ends[0]
            kept = [end.u for i, end in enumerate(ends) if all(_apart(end.u, other.u) for other in ends[:i])][:_KEPT]
            again = self._round([*kept, *self._corners(best.u, equality)], equality)
            ends = sorted(ends + again, key=lambda end: end.value)
            if best.value - ends[0].value < _ACCURACY:
                break
        return (ends[0] if ends else None), first

    def _round(self, starts: list[Float[np.ndarray, " theory"]], equality: bool) -> list[End]:
        bounds = [(0.0, 1.0) if has_range else (None, None) for has_range in self.region.bounded]
        constraint = {
            "type": "eq" if equality else "ineq",
            "fun": lambda u: -h if np.isfinite(h := self.at(u).h) else -_NOWHERE,
            "jac": lambda u: -self.at(u).h_slope,
        }
        ends = []
        for start in starts:
            found = minimize(
                self.objective, start, jac=True, bounds=bounds, constraints=[constraint], method="SLSQP",
                options={"maxiter": _ITERATIONS, "ftol": _ACCURACY},
            )  # fmt: skip
            u = self._on_boundary(self._on_bounds(found.x), equality)
            h = self.at(u).h
            if np.isfinite(h) and (abs(h) if equality else h) <= _ACTIVE:
                ends.append(End(self.objective(u)[0], u))
        return sorted(ends, key=lambda end: end.value)

    def _corners(self, u: Float[np.ndarray, " theory"], equality: bool) -> list[Float[np.ndarray, " theory"]]:
        """A point with one parameter after the other at the ends of its range."""
        found = []
        for i in np.flatnonzero(self.region.bounded):
            for end in (0.0, 1.0):
                if u[i] != end:
                    corner = u.copy()
                    corner[i] = end
                    found.append(self._on_boundary(corner, equality))
        return found

    def _on_boundary(self, u: Float[np.ndarray, " theory"], equality: bool) -> Float[np.ndarray, " theory"]:
        """Newton steps along the normal of the region where u is a little outside, bounds kept."""
        has_range = self.region.bounded
        held = has_range & ((u <= 0.0) | (u >= 1.0))
        for _ in range(_RETURNS):
            h, normal = self.at(u).h, np.where(held, 0.0, self.at(u).h_slope)
            violation = abs(h) if equality else h
            if not 0.0 < violation < _LEFT or not normal.any():
                break
            u = u - h * normal / (normal @ normal)
            u = np.where(has_range, np.clip(u, 0.0, 1.0), u)
        return u

    def _on_bounds(self, u: Float[np.ndarray, " theory"]) -> Float[np.ndarray, " theory"]:
        """Coordinates within rounding of a bound lie on it."""
        has_range = self.region.bounded
        low, high = has_range & (u < _ON_BOUND), has_range & (u > 1.0 - _ON_BOUND)
        return np.where(low, 0.0, np.where(high, 1.0, u))

    def optimality(self, u: Float[np.ndarray, " theory"], equality: bool) -> tuple[float, bool]:
        """Karush-Kuhn-Tucker residual, and whether the region presses on the point.

        The residual is what is left of the output's gradient, over its largest component, without the best
        multipliers of the constraint and of the bounds.
        """
        slope, (_, _, h, normal) = self.objective(u)[1], self.at(u)
        size = float(np.abs(slope).max(initial=0.0))
        if size == 0.0:
            return 0.0, False
        unit, has_range = np.eye(u.size), self.region.bounded
        columns = [*(-unit[i] for i in np.flatnonzero(has_range & (u <= 0.0)))]
        columns += [unit[i] for i in np.flatnonzero(has_range & (u >= 1.0))]
        length = float(np.linalg.norm(normal))
        active = abs(h) <= _ACTIVE and length > 0.0
        if active:
            columns = [normal / length, *([-normal / length] if equality else []), *columns]
        if not columns:
            return 1.0, False
        multipliers, _ = nnls(np.stack(columns, 1), -slope / size)
        left = float(np.abs(slope / size + np.stack(columns, 1) @ multipliers).max())
        return left, active and bool(multipliers[: 1 + equality].max() > 0.0)


def _apart(u: Float[np.ndarray, " theory"], other: Float[np.ndarray, " theory"]) -> bool:
    return bool(np.abs(u - other).max() > _APART)


def _deviance(region: Allowed, u: Float[np.ndarray, " theory"]) -> tuple[float, Float[np.ndarray, " theory"]]:
    """F and dF/du."""
    if region.profiled:
        found, slope = profiled_at(region.deviance, region.search, jnp.asarray(u))
        return float(found.deviance), np.asarray(slope)
    F, slope = _nominal(region, jnp.asarray(u))
    return float(F), np.asarray(slope)


@eqx.filter_jit
def _nominal(region: Allowed, u: Float[Array, " theory"]) -> tuple[Float[Array, ""], Float[Array, " theory"]]:
    return jax.value_and_grad(region.F)(u)


@eqx.filter_jit
def _output(region: Allowed, name: str, u: Float[Array, " theory"]) -> tuple[Float[Array, ""], Float[Array, " theory"]]:
    return jax.value_and_grad(lambda v: region.output(name, v))(u)
