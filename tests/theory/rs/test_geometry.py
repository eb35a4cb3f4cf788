"""Profiles and gauge sums of the warped interval: printed numbers, mpmath integrals, Bessel functions, mode sums."""

from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from ruamel.yaml import YAML

from tridentjax.theory.rs import geometry as rs
from tridentjax.theory.rs.brane_sums import resolved_ir_sum, resolved_minus_plus_ir_sum
from tridentjax.theory.rs.geometry import WarpedGeometry, fermion, ir_brane, tower_sum, uv_brane
from tridentjax.theory.rs.kk import kk_couplings, kk_roots, kk_wave

TABLE = YAML(typ="safe", pure=True).load(Path(__file__).parents[2] / "references" / "rs_matching.yaml")
PRINTED = 6e-7  # seven digits
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


@pytest.mark.parametrize("entry", TABLE["scales"], ids=lambda entry: str(entry["Lambda_IR"]))
def test_length_reference(entry):
    space = WarpedGeometry(entry["Lambda_IR"])
    np.testing.assert_allclose(space.L, entry["L"], rtol=1e-10)
    np.testing.assert_allclose(-jnp.log(space.epsilon), entry["L"], rtol=1e-10)


@pytest.mark.parametrize("entry", TABLE["brane"], ids=lambda entry: str(entry["kappa_IR"]))
def test_brane_reference(entry):
    space = WarpedGeometry(3000.0, kappa_IR=entry["kappa_IR"])
    brane = ir_brane(space)
    np.testing.assert_allclose(tower_sum(space, brane, brane), entry["G11"], rtol=1e-10)
    # 2 G(UV, UV) = C0 up to epsilon^2
    np.testing.assert_allclose(2 * tower_sum(space, uv_brane(space), uv_brane(space)), entry["C0"], rtol=1e-9)


@pytest.mark.parametrize("entry", TABLE["sums"], ids=lambda entry: f"{entry['kappa_IR']}-{entry['c']}")
def test_sum_reference(entry):
    space = WarpedGeometry(3000.0, kappa_IR=entry["kappa_IR"])
    p, q, brane = fermion(space, entry["c"]), fermion(space, 0.65), ir_brane(space)
    ours = {
        "B": p.B,
        "D": rs.overlap(space, p, p) + space.epsilon**2,
        "D_65": rs.overlap(space, p, q) + space.epsilon**2,
        "G_IR": tower_sum(space, p, brane),
        "G": tower_sum(space, p, p),
        "G_65": tower_sum(space, p, q),
        "Theta": rs.subtracted_sum(space, p, p),
        "minus_plus_IR": rs.minus_plus_sum(space, p, brane, space.L),
        "minus_plus": rs.minus_plus_sum(space, p, p, space.L),
    }
    assert ours.keys() == entry.keys() - {"kappa_IR", "c", "source"}
    for name, value in ours.items():
        # G(1/2, .) vanishes without brane terms; the source prints its rounding noise
        noise = 2e-14 if name.startswith("G") and entry["c"] == 0.5 else 0.0
        np.testing.assert_allclose(value, entry[name], rtol=PRINTED, atol=noise, err_msg=name)


def power_integral(p, low, high):
    """int t^(p-1) dt in mpmath."""
    return mpmath.log(high / low) if p == 0 else (high**p - low**p) / p


@pytest.mark.parametrize("L", [1.5, 35.94])
@pytest.mark.parametrize(
    ("c", "c_other"), [(0.37, 0.61), (0.5, 1.5), (0.5, 0.5), (1.5, 0.8), (-10.0, 10.0), (9.3, 7.1)]
)
def test_moments_against_mpmath(L, c, c_other):
    # elementary antiderivatives at 90 digits; a shift of 1e-30 steps over their removable poles
    mpmath.mp.dps = 90
    space, shift = warped(L), mpmath.mpf("1e-30")
    epsilon = mpmath.exp(-mpmath.mpf(float(space.L)))
    a, b = 1 - 2 * mpmath.mpf(c) + shift, 1 - 2 * mpmath.mpf(c_other) + shift * 1.7
    E = lambda p: (1 - epsilon**p) / p  # noqa: E731
    E_slope = lambda p: -(epsilon**p) * mpmath.log(epsilon) / p - E(p) / p  # noqa: E731
    D = ((E(a + 2) - E(a + b + 2)) / b + (E(b + 2) - E(a + b + 2)) / a) / (E(a) * E(b))
    p, q = fermion(space, c), fermion(space, c_other)
    np.testing.assert_allclose(p.B, float(E(a + 2) / E(a)), rtol=2e-13)
    np.testing.assert_allclose(p.t2_log, float(E_slope(a + 2) / E(a)), rtol=2e-13)
    np.testing.assert_allclose(rs.overlap(space, p, q), float(D - epsilon**2), rtol=2e-13)


