"""Kaluza-Klein spectrum: reference table, root equation in mpmath, counting, normalisation, couplings, gradients."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from oracle_towers import geometry_of
from scipy.optimize import brentq
from scipy.special import j0, j1, jn_zeros, y0, y1

from tridentjax.faults import InputError
from tridentjax.theory.rs.geometry import WarpedGeometry
from tridentjax.theory.rs.kk import first_kk_mass, kk_couplings, kk_masses, kk_roots, kk_wave

PLANCK = 1.2209e19
C_TABLE = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8)
# rs_matching.md, table 7.1: Lambda_IR = 3000 GeV; boundary, kappa_UV, kappa_IR, x1, x2, x3, chi_1(1), Omega_1(c)
TABLE = """\
++ 0 0 2.448687 5.565609 8.699963 8.480641
 2.018594 1.036362 0.475594 0.000000 -0.170649 -0.190129 -0.191256 -0.191306 -0.191308
++ 5 0 2.443229 5.559828 8.694025 9.050785
 2.175407 1.129128 0.531673 0.024898 -0.156959 -0.177721 -0.178922 -0.178975 -0.178977
++ -5 0 2.455953 5.573357 8.707950 7.869394
 1.848708 0.934991 0.413481 -0.028740 -0.187391 -0.205500 -0.206547 -0.206594 -0.206596
++ 0 0.5 1.632537 4.333063 7.333162 6.615553
 1.119789 0.523264 0.188744 -0.092030 -0.191991 -0.203325 -0.203976 -0.204005 -0.204006
++ 0 1 1.288863 4.123190 7.201303 5.271052
 0.768874 0.316835 0.064530 -0.146653 -0.221680 -0.230172 -0.230659 -0.230680 -0.230681
++ 0 2 0.977720 4.004268 7.132305 3.968383
 0.456918 0.121613 -0.064952 -0.220819 -0.276117 -0.282367 -0.282725 -0.282741 -0.282742
++ 5 1 1.284793 4.117680 7.195487 5.627068
 0.846901 0.366336 0.098056 -0.126525 -0.206320 -0.215352 -0.215870 -0.215893 -0.215894
-+ 0 0 2.404826 5.520078 8.653728 8.478483
 2.177625 1.210987 0.658232 0.188946 0.020419 0.001166 0.000051 0.000002 0.000000
-+ 0 1 1.255784 4.079478 7.155799 5.281552
 0.968569 0.531074 0.286510 0.081604 0.008747 0.000495 0.000022 0.000001 0.000000
