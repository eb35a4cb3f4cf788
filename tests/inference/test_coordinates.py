"""Coordinates of the sampler: priors as quantile functions, the map along an edge and its Jacobian."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ccfr_model import model
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from tridentjax.inference.coordinates import Edge, Prior, locate_edge


def test_priors_are_their_quantile_functions():
    z = jnp.asarray([-2.3, -0.4, 0.0, 1.1, 3.0])
    phi = stats.norm.cdf(z)
    np.testing.assert_allclose(
        Prior(1e-3, 1e3, "loguniform").from_normal(z), stats.loguniform(1e-3, 1e3).ppf(phi), rtol=1e-11
    )
    np.testing.assert_allclose(Prior(-2.0, 5.0, "uniform").from_normal(z), stats.uniform(-2, 7).ppf(phi), rtol=1e-11)
    np.testing.assert_allclose(Prior(0.7, 0.2, "normal").from_normal(z), 0.7 + 0.2 * np.asarray(z), rtol=1e-12)


LOW, HIGH = -11.5, 1.1
WALLS = {
    # wall, width: inside the range, near each end, just below the range, and far above it
    "inside, soft": (-3.0, 0.4),
    "inside, hard": (-6.2, 0.05),
    "near the top": (0.9, 0.05),
    "near the bottom": (-11.0, 0.6),
    "below": (-13.0, 0.9),
    "far above": (40.0, 0.05),
}


@pytest.mark.few(3)
@pytest.mark.parametrize("name", WALLS)
def test_edge_map_reproduces_a_flat_prior(name):
    """int dz phi(z) exp(log Jacobian) f(t(z)) = int dt f(t)/(high - low), for any f that dies behind the wall.

    Beyond 20 widths behind the wall Phi(z) is 1 to rounding; an excluded region is what lies there.
    """
    wall, width = WALLS[name]
    edge = Edge(jnp.full(3, wall), jnp.asarray(width), "g", "mass")
    prior = Prior(LOW, HIGH, "uniform")

    @jax.jit
    def at(z):
        return jnp.stack(edge.from_normal(z, jnp.asarray(wall), prior))

    for f in (lambda t: 1.0, lambda t: t, lambda t: np.cos(1.3 * t + 0.2), lambda t: np.exp(0.3 * t)):
        excluded = lambda t: np.exp(-np.exp(np.minimum((t - wall - 3 * width) / width, 50)))  # noqa: E731
        weighted = lambda t: f(t) * excluded(t)  # noqa: B023, E731

        def integrand(z):
            t, log_jacobian = np.asarray(at(z))
            return weighted(t) * np.exp(log_jacobian) * stats.norm.pdf(z)  # noqa: B023

        points = np.linspace(-9, 8, 35)
        ours = sum(quad(integrand, a, b, epsabs=1e-9, limit=60)[0] for a, b in itertools.pairwise(points))
        cuts = sorted({LOW, HIGH, *np.clip([wall - 5 * width, wall, wall + 5 * width, wall + 9 * width], LOW, HIGH)})
        direct = sum(quad(weighted, a, b, epsabs=1e-11, limit=200)[0] for a, b in itertools.pairwise(cuts))
        assert ours == pytest.approx(direct / (HIGH - LOW), abs=1e-6, rel=1e-6)


def test_edge_jacobian_is_the_derivative_of_the_map():
    edge, prior = Edge(jnp.full(3, -3.0), jnp.asarray(0.3), "g", "mass"), Prior(LOW, HIGH, "uniform")
    t = lambda z: edge.from_normal(z, jnp.asarray(-3.0), prior)[0]  # noqa: E731
    for z in (-2.5, -0.3, 1.2, 3.0):
        slope = float(jax.grad(t)(jnp.asarray(z)))
        expected = np.log(slope / (HIGH - LOW) / stats.norm.pdf(z))
        assert float(edge.from_normal(jnp.asarray(z), jnp.asarray(-3.0), prior)[1]) == pytest.approx(expected, abs=1e-9)


def test_wall_interpolates_its_nodes():
    nodes = -np.cos((np.arange(12) + 0.5) * np.pi / 12)
    curve = lambda x: -3 + np.tanh(x) + 0.2 * x**2  # noqa: E731
    edge = Edge(jnp.asarray(curve(nodes)), jnp.asarray(0.1), "g", "mass")
    prior = Prior(1e-3, 1e3, "loguniform")
    for x in (-0.93, 0.11, 0.7):
        other = jnp.asarray(x * np.log(1e3))
        assert float(edge.wall(prior, other)) == pytest.approx(curve(x), abs=1e-5)


@pytest.mark.parametrize("rise", [1.0, 4.0, 9.0])
def test_locate_edge_against_brentq(rise):
    log_likelihood = lambda t: -0.5 * ((0.82 - 1 - 3.1e9 * np.e ** (4 * t)) / 0.28) ** 2  # noqa: E731
    prior = Prior(1e-5, 3.0, "loguniform")
    low, high = np.log(1e-5), np.log(3.0)
    expected = brentq(lambda t: 2 * (log_likelihood(low) - log_likelihood(t)) - rise, low, high, xtol=1e-13)
    assert float(locate_edge(log_likelihood, prior, rise)) == pytest.approx(expected, abs=1e-10)


def test_locate_edge_without_an_exclusion():
    assert float(locate_edge(lambda t: 0.0 * t, Prior(-1.0, 2.0, "uniform"), 4.0)) == pytest.approx(2.0)


@pytest.mark.slow
def test_wall_of_the_model_follows_the_likelihood():
    """At the wall -2 log L has risen by 4."""
    edge, prior = model().edge, model().priors["mass"]
    low = {"g": jnp.asarray(1e-5)}
    rises = []
    for mass in (2e-3, 0.03, 0.7, 40.0):
        g = jnp.exp(edge.wall(prior, jnp.log(jnp.asarray(mass))))
        here = model().log_likelihood({"mass": jnp.asarray(mass), "g": g})
        rises.append(2 * float(model().log_likelihood({"mass": jnp.asarray(mass), **low}) - here))
    np.testing.assert_allclose(rises, 4.0, atol=0.3)
