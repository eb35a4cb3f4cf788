"""Sums with a resolved brane term against Bessel functions."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from tridentjax.theory.rs import geometry as rs
from tridentjax.theory.rs.brane_sums import resolved_ir_sum, resolved_minus_plus_ir_sum
from tridentjax.theory.rs.geometry import WarpedGeometry, fermion, ir_brane, tower_sum
from tridentjax.theory.rs.kk import kk_roots, kk_wave

CASES = [(1.5, 0.7, 0.4), (2.2, -0.3, 0.9), (3.1, 0.0, 0.0), (35.94, 5.0, 1.3)]  # L, kappa_UV, kappa_IR


def warped(L, kappa_UV=0.0, kappa_IR=0.0):
    return WarpedGeometry(3000.0, 3000.0 * np.exp(L), kappa_UV, kappa_IR)


def sums(x):
    """Sums of a geometry from x = (L, c, c', kappa_UV, kappa_IR), as one vector."""
    L, c, c_other, kappa_UV, kappa_IR = x
    space = WarpedGeometry(3000.0, 3000.0 * jnp.exp(L), kappa_UV, kappa_IR)
    p, q, brane = fermion(space, c), fermion(space, c_other), ir_brane(space)
    return jnp.stack(
        [
            tower_sum(space, p, q),
            tower_sum(space, p, brane),
            rs.subtracted_sum(space, p, q),
            rs.minus_plus_sum(space, p, q),
            rs.second_moment(space, p, q),
            resolved_ir_sum(space, 0.31),
            resolved_minus_plus_ir_sum(space, 0.31),
        ]
    )


value, forward, reverse = jax.jit(sums), jax.jit(jax.jacfwd(sums)), jax.jit(jax.jacrev(sums))


def bessel_sums(space, q):
    """The two resolved sums from Bessel functions at 40 digits."""
    mpmath.mp.dps = 40
    L, kappa_UV, kappa_IR = (mpmath.mpf(float(x)) for x in (space.L, space.kappa_UV, space.kappa_IR))
    epsilon, r = mpmath.exp(-L), mpmath.sqrt(q)
    waves = [lambda t: t * mpmath.besselj(1, r * t), lambda t: t * mpmath.bessely(1, r * t)]
    slopes = [lambda t: r * t * mpmath.besselj(0, r * t), lambda t: r * t * mpmath.bessely(0, r * t)]
    results = []
    neumann = [s(epsilon) + epsilon * q * kappa_UV * w(epsilon) for s, w in zip(slopes, waves, strict=True)]
    for end in (neumann, [w(epsilon) for w in waves]):
        u = end[1] * waves[0](1) - end[0] * waves[1](1)
        slope = end[1] * slopes[0](1) - end[0] * slopes[1](1)
        results.append((L + kappa_UV + kappa_IR) * u / (slope - q * kappa_IR * u))
    return float(results[0] + 1 / mpmath.mpf(q)), float(results[1])


@pytest.mark.parametrize(("L", "kappa_UV", "kappa_IR"), CASES)
@pytest.mark.parametrize("q", [1e-6, 0.0073, 0.31, 0.9])
def test_resolved_sums_against_bessel_functions(L, kappa_UV, kappa_IR, q):
    space = warped(L, kappa_UV, kappa_IR)
    ours = resolved_ir_sum(space, q), resolved_minus_plus_ir_sum(space, q)
    np.testing.assert_allclose(ours, bessel_sums(space, q), rtol=1e-14)


@pytest.mark.few(3)
@pytest.mark.parametrize(("L", "kappa_UV", "kappa_IR"), CASES)
def test_resolved_sums_start_at_the_static_ones(L, kappa_UV, kappa_IR):
    space = warped(L, kappa_UV, kappa_IR)
    brane = ir_brane(space)
    value, slope = jax.value_and_grad(lambda q: resolved_ir_sum(space, q))(0.0)
    np.testing.assert_allclose(value, tower_sum(space, brane, brane), rtol=1e-13)
    np.testing.assert_allclose(slope, rs.second_moment(space, brane, brane), rtol=1e-12)
    minus_plus = resolved_minus_plus_ir_sum(space, 0.0)
    np.testing.assert_allclose(minus_plus, rs.minus_plus_sum(space, brane, brane), rtol=1e-13)


@pytest.mark.parametrize(("boundary", "function"), [("++", resolved_ir_sum), ("-+", resolved_minus_plus_ir_sum)])
def test_resolved_sums_end_at_the_first_mode(boundary, function):
    space = WarpedGeometry(3000.0, kappa_UV=5.0, kappa_IR=1.0)
    root = kk_roots(space, 1, boundary)
    residue = kk_wave(space, root, np.array([1.0]), boundary)[0, 0] ** 2
    pole = float(root[0]) ** 2
    np.testing.assert_allclose(function(space, pole * (1 - 1e-7)) * pole * 1e-7, residue, rtol=1e-5)
    assert np.isnan(function(space, pole * (1 + 1e-7)))
    assert np.isnan(function(space, 11.0))
