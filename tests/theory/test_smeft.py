"""SMEFT currents against the full non-linear tree amplitude and closed formulas."""

import numpy as np
import pytest
from tree_amplitudes import CHANNELS, DIMUON, RNG, S2, V2, angle_shift, assert_matches, generic, linear, parameters

from tridentjax.currents import FLAVOURS, standard_model_current
from tridentjax.theory.left import COMPLEX_NAMES, LEFT_NAMES, WARSAW_NAMES, left_shift
from tridentjax.theory.smeft import SCHEMES, smeft_shift, warsaw_to_left


@pytest.mark.few(3)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_channel_is_the_first_order_of_the_tree_amplitude(scheme):
    values = generic(WARSAW_NAMES)
    g_L, g_R = linear({n: v * V2 for n, v in values.items()}, scheme, S2)
    for channel in CHANNELS:
        assert_matches(smeft_shift(parameters(values), channel, scheme, S2), channel, g_L, g_R)


def dimuon_formula(C, scheme, s2):
    """(delta g_V, delta g_A) of nu_mu -> nu_mu mu mu, rs_matching.md section 5, term by term; C in units of 1/v^2."""
    dGF = C["phil3_11"] + C["phil3_22"] - C["ll_1221"] / 2
    dg_nu, dg_muL = -(C["phil1_22"] - C["phil3_22"]) / 2, -(C["phil1_22"] + C["phil3_22"]) / 2
    ds2 = angle_shift(C | {"phiWB": 0.0}, scheme, s2)
    dg_L = 2 * C["phil3_22"] - dGF + (0.5 - s2) * (C["phiD"] / 2 + dGF)
    dg_L += 2 * (s2 - 0.5) * dg_nu + dg_muL + ds2 - C["ll_2222"]
    dg_R = -s2 * (C["phiD"] / 2 + dGF) + 2 * s2 * dg_nu - C["phie_22"] / 2 + ds2 - C["le_2222"] / 2
    return dg_L + dg_R, dg_L - dg_R


@pytest.mark.few(3)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_dimuon_formula_for_every_single_coefficient(scheme):
    used = ["phil1_22", "phil3_11", "phil3_22", "phie_22", "phiD", "ll_1221", "ll_2222", "le_2222"]
    for name in WARSAW_NAMES:
        if name == "phiWB":
            continue
        value = np.float64(RNG.normal())
        g_V, g_A = dimuon_formula(dict.fromkeys(used, np.float64(0.0)) | {name: value}, scheme, S2)
        shift = smeft_shift({name: float(value / V2)}, DIMUON, scheme, S2)
        np.testing.assert_allclose([shift.g_V[1], shift.g_A[1]], [g_V, g_A], rtol=1e-12, atol=1e-15, err_msg=name)


def test_published_point_of_the_warped_space():
    """P1 (minimal, UV leptons, 3 TeV) of rs_matching.md section 7.4: v^2 C in, shifts out, to the digits printed."""
    C = {
        "phil1_11": -3.111954e-4,
        "phil1_22": -3.111954e-4,
        "phil3_11": 1.034689e-3,
        "phil3_22": 1.034689e-3,
        "phie_22": -6.223907e-4,
        "phiD": -4.588138e-2,
        "ll_2222": -1.877306e-5,
        "ll_1122": 2.018329e-5,
        "ll_1221": -5.772941e-5,
        "le_2222": -1.736283e-5,
    }
    values = {name: value / V2 for name, value in C.items()}
    for scheme, expected in {"alpha_mZ_GF": -1.466948e-2, "fixed_s2": -8.853553e-4}.items():
        shift = smeft_shift(values, DIMUON, scheme, 0.23122)
        np.testing.assert_allclose(shift.g_V[1], expected, rtol=3e-6)
        np.testing.assert_allclose(shift.g_A[1], -1.178588e-2, rtol=3e-6)


