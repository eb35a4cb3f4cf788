import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.constants import MASS_E, MASS_MU, MASS_TAU, SIN2_THETA_W
from tridentjax.currents import (
    FLAVOURS,
    Channel,
    LeptonCurrent,
    from_chiral,
    quadratic_couplings,
    standard_model_current,
    to_chiral,
)

S2 = 0.2386


@pytest.mark.parametrize(
    ("neutrino", "minus", "plus", "g_V", "g_A"),
    [
        ("mu", "mu", "mu", 0.5 + 2 * S2, 0.5),  # W and Z
        ("tau", "tau", "tau", 0.5 + 2 * S2, 0.5),
        ("mu", "e", "e", -0.5 + 2 * S2, -0.5),  # Z only
        ("e", "tau", "tau", -0.5 + 2 * S2, -0.5),
        ("mu", "mu", "e", 1.0, 1.0),  # W only
        ("e", "e", "tau", 1.0, 1.0),
    ],
)
@pytest.mark.parametrize("antineutrino", [False, True])
def test_tree_level_couplings(neutrino, minus, plus, g_V, g_A, antineutrino):
    if antineutrino:
        minus, plus = plus, minus
    current = standard_model_current(Channel(neutrino, minus, plus, antineutrino), S2)
    np.testing.assert_allclose(current.g_V, [g_V], rtol=1e-15)
    np.testing.assert_allclose(current.g_A, [g_A], rtol=1e-15)


@pytest.mark.parametrize(
    "channel",
    [Channel("mu", "e", "mu"), Channel("e", "mu", "e"), Channel("mu", "e", "tau"), Channel("mu", "mu", "e", True)],
)
def test_forbidden_channel_has_no_outgoing_neutrino(channel):
    assert channel.outgoing_neutrinos == ()
    current = standard_model_current(channel)
    assert current.g_V.shape == (0,)
    np.testing.assert_array_equal(quadratic_couplings(current), np.zeros(3))


def test_lepton_flavour_is_conserved_in_every_channel():
    """Number of e, mu and tau in = out, with antiparticles counted negative."""
    for anti in (False, True):
        for channel in (Channel(a, i, j, anti) for a in FLAVOURS for i in FLAVOURS for j in FLAVOURS):
            sign = -1 if anti else 1
            allowed = []
            for b in FLAVOURS:
                balance = dict.fromkeys(FLAVOURS, 0)
                balance[channel.neutrino] += sign
                balance[b] -= sign
                balance[channel.lepton_minus] -= 1
                balance[channel.lepton_plus] += 1
                if not any(balance.values()):
                    allowed.append(b)
            assert set(channel.outgoing_neutrinos) == set(allowed), channel.name


def test_channel_names_and_masses():
    channel = Channel("tau", "mu", "e", antineutrino=True)
    assert channel.name == "antinutau -> mu- e+"
    assert (channel.mass_minus, channel.mass_plus) == (MASS_MU, MASS_E)
    assert Channel("e", "tau", "mu").mass_minus == MASS_TAU


@pytest.mark.parametrize("field", ["neutrino", "lepton_minus", "lepton_plus"])
def test_unknown_flavour_is_refused(field):
    flavours = {"neutrino": "mu", "lepton_minus": "mu", "lepton_plus": "mu"} | {field: "muon"}
    with pytest.raises(ValueError, match=rf"Channel\.{field} = 'muon'; allowed: e, mu, tau"):
        Channel(**flavours)


def test_default_scheme_is_msbar():
    default = standard_model_current(Channel("mu", "mu", "mu"))
    np.testing.assert_allclose(default.g_V, [0.5 + 2 * 0.23122], rtol=1e-15)
    assert SIN2_THETA_W == 0.23122


def test_chiral_round_trip_and_definition(key):
    g_V, g_A = jax.random.normal(key, (2, 3, 5))
    current = LeptonCurrent(g_V, g_A)
    g_L, g_R = to_chiral(current)
    np.testing.assert_allclose(g_L - g_R, g_A, atol=1e-15)
    back = from_chiral(g_L, g_R)
    np.testing.assert_allclose(back.g_V, g_V, atol=1e-15)
    np.testing.assert_allclose(back.g_A, g_A, atol=1e-15)


def test_amplitudes_add_but_flavours_do_not_interfere(key):
    a, b, c, d = jax.random.normal(key, (4, 2, 7))
    both = LeptonCurrent(a, b) + LeptonCurrent(c, d)
    VV, AA, VA = quadratic_couplings(both)
    np.testing.assert_allclose(VV, (a[0] + c[0]) ** 2 + (a[1] + c[1]) ** 2, rtol=1e-14)
    np.testing.assert_allclose(AA, (b[0] + d[0]) ** 2 + (b[1] + d[1]) ** 2, rtol=1e-14)
    np.testing.assert_allclose(VA, ((a + c) * (b + d)).sum(0), rtol=1e-12)


def test_gradient_in_the_mixing_angle():
    def strength(s2):
        return quadratic_couplings(standard_model_current(Channel("mu", "e", "e"), s2)).sum()

    # d/ds2 [(2 s2 - 1/2)^2 + 1/4 - (2 s2 - 1/2)/2] = 4 (2 s2 - 1/2) - 1
    np.testing.assert_allclose(jax.grad(strength)(jnp.asarray(S2)), 4 * (2 * S2 - 0.5) - 1.0, rtol=1e-14)
