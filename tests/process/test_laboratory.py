"""Laboratory momenta and observables against four-vector arithmetic in NumPy."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_physics import map_jitted, random_points

from tridentjax.constants import MASS_PROTON
from tridentjax.currents import Channel
from tridentjax.process.laboratory import OBSERVABLES, Kinematics, kinematics, laboratory_event
from tridentjax.process.matrix_element import hadronic_weights
from tridentjax.process.phase_space import DIMENSION, map_unit_cube
from tridentjax.quadrature import Rule, sobol_rule

PB208, AR40, FE56, C12 = 193.6872, 37.2155, 52.0898, 11.1749
CASES = {
    "dimuon-Ar-0.7": (Channel("mu", "mu", "mu"), AR40, 0.7),
    "dimuon-p-61": (Channel("mu", "mu", "mu"), MASS_PROTON, 61.0),
    "mu-e-p-14": (Channel("mu", "mu", "e"), MASS_PROTON, 14.0),
    "ee-C-2000": (Channel("mu", "e", "e"), C12, 2000.0),
    "tautau-Pb-90": (Channel("tau", "tau", "tau"), PB208, 90.0),
    "anti-e-tau-Fe-2000": (Channel("tau", "e", "tau", antineutrino=True), FE56, 2000.0),
}
cases = pytest.mark.parametrize("case", CASES)
event_jitted = eqx.filter_jit(laboratory_event)
kinematics_jitted = eqx.filter_jit(kinematics)


def dot(p, r):
    return p[0] * r[0] - (p[1:] * r[1:]).sum(0)


def three(p):
    return np.sqrt((p[1:] ** 2).sum(0))


def angle(p, r):
    """Angle between three-vectors from cross and scalar product: exact also for tiny angles."""
    cross = np.linalg.norm(np.cross(p[1:], r[1:], axis=0), axis=0)
    return np.arctan2(cross, (p[1:] * r[1:]).sum(0))


@functools.cache
def sample(case, azimuth_seed=8, count=1024, seed=5):
    channel, mass, E_nu = CASES[case]
    points = random_points(channel, E_nu, mass, count, seed, Q2_scale=0.02, Q2_cut=2.5)
    azimuth = jnp.asarray(np.random.default_rng(azimuth_seed).uniform(0, 2 * np.pi, count))
    event = event_jitted(channel, points, jnp.asarray(E_nu), jnp.asarray(mass), azimuth)
    return channel, mass, E_nu, points, jax.tree.map(np.asarray, event)


# --- momenta -------------------------------------------------------------------------------------------------


@pytest.mark.few(1)
@cases
def test_momentum_is_conserved_and_every_particle_is_on_its_mass_shell(case):
    channel, mass, E_nu, _, event = sample(case)
    total = event.k + event.P - event.k_prime - event.p_minus - event.p_plus - event.P_prime
    assert np.abs(total).max() <= 1e-9 * E_nu
    masses = (0.0, mass, 0.0, channel.mass_minus, channel.mass_plus, mass)
    for p, m in zip((event.k, event.P, event.k_prime, event.p_minus, event.p_plus, event.P_prime), masses, strict=True):
        # the shell of the recoil is the real test: energy and momentum of all others are in it
        np.testing.assert_allclose(p[0], np.sqrt(m**2 + three(p) ** 2), atol=1e-9 * E_nu)
        assert (p[0] >= m * (1 - 1e-12)).all()
    np.testing.assert_array_equal(event.P.T, [[mass, 0, 0, 0]] * event.P.shape[1])
    np.testing.assert_array_equal(event.k.T, [[E_nu, 0, 0, E_nu]] * event.P.shape[1])


@pytest.mark.few(2)
@cases
def test_invariants_come_back_from_the_momenta(case):
    _, mass, E_nu, points, event = sample(case)
    q = event.P - event.P_prime
    # differences of large momenta: absolute precision is that of E_nu times the momentum
    np.testing.assert_allclose(-dot(q, q), points.Q2, rtol=1e-9, atol=1e-12 * E_nu * three(q).max())
    np.testing.assert_allclose(event.P_prime[0] - mass, points.Q2 / (2 * mass), rtol=1e-9, atol=1e-12 * E_nu)
    k_out = event.k - event.k_prime
    np.testing.assert_allclose(-dot(k_out, k_out), points.K2, rtol=1e-9, atol=1e-13 * E_nu**2)
    pair = event.p_minus + event.p_plus
    np.testing.assert_allclose(dot(pair, pair), points.m2_ll, rtol=1e-9, atol=1e-13 * E_nu**2)
    system = event.k + q
    np.testing.assert_allclose(dot(system, system), points.s_hat, rtol=1e-9, atol=1e-13 * E_nu**2)
    assert np.ptp(np.asarray(points.Q2)) > 0.01 and np.ptp(np.asarray(points.K2)) > 0.01


@cases
def test_the_laboratory_is_a_proper_lorentz_frame(case):
    """Scalar products with k and between the leptons, and the handedness of (k, q, p-, p+), are those of the
    frame in which the amplitude was computed: a reflected event would reverse every V-A correlation."""
    *_, points, event = sample(case)
    q = event.P - event.P_prime
    ours = [event.k, q, event.p_minus, event.p_plus, event.k_prime]
    theirs = [np.asarray(getattr(points, name)) for name in ("k", "q", "p_minus", "p_plus", "k_prime")]
    for i in range(5):
        for j in range(i):
            scale = np.abs(ours[i][0] * ours[j][0]) + three(ours[i]) * three(ours[j])
            np.testing.assert_allclose(dot(ours[i], ours[j]) / scale, dot(theirs[i], theirs[j]) / scale, atol=1e-10)
    hand, reference = (np.linalg.det(np.stack(x[:4]).transpose(2, 0, 1)) for x in (ours, theirs))
    clear = np.abs(reference) > 1e-4 * np.abs(reference).max()
    assert clear.sum() > 30 and (reference[clear] > 0).any() and (reference[clear] < 0).any()
    size = np.prod([three(x) for x in ours[:4]], axis=0)
    assert (np.sign(hand) == np.sign(reference))[clear & (np.abs(reference) > 1e-9 * size)].all()


@cases
def test_the_target_is_the_one_of_the_matrix_element(case):
    """`hadronic_contraction` uses R = 2P - q with transverse part R_perp at the hadron azimuth, in the
    neutrino-photon frame; the lepton energies in the laboratory are P.p/M with that P."""
    _, mass, E_nu, points, event = sample(case)
    R_perp = np.sqrt(np.asarray(hadronic_weights(E_nu, mass, points.Q2, points.s_hat))[0, 0])
    azimuth, Q2, s_hat = (np.asarray(x) for x in (points.hadron_azimuth, points.Q2, points.s_hat))
    time = (mass * E_nu - Q2 / 2) / np.sqrt(s_hat)
    P = np.stack([time, R_perp / 2 * np.cos(azimuth), R_perp / 2 * np.sin(azimuth), time - mass * E_nu / points.k[0]])
    np.testing.assert_allclose(dot(P, P) / P[0] ** 2, mass**2 / P[0] ** 2, atol=1e-11)
    np.testing.assert_allclose(dot(P, np.asarray(points.q)), -Q2 / 2, atol=1e-10 * mass * E_nu)
    for name in ("p_minus", "p_plus", "k_prime"):
        energy = dot(P, np.asarray(getattr(points, name))) / mass
        np.testing.assert_allclose(getattr(event, name)[0], energy, rtol=1e-7, atol=1e-10 * E_nu)


# --- observables ---------------------------------------------------------------------------------------------


@cases
def test_observables_are_those_of_the_four_momenta(case):
    channel, mass, E_nu, points, event = sample(case)
    found = kinematics_jitted(channel, points, jnp.asarray(E_nu), jnp.asarray(mass))
    ours = {name: np.asarray(o.function(found)) for name, o in OBSERVABLES.items()}
    pair, q, k_out = event.p_minus + event.p_plus, event.P - event.P_prime, event.k - event.k_prime
    exact = {
        "E_minus": event.p_minus[0],
        "E_plus": event.p_plus[0],
        "E_pair": pair[0],
        "theta_minus": angle(event.p_minus, event.k),
        "theta_plus": angle(event.p_plus, event.k),
        "opening_angle": angle(event.p_minus, event.p_plus),
        "m_ll": np.sqrt(np.maximum(dot(pair, pair), 0)),
        "T_recoil": event.P_prime[0] - mass,
        "Q2": -dot(q, q),
        "K2": -dot(k_out, k_out),
    }
    absolute = {"m_ll": 1e-6 * E_nu, "T_recoil": 1e-12 * E_nu, "Q2": 1e-12 * E_nu * 2, "K2": 1e-13 * E_nu**2}
    assert set(ours) == set(exact)
    for name, value in exact.items():
        tolerance = absolute.get(name, 1e-9)
        np.testing.assert_allclose(ours[name], value, rtol=1e-6, atol=tolerance, err_msg=name)
        assert np.isfinite(ours[name]).all()


def test_angles_come_from_their_half_sine_squared():
    """From 1e-8 rad to the backward direction; the arcsine of a sine would fold at pi/2."""
    angles = np.array([1e-8, 3.1e-5, 0.02, 1.3, 1.9, 3.1])
    n = jnp.ones(6)
    event = Kinematics(n, n, *(jnp.asarray(np.sin(scale * angles / 2) ** 2) for scale in (1, 0.9, 0.7)), n, n, n, AR40)
    for name, scale in (("theta_minus", 1), ("theta_plus", 0.9), ("opening_angle", 0.7)):
        np.testing.assert_allclose(OBSERVABLES[name].function(event), scale * angles, rtol=1e-12)


def test_small_angles_keep_their_digits():
    """Electrons of TeV neutrinos come out at m_e/E = 1e-6 rad; arccos would end at 1e-8 with no digit."""
    channel, mass, E_nu, points, event = sample("ee-C-2000")
    found = kinematics_jitted(channel, points, jnp.asarray(E_nu), jnp.asarray(mass))
    exact = angle(event.p_minus, event.k)
    small = exact < 3e-4
    assert small.sum() > 15 and exact[small].min() < 1e-4
    ours = np.asarray(OBSERVABLES["theta_minus"].function(found))
    np.testing.assert_allclose(ours[small], exact[small], rtol=1e-6)
    opening = angle(event.p_minus, event.p_plus)
    assert (opening < 3e-4).sum() > 5
    np.testing.assert_allclose(
        np.asarray(OBSERVABLES["opening_angle"].function(found))[opening < 3e-4], opening[opening < 3e-4], rtol=1e-4
    )


@pytest.mark.parametrize("case", ["dimuon-p-61", "anti-e-tau-Fe-2000"])
def test_the_overall_azimuth_only_turns_the_event(case):
    *_, one = sample(case, azimuth_seed=1)
    *_, two = sample(case, azimuth_seed=2)
    for name in ("k_prime", "p_minus", "p_plus", "P_prime"):
        p, r = getattr(one, name), getattr(two, name)
        np.testing.assert_allclose(p[0], r[0], rtol=1e-12)
        np.testing.assert_allclose(np.hypot(p[1], p[2]), np.hypot(r[1], r[2]), rtol=1e-9, atol=1e-12)
        assert np.abs(p[1] - r[1]).max() > 1e-3
    np.testing.assert_allclose(dot(one.p_minus, one.p_plus), dot(two.p_minus, two.p_plus), rtol=1e-6)
    # the same turn for every particle
    turn = np.unwrap(np.arctan2(one.p_minus[2], one.p_minus[1]) - np.arctan2(two.p_minus[2], two.p_minus[1]))
    other = np.arctan2(one.P_prime[2], one.P_prime[1]) - np.arctan2(two.P_prime[2], two.P_prime[1])
    np.testing.assert_allclose(np.cos(turn - other), 1.0, atol=1e-6)


@pytest.mark.slow
def test_one_energy_for_each_point():
    channel, mass = Channel("mu", "mu", "e"), AR40
    energies = jnp.asarray([3.3, 17.0, 140.0])
    points = [random_points(channel, float(E), mass, 64, seed=3) for E in energies]
    mixed = jax.tree.map(lambda *x: jnp.concatenate(x, axis=-1), *points)
    E_all, azimuth = jnp.repeat(energies, 64), jnp.linspace(0.1, 6.0, 192)
    together = kinematics_jitted(channel, mixed, E_all, jnp.asarray(mass))
    event = event_jitted(channel, mixed, E_all, jnp.asarray(mass), azimuth)
    for i, E in enumerate(energies):
        own = slice(64 * i, 64 * (i + 1))
        alone = kinematics_jitted(channel, points[i], E, jnp.asarray(mass))
        for name in ("E_minus", "E_plus", "half_minus", "half_plus", "half_pair"):
            np.testing.assert_allclose(getattr(together, name)[own], getattr(alone, name), rtol=1e-12, err_msg=name)
        by_itself = event_jitted(channel, points[i], E, jnp.asarray(mass), azimuth[own])
        for name in ("k", "k_prime", "p_minus", "p_plus", "P_prime"):
            np.testing.assert_allclose(getattr(event, name)[:, own], getattr(by_itself, name), rtol=1e-9, atol=1e-10)


@pytest.mark.slow
def test_charge_conjugate_channels_share_the_kinematics():
    """Leptons swapped in the channel and in the points: minus and plus observables swap."""
    one, other = Channel("mu", "mu", "e"), Channel("mu", "e", "mu")
    points = random_points(one, 21.0, C12, 128)
    swapped = eqx.tree_at(lambda p: (p.p_minus, p.p_plus), points, (points.p_plus, points.p_minus))
    a = kinematics_jitted(one, points, jnp.asarray(21.0), jnp.asarray(C12))
    b = kinematics_jitted(other, swapped, jnp.asarray(21.0), jnp.asarray(C12))
    np.testing.assert_allclose(a.E_minus, b.E_plus, rtol=1e-14)
    np.testing.assert_allclose(a.half_plus, b.half_minus, rtol=1e-14)
    np.testing.assert_allclose(a.half_pair, b.half_pair, rtol=1e-9)
    assert np.abs(np.asarray(a.E_minus) - np.asarray(a.E_plus)).max() > 1.0


# --- gradients -----------------------------------------------------------------------------------------------


def edge_points(channel, E_nu, mass):
    """Points whose photon, neutrino and leptons are (almost) on the beam axis, and some that are not."""
    tiny = 1e-12
    rows = [
        [0.3, 0.6, 0.4, 0.5, 0.5, 0.2, 0.7],
        [0.3, 1.0, 0.4, 0.0, 0.0, 0.0, 0.7],  # all on one axis, l- backward in the pair
        [0.8, 1.0, 0.2, 0.0, 1.0, 0.0, 0.1],  # the same, l- forward
        [0.5, 0.5, 0.0, 0.3, 0.5, 0.4, 0.9],  # leptons at relative rest: opening angle 0 for equal masses
        [0.5, 1.0 - tiny, tiny, tiny, 1.0 - tiny, 0.0, 0.0],
    ]
    nodes = jnp.asarray(rows)
    return map_jitted(
        channel, jnp.asarray(E_nu), jnp.asarray(mass), 0.02, 2.5, Rule(nodes, jnp.full(len(rows), 1 / len(rows)))
    )


@pytest.mark.slow
@pytest.mark.parametrize("channel", [Channel("mu", "mu", "mu"), Channel("mu", "mu", "e")], ids=lambda c: c.name)
def test_gradients_are_finite_on_the_beam_axis(channel):
    points, mass, E_nu = edge_points(channel, 12.0, AR40), jnp.asarray(AR40), jnp.asarray(12.0)
    at_axis = kinematics_jitted(channel, points, E_nu, mass)
    assert float(at_axis.half_minus.min()) < 1e-15  # the points are where they should be

    def observables(inputs):
        points, E, M = inputs
        event = kinematics(channel, points, E, M)
        return jnp.stack([o.function(event).sum() for o in OBSERVABLES.values()])

    slopes = jax.jit(jax.jacrev(observables))((points, E_nu, mass))
    for leaf in jax.tree.leaves(slopes):
        assert np.isfinite(leaf).all(), [
            name for name, x in zip(OBSERVABLES, leaf, strict=True) if not np.isfinite(x).all()
        ]
    assert float(jnp.abs(slopes[0].p_minus[0]).max()) > 0.1  # of E_minus


@pytest.mark.slow
def test_gradient_in_the_neutrino_energy_three_ways():
    """Through the map of the unit cube, as a cross section differential in energy needs it."""
    channel, mass, rule = Channel("mu", "mu", "e"), AR40, sobol_rule(64, DIMENSION, 3)

    @jax.jit
    def means(E):
        points = map_unit_cube(channel, E, mass, 0.01, 2.0, rule)
        event = kinematics(channel, points, E, mass)
        return jnp.stack([o.function(event).mean() for o in OBSERVABLES.values()])

    E, h = jnp.asarray(9.7), 1e-4
    reverse, forward = jax.jit(jax.jacrev(means))(E), jax.jit(jax.jacfwd(means))(E)
    np.testing.assert_allclose(forward, reverse, rtol=1e-8)
    central = (8 * (means(E + h) - means(E - h)) - (means(E + 2 * h) - means(E - 2 * h))) / (12 * h)
    np.testing.assert_allclose(reverse, central, rtol=1e-5)
    assert (np.abs(np.asarray(reverse)) > 1e-7).all()
