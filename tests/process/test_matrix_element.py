"""The helicity amplitudes against spin sums by traces of explicit 4x4 Dirac matrices."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from dirac_traces import CASES, EYE, GAMMA, METRIC, swapped, trace_squared
from fixtures_physics import random_points
from targets import ARGON, PROTON, target_momentum

from tridentjax.currents import Channel
from tridentjax.process.matrix_element import (
    hadronic_contraction,
    hadronic_weights,
    leptonic_amplitudes,
    minkowski,
    photon_density,
)

amplitudes_jitted = eqx.filter_jit(leptonic_amplitudes)
contraction_jitted = eqx.filter_jit(hadronic_contraction)


def test_dirac_matrices_anticommute():
    for a in range(4):
        for b in range(4):
            anticommutator = GAMMA[a] @ GAMMA[b] + GAMMA[b] @ GAMMA[a]
            np.testing.assert_allclose(anticommutator, 2 * METRIC[a, b] * EYE, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES)
def test_contraction_equals_traces(channel, E_nu, mass):
    points = random_points(channel, E_nu, mass)
    rng = np.random.default_rng(17)
    contraction = np.asarray(contraction_jitted(points, amplitudes_jitted(channel, points), E_nu, mass))
    P = target_momentum(points, E_nu, mass)
    for i in range(0, 256, 17):
        g_V, g_A = rng.normal(size=2)
        names = ("k", "q", "k_prime", "p_minus", "p_plus")
        momenta = [np.asarray(getattr(points, name))[:, i].astype(np.longdouble) for name in names]
        R = METRIC @ (2 * P[:, i] - momenta[1])
        RR = trace_squared(channel, momenta, R, g_V, g_A)
        metric = sum(METRIC[m, m] * trace_squared(channel, momenta, np.eye(4)[m], g_V, g_A) for m in range(4))
        ours = np.array([g_V**2, g_A**2, g_V * g_A]) @ contraction[:, :, i]
        np.testing.assert_allclose(ours, np.array([RR, -float(points.Q2[i]) * metric], float), rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(("channel", "E_nu", "mass"), [*CASES, (Channel("mu", "e", "e"), 160.0, ARGON)])
def test_gauge_invariance(channel, E_nu, mass):
    points = random_points(channel, E_nu, mass)
    A = np.asarray(amplitudes_jitted(channel, points, components="txyz"))
    q = np.asarray(points.q) * np.array([1, -1, -1, -1])[:, None]
    terms = q[None, :, None, None] * A
    worst = np.abs(terms.sum(1)) / np.abs(terms).sum(1).max(axis=(1, 2), keepdims=True)
    assert worst.max() < (1e-8 if channel.mass_minus < 0.01 and channel.mass_plus < 0.01 else 1e-9)


def test_three_components_are_a_subset_of_four():
    channel, E_nu, mass = CASES[2]
    points = random_points(channel, E_nu, mass)
    four = amplitudes_jitted(channel, points, components="txyz")
    np.testing.assert_allclose(four[:, :3], amplitudes_jitted(channel, points), rtol=1e-9, atol=1e-12)


@pytest.mark.few(1)
@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES)
def test_lepton_exchange_flips_the_interference_only(channel, E_nu, mass):
    """Charge conjugation of the charged leptons: VV, AA even, VA odd, event by event."""
    points = random_points(channel, E_nu, mass)
    mirror = Channel(channel.neutrino, channel.lepton_plus, channel.lepton_minus, channel.antineutrino)
    one = np.asarray(contraction_jitted(points, amplitudes_jitted(channel, points), E_nu, mass))
    two = np.asarray(contraction_jitted(swapped(points), amplitudes_jitted(mirror, swapped(points)), E_nu, mass))
    scale = (one[0] + one[1])[0]
    np.testing.assert_allclose(two[:, 0] / scale, np.array([1, 1, -1])[:, None] * one[:, 0] / scale, atol=1e-9)


@pytest.mark.few(1)
@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES)
def test_antineutrino_of_the_swapped_leptons_is_the_cp_conjugate(channel, E_nu, mass):
    """Integrated over the azimuth out of the scattering plane, CP conjugate rates agree in VV, AA and VA.

    VV and AA are even and VA is odd under k <-> k' spinors; odd again under the lepton swap.
    """
    points = random_points(channel, E_nu, mass)
    mirror = Channel(channel.neutrino, channel.lepton_plus, channel.lepton_minus, not channel.antineutrino)
    reflected = swapped(points)
    flip = np.array([1.0, 1.0, -1.0, 1.0])[:, None]  # parity about the scattering plane
    reflected = eqx.tree_at(
        lambda p: (p.p_minus, p.p_plus), reflected, (reflected.p_minus * flip, reflected.p_plus * flip)
    )
    one = np.asarray(photon_density(amplitudes_jitted(channel, points)))
    two = np.asarray(photon_density(amplitudes_jitted(mirror, reflected)))
    scale = (one[0] + one[1])[0]
    np.testing.assert_allclose(two / scale, one / scale, atol=1e-9)


@pytest.mark.slow
def test_massless_limit_has_no_chirality_flip():
    """m -> 0: left and right amplitudes do not interfere, so VV = AA up to m^2/s."""
    channel, E_nu = Channel("tau", "e", "e"), 80.0
    points = random_points(channel, E_nu, PROTON)
    density = np.asarray(photon_density(amplitudes_jitted(channel, points)))[:, 0]
    gap = [2 * minkowski(points.q, p) + points.Q2 for p in (points.p_minus, points.p_plus)]
    far = [jnp.abs(x) > 0.05 * points.s_hat for x in gap]  # from both collinear peaks, where m^2/D enters
    hard = np.asarray((points.m2_ll > 0.05) & far[0] & far[1])
    assert hard.sum() > 20
    # the flip term is of its own size m^2, not proportional to a density that passes through a zero
    flip = 1e-5 * np.median(density[0][hard])
    np.testing.assert_allclose(density[0][hard], density[1][hard], rtol=1e-3, atol=flip)


def test_massive_leptons_do_flip():
    channel, E_nu, mass = CASES[0]
    density = photon_density(amplitudes_jitted(channel, random_points(channel, E_nu, mass)))
    assert np.abs(np.asarray(density[0] / density[1]) - 1.0).max() > 0.3


@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES[1:4])
def test_azimuth_average_equals_hadronic_weights(channel, E_nu, mass):
    """Eight equidistant hadron azimuths integrate the second harmonic exactly."""
    points = random_points(channel, E_nu, mass)
    amplitudes = amplitudes_jitted(channel, points)
    averaged = np.mean(
        [
            contraction_jitted(
                eqx.tree_at(lambda p: p.hadron_azimuth, points, points.hadron_azimuth + 2 * np.pi * i / 8),
                amplitudes,
                E_nu,
                mass,
            )
            for i in range(8)
        ],
        axis=0,
    )
    weights = hadronic_weights(E_nu, mass, points.Q2, points.s_hat)
    product = np.einsum("spn,hpn->shn", photon_density(amplitudes), weights)
    scale = np.abs(averaged[:2]).sum(0)
    np.testing.assert_allclose(averaged / scale, product / scale, atol=1e-12)


def test_hadronic_weights_vanish_at_the_edge_of_phase_space():
    from tridentjax.process.phase_space import Q2_limits

    s_hat = np.array([0.08, 0.5, 3.0])
    low, _ = Q2_limits(31.0, PROTON, jnp.asarray(s_hat))
    edge = np.asarray(hadronic_weights(31.0, PROTON, low, jnp.asarray(s_hat)))
    inside = np.asarray(hadronic_weights(31.0, PROTON, low * 1.3, jnp.asarray(s_hat)))
    assert (edge[0, 0] <= 1e-8 * PROTON**2).all()
    assert (inside[0, 0] > 0.1 * PROTON**2).all()
