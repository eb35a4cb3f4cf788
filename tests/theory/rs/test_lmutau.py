"""Bulk L_mu - L_tau: reference table, Bessel propagators, charges and channels, kinetic mixing, pole, faults."""

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from oracle_towers import bessel_exchange, geometry_of
from scipy.optimize import brentq
from scipy.special import j0, j1, y0, y1

from tridentjax.currents import Channel
from tridentjax.faults import InputError
from tridentjax.theory.rs.geometry import WarpedGeometry, fermion, ir_brane, uv_brane
from tridentjax.theory.rs.lmutau import LMuTau, lmutau_propagator, lmutau_shift, pole_mass

PLANCK, LAMBDA = 1.2209e19, 1225.691031
G_FERMI = 1.1663788e-5  # of the library; the table below was made with 1.1663787e-5, results scale as 1/G_F
TABLE_G_F = 1.1663787e-5
ELECTRON_CHARGE = np.sqrt(4 * np.pi / 137.035999177)
MUMU = Channel("mu", "mu", "mu")
BRANES = {"uv": uv_brane, "ir": ir_brane}


def model(c_L=0.58, c_R=0.6, breaking="uv", g=0.5, mass=50.0, geometry=None, **more):
    geometry = WarpedGeometry(LAMBDA, PLANCK) if geometry is None else geometry
    return LMuTau(geometry, g, mass, {"mu": c_L, "tau": 0.51}, {"mu": c_R, "tau": 0.67}, breaking, **more)


def shift_of(record, K2=(0.0,), channel=MUMU):
    current = lmutau_shift(record, channel, jnp.asarray(K2))
    return np.asarray(current.g_V), np.asarray(current.g_A)


# rs_matching.md, table 7.5, second part: g = 0.5, mass = 50 GeV, K2 = 0
@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("breaking", "c_L", "c_R", "tower_L", "tower_R", "delta_V", "delta_A"),
    [
        ("uv", 0.58, 0.60, 2.329935e-06, 6.897026e-07, 6.062412e00, 8.273680e-09),
        ("ir", 0.58, 0.60, 1.840987e01, 1.841300e01, 6.248154e00, -1.579583e-05),
        ("uv", 0.45, 0.60, 8.389826e-02, 1.296510e-04, 6.062835e00, 4.225467e-04),
        ("ir", 0.45, 0.60, 1.670324e01, 1.751787e01, 6.235030e00, -4.109159e-03),
        ("uv", 0.40, 0.40, 2.794243e-01, 2.794243e-01, 6.065231e00, 0.0),
        ("ir", 0.40, 0.40, 1.534717e01, 1.534717e01, 6.217240e00, 0.0),
    ],
)
def test_reference_table_at_rest(breaking, c_L, c_R, tower_L, tower_R, delta_V, delta_A):
    geometry = WarpedGeometry(LAMBDA, PLANCK)
    b, left, right = BRANES[breaking](geometry), fermion(geometry, c_L), fermion(geometry, c_R)
    for partner, expected in ((left, tower_L), (right, tower_R)):
        P = lmutau_propagator(geometry, left, partner, b, 50.0, jnp.zeros(1))[0] * LAMBDA**2
        np.testing.assert_allclose(P - (LAMBDA / 50.0) ** 2, expected, rtol=6e-7, atol=2e-13 * P)
    g_V, g_A = shift_of(model(c_L, c_R, breaking))
    np.testing.assert_allclose(g_V * (G_FERMI / TABLE_G_F), [[delta_V]], rtol=2e-7)
    np.testing.assert_allclose(g_A * (G_FERMI / TABLE_G_F), [[delta_A]], rtol=2e-7)


