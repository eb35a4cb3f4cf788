"""Profile likelihood of one parameter: Delta chi2 with all others at their best, and its intervals.

    Delta chi2(t) = min_{others} F(t, others) - min F                                               (1)

with F of `deviance`, theory parameters and nuisances alike among the others. The search uses expanded responses, the
values are those of the kernels at what it finds (F is stationary there). Intervals {Delta chi2 <= c} have the
quantile c of a chi2 with one degree of freedom; they are those of a regular problem, and only as good as that.
"""

from itertools import pairwise
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.stats import chi2

from tridentjax.faults import InputError, unknown
from tridentjax.inference.deviance import Deviance, evaluate, make_deviance, search_lanes
from tridentjax.inference.fit import Fit
from tridentjax.inference.model import Model
from tridentjax.inference.optimise import from_unit, make_starts

_WIDE = 4.0  # ends of the grid of an unbounded parameter, in its widths
_PASSES = 4
_GAIN = 1e-6  # of F, by starting from a neighbour
_ROOT_STEPS = 30
_ROOT_WIDTH = 1e-7  # of u


class Interval(NamedTuple):
    """Values allowed at a confidence level, from `low` to `high`.

    An end is `open` where the range of the parameter ends before the interval does.
    """

    low: float
    high: float
    open_low: bool
    open_high: bool


class Curve(NamedTuple):
    """Profile likelihood of one parameter.

    Attributes
    ----------
    values, delta_chi2 : Eq. (1) on a grid over the range, with the best fit among its points.
    others : the other coordinates of `deviance.Deviance.names` at every point, x.
    intervals : for each confidence level; several where the allowed values are not connected.
    below : how far the curve comes below the best fit that it was given; 0 up to rounding if that is the best.
    """

    name: str
    values: Float[np.ndarray, " point"]
    delta_chi2: Float[np.ndarray, " point"]
    others: Float[np.ndarray, "point coordinate"]
    intervals: dict[float, tuple[Interval, ...]]
    below: float


def profile_likelihood(
    model: Model,
    name: str,
    best: Fit,
    search: Model,
    *,
    points: int = 41,
    confidence_levels: tuple[float, ...] = (0.68, 0.95),
    starts: int = 3,
    seed: int = 1,
) -> Curve:
    """Curve of Delta chi2 against one parameter.

    Parameters
    ----------
    model : with exact chains.
    name : parameter of the theory or a profiled nuisance.
    best : from `fit`.
    search : the same model with expanded responses.
    points : of the grid, over the prior's range (four widths either side where it has none).
    confidence_levels : of the intervals.
    starts : searches at every point beside the one from the best fit; then every point starts from its neighbours.
    seed : of the starts.

    Raises
    ------
    InputError : the model has no such parameter.
    """
    deviance, fast = make_deviance(model), make_deviance(search)
    if name not in deviance.names:
        raise InputError([unknown("parameter", name, deviance.names)])
    solver = _Conditional(deviance, fast, deviance.names.index(name))
    ends = (0.0, 1.0) if deviance.bounded[solver.position] else (-_WIDE, _WIDE)
    t = np.unique(np.append(np.linspace(*ends, points), np.clip(best.x[solver.position], *ends)))
    first = [np.repeat(best.x[None], t.size, axis=0)]
    count = len(deviance.theory)
    for row in make_starts(deviance.bounded[:count], starts + 1, seed)[1:]:
        start = np.zeros((t.size, best.x.size))
        start[:, :count] = row[None]
        first.append(start)
    F, x = solver.best_of(t, np.stack(first, 1))
    for _ in range(_PASSES):  # branches that one point has found are offered to its neighbours
        beside = np.stack([np.roll(x, 1, axis=0), np.roll(x, -1, axis=0)], 1)
        new_F, new_x = solver.best_of(t, beside)
        better = new_F < F - _GAIN
        F, x = np.where(new_F < F, new_F, F), np.where((new_F < F)[:, None], new_x, x)
        if not better.any():
            break
    exact = solver.exact(x)
    lowest = min(best.deviance, float(np.nanmin(exact)))
    delta = exact - lowest
    intervals = {
        level: solver.intervals(t, delta, x, lowest, float(chi2.ppf(level, 1)), ends) for level in confidence_levels
    }
    return Curve(name, solver.physical(t), delta, x, intervals, best.deviance - lowest)