@pytest.mark.parametrize("c", [-3.2, 0.5, 0.71, 1.5])
def test_node_arrays_against_mpmath(c):
    space = warped(4.3)
    p, (y, _) = fermion(space, c), rs.nodes(space)
    mpmath.mp.dps = 40
    a, epsilon = mpmath.mpf(1 - 2 * c), mpmath.exp(-mpmath.mpf(float(space.L)))
    norm = power_integral(a, epsilon, 1)
    for i in (0, 17, 64, 127):
        t = mpmath.exp(-mpmath.mpf(float(y[i])))
        S = power_integral(a, t, mpmath.mpf(1)) / norm
        m = t**2 * S + power_integral(a + 2, epsilon, t) / norm
        np.testing.assert_allclose([p.S[i], p.m[i]], [float(S), float(m)], rtol=1e-12)


@pytest.mark.parametrize(("L", "kappa_UV", "kappa_IR"), CASES)
@pytest.mark.parametrize("c", [-1.3, 0.5, 0.58, 1.5, None])
def test_tower_is_orthogonal_to_the_flat_mode(L, kappa_UV, kappa_IR, c):
    # int dt/t is L times the average over c = 1/2: the exact C0 for every kappa, small L included
    space = warped(L, kappa_UV, kappa_IR)
    p = ir_brane(space) if c is None else fermion(space, c)
    weights = [(L, fermion(space, 0.5)), (kappa_UV, uv_brane(space)), (kappa_IR, ir_brane(space))]
    terms = jnp.stack([weight * tower_sum(space, p, q) for weight, q in weights])
    np.testing.assert_allclose(terms.sum(), 0.0, atol=1e-14 * L * float(jnp.abs(terms).max()) + 1e-15)
    wrong = warped(L, kappa_UV, kappa_IR + 0.01)  # the identity notices another brane term
    assert abs(sum(weight * tower_sum(wrong, p, q) for weight, q in weights)) > 1e-5


@pytest.mark.parametrize(("L", "kappa_UV", "kappa_IR"), CASES)
def test_subtracted_sum_is_the_combination(L, kappa_UV, kappa_IR):
    space = warped(L, kappa_UV, kappa_IR)
    p, q, brane = fermion(space, 0.41), fermion(space, 0.63), ir_brane(space)
    G = lambda *pair: tower_sum(space, *pair)  # noqa: E731
    expected = G(p, q) - G(p, brane) - G(q, brane) + G(brane, brane)
    np.testing.assert_allclose(rs.subtracted_sum(space, p, q), expected, rtol=1e-12)
    np.testing.assert_allclose(G(p, q), G(q, p), rtol=1e-14)
    np.testing.assert_allclose(rs.minus_plus_sum(space, p, q, 2.0), rs.overlap(space, p, q), rtol=1e-15)
    np.testing.assert_allclose(
        rs.minus_plus_sum(space, p, q), rs.minus_plus_sum(space, p, q, L + kappa_UV + kappa_IR), rtol=1e-12
    )


@pytest.mark.parametrize(("kappa_UV", "kappa_IR"), [(0.0, 0.0), (5.0, 1.3), (-4.0, 0.6)])
def test_second_moment_against_the_modes(kappa_UV, kappa_IR):
    space = WarpedGeometry(3000.0, kappa_UV=kappa_UV, kappa_IR=kappa_IR)
    roots = kk_roots(space, 60)
    couplings = kk_couplings(space, roots, [0.43, 0.61])
    brane = kk_wave(space, roots, np.array([1.0]))[:, 0]
    p, q = fermion(space, 0.43), fermion(space, 0.61)
    for ours, product in (
        (rs.second_moment(space, p, q), couplings[:, 0] * couplings[:, 1]),
        (rs.second_moment(space, q, ir_brane(space)), couplings[:, 1] * brane),
        (rs.second_moment(space, ir_brane(space), ir_brane(space)), brane**2),
    ):
        # the terms left out fall like 1/x^4
        np.testing.assert_allclose(ours, (product / roots**4).sum(), rtol=2e-6)


def test_density_is_that_of_the_profile():
    space, c = warped(5.3), 0.63
    y, weights = rs.nodes(space)
    t = jnp.exp(-y)
    density = rs.zero_mode_density(space, c, t) * t * weights
    np.testing.assert_allclose(density.sum(), 1.0, rtol=1e-13)
    np.testing.assert_allclose((density * t**2).sum(), fermion(space, c).B, rtol=1e-13)
    np.testing.assert_allclose((density * t**2 * jnp.log(t)).sum(), fermion(space, c).t2_log, rtol=1e-13)


