"""Transforms of the bulk L_mu - L_tau shift: gradients in both modes, edges of the parameter space, jit, vmap, NaN."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.currents import Channel
from tridentjax.theory.rs.geometry import WarpedGeometry
from tridentjax.theory.rs.lmutau import LMuTau, lmutau_shift, pole_mass

PLANCK, MUMU = 1.2209e19, Channel("mu", "mu", "mu")
NAMES = ("Lambda_IR", "k", "kappa_UV", "kappa_IR", "g", "mass", "c_nu", "c_R", "chi")


def record_of(x, breaking, mixing_brane):
    geometry = WarpedGeometry(x[0], x[1], x[2], x[3])
    return LMuTau(geometry, x[4], x[5], {"mu": x[6]}, {"mu": x[7]}, breaking, x[8], mixing_brane)


K2_NODES = (0.0, 1e-12, 0.3, 900.0, 3000.0)


def outputs(x, breaking="ir", mixing_brane="uv"):
    record = record_of(x, breaking, mixing_brane)
    current = lmutau_shift(record, MUMU, jnp.asarray(K2_NODES))
    return jnp.concatenate([current.g_V[0], current.g_A[0], pole_mass(record)[None]])


WEIGHTS = np.random.default_rng(3).uniform(0.3, 1.0, 2 * len(K2_NODES) + 1)


@functools.cache
def compiled(breaking):
    """Outputs, their Jacobian in forward mode, the gradient of a weighted sum in reverse mode."""
    function = functools.partial(outputs, breaking=breaking, mixing_brane="uv" if breaking == "ir" else "ir")
    return jax.jit(function), jax.jit(jax.jacfwd(function)), jax.jit(jax.grad(lambda x: function(x) @ WEIGHTS))


GENERIC = (1300.0, 8.1e18, -2.3, 0.7, 0.4, 40.0, 0.46, 0.57, 0.03)


@pytest.mark.slow
@pytest.mark.parametrize("breaking", ["uv", "ir"])
def test_gradients(breaking):
    function, forward, reverse = compiled(breaking)
    x = jnp.asarray(GENERIC)
    jacobian = np.asarray(forward(x))
    np.testing.assert_allclose(WEIGHTS @ jacobian, reverse(x), rtol=1e-10)
    for i, value in enumerate(GENERIC):
        h = 2e-4 * abs(value)
        unit = h * np.eye(len(GENERIC))[i]
        far, near = ((function(x + n * unit) - function(x - n * unit)) / (2 * n * h) for n in (2, 1))
        central, size = np.asarray(4 * near - far) / 3, np.abs(np.asarray(function(x))) / abs(value)
        error = np.abs(jacobian[:, i] - central)
        np.testing.assert_array_less(error, 1e-9 * size + 1e-6 * np.abs(central) + 1e-300, NAMES[i])


EDGES = {
    "flat leptons, no brane terms": (3000.0, PLANCK, 0.0, 0.0, 0.1, 10.0, 0.5, 0.5, 0.0),
    "c + c' = 2": (3000.0, PLANCK, 0.0, 0.0, 0.1, 10.0, 1.5, 0.5, 0.0),
    "light": (1e4, PLANCK, 1.0, 0.2, 1e-5, 1e-4, 0.6, 0.7, 1e-4),
    "heavier than the tower": (150.0, PLANCK, 1.0, 2.2, 1.0, 5e3, 0.2, 0.6, 0.0),
    "no coupling": (3000.0, PLANCK, 0.0, 1.0, 0.0, 10.0, 0.58, 0.63, 0.0),
    "extreme localisation": (3000.0, PLANCK, 0.0, 1.0, 0.2, 10.0, -6.0, 7.0, 0.0),
}


@pytest.mark.few(1)
@pytest.mark.parametrize("point", EDGES.values(), ids=EDGES)
@pytest.mark.parametrize("breaking", ["uv", "ir"])
def test_values_and_gradients_are_finite_at_the_edges(point, breaking):
    function, forward, reverse = compiled(breaking)
    x = jnp.asarray(point)
    assert np.all(np.isfinite(function(x)))
    jacobian = np.asarray(forward(x))
    assert np.all(np.isfinite(jacobian))
    # relative to the largest terms, which may cancel in the sum
    np.testing.assert_allclose(reverse(x), WEIGHTS @ jacobian, rtol=1e-9, atol=1e-12 * np.abs(jacobian).max())


@pytest.mark.slow
def test_second_derivatives():
    x = jnp.asarray(GENERIC)
    direction = x * jnp.asarray([0.3, 0.1, 0.2, -0.4, 0.1, 0.3, -0.1, 0.2, 1.0])

    def slope(y):
        return jax.jvp(outputs, (y,), (direction,))[1]

    value, curvature = jax.jit(lambda y: jax.jvp(slope, (y,), (direction,)))(x)
    forward, h = compiled("ir")[1], 1e-4
    near = (forward(x + h * direction) @ direction - forward(x - h * direction) @ direction) / (2 * h)
    np.testing.assert_allclose(value, forward(x) @ direction, rtol=1e-10)
    np.testing.assert_allclose(curvature, near, rtol=1e-5, atol=1e-8)


@pytest.mark.slow
def test_jit_is_eager_and_vmap_is_a_loop():
    x = jnp.asarray(GENERIC)
    function = compiled("ir")[0]
    np.testing.assert_allclose(function(x), outputs(x), rtol=1e-10)
    many = x[None] * jnp.asarray([[0.9], [1.0], [1.13]])
    np.testing.assert_allclose(jax.jit(jax.vmap(outputs))(many), jnp.stack([function(row) for row in many]), rtol=1e-10)
    record = record_of(x, "uv", "ir")
    current = eqx.filter_jit(lmutau_shift)(record, MUMU, jnp.asarray([0.1, 2.0]))
    eager = lmutau_shift(record, MUMU, jnp.asarray([0.1, 2.0]))
    np.testing.assert_allclose(current.g_V, eager.g_V, rtol=1e-12)


@pytest.mark.parametrize("bad", [(0, 99.0), (0, 1e19), (2, -40.0), (3, -0.1), (5, 0.0), (5, -40.0)])
def test_bad_points_are_nan_under_jit(bad):
    index, value = bad
    function = compiled("ir")[0]
    assert np.all(np.isfinite(function(jnp.asarray(GENERIC))))
    assert np.all(np.isnan(function(jnp.asarray(GENERIC).at[index].set(value))))
