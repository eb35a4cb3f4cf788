"""Boundaries along rays, on functions whose regions are known in closed form."""

import functools
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from tridentjax.inference.coordinates import Prior
from tridentjax.inference.limits.rays import Objective, Plane, Samples, locate, sample_rays, trace, tracks

PRIORS = {"x": Prior(-1.3, 2.1, "uniform"), "y": Prior(-0.7, 1.9, "uniform")}
LOGARITHMIC = {"x": Prior(0.02, 7.0, "loguniform"), "y": Prior(3e-4, 0.8, "loguniform")}


def plane(**changes):
    return Plane("x", "y", PRIORS, {})._replace(**changes)


def zero(samples):
    return np.zeros(samples.positions.size)


def region(function, where, rays=13, samples=16, refinements=0):
    objective = Objective(function, where)
    return objective, trace(objective, where.positions(rays), zero, samples, refinements)


def y_at(where, boundary):
    return float(where.flat(boundary.position, boundary.t)[1])


def assert_brackets(objective, rays, width=1e-9):
    """Signs recomputed at both ends, the root between them, and `above` as the sign of dF/dt says."""
    found = [b for ray in rays for b in ray.boundaries]
    assert found
    for b in found:
        (allowed, excluded), _ = objective(np.full(2, b.position), np.asarray([b.t_allowed, b.t_excluded]))
        assert allowed <= 0.0 < excluded and (allowed, excluded) == (b.excess_allowed, b.excess_excluded)
        assert min(b.t_allowed, b.t_excluded) <= b.t <= max(b.t_allowed, b.t_excluded)
        assert abs(b.t_allowed - b.t_excluded) < width
        assert b.above == (objective(np.asarray([b.position]), np.asarray([b.t]))[1][0] > 0.0)


def circle(point):
    return (point["x"] - 0.3) ** 2 + (point["y"] - 0.5) ** 2 - 0.41**2


def annulus(point):
    r = jnp.hypot(point["x"] - 0.3, point["y"] - 0.5)
    return (r - 0.7) ** 2 - 0.13**2


def test_circle_by_polar_rays_from_another_point():
    where = plane(origin=(0.17, 0.61), radius=0.9)
    objective, rays = region(circle, where)
    assert_brackets(objective, rays)
    for ray in rays:
        (b,) = ray.boundaries
        x, y = where.flat(b.position, b.t)
        assert np.hypot(x - 0.3, y - 0.5) == pytest.approx(0.41, rel=1e-9)
        assert ray.open_low and not ray.open_high and b.above
    (line,) = tracks(rays, closed=True)
    assert line[0] is line[-1] and len(line) == len(rays) + 1
    (line,) = tracks(rays)
    assert len(line) == len(rays)


def test_circle_by_vertical_rays():
    """A line through the circle has two boundaries, one beside it none."""
    where = plane()
    objective, rays = region(circle, where, rays=18)
    assert_brackets(objective, rays)
    counts = []
    for ray in rays:
        half = 0.41**2 - (ray.position - 0.3) ** 2
        expected = [0.5 - np.sqrt(half), 0.5 + np.sqrt(half)] if half > 0 else []
        np.testing.assert_allclose([y_at(where, b) for b in ray.boundaries], expected, rtol=1e-9)
        assert [b.above for b in ray.boundaries] == [False, True][: len(expected)]
        assert not ray.open_low and not ray.open_high
        counts.append(len(expected))
    assert set(counts) == {0, 2}


def test_annulus_has_two_boundaries_a_ray_and_two_closed_lines():
    where = plane(origin=(0.25, 0.44), radius=0.9)
    objective, rays = region(annulus, where, rays=21)
    assert_brackets(objective, rays)
    lines = tracks(rays, closed=True)
    assert len(lines) == 2
    for line, radius in zip(lines, (0.57, 0.83), strict=True):
        points = np.asarray([where.flat(b.position, b.t) for b in line])
        np.testing.assert_allclose(np.hypot(*(points - [0.3, 0.5]).T), radius, rtol=1e-8)
        np.testing.assert_array_equal(points[0], points[-1])


def test_annulus_by_vertical_rays_has_four_boundaries_through_its_hole():
    where = plane()
    objective, rays = region(annulus, where, rays=18, samples=24)
    assert_brackets(objective, rays)
    for ray in rays:
        roots = [np.sqrt(r**2 - (ray.position - 0.3) ** 2) for r in (0.57, 0.83) if r > abs(ray.position - 0.3)]
        expected = sorted([0.5 - s for s in roots] + [0.5 + s for s in roots])
        np.testing.assert_allclose([y_at(where, b) for b in ray.boundaries], expected, rtol=1e-8)