"""
ROWS = [" ".join(pair).split() for pair in zip(*[iter(TABLE.splitlines())] * 2, strict=True)]
# generic brane terms, a small volume, an almost decoupled brane; ghost-like kappa_UV < 0 sits far above the tower
CASES = [(36.1, 0.0, 0.0), (34.7, 3.3, 0.8), (36.9, -4.2, 0.27), (1.609, 0.4, 0.6), (35.0, 0.0, 3e4), (0.3, 2.0, 40.0)]


def equation(x, L, kappa_UV, kappa_IR, boundary="++", lib=None):
    """Root equation of the specification, section 2, as printed there; in SciPy or mpmath."""
    J0, J1, Y0, Y1, exp = lib or (j0, j1, y0, y1, np.exp)
    y = x * exp(-L)
    IR_J, IR_Y = J0(x) - x * kappa_IR * J1(x), Y0(x) - x * kappa_IR * Y1(x)
    if boundary == "-+":
        return IR_J * Y1(y) - J1(y) * IR_Y
    return IR_J * (Y0(y) + y * kappa_UV * Y1(y)) - (J0(y) + y * kappa_UV * J1(y)) * IR_Y


def in_mpmath():
    orders = [lambda z, n=n, f=f: f(n, z) for f in (mpmath.besselj, mpmath.bessely) for n in (0, 1)]
    return (*orders, mpmath.exp)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[:3]))
def test_reference_table(row):
    boundary, *numbers = row
    kappa_UV, kappa_IR, *expected = (float(v) for v in numbers)
    geometry = WarpedGeometry(3000.0, PLANCK, kappa_UV, kappa_IR)
    norm = None if boundary == "++" else float(geometry.L)
    roots = kk_roots(geometry, 3, boundary)
    end = kk_wave(geometry, roots, np.ones(1), boundary, norm)[0]
    couplings = kk_couplings(geometry, roots, C_TABLE, boundary, norm)[0]
    np.testing.assert_allclose([*roots, *end, *couplings], expected, rtol=0, atol=0.6e-6)


@pytest.mark.parametrize(
    ("mass", "Lambda_IR", "x1"),
    [(3e3, 1225.691031, 2.447598885), (5e3, 2042.306025, 2.448212921), (1e4, 4083.174513, 2.449074848)],
)
def test_first_mass_at_the_scales_of_the_reference_points(mass, Lambda_IR, x1):
    geometry = WarpedGeometry(Lambda_IR, PLANCK)
    np.testing.assert_allclose(kk_roots(geometry, 1), [x1], rtol=3e-10)
    np.testing.assert_allclose(kk_masses(geometry, 1), [mass], rtol=5e-10)
    np.testing.assert_allclose(first_kk_mass(geometry), mass, rtol=5e-10)


@pytest.mark.few(4)
@pytest.mark.parametrize("boundary", ["++", "-+"])
@pytest.mark.parametrize("case", CASES)
def test_roots_solve_the_equation_in_mpmath(case, boundary):
    roots = kk_roots(geometry_of(*case), 1500, boundary)
    with mpmath.workdps(40):
        # exponent and all in mpmath: epsilon is the geometry's own
        parameters = [mpmath.mpf(float(v)) for v in (geometry_of(*case).L, *case[1:])]
        for x in roots[[0, 1, 2, 40, 1499]]:
            exact = mpmath.findroot(lambda z: equation(z, *parameters, boundary, in_mpmath()), mpmath.mpf(float(x)))
            assert abs(exact / x - 1) < 3e-15


@pytest.mark.parametrize("boundary", ["++", "-+"])
@pytest.mark.parametrize("case", CASES)
def test_no_root_is_missed_or_repeated(case, boundary):
    roots = kk_roots(geometry_of(*case), 1500, boundary)
    edges = np.concatenate([[roots[0] / 2], (roots[1:] + roots[:-1]) / 2, [roots[-1] + (roots[-1] - roots[-2]) / 2]])
    signs = np.sign(equation(edges, *case, boundary))
    assert np.all(signs[1:] == -signs[:-1])  # an odd number in each interval
    fine = np.linspace(1e-3, edges[-1], 300_001)  # 100 and more points from root to root
    values = equation(fine, *case, boundary)
    assert np.count_nonzero(np.sign(values[1:]) != np.sign(values[:-1])) == 1500


@pytest.mark.parametrize("count", [1, 7, 1500])
def test_minus_plus_roots_interlace_with_zeros_of_J0(count):
    # without brane term and for epsilon -> 0 they are the zeros of J0; (+,+) roots lie above, below the next ones
    mixed, neutral = (kk_roots(geometry_of(36.1), count, boundary) for boundary in ("-+", "++"))
    np.testing.assert_allclose(mixed, jn_zeros(0, count), rtol=1e-13)
    assert np.all(mixed < neutral)
    assert np.all(neutral[:-1] < mixed[1:])


def test_limit_of_a_large_brane_term():
    # (-,+): x_1^2 -> 2/kappa_IR; (+,+): the field is pushed off the IR brane, J1(x) Y0(y) = J0(y) Y1(x)
    L, kappa_IR = 35.0, 3e8
    light, pushed_off = (kk_roots(geometry_of(L, 0.0, kappa_IR), 1, boundary)[0] for boundary in ("-+", "++"))
    np.testing.assert_allclose(light**2, 2.0 / kappa_IR, rtol=1e-8)
    limit = brentq(lambda x: j1(x) * y0(x * np.exp(-L)) - j0(x * np.exp(-L)) * y1(x), 0.1, 0.5, xtol=1e-15)
    np.testing.assert_allclose(pushed_off, limit, rtol=1e-6)
    assert abs(limit**2 * L / 2.0 - 1.0) < 0.05


def nodes_and_weights(L, waves):
    """Gauss-Legendre panels in s = ln t, geometric and then uniform in t, `waves` of them."""
    node, weight = np.polynomial.legendre.leggauss(40)
    uniform = np.linspace(0.02, 1.0, waves)
    edges = np.unique(np.concatenate([np.linspace(-L, 0.0, 80), np.log(uniform[uniform > np.exp(-L)])]))
    width = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + width * (node + 1)).ravel(), (width * weight).ravel()


@pytest.mark.parametrize("boundary", ["++", "-+"])
@pytest.mark.parametrize("case", [c for c in CASES if c[2] < 1e4])
def test_modes_are_orthonormal(case, boundary):
    L, kappa_UV, kappa_IR = case
    geometry, norm = geometry_of(*case), L + kappa_UV + kappa_IR
    roots = kk_roots(geometry, 12, boundary)
    s, weight = nodes_and_weights(L, 60)
    ends = kk_wave(geometry, roots, np.exp([-L, 0.0]), boundary)
    modes = kk_wave(geometry, roots, np.exp(s), boundary)
    product = (modes * weight) @ modes.T + kappa_IR * np.outer(ends[:, 1], ends[:, 1])
    product += kappa_UV * np.outer(ends[:, 0], ends[:, 0]) * (boundary == "++")
    np.testing.assert_allclose(product, norm * np.eye(12), atol=1e-10 * norm)
    assert np.all(ends[:, 1] > 0)
    if boundary == "++":  # orthogonal to the flat zero mode as well
        flat = modes @ weight + kappa_UV * ends[:, 0] + kappa_IR * ends[:, 1]
        np.testing.assert_allclose(flat, 0.0, atol=1e-10 * norm)
    else:
        np.testing.assert_allclose(ends[:, 0], 0.0, atol=1e-12)


def test_norm_only_rescales():
    geometry = geometry_of(34.7, 3.3, 0.8)
    roots = kk_roots(geometry, 4)
    usual, other = (kk_couplings(geometry, roots, [0.42, 0.61], norm=norm) for norm in (None, 7.0))
    np.testing.assert_allclose(other, usual * np.sqrt(7.0 / 38.8), rtol=1e-12)


@pytest.mark.parametrize("boundary", ["++", "-+"])
@pytest.mark.parametrize("c", [-3.0, 0.21, 0.5, 0.57, 2.4])
def test_couplings_of_low_and_high_modes(c, boundary):
    L = 34.7
    geometry = geometry_of(L, 3.3, 0.8)
    roots = kk_roots(geometry, 120, boundary)
    picked = roots[[0, 5, 119]]
    s, weight = nodes_and_weights(L, 700)
    density = weight * np.exp((1 - 2 * c) * s - max(-(1 - 2 * c) * L, 0.0))
    expected = kk_wave(geometry, picked, np.exp(s), boundary) @ density / density.sum()
    np.testing.assert_allclose(kk_couplings(geometry, roots, [c], boundary)[[0, 5, 119], 0], expected, atol=1e-10)


def test_faults_are_told_together():
    with pytest.raises(InputError, match=r"unknown boundary '\+-'(.|\n)*count = 0(.|\n)*kappa_IR = -0.2; allowed"):
        kk_roots(geometry_of(36.0, 0.0, -0.2), 0, "+-")
    with pytest.raises(InputError, match=r"L \+ kappa_UV \+ kappa_IR > 0"):
        kk_masses(geometry_of(36.0, -36.1, 0.0), 3)


# --- the differentiable first mass -------------------------------------------------------------------------------


def mass_at(x):
    return first_kk_mass(WarpedGeometry(x[0], x[1], x[2], x[3]))


POINTS = [(3000.0, PLANCK, 0.0, 0.0), (812.0, 2.4e18, -3.7, 0.63), (4000.0, 2.1e4, 1.4, 2.2)]


@pytest.mark.few(1)
@pytest.mark.parametrize("point", POINTS)
def test_first_mass_gradient(point):
    x = jnp.asarray(point)
    np.testing.assert_allclose(mass_at(x), kk_masses(WarpedGeometry(*point), 1)[0], rtol=1e-14)
    forward, reverse = jax.jacfwd(mass_at)(x), jax.grad(mass_at)(x)
    np.testing.assert_allclose(forward, reverse, rtol=1e-13)
    for i, unit in enumerate(np.eye(4)):
        # one-sided at the edge kappa_IR = 0, second order
        h = 1e-5 * (abs(point[i]) if i < 2 else 1.0)
        if point[i] == 0.0:
            step = (-3 * mass_at(x) + 4 * mass_at(x + h * unit) - mass_at(x + 2 * h * unit)) / (2 * h)
        else:
            step = (mass_at(x + h * unit) - mass_at(x - h * unit)) / (2 * h)
        np.testing.assert_allclose(reverse[i], step, rtol=2e-7, atol=1e-9 * float(mass_at(x)) / max(1.0, point[i]))


def test_slope_in_kappa_IR_is_the_wave_function_on_the_brane():
    # Feynman-Hellmann: d ln x_n^2/d kappa_IR = -chi_n(1)^2/Lhat, d ln x_n^2/d kappa_UV = -chi_n(epsilon)^2/Lhat
    geometry = geometry_of(34.7, 3.3, 0.8)
    ends = kk_wave(geometry, kk_roots(geometry, 1), np.array([float(geometry.epsilon), 1.0]))[0]
    x = jnp.asarray([float(geometry.Lambda_IR), float(geometry.k), 3.3, 0.8])
    slope = np.asarray(jax.grad(lambda v: jnp.log(mass_at(v) ** 2))(x))
    np.testing.assert_allclose(slope[2:], -(ends**2) / 38.8, rtol=1e-10)


def test_first_mass_under_jit_and_vmap():
    rng = np.random.default_rng(5)
    ranges = ((500, 9e3), (1e18, 2e19), (-4, 4), (0, 5))
    draws = np.stack([rng.uniform(*limits, 4000) for limits in ranges], axis=1)
    batch, slopes = jax.jit(jax.vmap(jax.value_and_grad(mass_at)))(jnp.asarray(draws))
    for i in (0, 17, 3999):
        np.testing.assert_allclose(batch[i], mass_at(jnp.asarray(draws[i])), rtol=1e-14)
        np.testing.assert_allclose(slopes[i], jax.grad(mass_at)(jnp.asarray(draws[i])), rtol=1e-13)
    np.testing.assert_allclose(batch[:20], [kk_masses(WarpedGeometry(*row), 1)[0] for row in draws[:20]], rtol=1e-14)
    nested = jax.vmap(jax.vmap(mass_at))(jnp.asarray(draws[:6]).reshape(2, 3, 4))
    np.testing.assert_allclose(nested.ravel(), batch[:6], rtol=1e-14)


@pytest.mark.parametrize("bad", [(3e3, PLANCK, 0.0, -0.1), (3e3, PLANCK, -40.0, 1.0), (2e3, 1e3, 2.0, 0.3)])
def test_first_mass_is_nan_outside_its_domain(bad):
    together = jnp.asarray([bad, POINTS[1]])
    masses = jax.jit(jax.vmap(mass_at))(together)
    assert np.isnan(masses[0])
    np.testing.assert_allclose(masses[1], mass_at(together[1]), rtol=1e-14)


def test_second_derivative_is_refused():
    with pytest.raises(ValueError, match="do not support JVP"):
        jax.hessian(mass_at)(jnp.asarray(POINTS[1]))
