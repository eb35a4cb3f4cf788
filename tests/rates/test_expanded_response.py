"""Responses as polynomials of their nuisances, against folding the kernels again."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import expanded_model, statistical_model

from tridentjax.rates.chain import Nuisances, fold

WIDTHS = {"flux_stretch": 0.12, "flux_tilt": 0.3, "nuclear_radius": 0.01, "nuclear_diffuseness": 0.05,
          "coherent_normalisation": 0.06, "incoherent_normalisation": 0.3}  # fmt: skip
POINTS = [(0.0142, 8e-4), (0.33, 2.1e-3), (71.0, 0.13)]


def nuisances(z):
    """All six at z prior widths; the tilt is additive, factors are exponentials."""
    values = {name: w * x for (name, w), x in zip(WIDTHS.items(), z, strict=True)}
    return Nuisances(**{name: jnp.asarray(x if name == "flux_tilt" else np.exp(x)) for name, x in values.items()})


@functools.cache
def exact():
    chain = statistical_model().chains[0]
    return jax.jit(lambda n: fold(chain, n))


@functools.cache
def expanded():
    (own,) = expanded_model().expanded
    return jax.jit(lambda n: own.fold(n))  # noqa: PLW0108 - a bound method has no hash


def ratio(response, mass, g):
    return float(statistical_model().rate_ratios({"mass": jnp.asarray(mass), "g": jnp.asarray(g)}, (response,))[0])


def assert_same(one, other):
    """Largest error measured: 3e-10 of the largest weight (least squares, not interpolation, at the nodes)."""
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-6, atol=1e-9 * np.abs(one.weights).max())


@pytest.mark.slow
def test_exact_at_the_nominal_chain():
    one, other = exact()(nuisances(np.zeros(6))), expanded()(nuisances(np.zeros(6)))
    assert_same(one, other)
    assert float(other.flux_integral) == pytest.approx(float(one.flux_integral), rel=1e-12)
    assert other.components == one.components and other.structures == one.structures


@pytest.mark.few(1)
@pytest.mark.parametrize(("coherent", "incoherent"), [(2.3, -1.7), (-4.0, 6.0)])
def test_exact_in_the_normalisations(coherent, incoherent):
    z = np.asarray([0, 0, 0, 0, coherent, incoherent])
    one, other = exact()(nuisances(z)), expanded()(nuisances(z))
    assert_same(one, other)
    np.testing.assert_allclose(other.normalisation, one.normalisation, rtol=1e-14)
    assert set(np.asarray(one.normalisation)) == {np.exp(0.06 * coherent), np.exp(0.3 * incoherent)}


@pytest.mark.parametrize(("axis", "node"), [(0, -2.5), (1, 2.5), (1, -1.25), (2, 1.25), (3, -2.5)])
def test_interpolates_its_nodes(axis, node):
    """Nodes on the axes at 1.25 and 2.5 prior widths."""
    n = nuisances(node * np.eye(6)[axis])
    one, other = exact()(n), expanded()(n)
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-5, atol=1e-7 * np.abs(one.weights).max())
    assert float(other.flux_integral) == pytest.approx(float(one.flux_integral), rel=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize(("length", "tolerance"), [(1.0, 1.5e-4), (2.0, 1e-3)])
def test_rate_ratio_at_random_nuisances(length, tolerance):
    """Measured: see the tolerances; far below the prior widths, and certified with `fold` afterwards."""
    rng = np.random.default_rng(17)
    errors = []
    for z in length * rng.uniform(-1, 1, size=(20, 6)):
        one, other = exact()(nuisances(z)), expanded()(nuisances(z))
        errors.append([ratio(other, *point) / ratio(one, *point) - 1 for point in POINTS])
    assert np.abs(errors).max() < tolerance
    assert np.abs(errors).max() > 1e-9  # it is an approximation; the two are different calculations


@pytest.mark.slow
def test_derivatives_follow_the_fold():
    """d ln N / d nuisance, forward and reverse, at generic nuisances."""
    z = jnp.asarray([0.4, -0.7, 0.9, -0.3, 1.1, -0.5])
    (own,) = expanded_model().expanded
    chain = statistical_model().chains[0]

    def at(fold_one):
        def total(z):
            u = z * jnp.asarray(list(WIDTHS.values()))
            factors = jnp.exp(u)
            return jnp.log(fold_one(Nuisances(factors[0], u[1], *factors[2:])).weights[:, :2].sum())

        return total

    approximate = at(own.fold)
    reverse, forward = jax.jit(jax.grad(approximate))(z), jax.jit(jax.jacfwd(approximate))(z)
    np.testing.assert_allclose(forward, reverse, rtol=1e-10)
    np.testing.assert_allclose(reverse, jax.jit(jax.grad(at(functools.partial(fold, chain))))(z), atol=1e-3)
