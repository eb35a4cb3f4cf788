"""Closed forms of the warped space against explicit towers: sums over modes, diagonalised mass matrices, poles."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from oracle_towers import MassMatrices, Tower, bessel_exchange, brane_mass_exchange, extrapolated, geometry_of
from scipy.special import zeta

from tridentjax.currents import Channel, to_chiral
from tridentjax.theory.rs.electroweak import ElectroweakRS
from tridentjax.theory.rs.geometry import fermion, ir_brane, minus_plus_sum, second_moment, tower_sum, uv_brane
from tridentjax.theory.rs.matching import rs_shift, solve_inputs

C = (0.31, 0.47, 0.62)
MODES = 600
# L, kappa_UV, kappa_IR; the last is Lambda_IR = 0.2 k. kappa_UV < 0 with a small L has a tachyonic ghost, not summed
CASES = [(36.1, 0.0, 0.0), (34.7, 3.3, 0.8), (36.9, -4.2, 0.27), (np.log(5.0), 0.4, 0.6)]


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request):
    geometry = geometry_of(*request.param)
    profiles = {c: fermion(geometry, c) for c in C} | {"uv": uv_brane(geometry), "ir": ir_brane(geometry)}
    return geometry, profiles


def compare(closed, tower, geometry, profiles, ends, power, tolerance):
    """Every pair, relative to the square root of the diagonal sums (a pair may cancel)."""
    size = {p: np.sqrt(float(closed(geometry, profiles[p], profiles[p]))) for p in ends}
    for p, q in combinations_with_replacement(ends, 2):
        difference = float(closed(geometry, profiles[p], profiles[q])) - tower.sum(p, q, power)
        assert abs(difference) < tolerance * size[p] * size[q], (p, q, difference)


def test_extrapolation_of_known_series():
    n = np.arange(1.0, MODES + 1.0)
    for terms, limit in [(1 / (n - 0.25) ** 2, zeta(2.0, 0.75)), ((-1) ** n / n**2, -(np.pi**2) / 12)]:
        assert abs(extrapolated(lambda m, t=terms: t[:m].sum(), MODES) - limit) < 1e-7  # next in the tail: (N/4)^-3/12
    assert abs((1 / (n - 0.25) ** 2).sum() - zeta(2.0, 0.75)) > 1e-3


@pytest.mark.few(1)
def test_sums_over_the_neutral_tower(case):
    geometry, profiles = case
    tower = Tower(geometry, C, MODES)
    compare(tower_sum, tower, geometry, profiles, profiles, 2, 2e-7)
    compare(second_moment, tower, geometry, profiles, profiles, 4, 1e-10)


@pytest.mark.few(3)
def test_sums_over_the_minus_plus_tower(case):
    geometry, profiles = case
    compare(minus_plus_sum, Tower(geometry, C, MODES, "-+"), geometry, profiles, [*C, "ir"], 2, 2e-7)


def test_minus_plus_modes_with_a_norm_of_their_own():
    geometry = geometry_of(34.7, 3.3, 0.8)
    tower = Tower(geometry, C, 300, "-+", norm=float(geometry.L))
    p, q = fermion(geometry, 0.31), fermion(geometry, 0.47)
    np.testing.assert_allclose(minus_plus_sum(geometry, p, q, geometry.L), tower.sum(0.31, 0.47), rtol=1e-6)


# --- electroweak mass matrices ------------------------------------------------------------------------------------

LEPTONS = {"Le": 0.63, "Lmu": 0.47, "Rmu": 0.56}
T_R3 = {
    "minimal": None,
    "custodial_trivial": (0.0, -0.5),
    "custodial_plr_mu": (-0.5, -1.0),
    "custodial_plr_nu": (0.5, 0.0),
}
# embedding, L, kappa_UV of SU(2) and of U(1), kappa_IR of both, s2, x, g_R/g, tolerance; without kappa_IR the sums over
# modes fall as 1/N only: 160 of them leave 2e-7
MODELS = [
    ("minimal", 36.1, 0.0, 0.0, 0.0, 0.0, 0.231, 0.0055, 1.0, 5e-7),
    ("minimal", 35.1, 4.0, -3.0, 0.6, 0.25, 0.219, 0.0055, 1.0, 2e-8),
    ("custodial_trivial", 35.1, 4.0, 4.0, 0.6, 0.6, 0.241, 0.0009, 1.0, 2e-8),
    ("custodial_plr_mu", 36.3, 0.0, 0.0, 0.0, 0.0, 0.231, 0.0055, 1.0, 5e-7),
    ("custodial_plr_nu", 35.1, 3.0, -2.0, 0.3, 0.3, 0.231, 0.0055, 0.9, 2e-8),
    ("custodial_plr_nu", np.log(5.0), 0.3, 0.7, 0.2, 0.2, 0.228, 0.021, 1.1, 2e-8),
]


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: f"{model[0]} {model[1]:.1f} {model[4]}")
def towers(request):
    embedding, L, UV2, UV1, IR2, IR1, s2, x, ratio, tolerance = request.param
    su2, u1 = geometry_of(L, UV2, IR2), geometry_of(L, UV1, IR1)
    solved = MassMatrices(su2, u1, LEPTONS, s2, x, T_R3[embedding], ratio, count=160 if IR2 == 0 else 80).limit()
    return su2, u1, embedding, ratio, s2, x, solved, tolerance


def inputs(scheme, s2, x, solved):
    """(s0^2, m_Z^2/Lambda^2) that an experiment would quote; alpha: e^2 = s2 c2 in units of g_Z^2, v^2 = 4 x."""
    growth, q_Z, q_W = solved[0], solved[4], solved[5]
    if scheme == "alpha_mZ_GF":  # s0^2 c0^2 = pi alpha/(sqrt2 G_F m_Z^2)
        product = s2 * (1.0 - s2) * x / (growth * q_Z)
        return 0.5 * (1.0 - np.sqrt(1.0 - 4.0 * product)), q_Z
    if scheme == "alpha_mW_GF":  # s0^2 = pi alpha/(sqrt2 G_F m_W^2); m_W is c0 m_Z of the record
        s02 = s2 * (1.0 - s2) * x / (growth * q_W)
        return s02, q_W / (1.0 - s02)
    return (1.0 - q_W / q_Z, q_Z) if scheme == "mW_mZ_GF" else (s2, x)


@pytest.mark.few(3)
@pytest.mark.parametrize("scheme", ["alpha_mZ_GF", "alpha_mW_GF", "mW_mZ_GF", "fixed_s2"])
def test_exact_matching_is_the_diagonalised_mass_matrix(towers, scheme):
    su2, u1, embedding, ratio, s2, x, solved, tolerance = towers
    s02, Delta = inputs(scheme, s2, x, solved)
    model = ElectroweakRS(
        su2,
        {"e": LEPTONS["Le"], "mu": LEPTONS["Lmu"]},
        {"mu": LEPTONS["Rmu"]},
        embedding,
        u1,
        s02,
        np.sqrt(Delta) * float(su2.Lambda_IR),
        ratio,
    )
    solution = solve_inputs(model, scheme)
    np.testing.assert_allclose(solution.s2, s2, atol=tolerance)
    np.testing.assert_allclose(solution.x, x, rtol=2 * tolerance)
    np.testing.assert_allclose(solution.dG, solved[0] - 1.0, atol=tolerance)
    shift_L, shift_R = to_chiral(rs_shift(model, Channel("mu", "mu", "mu"), scheme, "exact"))
    growth, charged, left, right = solved[:4]
    np.testing.assert_allclose(shift_L, [0.0, (charged + left) / growth - 0.5 - s02, 0.0], atol=tolerance)
    np.testing.assert_allclose(shift_R, [0.0, right / growth - s02, 0.0], atol=tolerance)
    assert abs(float(shift_L[1])) > 1e3 * tolerance or embedding == "custodial_trivial"


# --- L_mu - L_tau -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("brane", ["uv", "ir"])
@pytest.mark.parametrize(("Q", "M"), [(0.0, 0.004), (0.21, 0.13)])
def test_brane_mass_diagonalised_is_the_bessel_propagator(brane, Q, M):
    L, kappa_UV, kappa_IR = 34.7, 3.3, 0.8
    tower = Tower(geometry_of(L, kappa_UV, kappa_IR), C, 80)
    ends = [0.31, 0.62, "uv", "ir"]
    by_modes = brane_mass_exchange(tower, M, brane, Q, ends)
    by_bessel = bessel_exchange(L, kappa_UV, kappa_IR, M, brane, max(Q, 1e-10), ends)  # needs Q > 0
    np.testing.assert_allclose(by_modes, by_bessel, rtol=3e-7)