@pytest.mark.parametrize("half_width", [0.02, 1e-4, 1e-6])
def test_islands_between_the_samples_are_found(half_width):
    """Two wells narrower than the sampling; each has its extremum between two samples (and no sample inside)."""
    centres = (0.233, 1.117)

    def wells(point):
        y = point["y"]
        return (y - centres[0]) ** 2 * (y - centres[1]) ** 2 - (half_width * (centres[1] - centres[0])) ** 2

    where = plane()
    objective, rays = region(wells, where, rays=3, samples=12)
    t = np.linspace(0.0, 1.0, 12)
    if half_width < 0.02:
        assert (objective(np.full(12, 0.4), t)[0] > 0.0).all()  # the samples alone see nothing
    separation = (centres[1] - centres[0]) * half_width
    exact = lambda y: (y - centres[0]) * (y - centres[1])  # noqa: E731
    expected = [
        brentq(lambda y, s=sign: exact(y) - s * separation, c - 3 * half_width, c + 3 * half_width, xtol=1e-15)
        for c, sign in ((centres[0], 1), (centres[0], -1), (centres[1], -1), (centres[1], 1))
    ]
    for ray in rays:
        found = [y_at(where, b) for b in ray.boundaries]
        np.testing.assert_allclose(found, expected, atol=1e-4 * half_width, rtol=1e-9)
        assert [b.above for b in ray.boundaries] == [False, True, False, True]


def test_forbidden_gap_between_the_samples_is_found():
    """A narrow maximum above the level divides an allowed ray."""

    def wall(point):
        return 0.02 - ((point["y"] - 0.61) ** 2 + 0.0199) * (1.0 + 0.3 * point["x"])

    where = plane()
    objective = Objective(wall, where)
    rays = trace(objective, np.asarray([0.0011]), zero, 10, 0)
    (ray,) = rays
    half = np.sqrt(0.02 / 1.00033 - 0.0199)
    np.testing.assert_allclose([y_at(where, b) for b in ray.boundaries], [0.61 - half, 0.61 + half], rtol=1e-8)
    assert [b.above for b in ray.boundaries] == [True, False]
    assert ray.open_low and ray.open_high


def test_narrow_band_on_logarithmic_axes():
    """|ln(y/(0.01 x^0.6))| < 1e-5: a power-law band far narrower than the samples."""
    where = plane(priors=LOGARITHMIC)
    slope = lambda point: jnp.log(point["y"] / 0.01) - 0.6 * jnp.log(point["x"])  # noqa: E731
    objective, rays = region(lambda point: slope(point) ** 2 - 1e-10, where, rays=9)
    for ray in rays:
        low, high = (float(where.point(jnp.asarray(b.position), jnp.asarray(b.t))["y"]) for b in ray.boundaries)
        middle = 0.01 * np.exp(0.6 * ray.position)
        np.testing.assert_allclose([low / middle - 1, high / middle - 1], [-1e-5, 1e-5], rtol=1e-3)
    assert_brackets(objective, rays, width=1e-8)
    x = [float(where.point(jnp.asarray(p), jnp.asarray(0.5))["x"]) for p in where.positions(9)]
    np.testing.assert_allclose(x, np.geomspace(0.02, 7.0, 9), rtol=1e-12)


def test_other_parameters_keep_their_values():
    where = plane(fixed={"h": 0.44})
    _, rays = region(lambda p: p["y"] - p["h"] * p["x"] - 0.5, where, rays=4)
    for ray in rays:
        (b,) = ray.boundaries
        assert y_at(where, b) == pytest.approx(0.44 * ray.position + 0.5, rel=1e-9) and b.above
        assert ray.open_low and not ray.open_high


@pytest.mark.parametrize(("sign", "flags"), [(1.0, (True, False)), (-1.0, (False, True))])
def test_region_that_reaches_the_end_of_the_rays_is_open(sign, flags):
    _, rays = region(lambda p: sign * (p["y"] - 0.4 * p["x"] - 0.3), plane(), rays=5)
    assert all((ray.open_low, ray.open_high) == flags and len(ray.boundaries) == 1 for ray in rays)


@pytest.mark.parametrize(("value", "flags"), [(-0.2, (True, True)), (0.3, (False, False))])
def test_everything_allowed_and_nothing_allowed(value, flags):
    _, rays = region(lambda p: value + 0.0 * p["y"], plane(), rays=3, refinements=2)
    assert len(rays) == 3  # nothing to refine
    assert all((ray.open_low, ray.open_high) == flags and not ray.boundaries for ray in rays)
    assert tracks(rays) == []


def test_no_solution_of_the_theory_bounds_the_region():
    """F is NaN beyond y = 1.2 - 0.2 x^2: a boundary with a finite allowed side and no number beyond."""

    def function(point):
        edge = 1.2 - 0.2 * point["x"] ** 2 - point["y"]
        return jnp.where(edge > 0.0, -1.0 - point["y"], jnp.nan)

    where = plane()
    _, rays = region(function, where, rays=6)
    for ray in rays:
        (b,) = ray.boundaries
        assert np.isnan(b.excess_excluded) and b.excess_allowed < 0.0 and b.above
        assert b.t == b.t_allowed
        assert y_at(where, b) == pytest.approx(1.2 - 0.2 * ray.position**2, abs=1e-8)
        assert ray.open_low and not ray.open_high and np.isfinite(ray.best)


