import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import map_jitted, random_points
from scipy.integrate import dblquad
from targets import ARGON, PROTON, target_momentum

from tridentjax.constants import MASS_E, MASS_MU
from tridentjax.currents import Channel
from tridentjax.process.matrix_element import minkowski
from tridentjax.process.phase_space import (
    DIMENSION,
    Q2_limits,
    lepton_system,
    m2_max,
    pair_mass2,
    s_hat_max,
    s_hat_min,
    threshold_energy,
)
from tridentjax.quadrature import sobol_rule

CASES = [
    (Channel("mu", "mu", "mu"), 7.3, ARGON),
    (Channel("mu", "e", "mu"), 2.9, PROTON),
    (Channel("e", "tau", "e", antineutrino=True), 61.0, ARGON),
    (Channel("mu", "mu", "e"), 240.0, PROTON),
]


@pytest.mark.few(2)
@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES)
def test_momentum_is_conserved_and_on_shell(channel, E_nu, mass):
    p = random_points(channel, E_nu, mass)
    scale = np.asarray(p.s_hat + p.Q2)
    total = p.k + p.q - p.k_prime - p.p_minus - p.p_plus
    assert np.abs(np.asarray(total) / np.sqrt(scale)).max() < 1e-10
    for momentum, mass2 in [
        (p.k, 0.0),
        (p.k_prime, 0.0),
        (p.p_minus, channel.mass_minus**2),
        (p.p_plus, channel.mass_plus**2),
        (p.q, -p.Q2),
    ]:
        size = np.maximum(np.asarray(momentum[0] ** 2), scale)
        assert np.abs((np.asarray(minkowski(momentum, momentum)) - np.asarray(mass2)) / size).max() < 1e-10


@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES)
def test_invariants_match_the_momenta(channel, E_nu, mass):
    p = random_points(channel, E_nu, mass)
    difference, pair = p.k - p.k_prime, p.p_minus + p.p_plus
    size = np.asarray(p.s_hat + p.Q2)
    assert np.abs((np.asarray(minkowski(difference, difference)) + np.asarray(p.K2)) / size).max() < 1e-10
    assert np.abs((np.asarray(minkowski(pair, pair)) - np.asarray(p.m2_ll)) / size).max() < 1e-10
    assert np.abs((np.asarray(minkowski(p.k + p.q, p.k + p.q)) - np.asarray(p.s_hat)) / size).max() < 1e-10
    assert (np.asarray(p.K2) >= 0).all() and (np.asarray(p.jacobian) > 0).all()
    assert (np.asarray(p.m2_ll) >= pair_mass2(channel) * (1 - 1e-12)).all()


@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES)
def test_points_are_inside_the_kinematic_limits(channel, E_nu, mass):
    p = random_points(channel, E_nu, mass)
    low, high = Q2_limits(E_nu, mass, p.s_hat)
    assert (np.asarray(p.Q2) > np.asarray(low) * (1 - 1e-7)).all()
    assert (np.asarray(p.Q2) < np.asarray(high) * (1 + 1e-7)).all()
    assert (np.asarray(p.K2) <= np.asarray((p.s_hat + p.Q2) * (p.s_hat - p.m2_ll) / p.s_hat) * (1 + 1e-12)).all()


def test_target_recoils_on_shell():
    channel, E_nu, mass = CASES[0]
    p = random_points(channel, E_nu, mass)
    P = target_momentum(p, E_nu, mass)
    recoil = P - np.asarray(p.q)
    mass2 = recoil[0] ** 2 - (recoil[1:] ** 2).sum(0)
    np.testing.assert_allclose(mass2, mass**2, rtol=1e-8)


@pytest.mark.parametrize("mass", [PROTON, ARGON, 193.7])
def test_threshold_is_where_the_pair_is_at_rest(mass):
    channel = Channel("mu", "mu", "tau")
    E = threshold_energy(channel, mass)
    s = mass**2 + 2 * mass * E
    np.testing.assert_allclose(np.sqrt(s), mass + MASS_MU + channel.mass_plus, rtol=1e-14)


def test_Q2_limits_in_high_precision():
    """Lower edge against 60-digit arithmetic, where the plain difference of roots would cancel."""
    import mpmath

    mpmath.mp.dps = 60
    try:
        for E, M, s_hat in [(3.7, PROTON, 0.31), (160.0, ARGON, 2.2), (5000.0, 193.7, 0.05)]:
            E_, M_, sh = mpmath.mpf(E), mpmath.mpf(M), mpmath.mpf(s_hat)
            s = M_**2 + 2 * M_ * E_
            e1, e3 = (s + M_**2) / (2 * mpmath.sqrt(s)), (s + M_**2 - sh) / (2 * mpmath.sqrt(s))
            p1, p3 = mpmath.sqrt(e1**2 - M_**2), mpmath.sqrt(e3**2 - M_**2)
            low, high = Q2_limits(E, M, jnp.asarray(s_hat))
            np.testing.assert_allclose(low, float(2 * (e1 * e3 - p1 * p3 - M_**2)), rtol=1e-11)
            np.testing.assert_allclose(high, float(2 * (e1 * e3 + p1 * p3 - M_**2)), rtol=1e-11)
    finally:
        mpmath.mp.dps = 15


def test_s_hat_max_inverts_Q2_limits():
    s_hat = jnp.asarray([0.07, 0.4, 1.9])
    for edge in Q2_limits(23.0, PROTON, s_hat):
        np.testing.assert_allclose(s_hat_max(23.0, PROTON, edge), s_hat, rtol=1e-9)