# the same table, first part: four dimensions, g, mass, K2, delta_V; here the limit of a large Lambda_IR
@pytest.mark.parametrize("breaking", ["uv", "ir"])
@pytest.mark.parametrize(
    ("g", "mass", "K2", "delta_V"),
    [
        (1e-3, 0.1, 0.0, 6.062412),
        (1e-3, 0.1, 0.01, 3.031206),
        (1e-3, 1.0, 0.1, 5.511283e-2),
        (0.5, 300.0, 1.0, 1.683985e-1),
        (1.0, 1e3, 0.0, 6.062412e-2),
    ],
)
def test_four_dimensional_limit(breaking, g, mass, K2, delta_V):
    far = WarpedGeometry(1e9, PLANCK, 2.0, 0.4)
    g_V, g_A = shift_of(model(breaking=breaking, g=g, mass=mass, geometry=far), [K2])
    np.testing.assert_allclose(g_V, [[g**2 / (np.sqrt(2) * G_FERMI * (mass**2 + K2))]], rtol=1e-10)
    np.testing.assert_allclose(g_V * (G_FERMI / TABLE_G_F), [[delta_V]], rtol=5e-7)  # seven digits printed
    assert abs(g_A[0, 0]) < 1e-10 * delta_V


def test_axial_shift_of_almost_equal_profiles():
    # delta g_A vanishes with c_L - c_R: linear in a difference far below the rounding of P itself
    first, second = (shift_of(model(0.58, 0.58 + d), [0.0, 5.0])[1] / d for d in (1e-6, 1e-7))
    np.testing.assert_allclose(first, second, rtol=1e-4)
    assert np.all(first != 0)


GEOMETRIES = [(35.9, 0.0, 0.0), (36.9, -4.2, 1.3), (38.6, 2.7, 0.35), (np.log(5.0), 0.4, 0.6)]


@pytest.mark.few(4)
@pytest.mark.parametrize("breaking", ["uv", "ir"])
@pytest.mark.parametrize("case", GEOMETRIES)
@pytest.mark.parametrize(
    ("Q", "M", "lepton", "brane"),
    [(1e-7, 1e-8, 1e-14, 1e-14), (1e-3, 4e-3, 1e-9, 1e-8), (0.03, 2e-5, 1e-6, 2e-5), (0.3, 0.4, 3e-4, 3e-3)],
)
def test_propagator_against_bessel_functions(breaking, case, Q, M, lepton, brane):
    # the error is that of the tower at order Q^2: `lepton` between two fermions, `brane` with an end on a brane
    geometry, c = geometry_of(*case), [0.44, 0.61]
    exact = bessel_exchange(*case, M, breaking, Q, [*c, "uv", "ir"])
    ends = [*(fermion(geometry, x) for x in c), uv_brane(geometry), ir_brane(geometry)]
    scale, mass = geometry.Lambda_IR**2, jnp.sqrt(M) * geometry.Lambda_IR
    K2 = jnp.asarray([Q]) * scale
    for i, p in enumerate(ends[:2]):
        for j, q in enumerate(ends):
            P = lmutau_propagator(geometry, p, q, BRANES[breaking](geometry), mass, K2)[0] * scale
            tolerance = (lepton if j < 2 else brane) + 2e-13
            np.testing.assert_allclose(P, exact[i, j], rtol=tolerance, err_msg=f"{i} {j}")


def test_the_bessel_oracle_in_mpmath():
    # the closed form of section 6 between the two branes at 40 digits: Lhat u(eps) U(1)/W
    L, kappa_UV, kappa_IR, M, Q = 36.9, -4.2, 1.3, 0.004, 0.03
    with mpmath.workdps(40):
        i, k, root = mpmath.besseli, mpmath.besselk, mpmath.sqrt(Q)
        volume, eps = mpmath.mpf(L) + kappa_UV + kappa_IR, mpmath.exp(-mpmath.mpf(L))
        z, at_UV, at_IR = root * eps, kappa_UV * Q, kappa_IR * Q + volume * M
        a, b = root * k(0, z) + at_UV * eps * k(1, z), root * i(0, z) - at_UV * eps * i(1, z)
        A, B = root * k(0, root) - at_IR * k(1, root), root * i(0, root) + at_IR * i(1, root)
        lower = eps * (a * i(1, z) + b * k(1, z))
        expected = volume * lower * (A * i(1, root) + B * k(1, root)) / (a * B - A * b)
    P = bessel_exchange(L, kappa_UV, kappa_IR, M, "ir", Q, ["uv", "ir"])
    np.testing.assert_allclose(P[0, 1], float(expected), rtol=1e-13)
    np.testing.assert_allclose(P, P.T, rtol=1e-13)