def test_refinement_finds_where_the_topology_changes():
    """New rays close in on the tangents of the circle, a factor two each generation."""
    where = plane()
    _, coarse = region(circle, where, rays=7)
    _, fine = region(circle, where, rays=7, refinements=6)
    assert {ray.position for ray in coarse} < {ray.position for ray in fine}
    assert len(fine) == len(coarse) + 2 * 6  # two tangents
    edges = [(a.position + b.position) / 2 for a, b in pairwise(fine) if len(a.boundaries) != len(b.boundaries)]
    spacing = (3.4 / 6) / 2**6
    np.testing.assert_allclose(edges, [0.3 - 0.41, 0.3 + 0.41], atol=spacing)
    assert [ray.position for ray in fine] == sorted(ray.position for ray in fine)
    lines = tracks(fine)
    assert len(lines) == 2 and len(lines[0]) == sum(len(ray.boundaries) == 2 for ray in fine)


def test_refinement_closes_round_the_origin():
    """A wedge about angle 0 is refined on both sides, also across 2 pi."""
    where = plane(origin=(0.3, 0.5), radius=0.2)
    angle = lambda p: jnp.arctan2((p["y"] - 0.5) / 2.6, (p["x"] - 0.3) / 3.4)  # noqa: E731
    away = lambda p: jnp.hypot(p["y"] - 0.5, p["x"] - 0.3) > 0.07  # noqa: E731 - no angle at the origin
    wedge = lambda p: jnp.where((jnp.abs(angle(p) - 0.021) < 0.3) & away(p), 1.0, -1.0)  # noqa: E731
    rays = trace(Objective(wedge, where), where.positions(8), zero, 8, 5)
    excluded = np.asarray([ray.position for ray in rays if not ray.open_high])
    spacing = 2 * np.pi / 8 / 2**5
    assert excluded[excluded < np.pi].max() == pytest.approx(0.321, abs=spacing)
    assert excluded[excluded > np.pi].min() == pytest.approx(2 * np.pi - 0.279, abs=spacing)
    assert len(rays) == 8 + 2 * 5 and max(ray.position for ray in rays) < 2 * np.pi


def test_extrema_are_among_the_samples():
    objective = Objective(lambda p: jnp.cos(5.0 * p["y"] + p["x"]), plane())
    samples = sample_rays(objective, np.asarray([0.37, -0.9]), 16)
    assert (np.diff(samples.t, axis=1) >= 0.0).all()
    for row, x in enumerate(samples.positions):
        extrema = [(k * np.pi - x) / 5.0 for k in range(-5, 6)]
        for y in (y for y in extrema if -0.7 < y < 1.9):
            assert np.abs((y + 0.7) / 2.6 - samples.t[row]).min() < 1e-8
    y = -0.7 + 2.6 * samples.t
    np.testing.assert_allclose(samples.F, np.cos(5 * y + samples.positions[:, None]), atol=1e-13)
    np.testing.assert_allclose(samples.slope, -13 * np.sin(5 * y + samples.positions[:, None]), atol=1e-12)


def test_each_ray_has_its_own_level():
    where = plane()
    objective = Objective(lambda p: (p["y"] - 0.4) ** 2 + p["x"], where)
    samples = sample_rays(objective, np.asarray([-0.2, 0.9]), 16)
    level = samples.F.min(1) + np.asarray([0.09, 0.25])
    for ray, half, expected in zip(locate(objective, samples, level), (0.3, 0.5), level, strict=True):
        np.testing.assert_allclose([y_at(where, b) for b in ray.boundaries], [0.4 - half, 0.4 + half], rtol=1e-9)
        assert ray.level == expected and ray.best == pytest.approx(1.1 / 2.6, abs=1e-8)


@pytest.mark.parametrize("shape", [(1, 1), (3, 100), (128,), (2, 65)])
def test_chunks_do_not_show(shape):
    objective = smooth()
    rng = np.random.default_rng(5)
    positions, t = rng.uniform(-1, 2, shape), rng.uniform(0, 1, shape)
    F, slope = objective(positions, t)
    y = -0.7 + 2.6 * t
    assert F.shape == slope.shape == shape
    np.testing.assert_allclose(F, np.sin(positions) * y**3, rtol=1e-13)
    np.testing.assert_allclose(slope, np.sin(positions) * 3 * y**2 * 2.6, rtol=1e-12)


@functools.cache
def smooth():
    return Objective(lambda p: jnp.sin(p["x"]) * p["y"] ** 3, plane())


def test_lines_break_where_the_topology_changes():
    samples = lambda p, F: Samples(p, np.broadcast_to([0.0, 0.5, 1.0], (p.size, 3)), F, 0.0 * F)  # noqa: E731
    positions = np.arange(5.0)
    F = np.asarray([[-1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], dtype=float)
    objective = Objective(lambda p: jnp.where(p["y"] > -0.1, 1.0, -1.0), plane())
    rays = locate(objective, samples(positions, F), np.zeros(5), steps=0)
    lines = tracks(rays)
    assert [[b.position for b in line] for line in lines] == [[0.0, 1.0], [2.0], [2.0], [4.0]]
    assert tracks(rays, closed=True) == lines  # not whole: nothing to close
