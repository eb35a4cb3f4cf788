"""Pulls and impacts of nuisances on a boundary, on a model with a closed form."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize, minimize_scalar
from toy_model import SLOPES, toy_model

from tridentjax.figures.goodness import plot_impacts, plot_pulls
from tridentjax.figures.style import pyplot
from tridentjax.inference.limits.impacts import impacts, posterior_pulls
from tridentjax.inference.limits.rays import Boundary, Plane

THRESHOLD, MASS = 2.9, 1.7
CORRELATION = np.linalg.cholesky(np.asarray([[1.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 1.0]]))


def full_deviance(g, s, inverse, value=0.82, sd=0.28):
    R = (1.0 + g**2 / MASS) * np.exp(np.asarray(SLOPES) @ s)
    return ((R - value) / sd) ** 2 + s @ inverse @ s


def profiled(g, inverse, held=None, at=0.0):
    """F of a point with nuisance `held` fixed, by a general minimiser; the constant prior of the held one left in."""
    free = [j for j in range(3) if j != held]

    def target(x):
        s = np.zeros(3)
        s[free] = x
        if held is not None:
            s[held] = at
        return full_deviance(g, s, inverse)

    found = minimize(target, np.zeros(len(free)), method="BFGS", options={"gtol": 1e-10})
    return found.fun, found.x


def boundary_of(inverse, held=None, at=0.0):
    """Coupling above the best fit at which F is the threshold above its smallest value in the range."""
    best = minimize_scalar(lambda g: profiled(g, inverse, held, at)[0], bounds=(0.01, 2.0), method="bounded")
    lowest = min(best.fun, profiled(0.01, inverse, held, at)[0])
    return brentq(lambda g: profiled(g, inverse, held, at)[0] - lowest - THRESHOLD, max(best.x, 0.02), 9.0, xtol=1e-9)


def plane(model):
    return Plane("mass", "g", model.priors, {})


def at_root(model, g):
    low, high = (float(x) for x in model.priors["g"].flat_range())
    t = (np.log(g) - low) / (high - low)
    return Boundary(float(np.log(MASS)), float(t), float(t) - 1e-7, float(t) + 1e-7, -1e-6, 1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("correlated", [False, True])
def test_impacts_against_a_general_minimiser(correlated):
    inverse = np.linalg.inv(CORRELATION @ CORRELATION.T) if correlated else np.eye(3)
    model = toy_model(jnp.asarray(CORRELATION) if correlated else None)
    g = boundary_of(inverse)
    found = impacts(model, plane(model), at_root(model, g), THRESHOLD)
    fitted = profiled(g, inverse)[1]
    R = (1.0 + g**2 / MASS) * np.exp(np.asarray(SLOPES) @ fitted)
    slope = R * np.asarray(SLOPES)
    covariance = np.linalg.inv(inverse + np.outer(slope, slope) / 0.28**2)
    assert [item.pull.name for item in found] == ["n0", "n1", "n2"]
    for j, item in enumerate(found):
        assert item.coordinate == "g"
        assert item.pull.pull == pytest.approx(fitted[j], abs=2e-6)
        assert item.pull.sd == pytest.approx(np.sqrt(covariance[j, j]), rel=1e-6)
        centre, up, down = (boundary_of(inverse, j, fitted[j] + k * item.pull.sd) for k in (0, 1, -1))
        assert item.up == pytest.approx(up - centre, rel=2e-4)
        assert item.down == pytest.approx(down - centre, rel=2e-4)
        assert item.relative_up == pytest.approx(item.up / centre, rel=1e-5)
        assert item.size == max(abs(item.up), abs(item.down))
    assert found[0].up < 0.0 < found[1].up  # more predicted rate: a tighter limit


def test_a_boundary_that_leaves_the_ray_is_nan():
    model = toy_model()
    boundary = at_root(model, 9.99)
    found = impacts(model, plane(model), boundary, 1e9)
    assert all(np.isnan([item.up, item.down]).all() and item.size == 0.0 for item in found)


def test_polar_rays_report_the_axis_they_run_along():
    model = toy_model()
    origin = (float(np.log(5.0)), float(np.log(0.3)))
    where = Plane("mass", "g", model.priors, {}, origin, 1.0)
    boundary = Boundary(float(np.pi) - 0.05, 0.5, 0.4999, 0.5001, -1e-6, 1e-6)
    assert {item.coordinate for item in impacts(model, where, boundary, 0.3)} == {"mass"}


def test_posterior_pulls_follow_names_and_correlation():
    rng = np.random.default_rng(4)
    z = rng.normal(size=(2, 5000, 5)) * [1.0, 1.0, 0.5, 1.0, 0.8] + [0.0, 0.0, 1.2, -0.4, 0.0]
    plain = posterior_pulls(toy_model(), z)
    assert [p.name for p in plain] == ["n0", "n1", "n2"]
    np.testing.assert_allclose([p.pull for p in plain], z[..., 2:].mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose([p.sd for p in plain], z[..., 2:].std((0, 1)), rtol=1e-12)
    own = z[..., 2:] @ CORRELATION.T
    correlated = posterior_pulls(toy_model(jnp.asarray(CORRELATION)), z)
    np.testing.assert_allclose([p.sd for p in correlated], own.std((0, 1)), rtol=1e-12)


def test_figures_sort_by_size_and_name_both_sides():
    model = toy_model()
    found = impacts(model, plane(model), at_root(model, boundary_of(np.eye(3))), THRESHOLD)
    figure = plot_impacts(found, "$g'$", "a title")
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["n0", "n1", "n2"]
    widths = [abs(bar.get_width()) for bar in right.patches[:3]]
    assert widths == sorted(widths, reverse=True) and "$g'$" in right.get_xlabel()
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert any("$+1$ sd" in word for word in words) and "prior, 68 %" in words
    pulls = plot_pulls([item.pull for item in found], "a title").axes[0]
    assert "prior width" in pulls.get_xlabel()
    pyplot().close("all")