def test_s_hat_min_and_m2_max_meet_at_the_pair_threshold():
    channel = Channel("mu", "e", "mu")
    Q2, K2 = jnp.asarray([1e-7, 3e-3, 0.4, 1.7]), jnp.asarray([2.0, 1e-6, 1e-3, 30.0])
    s_hat = s_hat_min(channel, Q2, K2)
    np.testing.assert_allclose(m2_max(s_hat, Q2, K2), pair_mass2(channel), rtol=1e-9)
    assert (np.asarray(s_hat) >= pair_mass2(channel)).all()


def two_body(m2, a2, b2):
    return np.sqrt(max((m2 - a2 - b2) ** 2 - 4 * a2 * b2, 0.0)) / (8 * np.pi * m2)


def four_body_volume(s, M, m_minus, m_plus):
    """Phi_4 of (massless, m-, m+, M) by recursive two-body splitting, integrated adaptively by SciPy."""
    lowest = (m_minus + m_plus) ** 2
    highest = (np.sqrt(s) - M) ** 2

    def integrand(v, u):
        s_hat = lowest + (highest - lowest) * u
        m2 = lowest + (s_hat - lowest) * v**2
        inner = two_body(s_hat, m2, 0.0) * two_body(m2, m_minus**2, m_plus**2) * (s_hat - lowest) * 2 * v
        return two_body(s, s_hat, M**2) * inner * (highest - lowest) / (2 * np.pi) ** 2

    return dblquad(integrand, 0, 1, 0, 1, epsrel=1e-7)[0]


@pytest.mark.few(1)
@pytest.mark.parametrize(("channel", "E_nu", "mass"), [CASES[0], CASES[1], (Channel("e", "tau", "e"), 31.0, PROTON)])
def test_four_body_volume(channel, E_nu, mass):
    s = mass**2 + 2 * mass * E_nu
    exact = four_body_volume(s, mass, channel.mass_minus, channel.mass_plus)
    volumes = [
        random_points(channel, E_nu, mass, 2**14, seed, Q2_scale=s / 30, Q2_cut=1e9).jacobian.mean()
        for seed in range(8)
    ]
    error = np.std(volumes, ddof=1) / np.sqrt(8)
    assert error < 3e-3 * exact
    assert abs(np.mean(volumes) - exact) < 4 * error


@pytest.mark.slow
def test_four_body_volume_of_massless_particles_in_closed_form():
    """s^2 / (24 (4 pi)^5), up to corrections of order mass^2/s log."""
    E_nu, mass = 2.0e4, 0.01
    s = mass**2 + 2 * mass * E_nu
    points = random_points(Channel("e", "e", "e"), E_nu, mass, 2**16, Q2_scale=s / 10, Q2_cut=1e9)
    np.testing.assert_allclose(points.jacobian.mean(), s**2 / (24 * (4 * np.pi) ** 5), rtol=5e-3)


@pytest.mark.slow
def test_three_body_volume_of_massless_particles_in_closed_form():
    """Phi_3 = s/(256 pi^3): the density of `lepton_system` over the whole of m2, K2, angles."""
    channel, s_hat, Q2 = Channel("mu", "e", "e"), 40.0, 0.7
    rule = sobol_rule(2**14, 4, seed=2)
    u = [rule.nodes[:, i] for i in range(4)]
    pair = pair_mass2(channel)
    m2 = pair + (s_hat - pair) * u[0]
    K2_max = (s_hat + Q2) * (s_hat - m2) / s_hat
    K2 = K2_max * u[1]
    ones = jnp.ones_like(m2)
    _, density = lepton_system(channel, Q2 * ones, s_hat * ones, m2, K2, u[2], 2 * np.pi * u[3])
    # the density is for dm2 dK2 dcos_unit dphi/2pi
    volume = (density * (s_hat - pair) * K2_max).mean()
    np.testing.assert_allclose(volume, s_hat / (256 * np.pi**3), rtol=2e-3)


def test_hadron_azimuth_covers_the_circle():
    p = random_points(*CASES[1])
    azimuth = np.asarray(p.hadron_azimuth)
    assert azimuth.min() < 0.05 and azimuth.max() > 2 * np.pi - 0.05
    np.testing.assert_allclose(azimuth.mean(), np.pi, rtol=1e-2)


@pytest.mark.slow
def test_a_cut_on_Q2_is_a_subset_of_phase_space():
    channel, E_nu, mass = CASES[1]
    rule = sobol_rule(2**15, DIMENSION, seed=4)
    wide = map_jitted(channel, E_nu, mass, 0.5, 1e9, rule)
    cut = map_jitted(channel, E_nu, mass, 0.5, 0.6, rule)
    assert float(cut.Q2.max()) <= 0.6 * (1 + 1e-12)
    below = (wide.jacobian * (wide.Q2 < 0.6)).mean()
    np.testing.assert_allclose(cut.jacobian.mean(), below, rtol=2e-2)


def test_electron_mass_is_not_lost():
    p = random_points(Channel("e", "e", "e"), 55.0, ARGON)
    mass2 = np.asarray(minkowski(p.p_minus, p.p_minus))
    energy2 = np.asarray(p.p_minus[0]) ** 2
    assert np.abs(mass2 - MASS_E**2).max() < 1e-12 * energy2.max()
