"""Photon densities: symmetries, and the rule against many points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import DIMUON, density, dimuon_table, mixed_table

from tridentjax.currents import Channel
from tridentjax.process.dilepton_integral import leptonic_density
from tridentjax.process.kernel import build_kernel
from tridentjax.process.matrix_element import leptonic_amplitudes, photon_density
from tridentjax.process.phase_space import PhaseSpacePoints, lepton_system, m2_max, pair_mass2
from tridentjax.quadrature import sobol_rule


@pytest.mark.slow
def test_interference_vanishes_exactly_for_equal_masses():
    for E_nu, mass in [(3.1, 37.2), (88.0, 0.938)]:
        assert not np.asarray(density(dimuon_table(), E_nu, mass))[2].any()
    kernel = build_kernel(dimuon_table(), 37.2, (0.5, 30.0), hadronic=1)
    assert kernel.structures == ("VV", "AA") and kernel.sigma.shape[:2] == (2, 1)
    assert mixed_table().symmetric is False
    assert build_kernel(mixed_table(), 37.2, (0.5, 30.0), energies=4).structures == ("VV", "AA", "VA")


def one_point(channel, Q2=3e-3, s_hat=0.9, K2=0.07):
    return leptonic_density(channel, *(np.asarray([x]) for x in (Q2, s_hat, K2)))[0]


@pytest.mark.few(1)
@pytest.mark.parametrize("pair", [("mu", "mu"), ("e", "mu"), ("mu", "e")])
def test_charge_conjugation_of_the_photon_densities(pair):
    """l- <-> l+ or nu <-> antinu flips VA only; both together change nothing."""
    original = one_point(Channel("mu", *pair))
    sign = np.array([1, 1, -1])[:, None]
    np.testing.assert_allclose(one_point(Channel("mu", *pair[::-1])), sign * original, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(one_point(Channel("mu", *pair, True)), sign * original, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(one_point(Channel("mu", *pair[::-1], True)), original, rtol=1e-6, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("channel", [DIMUON, Channel("mu", "mu", "e")])
def test_gauss_rule_of_the_photon_densities_against_many_points(channel):
    """Sobol points over (m2, cos, phi), with none of the Gauss rule's assumptions."""
    Q2, s_hat, K2 = 3e-3, 0.9, 0.07

    @jax.jit
    def sample(nodes):
        full = lambda x: jnp.full(nodes.shape[0], x)  # noqa: E731
        low, high = pair_mass2(channel), m2_max(*(jnp.asarray(x) for x in (s_hat, Q2, K2)))
        m2 = low + (high - low) * nodes[:, 0]
        momenta, weight = lepton_system(
            channel, full(Q2), full(s_hat), m2, full(K2), nodes[:, 1], 2 * jnp.pi * nodes[:, 2]
        )
        points = PhaseSpacePoints(full(Q2), full(s_hat), m2, full(K2), *momenta, full(0.0), weight * (high - low))
        return photon_density(leptonic_amplitudes(channel, points)) @ points.jacobian / nodes.shape[0]

    samples = np.stack([sample(sobol_rule(2**13, 3, seed).nodes) for seed in range(16)])
    error = samples.std(0, ddof=1) / 4
    assert (error[:2] < 1e-3 * samples.mean(0)[:2]).all()
    np.testing.assert_allclose(one_point(channel), samples.mean(0), atol=4 * error.max(), rtol=1e-3)