def test_quadrature_keeps_its_digits_at_the_ends():
    space = warped(60.0)
    y, weights = rs.nodes(space)
    np.testing.assert_allclose((2 * weights * jnp.exp(-2 * y)).sum(), 1.0, rtol=1e-14)


@pytest.mark.few(4)
@pytest.mark.parametrize("x", [-800.0, -1.0 - 1e-9, -1.0 + 1e-9, -0.3, 0.0, 1e-5, 0.99999, 1.00001, 37.0, 900.0])
def test_log_phi_and_its_derivatives(x):
    mpmath.mp.dps = 50
    exact = lambda z: mpmath.log(-mpmath.expm1(-z) / z) if z else mpmath.mpf(0)  # noqa: E731
    for order, function in enumerate((rs.log_phi, jax.grad(rs.log_phi), jax.grad(jax.grad(rs.log_phi)))):
        expected = float(mpmath.diff(exact, x or mpmath.mpf("1e-20"), order, h=mpmath.mpf("1e-15")))
        np.testing.assert_allclose(function(jnp.asarray(x)), expected, rtol=1e-13, atol=2e-15)
    np.testing.assert_allclose(rs._log_phi_slope(jnp.asarray(x)), jax.grad(rs.log_phi)(x), rtol=1e-13)


# c = 1/2, c + c' = 2, c = 3/2, kappa = 0, and where power series take over (|1 - 2c| L = 1)
SPECIAL = [
    (35.94, 0.37, 0.61, 1.2, 0.7),
    (35.94, 0.5, 0.5, 0.0, 0.3),
    (3.1, 1.5, 0.5, 0.0, 0.4),
    (35.94, 1.17, 0.83, -2.0, 0.2),
    (2.0, 0.75, 1.25, 0.0, 0.6),
    (36.0, -2.3, 0.45, 5.0, 2.0),
]


@pytest.mark.slow
@pytest.mark.parametrize("point", SPECIAL)
def test_derivatives(point):
    x = jnp.asarray(point)
    size = np.asarray(jnp.abs(value(x)))[:, None]
    np.testing.assert_allclose(forward(x) / size, reverse(x) / size, rtol=1e-10, atol=1e-13)
    steps = 1e-3 * np.eye(x.size)
    one = np.stack([value(x + h) - value(x - h) for h in steps], axis=1) / 2e-3
    two = np.stack([value(x + 2 * h) - value(x - 2 * h) for h in steps], axis=1) / 4e-3
    size = np.maximum(size, 1e-5)
    np.testing.assert_allclose(forward(x) / size, (4 * one - two) / (3 * size), rtol=2e-6, atol=2e-9)


@pytest.mark.slow
def test_second_derivatives():
    # along c, through c = 1/2 and c + c' = 2, and where power series take over
    along = jnp.asarray([0.0, 1.0, -0.6, 0.0, 0.0])
    slope = lambda x: jax.jvp(sums, (x,), (along,))[1]  # noqa: E731
    curvature, slope = jax.jit(lambda x: jax.jvp(slope, (x,), (along,))[1]), jax.jit(slope)
    for point in [*SPECIAL, (35.94, 0.5 + 0.5 / 35.94, 1.5, 0.0, 0.2)]:
        x, second = jnp.asarray(point), curvature(jnp.asarray(point))
        one, two = ((slope(x + h * along) - slope(x - h * along)) / (2 * h) for h in (5e-4, 1e-3))
        size = 1 + np.abs(value(x))
        np.testing.assert_allclose(second / size, (4 * one - two) / (3 * size), rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_transforms():
    points = jnp.asarray(SPECIAL)
    batch = jax.jit(jax.vmap(sums))(points)
    np.testing.assert_allclose(batch, [value(x) for x in points], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(batch[0], sums(points[0]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("L", "kappa_UV", "kappa_IR"), [(-0.3, 5.0, 0.0), (0.0, 1.0, 0.0), (4.0, 0.0, -0.1), (4.0, -4.5, 0.2)]
)
def test_ghosts_give_nan(L, kappa_UV, kappa_IR):
    space = warped(L, kappa_UV, kappa_IR)
    p, brane = fermion(space, 0.6), ir_brane(space)
    values = [f(space, p, brane) for f in (tower_sum, rs.subtracted_sum, rs.minus_plus_sum, rs.second_moment)]
    values += [resolved_ir_sum(space, 0.01), resolved_minus_plus_ir_sum(space, 0.01)]
    assert np.isnan(values).all()
