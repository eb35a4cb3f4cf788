"""Scalar and pseudoscalar amplitudes against traces and explicit four-spinors, symmetries and limits."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import oracle_vegas as oracle
import pytest
from dirac_traces import CASES, EYE, GAMMA, GAMMA5, METRIC, bar, slash, swapped
from fixtures_physics import random_points
from targets import ARGON, PROTON, target_momentum

from tridentjax.currents import Channel
from tridentjax.process.dilepton_integral import leptonic_density
from tridentjax.process.laboratory import laboratory_event
from tridentjax.process.matrix_element import (
    SCALAR_STRUCTURES,
    hadronic_contraction,
    hadronic_weights,
    minkowski,
    photon_density,
    scalar_amplitudes,
)
from tridentjax.process.phase_space import DIMENSION, PhaseSpacePoints, lepton_system, m2_max, map_unit_cube, pair_mass2
from tridentjax.process.weighted_points import differential_cross_section
from tridentjax.quadrature import sobol_rule

ELECTRONS = (Channel("mu", "e", "e"), 160.0, ARGON)
NAMES = ("k", "q", "k_prime", "p_minus", "p_plus")

amplitudes = eqx.filter_jit(scalar_amplitudes)


@eqx.filter_jit
def contraction(channel, points, E_nu, mass):
    return hadronic_contraction(points, scalar_amplitudes(channel, points), E_nu, mass, SCALAR_STRUCTURES)


def trace_squared(channel, momenta, H, g_S, g_P):
    """Sum over spins of |j L^m H_m|^2 with G = g_S + i g_P g5, in extended precision."""
    k, q, k_prime, p_minus, p_plus = momenta
    m_minus, m_plus = channel.mass_minus, channel.mass_plus
    first, last = (k_prime, k) if not channel.antineutrino else (k, k_prime)
    photon = np.einsum("m,mij->ij", H, GAMMA)
    plus = (slash(q - p_plus) + m_plus * EYE) / ((q - p_plus) @ METRIC @ (q - p_plus) - m_plus**2)
    minus = (slash(p_minus - q) + m_minus * EYE) / ((p_minus - q) @ METRIC @ (p_minus - q) - m_minus**2)
    vertex, weak = g_S * EYE + 1j * g_P * GAMMA5, EYE - GAMMA5
    line = vertex @ plus @ photon + photon @ minus @ vertex
    neutrino = np.trace(slash(first) @ weak @ slash(last) @ bar(weak))
    lepton = np.trace((slash(p_minus) + m_minus * EYE) @ line @ (slash(p_plus) - m_plus * EYE) @ bar(line))
    return (neutrino * lepton).real


def momenta_of(points, i):
    return [np.asarray(getattr(points, name))[:, i].astype(np.longdouble) for name in NAMES]


@pytest.mark.few(1)
@pytest.mark.parametrize(("channel", "E_nu", "mass"), [*CASES, ELECTRONS])
def test_contraction_equals_traces(channel, E_nu, mass):
    """Generic g_S and g_P together, hence also that they do not interfere."""
    points = random_points(channel, E_nu, mass)
    rng = np.random.default_rng(29)
    ours, P = np.asarray(contraction(channel, points, E_nu, mass)), target_momentum(points, E_nu, mass)
    for i in range(0, 256, 17):
        g_S, g_P = rng.normal(size=2)
        momenta = momenta_of(points, i)
        RR = trace_squared(channel, momenta, METRIC @ (2 * P[:, i] - momenta[1]), g_S, g_P)
        metric = sum(METRIC[m, m] * trace_squared(channel, momenta, np.eye(4)[m], g_S, g_P) for m in range(4))
        expected = np.array([RR, -float(points.Q2[i]) * metric], float)
        np.testing.assert_allclose(np.array([g_S**2, g_P**2]) @ ours[:, :, i], expected, rtol=1e-8)


def test_scalar_and_pseudoscalar_do_not_interfere_for_any_photon():
    channel, E_nu, mass = CASES[2]
    points, rng = random_points(channel, E_nu, mass), np.random.default_rng(31)
    A = np.asarray(amplitudes(channel, points, components="txyz"))
    for H in rng.normal(size=(5, 4)):
        S, P = (H[:, None, None, None] * A).sum(1)
        each = (S * P.conj()).real
        size = np.sqrt((np.abs(S) ** 2).sum((0, 1)) * (np.abs(P) ** 2).sum((0, 1)))
        assert (np.abs(each.sum((0, 1))) < 1e-10 * size).all()
        assert (np.abs(each).max((0, 1)) > 1e-2 * size).mean() > 0.5  # what cancels is not zero


def right_spinor(p):
    """u of a massless right-handed fermion; g5 flips the sign of w, see `oracle_vegas.left_spinor`."""
    u = oracle.slash(p, oracle.basis(p.shape[1], p, [1, 0, -1, 0]))
    return u * np.sqrt(2 * p[0] / (np.abs(u) ** 2).sum(0))


def four_spinor_contractions(channel, mass, momenta):
    """|R.A|^2 and -Q2 A.A^* for S and P with laboratory four-spinors, charged leptons and neutrinos."""
    k, q, k_prime, p_minus, p_plus = momenta
    Q2, e = -oracle.dot(q, q), oracle.unit_vectors(k)
    D_minus, D_plus = -Q2 - 2 * oracle.dot(q, p_minus), -Q2 - 2 * oracle.dot(q, p_plus)
    first, last = (k, k_prime) if channel.antineutrino else (k_prime, k)
    left = oracle.left_spinor(last)
    j = oracle.bar_product(right_spinor(first), left - oracle.gamma5(left))
    g = np.array([1, -1, -1, -1], float)[:, None]
    R = np.stack([2 * mass - q[0], q[1], q[2], q[3]])
    total = np.zeros((2, 2, q.shape[1]))
    for u in oracle.massive_spinors(p_minus, channel.mass_minus, antiparticle=False):
        for v in oracle.massive_spinors(p_plus, channel.mass_plus, antiparticle=True):
            for number, vertex in enumerate((lambda s: s, lambda s: 1j * oracle.gamma5(s))):
                A = []
                for m in range(4):
                    photon = oracle.slash(e[m], v) * g[m]
                    before = vertex(oracle.slash(q - p_plus, photon) + channel.mass_plus * photon) / D_plus
                    G_v = vertex(v)
                    after = (oracle.slash(p_minus - q, G_v) + channel.mass_minus * G_v) / D_minus
                    A.append(j * oracle.bar_product(u, before + oracle.slash(e[m], after) * g[m]))
                A = np.stack(A)
                total[number, 0] += np.abs((R * A).sum(0)) ** 2
                total[number, 1] += -Q2 * (g * np.abs(A) ** 2).sum(0)
    return total


@pytest.mark.few(1)
@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES)
def test_four_spinors_in_the_laboratory(channel, E_nu, mass):
    """No common frame, representation or neutrino factor: |ubar(k') (1-g5) u(k)|^2 = 4 K2 comes out."""
    points = random_points(channel, E_nu, mass)
    event = laboratory_event(channel, points, E_nu, mass, jnp.linspace(0.0, 6.0, 256))
    wide = [np.asarray(x).astype(np.longdouble) for x in (event.k_prime, event.p_minus, event.p_plus)]
    on_shell = [
        np.concatenate([np.sqrt(m**2 + (p[1:] ** 2).sum(0))[None], p[1:]])
        for p, m in zip(wide, (0.0, channel.mass_minus, channel.mass_plus), strict=True)
    ]
    k_prime, p_minus, p_plus = on_shell
    k = np.asarray(event.k).astype(np.longdouble)
    found = four_spinor_contractions(channel, mass, [k, k_prime + p_minus + p_plus - k, k_prime, p_minus, p_plus])
    ours = np.asarray(contraction(channel, points, E_nu, mass))
    # Q2 as a difference of laboratory momenta loses digits; both tensors are sums of positive terms to that
    good = np.asarray(points.Q2) > 1e-6 * E_nu
    assert good.sum() > 100
    np.testing.assert_allclose(ours[:, :, good], found.astype(float)[:, :, good], rtol=2e-5)


@pytest.mark.few(3)
@pytest.mark.parametrize(("channel", "E_nu", "mass"), [*CASES, ELECTRONS])
def test_gauge_invariance(channel, E_nu, mass):
    points = random_points(channel, E_nu, mass)
    q = np.asarray(points.q) * np.array([1, -1, -1, -1])[:, None]
    terms = q[None, :, None, None] * np.asarray(amplitudes(channel, points, components="txyz"))
    worst = np.abs(terms.sum(1)) / np.abs(terms).sum(1).max(axis=(1, 2), keepdims=True)
    assert worst.max() < (1e-8 if channel.mass_minus < 0.01 and channel.mass_plus < 0.01 else 1e-9)


@pytest.mark.few(2)
@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES)
def test_lepton_exchange_and_antineutrinos_change_nothing(channel, E_nu, mass):
    points = random_points(channel, E_nu, mass)
    one = np.asarray(contraction(channel, points, E_nu, mass))
    mirror = Channel(channel.neutrino, channel.lepton_plus, channel.lepton_minus, not channel.antineutrino)
    two = np.asarray(contraction(mirror, swapped(points), E_nu, mass))
    np.testing.assert_allclose(two, one, rtol=1e-8)
    assert (one[:, 0] > 0.0).all()