def test_no_false_pole_at_any_spacelike_momentum():
    # Eq. (3) is only an interpolation far above Lambda_IR, but P must neither blow up nor rise there
    geometry = WarpedGeometry(150.0, PLANCK, -3.0, 2.0)
    K2 = jnp.logspace(-8, 14, 300)
    for brane in BRANES.values():
        b = brane(geometry)
        for mass in (1e-3, 20.0, 2000.0):
            of_fermion, of_brane = (lmutau_propagator(geometry, p, p, b, mass, K2) for p in (fermion(geometry, 0.6), b))
            assert np.all(np.diff(of_fermion) < 0)
            assert np.all(np.diff(of_brane) < 0)
            assert np.all(of_brane > 0)
            assert of_fermion[-1] > -0.01 * of_fermion[0]


# --- channels -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_charges_of_the_channels():
    same = {"c_L": {"mu": 0.58, "tau": 0.58}, "c_R": {"mu": 0.6, "tau": 0.6}}
    record = LMuTau(WarpedGeometry(LAMBDA, PLANCK), 0.5, 50.0, **same, breaking="ir")
    K2 = [0.3, 70.0]
    V, A = shift_of(record, K2)
    signs = {("mu", "tau"): -1, ("tau", "mu"): -1, ("tau", "tau"): 1, ("mu", "e"): 0, ("e", "mu"): 0}
    for (neutrino, lepton), sign in signs.items():
        other_V, other_A = shift_of(record, K2, Channel(neutrino, lepton, lepton))
        np.testing.assert_allclose(other_V, sign * V, rtol=1e-12)
        np.testing.assert_allclose(other_A, sign * A, rtol=1e-9)
    for got, expected in zip(shift_of(record, K2, Channel("mu", "mu", "mu", True)), (V, A), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_each_lepton_has_its_own_bulk_mass():
    geometry = WarpedGeometry(LAMBDA, PLANCK)
    record = model(0.44, 0.6, "ir", geometry=geometry)
    b, K2 = ir_brane(geometry), jnp.asarray([0.4, 1e3])
    nu = fermion(geometry, 0.44)
    P_L, P_R = (lmutau_propagator(geometry, nu, fermion(geometry, c), b, 50.0, K2) for c in (0.51, 0.67))
    V, A = shift_of(record, K2, Channel("mu", "tau", "tau"))
    unit = -(0.5**2) / (2 * np.sqrt(2) * G_FERMI)
    np.testing.assert_allclose(V[0], unit * (P_L + P_R), rtol=1e-13)
    np.testing.assert_allclose(A[0], unit * (P_L - P_R), rtol=1e-9)


@pytest.mark.parametrize("channel", [Channel("mu", "mu", "e"), Channel("mu", "e", "mu"), Channel("e", "tau", "mu")])
def test_two_different_leptons_are_left_alone(channel):
    V, A = shift_of(model(), [0.1, 0.2, 0.3], channel)
    assert V.shape == A.shape == (len(channel.outgoing_neutrinos), 3)
    assert not V.any()
    assert not A.any()


def test_missing_bulk_masses_are_named():
    record = LMuTau(WarpedGeometry(LAMBDA, PLANCK), 0.5, 50.0, {"mu": 0.6}, {"mu": 0.6})
    with pytest.raises(InputError, match=r"c_L_tau is missing: numu -> tau- tau\+(.|\n)*c_R_tau is missing"):
        lmutau_shift(record, Channel("mu", "tau", "tau"), jnp.ones(2))
    with pytest.raises(InputError, match="c_L_tau is missing"):
        lmutau_shift(record, Channel("tau", "e", "e"), jnp.ones(2))
    assert shift_of(record, [1.0], Channel("e", "tau", "tau"))[0] == 0.0  # a neutral neutrino needs none


# --- kinetic mixing -----------------------------------------------------------------------------------------------


@pytest.mark.few(1)
@pytest.mark.parametrize("mixing_brane", ["uv", "ir"])
@pytest.mark.parametrize("breaking", ["uv", "ir"])
def test_kinetic_mixing_through_the_tower(breaking, mixing_brane):
    case, Q, M, g, chi = (36.9, -4.2, 1.3), 1e-3, 4e-3, 0.3, 0.02
    geometry = geometry_of(*case)
    mass = float(np.sqrt(M) * geometry.Lambda_IR)
    P = bessel_exchange(*case, M, breaking, Q, [0.44, mixing_brane])[0, 1] / float(geometry.Lambda_IR) ** 2
    expected = g * chi * ELECTRON_CHARGE * P / (np.sqrt(2) * G_FERMI)
    K2 = [Q * float(geometry.Lambda_IR) ** 2]
    mixed = model(0.44, 0.6, breaking, g, mass, geometry, kinetic_mixing=chi, mixing_brane=mixing_brane)
    plain = model(0.44, 0.6, breaking, g, mass, geometry)
    np.testing.assert_allclose(shift_of(mixed, K2, Channel("mu", "e", "e"))[0], [[expected]], rtol=1e-8)
    np.testing.assert_allclose(shift_of(mixed, K2)[0] - shift_of(plain, K2)[0], [[expected]], rtol=1e-8)
    np.testing.assert_array_equal(shift_of(mixed, K2)[1], shift_of(plain, K2)[1])
    to_tau = [shift_of(x, K2, Channel("tau", "mu", "mu"))[0] for x in (mixed, plain)]
    assert np.all(to_tau[0] < to_tau[1])  # the neutrino's own charge, -1


def test_kinetic_mixing_in_four_dimensions():
    far = WarpedGeometry(1e9, PLANCK)
    g, chi, mass, K2 = 3e-3, 2e-3, 0.7, 0.2
    V, _ = shift_of(model(g=g, mass=mass, geometry=far, kinetic_mixing=chi), [K2])
    expected = g * (g + chi * ELECTRON_CHARGE) / (np.sqrt(2) * G_FERMI * (mass**2 + K2))
    np.testing.assert_allclose(V, [[expected]], rtol=1e-11)


# --- pole ---------------------------------------------------------------------------------------------------------


def exact_pole(L, kappa_UV, kappa_IR, M, brane):
    """Lightest root x of f'(1) = (x^2 kappa_IR - mu_IR^2) f(1), f'(eps)/eps = -(x^2 kappa_UV - mu_UV^2) f(eps)."""
    eps, mu2 = np.exp(-L), (L + kappa_UV + kappa_IR) * M

    def equation(x):
        far = x * kappa_IR - (brane == "ir") * mu2 / x
        near = x * eps * kappa_UV - (brane == "uv") * mu2 * eps / x
        y = x * eps
        IR_J, IR_Y = j0(x) - far * j1(x), y0(x) - far * y1(x)
        return IR_J * (y0(y) + near * y1(y)) - (j0(y) + near * j1(y)) * IR_Y

    grid = np.linspace(1e-4, 1.0, 4000) * min(3.0, 2.0 * np.sqrt(M))
    first = np.argmax(np.diff(np.sign(equation(grid))) != 0)
    return brentq(equation, grid[first], grid[first + 1], xtol=1e-15)


@pytest.mark.parametrize(("L", "kappa_UV", "kappa_IR"), GEOMETRIES[:3])
@pytest.mark.parametrize(
    ("M", "tolerance"),
    [(1e-4, {"uv": 1e-13, "ir": 1e-12}), (0.1, {"uv": 1e-6, "ir": 4e-6}), (1.0, {"uv": 3e-3, "ir": 2e-5})],
)
def test_pole_mass(L, kappa_UV, kappa_IR, M, tolerance):
    geometry = geometry_of(L, kappa_UV, kappa_IR)
    for brane in BRANES:
        m0 = float(np.sqrt(M) * geometry.Lambda_IR)
        pole = float(pole_mass(model(breaking=brane, mass=m0, geometry=geometry)) / geometry.Lambda_IR)
        np.testing.assert_allclose(pole, exact_pole(L, kappa_UV, kappa_IR, M, brane), rtol=tolerance[brane])
        assert pole**2 < M


# --- what is refused ----------------------------------------------------------------------------------------------


def test_unknown_brane():
    with pytest.raises(InputError, match=r"unknown brane 'IR' in breaking; did you mean 'ir'"):
        lmutau_shift(model(breaking="IR"), MUMU, jnp.ones(1))
