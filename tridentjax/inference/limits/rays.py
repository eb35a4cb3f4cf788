"""Boundaries of an allowed region by root finding along rays, each with a certified bracket.

A region is {theta: F(theta) <= F_ref + threshold}. Along every ray theta(t), t in [0, 1], F and dF/dt are
sampled; every sign change of F - F_ref - threshold is bisected, and every local extremum that points towards
zero is located by bisection on dF/dt, so that a pair of roots between two samples is not lost. So islands,
bands and several allowed intervals on one ray come out as what they are. Rays between which the number of
boundaries changes get new rays in between. A region that reaches the end of a ray is reported as open there.

All coordinates here are flat ones (logarithms of `loguniform` parameters).
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.inference.coordinates import Prior
from tridentjax.roots import bisect_numpy

_CHUNK = 128
_EXTREMUM_STEPS = 30


class Plane(NamedTuple):
    """Two parameters with their ranges, the values of the others, and how rays run.

    Without `origin`, rays are lines of constant x along y. With it, they leave that point at the angles given
    (0 along x, in units of the ranges) and are `radius` ranges long.
    """

    x: str
    y: str
    priors: dict[str, Prior]
    fixed: dict[str, float]
    origin: tuple[float, float] | None = None
    radius: float = 1.0

    def point(self, position: Float[Array, "*place"], t: Float[Array, "*place"]) -> dict[str, Float[Array, "..."]]:
        """Physical parameters at t on the ray at a position (flat x, or the angle)."""
        x, y = self.flat(position, t)
        fixed = {name: jnp.asarray(value) for name, value in self.fixed.items()}
        return fixed | {self.x: self.priors[self.x].from_flat(x), self.y: self.priors[self.y].from_flat(y)}

    def flat(self, position: Any, t: Any) -> tuple[Any, Any]:
        """Flat coordinates at t on a ray; arrays or numbers."""
        (x_low, x_high), (y_low, y_high) = (self.priors[name].flat_range() for name in (self.x, self.y))
        if self.origin is None:
            return position + 0.0 * t, y_low + (y_high - y_low) * t
        length = self.radius * t
        return (
            self.origin[0] + (x_high - x_low) * length * jnp.cos(position),
            self.origin[1] + (y_high - y_low) * length * jnp.sin(position),
        )

    def positions(self, count: int) -> np.ndarray:
        """Equally spaced rays."""
        if self.origin is not None:
            return np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
        low, high = (float(edge) for edge in self.priors[self.x].flat_range())
        return np.linspace(low, high, count)


class Boundary(NamedTuple):
    """One root on a ray: its position, the bracket (allowed and excluded end), and F beyond the threshold there.

    `above` tells whether the region is excluded above the root. A bracket whose excluded end has no number
    (no solution in the theory) has `excess_excluded` NaN: a boundary of the theory, not of the data.
    """

    position: float
    t: float
    t_allowed: float
    t_excluded: float
    excess_allowed: float
    excess_excluded: float

    @property
    def above(self) -> bool:
        """Whether larger t is excluded."""
        return self.t_excluded > self.t_allowed


class Ray(NamedTuple):
    """All boundaries on a ray in order, and whether its two ends are allowed (the region is open there).

    `level` is the value of F at the boundaries, `best` the t of the smallest F that was seen.
    """

    position: float
    boundaries: tuple[Boundary, ...]
    open_low: bool
    open_high: bool
    level: float
    best: float


class Objective:
    """F along the rays of a plane, evaluated in compiled chunks of one shape."""

    def __init__(
        self, function: Callable[[dict[str, Float[Array, ""]]], Float[Array, ""]], plane: Plane, slopes: bool = True
    ) -> None:
        self.plane = plane

        def at(position: Float[Array, ""], t: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
            along = lambda s: function(plane.point(position, s))  # noqa: E731
            return jax.value_and_grad(along)(t) if slopes else (along(t), jnp.full_like(t, jnp.nan))

        self._compiled = jax.jit(jax.vmap(at))

    def __call__(self, positions: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """F and dF/dt at every (position, t)."""
        positions, t = np.broadcast_arrays(positions, t)
        shape, count = t.shape, t.size
        filled = -(-count // _CHUNK) * _CHUNK
        rows = [np.resize(a.ravel(), filled).reshape(-1, _CHUNK) for a in (positions, t)]
        found = [self._compiled(jnp.asarray(p), jnp.asarray(s)) for p, s in zip(*rows, strict=True)]
        F, slope = (np.concatenate([np.asarray(f[i]) for f in found])[:count].reshape(shape) for i in (0, 1))
        return F, slope


class Samples(NamedTuple):
    """F and dF/dt on every ray (row) at every t (column)."""

    positions: np.ndarray
    t: np.ndarray
    F: np.ndarray
    slope: np.ndarray


def sample_rays(objective: Objective, positions: np.ndarray, samples: int) -> Samples:
    """F on all rays, extrema between the samples included: where dF/dt changes sign, one more sample lies there."""
    t = np.broadcast_to(np.linspace(0.0, 1.0, samples), (positions.size, samples))
    F, slope = objective(positions[:, None], t)
    turning = np.isfinite(F[:, :-1]) & np.isfinite(F[:, 1:]) & (slope[:, :-1] * slope[:, 1:] < 0.0)
    row, column = np.nonzero(turning)
    sign = np.sign(slope[row, column])
    low, high = bisect_numpy(
        lambda middle: sign * objective(positions[row], middle)[1] > 0.0,
        t[row, column], t[row, column + 1], _EXTREMUM_STEPS,
    )  # fmt: skip
    extra_t = np.full((positions.size, int(turning.sum(1).max(initial=0))), np.nan)
    place = np.concatenate([np.arange(n) for n in turning.sum(1)]) if row.size else np.zeros(0, int)
    extra_t[row, place] = (low + high) / 2.0
    extra_t = np.where(np.isnan(extra_t), 1.0, extra_t)  # a repeated end does no harm
    if not extra_t.size:
        return Samples(positions, t, F, slope)
    extra_F, extra_slope = objective(positions[:, None], extra_t)
    every = [np.concatenate(pair, 1) for pair in ((t, extra_t), (F, extra_F), (slope, extra_slope))]
    order = np.argsort(every[0], 1, kind="stable")
    return Samples(positions, *(np.take_along_axis(a, order, 1) for a in every))


def locate(objective: Objective, samples: Samples, level: np.ndarray, steps: int = 36) -> list[Ray]:
    """Boundaries F = level (one level a ray) in every interval of the samples that holds one."""
    excess = samples.F - level[:, None]
    allowed = excess <= 0.0  # NaN, no solution in the theory, is not allowed
    row, column = np.nonzero(allowed[:, :-1] != allowed[:, 1:])
    inside = np.where(allowed[row, column], column, column + 1)
    outside = np.where(allowed[row, column], column + 1, column)
    t_in, t_out = samples.t[row, inside], samples.t[row, outside]
    e_in, e_out = excess[row, inside], excess[row, outside]
    if row.size:

        def beyond(t: np.ndarray) -> np.ndarray:
            return objective(samples.positions[row], t)[0] - level[row]

        t_in, t_out = bisect_numpy(lambda t: beyond(t) <= 0.0, t_in, t_out, steps)
        e_in, e_out = beyond(t_in), beyond(t_out)
    share = np.where(np.isfinite(e_out) & (e_out > e_in), -e_in / np.where(e_out > e_in, e_out - e_in, 1.0), 0.0)
    root = t_in + share * (t_out - t_in)
    rays = []
    for i, position in enumerate(samples.positions):
        own = [
            Boundary(float(position), *(float(a[j]) for a in (root, t_in, t_out, e_in, e_out)))
            for j in np.flatnonzero(row == i)
        ]
        best = float(samples.t[i, np.argmin(np.where(np.isnan(samples.F[i]), np.inf, samples.F[i]))])
        ends = bool(allowed[i, 0]), bool(allowed[i, -1])
        rays.append(Ray(float(position), tuple(own), *ends, float(level[i]), best))
    return rays


def trace(
    objective: Objective,
    positions: np.ndarray,
    levels: Callable[[Samples], np.ndarray],
    samples: int = 64,
    refinements: int = 4,
) -> list[Ray]:
    """Boundaries on all rays; between rays with different numbers of them, `refinements` generations of new rays."""
    closed = objective.plane.origin is not None
    rays: list[Ray] = []
    new = positions
    for _ in range(refinements + 1):
        found = sample_rays(objective, new, samples)
        rays = sorted([*rays, *locate(objective, found, levels(found))], key=lambda ray: ray.position)
        pairs = list(pairwise(rays))
        new = np.asarray([(a.position + b.position) / 2.0 for a, b in pairs if differ(a, b)])
        if closed and differ(rays[-1], rays[0]):
            new = np.append(new, (rays[-1].position + rays[0].position + 2.0 * np.pi) / 2.0)
        if not new.size:
            break
    return rays


def differ(a: Ray, b: Ray) -> bool:
    """Whether two rays have different topology."""
    return len(a.boundaries) != len(b.boundaries) or (a.open_low, a.open_high) != (b.open_low, b.open_high)


def tracks(rays: Sequence[Ray], closed: bool = False) -> list[list[Boundary]]:
    """Boundaries of neighbouring rays of the same topology joined into lines, for drawing and for tables.

    `closed` rays go round a point: if all have the same topology, every line ends where it began.
    """
    lines: list[list[Boundary]] = []
    current: list[list[Boundary]] = []
    for previous, ray in zip([None, *rays[:-1]], rays, strict=True):
        if previous is None or differ(previous, ray):
            current = [[] for _ in ray.boundaries]
            lines += current
        for line, boundary in zip(current, ray.boundaries, strict=True):
            line.append(boundary)
    lines = [line for line in lines if line]
    whole = all(len(line) == len(rays) for line in lines)
    return [[*line, line[0]] for line in lines] if closed and whole else lines
