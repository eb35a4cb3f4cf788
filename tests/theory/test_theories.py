"""Theories as functions: which channel sees which coupling, limits, sums, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.currents import Channel, LeptonCurrent, one_loop_current, standard_model_current
from tridentjax.theory.mediators import ELECTRIC_CHARGE, loop_mixing
from tridentjax.theory.theories import combined, contact, scalar, sm, zprime

G_FERMI = 1.1663788e-5
K2 = jnp.asarray([2e-6, 0.0013, 0.31])
DIMUON = Channel("mu", "mu", "mu")


def delta(theory, parameters, channel):
    """Shift of (g_V, g_A) from the Standard Model, summed over outgoing neutrinos (there is one)."""
    values = {name: jnp.asarray(x) for name, x in parameters.items()}
    ours, reference = theory(values, channel, K2), sm({}, channel, K2)
    return np.asarray((ours.g_V - reference.g_V)[0]), np.asarray((ours.g_A - reference.g_A)[0])


def propagator(mass):
    return 1 / (np.sqrt(2) * G_FERMI * (mass**2 + np.asarray(K2)))


def test_standard_model_couplings_and_weak_angle():
    current = sm({"sin2_theta_w": jnp.asarray(0.2386)}, DIMUON, K2)
    np.testing.assert_allclose(current.g_V, np.full((1, 3), 0.5 + 2 * 0.2386), rtol=1e-14)
    np.testing.assert_allclose(current.g_A, np.full((1, 3), 0.5), rtol=1e-14)
    np.testing.assert_allclose(sm({}, DIMUON, K2).g_V, 0.5 + 2 * 0.23122, rtol=1e-14)


@pytest.mark.parametrize("channel", [DIMUON, Channel("mu", "e", "e"), Channel("mu", "mu", "e")], ids=lambda c: c.name)
def test_one_loop_interpolates(channel):
    """0 is tree level with its weak angle, 1 the published couplings whatever the angle, linear in between."""
    tree, loop = standard_model_current(channel, 0.2386), one_loop_current(channel)
    for share in (0.0, 0.3, 1.0):
        current = sm({"sin2_theta_w": jnp.asarray(0.2386), "one_loop": jnp.asarray(share)}, channel, K2)
        for name in ("g_V", "g_A"):
            a, b = float(getattr(tree, name)[0]), float(getattr(loop, name)[0])
            np.testing.assert_allclose(getattr(current, name), [[a + share * (b - a)] * 3], rtol=1e-12)
    slope = jax.grad(lambda x: sm({"one_loop": x}, channel, K2).g_V.sum())(jnp.asarray(0.4))
    expected = 3 * float(loop.g_V[0] - standard_model_current(channel).g_V[0])
    np.testing.assert_allclose(slope, expected, rtol=1e-12)
    assert (channel.lepton_plus == "e" and channel.lepton_minus == "mu") == (expected == 0.0)


def test_one_loop_is_part_of_every_theory():
    shift = delta(zprime, {"mass": 0.3, "g": 0.02, "one_loop": 1.0}, DIMUON)[0] - 4e-4 * propagator(0.3)
    loop, tree = one_loop_current(DIMUON), standard_model_current(DIMUON)
    np.testing.assert_allclose(shift, float(loop.g_V[0] - tree.g_V[0]), rtol=1e-9)
    both = contact({"one_loop": 1.0, "delta_g_V": 0.2, "delta_g_A": 0.0}, DIMUON, K2)
    np.testing.assert_allclose(both.g_V, [[float(loop.g_V[0]) + 0.2] * 3], rtol=1e-12)


@pytest.mark.parametrize("g", [7.7e-4, -7.7e-4])
def test_l_mu_minus_l_tau_is_constructive_whatever_its_sign(g):
    shift_V, shift_A = delta(zprime, {"mass": 0.043, "g": g}, DIMUON)
    np.testing.assert_allclose(shift_V, 7.7e-4**2 * propagator(0.043), rtol=1e-9)
    assert (shift_V > 0).all() and not shift_A.any()


@pytest.mark.parametrize(
    ("channel", "charge_product"),
    [
        (Channel("mu", "mu", "mu", antineutrino=True), 1),
        (Channel("mu", "tau", "tau"), -1),
        (Channel("tau", "mu", "mu"), -1),
        (Channel("tau", "tau", "tau"), 1),
        (Channel("mu", "e", "e"), 0),
        (Channel("e", "mu", "mu"), 0),
        (Channel("e", "e", "e"), 0),
        (Channel("mu", "mu", "e"), 0),
        (Channel("e", "tau", "mu"), 0),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_charges_of_l_mu_minus_l_tau(channel, charge_product):
    if not channel.outgoing_neutrinos:
        assert zprime({"mass": jnp.asarray(0.3), "g": jnp.asarray(0.02)}, channel, K2).g_V.shape == (0, 3)
        return
    shift_V, shift_A = delta(zprime, {"mass": 0.3, "g": 0.02}, channel)
    np.testing.assert_allclose(shift_V, charge_product * 4e-4 * propagator(0.3), rtol=1e-9)
    assert not shift_A.any()


def test_heavy_mass_is_contact():
    expected = (0.9 / 1e4) ** 2 / (np.sqrt(2) * G_FERMI)
    np.testing.assert_allclose(delta(zprime, {"mass": 1e4, "g": 0.9}, DIMUON)[0], expected, rtol=1e-7)
    np.testing.assert_allclose(delta(contact, {"delta_g_V": expected, "delta_g_A": 0.0}, DIMUON)[0], expected)


def test_general_charges():
    """Applied to the channel as they are; missing ones are zero."""
    shift_V, shift_A = delta(zprime, {"mass": 0.8, "g_nu": 0.03, "g_A": -0.05}, Channel("e", "mu", "mu"))
    assert not shift_V.any()
    np.testing.assert_allclose(shift_A, 0.03 * -0.05 * propagator(0.8), rtol=1e-9)
    shift_V, shift_A = delta(zprime, {"mass": 0.8, "g_nu": 0.03, "g_V": 0.02, "g_A": 0.01}, DIMUON)
    np.testing.assert_allclose(shift_V, 2 * shift_A, rtol=1e-9)
    mixed = delta(zprime, {"mass": 0.8, "g_nu": 0.03, "g_V": 0.02, "g_A": 0.01}, Channel("mu", "mu", "e"))
    assert not mixed[0].any() and not mixed[1].any()


def test_charges_of_one_flavour():
    charges = {"g_nu": 0.03, "g_nu_mu": -0.04, "g_V": 0.02, "g_V_e": 0.05, "g_A_mu": 0.01}
    for channel, g_nu, g_V, g_A in (
        (DIMUON, -0.04, 0.02, 0.01),
        (Channel("e", "mu", "mu"), 0.03, 0.02, 0.01),
        (Channel("mu", "e", "e", antineutrino=True), -0.04, 0.05, 0.0),
    ):
        shift_V, shift_A = delta(zprime, {"mass": 0.8, **charges}, channel)
        np.testing.assert_allclose(shift_V, g_nu * g_V * propagator(0.8), rtol=1e-9)
        np.testing.assert_allclose(shift_A, g_nu * g_A * propagator(0.8), rtol=1e-9)


def test_kinetic_mixing_couples_to_electric_charge():
    """delta g_V = v^2 g (g + chi e)/(m^2 + K2) for muons; electrons see the mixing alone, neutrinos nothing."""
    g, chi = 4e-3, -2.3e-3
    e = np.sqrt(4 * np.pi / 137.035999177)
    parameters = {"mass": 0.2, "g": g, "kinetic_mixing": chi}
    for channel, charge in ((DIMUON, 1.0), (Channel("mu", "tau", "tau"), -1.0), (Channel("mu", "e", "e"), 0.0)):
        shift = delta(zprime, parameters, channel)[0]
        np.testing.assert_allclose(shift, g * (charge * g + chi * e) * propagator(0.2), rtol=1e-8)
    assert not delta(zprime, parameters, Channel("e", "mu", "mu"))[0].any()
    general = {"mass": 0.2, "g_nu": g, "g_A": 0.01, "kinetic_mixing": chi}
    np.testing.assert_allclose(delta(zprime, general, DIMUON)[0], g * chi * e * propagator(0.2), rtol=1e-8)


def test_loop_mixing_screens_the_muon_and_reaches_the_electron():
    parameters = {"mass": 0.2, "g": 4e-3}
    through_loop = ELECTRIC_CHARGE * np.asarray(loop_mixing(K2)) * 1.6e-5 * propagator(0.2)
    for channel, direct in ((DIMUON, 1.6e-5), (Channel("mu", "e", "e"), 0.0), (Channel("mu", "tau", "tau"), -1.6e-5)):
        shift = delta(zprime, {**parameters, "loop_mixing": True}, channel)[0]
        np.testing.assert_allclose(shift, direct * propagator(0.2) + through_loop, rtol=1e-7)
        np.testing.assert_allclose(delta(zprime, parameters, channel)[0], direct * propagator(0.2), rtol=1e-7)
    both = delta(zprime, {**parameters, "loop_mixing": True, "kinetic_mixing": 3e-3}, Channel("mu", "e", "e"))[0]
    np.testing.assert_allclose(both, through_loop + 4e-3 * 3e-3 * ELECTRIC_CHARGE * propagator(0.2), rtol=1e-7)


def test_several_mediators_add_their_amplitudes():
    several = delta(zprime, {"mass": [0.02, 0.9, 31.0], "g": [1e-3, -2e-2, 0.4], "loop_mixing": True}, DIMUON)[0]
    single = [
        delta(zprime, {"mass": m, "g": g, "loop_mixing": True}, DIMUON)[0]
        for m, g in ((0.02, 1e-3), (0.9, -2e-2), (31.0, 0.4))
    ]
    np.testing.assert_allclose(several, np.sum(single, axis=0), rtol=1e-9)
    shared = delta(zprime, {"mass": [0.02, 0.9], "g_nu": 1e-2, "g_V": [1e-3, 2e-3]}, DIMUON)[0]
    np.testing.assert_allclose(shared, 1e-5 * propagator(0.02) + 2e-5 * propagator(0.9), rtol=1e-8)


def test_scalars_do_not_touch_the_vector_current():
    parameters = {"mass": 0.3, "g_nu": 0.02, "g_S": -0.05, "g_P_mu": 0.03}
    current = scalar(parameters, DIMUON, K2)
    reference = sm({}, DIMUON, K2)
    np.testing.assert_array_equal(current.g_V, reference.g_V)
    np.testing.assert_array_equal(current.g_A, reference.g_A)
    np.testing.assert_allclose(np.abs(current.g_S[0]), 1e-3 * propagator(0.3), rtol=1e-9)
    np.testing.assert_allclose(np.abs(current.g_P[0]), 6e-4 * propagator(0.3), rtol=1e-9)
    assert (current.g_S * current.g_P < 0).all()
    electrons = scalar(parameters, Channel("mu", "e", "e"), K2)
    assert np.asarray(electrons.g_S).any() and not np.asarray(electrons.g_P).any()
    assert scalar(parameters, Channel("mu", "mu", "e"), K2).g_S is None


def test_combined_theories_add_their_shifts():
    parameters = {"mass": 0.2, "g": 4e-3, "delta_g_V": 0.21, "delta_g_A": -0.13, "sin2_theta_w": 0.2386}
    both = combined(zprime, contact)(parameters, DIMUON, K2)
    reference = sm({"sin2_theta_w": 0.2386}, DIMUON, K2)
    np.testing.assert_allclose(both.g_V[0] - reference.g_V[0], 0.21 + 1.6e-5 * propagator(0.2), rtol=1e-9)
    np.testing.assert_allclose(both.g_A[0] - reference.g_A[0], -0.13, rtol=1e-12)


def test_combined_theories_with_rows_for_every_neutrino():
    def into_electron_neutrinos(parameters, channel, K2):
        rows = jnp.asarray([[0.07], [parameters.get("sin2_theta_w", 0.23122) * 2 + 0.5], [0.0]]) * jnp.ones(
            (1, K2.size)
        )
        return LeptonCurrent(rows, jnp.asarray([[0.0], [0.5], [0.0]]) * jnp.ones((1, K2.size)))

    found = combined(into_electron_neutrinos, zprime)({"mass": 0.2, "g": 4e-3}, DIMUON, K2)
    assert found.g_V.shape == (3, 3)
    np.testing.assert_allclose(found.g_V[0], 0.07, rtol=1e-12)
    np.testing.assert_allclose(found.g_V[1], 0.96244 + 1.6e-5 * propagator(0.2), rtol=1e-9)
    assert not np.asarray(found.g_V[2]).any()
    with_scalars = combined(scalar, contact)(
        {"mass": 0.3, "g_nu": 0.02, "g_S": 0.1, "delta_g_V": 0.1, "delta_g_A": 0.0}, DIMUON, K2
    )
    assert with_scalars.g_S is not None
    np.testing.assert_allclose(with_scalars.g_V[0], 1.06244, rtol=1e-9)


def test_contact_shifts_every_allowed_channel():
    shift_V, shift_A = delta(contact, {"delta_g_V": 0.21, "delta_g_A": -0.13}, Channel("mu", "mu", "e"))
    np.testing.assert_allclose([shift_V, shift_A], [[0.21] * 3, [-0.13] * 3], rtol=1e-12)


def rate(x):
    current = zprime({"mass": x[0], "g": x[1]}, DIMUON, K2)
    return (current.g_V**2 + current.g_A**2).sum()


def test_transforms():
    points = jnp.asarray([[1e-3, 1e-4], [0.2, -3e-3], [800.0, 1.2]])
    loop = np.array([rate(x) for x in points])
    np.testing.assert_allclose(jax.vmap(rate)(points), loop, rtol=1e-13)
    np.testing.assert_allclose([jax.jit(rate)(x) for x in points], loop, rtol=1e-13)


@pytest.mark.few(1)
@pytest.mark.parametrize("point", [(1e-3, 5e-4), (0.09, 2e-3), (1e3, 1.7)])
def test_gradients(point):
    x = jnp.asarray(point)
    forward, reverse = jax.jacfwd(rate)(x), jax.grad(rate)(x)
    np.testing.assert_allclose(forward, reverse, rtol=1e-11)
    for i, unit in enumerate(np.eye(2)):
        h = 1e-4 * point[i]
        central = (rate(x + h * unit) - rate(x - h * unit)) / (2 * h)
        np.testing.assert_allclose(reverse[i], central, rtol=1e-5)


@pytest.mark.parametrize("mass", [1e-3, 1.0, 1e3])
def test_gradient_is_finite_down_to_zero_coupling(mass):
    for g in (0.0, 1e-200, 1e-8):
        gradient = jax.grad(rate)(jnp.asarray([mass, g]))
        assert np.isfinite(gradient).all()