@pytest.mark.slow
def test_massless_limit():
    """m -> 0: the chiralities do not interfere, so SS = PP up to m^2/s; heavy leptons tell them apart."""
    channel, E_nu = Channel("tau", "e", "e"), 80.0
    points = random_points(channel, E_nu, PROTON)
    SS, PP = np.asarray(photon_density(amplitudes(channel, points), SCALAR_STRUCTURES))[:, 0]
    gap = [2 * minkowski(points.q, p) + points.Q2 for p in (points.p_minus, points.p_plus)]
    hard = np.asarray((points.m2_ll > 0.05) & (gap[0] > 0.05 * points.s_hat) & (gap[1] > 0.05 * points.s_hat))
    assert hard.sum() > 20
    np.testing.assert_allclose(SS[hard], PP[hard], rtol=1e-3)
    heavy = photon_density(amplitudes(CASES[0][0], random_points(*CASES[0])), SCALAR_STRUCTURES)
    assert np.abs(np.asarray(heavy[0] / heavy[1]) - 1.0).max() > 0.3


@pytest.mark.parametrize(("channel", "E_nu", "mass"), CASES[1:4])
def test_azimuth_average_equals_hadronic_weights(channel, E_nu, mass):
    points = random_points(channel, E_nu, mass)
    turn = lambda i: eqx.tree_at(  # noqa: E731
        lambda p: p.hadron_azimuth, points, points.hadron_azimuth + 2 * np.pi * i / 8
    )
    averaged = np.mean([contraction(channel, turn(i), E_nu, mass) for i in range(8)], axis=0)
    weights = hadronic_weights(E_nu, mass, points.Q2, points.s_hat)
    product = np.einsum("spn,hpn->shn", photon_density(amplitudes(channel, points), SCALAR_STRUCTURES), weights)
    scale = np.abs(averaged).max(1, keepdims=True)
    np.testing.assert_allclose(averaged / scale, product / scale, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("channel", [Channel("mu", "mu", "mu"), Channel("mu", "mu", "e")])
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
        density = photon_density(scalar_amplitudes(channel, points), SCALAR_STRUCTURES)
        return density @ points.jacobian / nodes.shape[0]

    samples = np.stack([sample(sobol_rule(2**13, 3, seed).nodes) for seed in range(16)])
    error = samples.std(0, ddof=1) / 4
    assert (error < 2e-3 * samples.mean(0)).all()
    at = (np.asarray([x]) for x in (Q2, s_hat, K2))
    ours = leptonic_density(channel, *at, 1.0, SCALAR_STRUCTURES)[0]
    assert ours.shape == (2, 2) and (np.abs(ours - samples.mean(0)) < 4 * error).all()


@pytest.mark.slow  # one compilation of 20 s; the vector structures have theirs in test_cross_section
def test_differential_cross_section_transforms():
    """Forward = reverse = finite differences in the energy, jit = eager, vmap = loop."""
    channel, mass, rule = Channel("mu", "mu", "e"), PROTON, sobol_rule(32, DIMENSION, 5)

    def total(E_nu):
        points = map_unit_cube(channel, E_nu, mass, 0.01, 2.0, rule)
        return differential_cross_section(channel, points, E_nu, mass, scalar=True)[3:].sum((1, 2)) * 1e44

    E_nu, jitted = jnp.asarray(7.3), jax.jit(total)
    forward, reverse = jax.jit(jax.jacfwd(total))(E_nu), jax.jit(jax.jacrev(total))(E_nu)
    np.testing.assert_allclose(forward, reverse, rtol=1e-10)
    np.testing.assert_allclose(forward, (jitted(E_nu + 1e-4) - jitted(E_nu - 1e-4)) / 2e-4, rtol=1e-5)
    np.testing.assert_allclose(jitted(E_nu), total(E_nu), rtol=1e-10)
    energies = jnp.asarray([2.1, 7.3, 50.0])
    every = jax.jit(jax.vmap(total))(energies)
    np.testing.assert_allclose(every, np.stack([jitted(E) for E in energies]), rtol=1e-10)


@pytest.mark.slow
def test_no_momentum_transfer_is_finite():
    """K2 -> 0 at fixed leptons: the neutrino factor 4 K2, with a finite slope everywhere."""
    channel, E_nu, mass = CASES[0]
    points = random_points(channel, E_nu, mass, count=8)

    def density(K2):
        moved = eqx.tree_at(lambda p: p.K2, points, K2)
        return photon_density(scalar_amplitudes(channel, moved), SCALAR_STRUCTURES).sum()

    zero = jnp.zeros(8)
    assert float(density(zero)) == pytest.approx(0.0, abs=1e-250) and np.isfinite(jax.grad(density)(zero)).all()
    slope = jax.grad(density)(points.K2)
    np.testing.assert_allclose((slope * points.K2).sum(), density(points.K2), rtol=1e-10)
