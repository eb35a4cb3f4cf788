import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.interpolate import BarycentricInterpolator

from tridentjax.quadrature import chebyshev_basis, chebyshev_nodes, gauss_legendre, sobol_rule


@pytest.mark.parametrize("count", [1, 4, 13])
def test_gauss_legendre_is_exact_to_its_degree(count):
    nodes, weights = gauss_legendre(count)
    assert ((nodes > 0) & (nodes < 1)).all()
    for degree in range(2 * count):
        np.testing.assert_allclose(weights @ nodes**degree, 1.0 / (degree + 1), rtol=1e-13)


def test_gauss_legendre_against_mpmath():
    nodes, weights = gauss_legendre(24)
    exact = float(mpmath.quad(lambda x: mpmath.exp(-3 * x) * mpmath.cos(7 * x), [0, 1]))
    np.testing.assert_allclose(weights @ (np.exp(-3 * nodes) * np.cos(7 * nodes)), exact, rtol=1e-13)


def test_chebyshev_nodes_are_the_roots():
    count = 9
    T = np.polynomial.chebyshev.Chebyshev.basis(count)
    np.testing.assert_allclose(chebyshev_nodes(count), np.sort(T.roots()), atol=1e-14)


@pytest.mark.parametrize("count", [2, 5, 16])
def test_chebyshev_basis_matches_barycentric_interpolation(count):
    nodes = chebyshev_nodes(count)
    values = np.random.default_rng(3).normal(size=count)
    x = np.linspace(-0.97, 0.99, 21)
    ours = chebyshev_basis(jnp.asarray(x), count) @ values
    # SciPy's interpolator permutes nodes with a random generator unless told
    reference = BarycentricInterpolator(nodes, values, rng=0)(x)
    np.testing.assert_allclose(ours, reference, rtol=1e-10, atol=1e-12)


def test_chebyshev_basis_is_cardinal_and_sums_to_one():
    count = 7
    basis = chebyshev_basis(jnp.asarray(chebyshev_nodes(count)), count)
    np.testing.assert_allclose(basis, np.eye(count), atol=1e-14)
    x = jnp.linspace(-1.0, 1.0, 12).reshape(3, 4)
    assert chebyshev_basis(x, count).shape == (3, 4, count)
    np.testing.assert_allclose(chebyshev_basis(x, count).sum(-1), 1.0, rtol=1e-14)


def test_chebyshev_basis_derivative():
    count, nodes = 12, chebyshev_nodes(12)
    curve = lambda x: chebyshev_basis(x, count) @ jnp.asarray(nodes**5 - 2.0 * nodes**2)  # noqa: E731
    x = jnp.asarray(0.37)
    np.testing.assert_allclose(jax.grad(curve)(x), 5 * 0.37**4 - 4 * 0.37, rtol=1e-11)


def test_sobol_rule_is_balanced_and_reproducible():
    rule = sobol_rule(256, 3, seed=5)
    np.testing.assert_allclose(rule.weights.sum(), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(rule.nodes, sobol_rule(256, 3, seed=5).nodes)
    assert not np.array_equal(rule.nodes, sobol_rule(256, 3, seed=6).nodes)
    for axis in range(3):  # a (0, m, 1) net in every coordinate: one point in each of 256 strips
        strips = np.sort(np.floor(np.asarray(rule.nodes[:, axis]) * 256))
        np.testing.assert_array_equal(strips, np.arange(256))


def test_sobol_rule_integrates():
    rule = sobol_rule(2**12, 4, seed=8)
    value = rule.weights @ jnp.prod(jnp.exp(rule.nodes), axis=1)
    np.testing.assert_allclose(value, np.expm1(1.0) ** 4, rtol=1e-4)


@pytest.mark.parametrize("count", [0, 3, 1000])
def test_sobol_rule_refuses_odd_counts(count):
    with pytest.raises(ValueError, match=rf"count = {count}; allowed: a power of two"):
        sobol_rule(count, 2, seed=0)