@pytest.mark.slow
def test_input_scheme_only_shifts_the_vector_coupling_of_equal_leptons():
    values = parameters(generic(WARSAW_NAMES))
    for channel in CHANNELS:
        shifts = [smeft_shift(values, channel, scheme, S2) for scheme in SCHEMES]
        for shift in shifts[1:]:
            np.testing.assert_allclose(shift.g_A, shifts[0].g_A, rtol=1e-10, atol=1e-16)
        moved = np.abs(np.asarray(shifts[0].g_V - shifts[3].g_V)) > 1e-12
        allowed = channel.lepton_minus == channel.lepton_plus
        assert list(moved[:3]) == [allowed and flavour == channel.neutrino for flavour in FLAVOURS]


def lagrangian(C, g1, g2):
    """(e^2, m_W^2, m_Z^2, Fermi constant times sqrt2, effective angle) at v_T = 1: tree level, phiD, phiWB, dG_F."""
    mass = np.array([[g2**2, -g1 * g2], [-g1 * g2, g1**2]]) / 4 * (1 + C["phiD"] / 2)
    kinetic = np.array([[1.0, C["phiWB"]], [C["phiWB"], 1.0]])
    kinetic_root = np.linalg.inv(np.linalg.cholesky(kinetic))
    squares, vectors = np.linalg.eigh(kinetic_root @ mass @ kinetic_root.T)
    photon, z = (kinetic_root.T @ vectors).T  # contents in (W3, B)
    charge = g2 * photon[0]  # coupling to T3, and to Y: e both
    t3, hypercharge = g2 * z[0], g1 * z[1]  # t3 T3 + hypercharge (Q - T3) = g_Z (T3 - s2 Q)
    fermi = 1 + (C["phil3_11"] + C["phil3_22"] - C["ll_1221"] / 2)
    return charge**2, g2**2 / 4, squares[1], fermi, -hypercharge / (t3 - hypercharge)


def test_all_input_schemes_describe_the_same_physics():
    """The angle from the inputs of each scheme plus its shift is the effective angle, up to C squared."""
    size = 1e-5
    names = ("phiD", "phiWB", "phil3_11", "phil3_22", "ll_1221")
    C = dict(zip(names, size * np.array([-2.3, 0.7, 0.4, 0.9, -1.6]), strict=True))
    e2, mW2, mZ2, fermi, effective = lagrangian(C, 0.3571, 0.6519)
    product_of_cosine_and_sine = e2 / (4 * fermi * mZ2)
    angles = {
        "alpha_mZ_GF": (1 - np.sqrt(1 - 4 * product_of_cosine_and_sine)) / 2,
        "alpha_mW_GF": e2 / (4 * fermi * mW2),
        "mW_mZ_GF": 1 - mW2 / mZ2,
        "fixed_s2": effective,
    }
    values = {name: float(value / V2) for name, value in C.items()}
    total = []
    for scheme, s2 in angles.items():
        shift, current = smeft_shift(values, DIMUON, scheme, float(s2)), standard_model_current(DIMUON, float(s2))
        total.append([shift.g_V[1] + current.g_V[0], shift.g_A[1] + current.g_A[0]])
    assert np.diff(sorted(angles.values())).min() > 0.05 * size  # the four angles do differ, and by far more than C^2
    np.testing.assert_allclose(total[:3], [total[3]] * 3, rtol=0, atol=5 * size**2)


def test_matching_to_left_and_then_to_the_current():
    values = parameters(generic(WARSAW_NAMES))
    matched = warsaw_to_left(values, "mW_mZ_GF", S2)
    real = {"VnueLL_1221", "VnueLL_1331", "VnueLL_2332"}  # complex in LEFT, but only hermitian operators reach them
    assert set(matched) == set(LEFT_NAMES) | {f"{name}_Im" for name in LEFT_NAMES if name in COMPLEX_NAMES - real}
    for channel in CHANNELS:
        one, two = left_shift(matched, channel), smeft_shift(values, channel, "mW_mZ_GF", S2)
        np.testing.assert_allclose(one.g_V, two.g_V, rtol=1e-12, atol=1e-18)
        np.testing.assert_allclose(one.g_A, two.g_A, rtol=1e-12, atol=1e-18)
    assert set(warsaw_to_left({"ll_1122": 1e-9, "phiWB": 1e-9}, "fixed_s2", S2)) == {"VnueLL_1122", "VnueLL_2211"}
