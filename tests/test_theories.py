import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax import InputError
from tridentjax.currents import Channel, one_loop_current, standard_model_current
from tridentjax.theories import THEORIES, contact, named_theory, sm, theory_faults, zprime

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


def test_contact_shifts_every_allowed_channel():
    shift_V, shift_A = delta(contact, {"delta_g_V": 0.21, "delta_g_A": -0.13}, Channel("mu", "mu", "e"))
    np.testing.assert_allclose([shift_V, shift_A], [[0.21] * 3, [-0.13] * 3], rtol=1e-12)


def test_faults_come_all_at_once():
    with pytest.raises(InputError) as caught:
        named_theory("zprime", {"mas": 0.1, "g": np.inf, "g_A": 0.2})
    text = str(caught.value)
    assert len(caught.value.faults) == 4
    assert "'mas'" in text and "did you mean 'mass'" in text
    assert "needs (g, mass) or (g_nu, mass); received (mas, g, g_A)" in text
    assert "either g (L_mu - L_tau) or g_nu, g_V, g_A" in text
    assert "g = inf; allowed: a finite number" in text


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("zprim", {}, "did you mean 'zprime'"),
        ("zprime", {"mass": -0.1, "g": 1e-3}, r"mass = -0\.1; allowed: positive"),
        ("zprime", {"mass": 0.0, "g": 1e-3}, r"mass = 0\.0; allowed: positive"),
        ("zprime", {"mass": float("nan"), "g": 1e-3}, "mass = nan; allowed: a finite number"),
        ("contact", {"delta_g_V": 0.1}, "needs \\(delta_g_A, delta_g_V\\)"),
        ("sm", {"sin2_theta_w": -0.2}, "sin2_theta_w = -0.2; allowed: positive"),
        ("sm", {"one_loop": 1.3}, r"one_loop = 1\.3; allowed: 0 \(tree level\) to 1 \(one loop\)"),
        ("zprime", {"mass": 1.0, "g": 0.1, "one_loop": -0.1}, r"one_loop = -0\.1; allowed: 0"),
        (
            "contact",
            {"delta_g_V": 0.1, "delta_g_A": 0.0, "one_loop": float("nan")},
            "one_loop = nan; allowed: a finite",
        ),
        ("sm", {"one_lop": 1.0}, "did you mean 'one_loop'"),
        ("sm", {"mass": 1.0}, "unknown parameter of theory sm 'mass'"),
    ],
)
def test_single_faults(name, parameters, message):
    with pytest.raises(InputError, match=message):
        named_theory(name, parameters)


def test_a_parameter_with_a_prior_counts_as_given():
    assert theory_faults("zprime", {"mass": None, "g": None}) == []
    assert named_theory("zprime", {"mass": 0.1, "g": 1e-3}) is zprime
    assert set(THEORIES) >= {"sm", "contact", "zprime"}


def rate(x):
    current = zprime({"mass": x[0], "g": x[1]}, DIMUON, K2)
    return (current.g_V**2 + current.g_A**2).sum()


def test_transforms():
    points = jnp.asarray([[1e-3, 1e-4], [0.2, -3e-3], [800.0, 1.2]])
    loop = np.array([rate(x) for x in points])
    np.testing.assert_allclose(jax.vmap(rate)(points), loop, rtol=1e-13)
    np.testing.assert_allclose([jax.jit(rate)(x) for x in points], loop, rtol=1e-13)


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