class _Conditional(NamedTuple):
    """Minimum of F at fixed values of one coordinate."""

    deviance: Deviance
    fast: Deviance
    position: int

    def best_of(
        self, t: Float[np.ndarray, " point"], starts: Float[np.ndarray, "point start coordinate"]
    ) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, "point coordinate"]]:
        """Lowest F of several starts at every point, and where; inf where it has no value."""
        points, each, size = starts.shape
        starts = starts.copy()
        starts[:, :, self.position] = t[:, None]
        free = np.ones((points * each, size), bool)
        free[:, self.position] = False
        found = search_lanes(self.fast, starts.reshape(-1, size), free)
        F = np.asarray(found.value).reshape(points, each)
        chosen = np.argmin(F, axis=1)
        rows = np.arange(points)
        return F[rows, chosen], np.asarray(found.u).reshape(starts.shape)[rows, chosen]

    def exact(self, x: Float[np.ndarray, "point coordinate"]) -> Float[np.ndarray, " point"]:
        """F of the kernels."""
        return evaluate(self.deviance, x)

    def physical(self, t: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
        """Values of the parameter."""
        name, model = self.deviance.names[self.position], self.deviance.model
        if name in model.priors:
            return np.asarray(from_unit(model.priors[name], jnp.asarray(t)))
        x = np.zeros((t.size, len(self.deviance.names)))
        x[:, self.position] = t
        return np.asarray([float(self.deviance.values(jnp.asarray(row))[name]) for row in x])

    def intervals(
        self,
        t: Float[np.ndarray, " point"],
        delta: Float[np.ndarray, " point"],
        x: Float[np.ndarray, "point coordinate"],
        lowest: float,
        threshold: float,
        ends: tuple[float, float],
    ) -> tuple[Interval, ...]:
        """Connected pieces of {Delta chi2 <= threshold}, their ends found by regula falsi (Illinois)."""
        excess = np.where(np.isfinite(delta), delta, np.inf) - threshold
        allowed = excess <= 0.0
        crossings = [i for i, (a, b) in enumerate(pairwise(allowed)) if a != b]
        roots = self._roots(t, excess, x, lowest + threshold, crossings)
        found: list[Interval] = []
        low: float | None = float(ends[0]) if allowed[0] else None
        for root in roots:
            if low is None:
                low = root
            else:
                found.append(self._interval(low, root, ends))
                low = None
        if low is not None:
            found.append(self._interval(low, float(ends[1]), ends))
        return tuple(found)

    def _interval(self, low: float, high: float, ends: tuple[float, float]) -> Interval:
        physical = self.physical(np.asarray([low, high]))
        return Interval(float(physical[0]), float(physical[1]), bool(low <= ends[0]), bool(high >= ends[1]))

    def _roots(
        self,
        t: Float[np.ndarray, " point"],
        excess: Float[np.ndarray, " point"],
        x: Float[np.ndarray, "point coordinate"],
        level: float,
        crossings: list[int],
    ) -> Float[np.ndarray, " root"]:
        if not crossings:
            return np.zeros(0)
        left = np.asarray(crossings)
        a, b, near = t[left], t[left + 1], np.stack([x[left], x[left + 1]], 1)
        # far above the level F runs away: the logarithm of the excess keeps the secant useful
        fa, fb = _tamed(excess[left]), _tamed(excess[left + 1])
        root = (a + b) / 2.0
        for _ in range(_ROOT_STEPS):
            weight = np.where(np.isfinite(fa) & np.isfinite(fb), fb / np.where(fb != fa, fb - fa, 1.0), 0.5)
            root = b - np.clip(weight, 0.02, 0.98) * (b - a)
            _, found = self.best_of(root, near)
            f = self.exact(found) - level
            f = _tamed(np.where(np.isfinite(f), f, np.inf))
            right = np.sign(f) == np.sign(fb)  # the root lies on the left of it
            fa = np.where(right, fa / 2.0, f)  # Illinois: the end that stays loses half its weight
            fb = np.where(right, f, fb / 2.0)
            a, b = np.where(right, a, root), np.where(right, root, b)
            if (np.minimum(b - a, np.abs(f)) < _ROOT_WIDTH).all():
                break
        return root


def _tamed(f: np.ndarray) -> np.ndarray:
    return np.sign(f) * np.log1p(np.abs(f))
