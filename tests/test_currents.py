import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.constants import G_F, MASS_E, MASS_MU, MASS_TAU, SIN2_THETA_W
from tridentjax.currents import (
    FLAVOURS,
    Channel,
    LeptonCurrent,
    from_chiral,
    from_doubled,
    one_loop_current,
    propagator_shift,
    quadratic_couplings,
    standard_model_current,
    to_chiral,
    to_doubled,
)
from tridentjax.experiment.flux import SPECIES
from tridentjax.experiment.load import load_experiment
from tridentjax.rates.exposure import prepare_for
from tridentjax.theory.theories import scalar, zprime

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


def test_scalar_couplings_are_optional(key):
    a, b, c, d = jax.random.normal(key, (4, 2, 5))
    plain, flip, only_P = LeptonCurrent(a, b), LeptonCurrent(b, c, d, a), LeptonCurrent(c, c, None, b)
    assert not (plain + plain).has_scalars and flip.has_scalars and only_P.has_scalars
    for both in (plain + flip, flip + plain):
        np.testing.assert_array_equal(both.g_V, a + b)
        np.testing.assert_array_equal(both.g_S, d)
        np.testing.assert_array_equal(both.g_P, a)
    np.testing.assert_array_equal((flip + only_P).g_P, a + b)
    np.testing.assert_array_equal((flip + only_P).g_S, d)


@pytest.mark.slow
def test_quadratic_couplings_of_a_scalar(key):
    a, b, c, d = jax.random.normal(key, (4, 3, 5))
    rows = quadratic_couplings(LeptonCurrent(a, b, c, d), scalar=True)
    np.testing.assert_array_equal(rows[:3], quadratic_couplings(LeptonCurrent(a, b)))
    np.testing.assert_allclose(rows[3], (c**2).sum(0), rtol=1e-14)
    np.testing.assert_allclose(rows[4], (d**2).sum(0), rtol=1e-14)
    np.testing.assert_array_equal(quadratic_couplings(LeptonCurrent(a, b), scalar=True)[3:], np.zeros((2, 5)))
    np.testing.assert_array_equal(quadratic_couplings(LeptonCurrent(a, b, g_P=d), scalar=True)[3], np.zeros(5))
    empty = standard_model_current(Channel("mu", "e", "mu"))
    np.testing.assert_array_equal(quadratic_couplings(empty, scalar=True), np.zeros(5))


@pytest.mark.parametrize("present", ["g_S", "g_P"])
def test_scalar_couplings_are_never_dropped(present):
    """Refused while tracing, even where the values are zero."""
    current = LeptonCurrent(jnp.ones((1, 4)), jnp.ones((1, 4)), **{present: jnp.zeros((1, 4))})
    for function in (quadratic_couplings, jax.jit(quadratic_couplings)):
        with pytest.raises(ValueError, match=r"scalar couplings g_S or g_P, .* prepare it with scalar=True"):
            function(current)


def test_gradient_in_the_mixing_angle():
    def strength(s2):
        return quadratic_couplings(standard_model_current(Channel("mu", "e", "e"), s2)).sum()

    # d/ds2 [(2 s2 - 1/2)^2 + 1/4 - (2 s2 - 1/2)/2] = 4 (2 s2 - 1/2) - 1
    np.testing.assert_allclose(jax.grad(strength)(jnp.asarray(S2)), 4 * (2 * S2 - 0.5) - 1.0, rtol=1e-14)


# --- one loop ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("antineutrino", [False, True])
@pytest.mark.parametrize(("own", "other"), [("mu", "e"), ("e", "tau"), ("tau", "mu")])
def test_one_loop_coefficients(own, other, antineutrino):
    """The difference of the left-handed coefficients is the charged current that defines G_F: 2 sqrt2 G_F."""
    with_W = one_loop_current(Channel(own, own, own, antineutrino))
    without = one_loop_current(Channel(own, other, other, antineutrino))
    (g_L, g_R), (h_L, h_R) = to_chiral(with_W), to_chiral(without)
    quoted = 1e-5 * np.hypot(0.00033, 0.00032) / (2 * np.sqrt(2) * G_F)
    assert abs(float((g_L - h_L)[0]) - 1.0) < quoted
    np.testing.assert_allclose(g_R, h_R, rtol=1e-13)
    # the published coefficients, in 1e-5/GeV^2
    unit = 2 * np.sqrt(2) * 1.1663788
    np.testing.assert_allclose([g_L[0] * unit, g_R[0] * unit, h_L[0] * unit], [2.39818, 0.76911, -0.90084], rtol=1e-6)
    np.testing.assert_allclose([with_W.g_V[0], with_W.g_A[0]], [0.96007, 0.49381], atol=2e-5)
    np.testing.assert_allclose([without.g_V[0], without.g_A[0]], [-0.03993, -0.50619], atol=2e-5)


def test_one_loop_is_near_tree_level():
    """Percent corrections of the chiral couplings, not of g_V of the Z-only channel, which nearly cancels."""
    for channel in (Channel("mu", "mu", "mu"), Channel("mu", "e", "e")):
        loop, tree = one_loop_current(channel), standard_model_current(channel)
        for a, b in zip(to_chiral(loop), to_chiral(tree), strict=True):
            assert 1e-4 < abs(float(a[0] / b[0]) - 1) < 0.03


@pytest.mark.parametrize(
    "channel", [Channel("mu", "mu", "e"), Channel("e", "tau", "e", True), Channel("mu", "e", "mu")]
)
def test_one_loop_leaves_pure_W_and_forbidden_channels(channel):
    loop = one_loop_current(channel)
    expected = [1.0] * len(channel.outgoing_neutrinos)
    np.testing.assert_array_equal(loop.g_V, expected)
    np.testing.assert_array_equal(loop.g_A, expected)


# --- propagators of W and Z ----------------------------------------------------------------------------------

alone = pytest.mark.filterwarnings("ignore:propagator_shift leaves out terms:FutureWarning")


def test_propagator_shift_warns():
    with pytest.warns(FutureWarning, match="do not add it to a rate"):
        propagator_shift(Channel("mu", "mu", "mu"), jnp.ones(2), jnp.ones(2))


@alone
@pytest.mark.parametrize(
    ("channel", "has_Z", "has_W"),
    [
        (Channel("mu", "mu", "mu"), True, True),
        (Channel("mu", "e", "e"), True, False),
        (Channel("tau", "tau", "e"), False, True),
        (Channel("e", "mu", "e", antineutrino=True), False, True),
        (Channel("tau", "tau", "tau", antineutrino=True), True, True),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_propagator_shift(channel, has_Z, has_W):
    """Tree level plus shift = Z part x M_Z^2/(M_Z^2 + K2) + W part x M_W^2/(M_W^2 + W2)."""
    K2, W2 = np.array([3e-5, 71.0, 830.0]), np.array([0.4, 1900.0, 55.0])
    shift, tree = propagator_shift(channel, jnp.asarray(K2), jnp.asarray(W2), S2), standard_model_current(channel, S2)
    Z = 91.1879**2 / (91.1879**2 + K2) * has_Z
    W = 80.362**2 / (80.362**2 + W2) * has_W
    np.testing.assert_allclose(tree.g_V[0] + shift.g_V[0], (2 * S2 - 0.5) * Z + W, rtol=1e-12)
    np.testing.assert_allclose(tree.g_A[0] + shift.g_A[0], -0.5 * Z + W, rtol=1e-12)
    assert np.abs(np.asarray(shift.g_V)[0, 1:]).min() > 1e-4


@alone
def test_propagator_shift_of_a_forbidden_channel():
    assert propagator_shift(Channel("mu", "e", "mu"), jnp.ones(4), jnp.ones(4)).g_V.shape == (0, 4)


@pytest.mark.slow
@alone
def test_propagator_shift_transforms():
    channel, W2 = Channel("mu", "mu", "mu"), jnp.asarray([3.0, 700.0, 9.0])

    def shift(K2, W2):
        return quadratic_couplings(propagator_shift(channel, K2[None], W2[None], S2))[:, 0]

    K2 = jnp.asarray([0.2, 50.0, 2000.0])
    loop = np.stack([shift(k, w) for k, w in zip(K2, W2, strict=True)])
    np.testing.assert_allclose(jax.vmap(shift)(K2, W2), loop, rtol=1e-13)
    np.testing.assert_allclose(jax.jit(shift)(K2[1], W2[1]), loop[1], rtol=1e-12)
    forward, reverse = (d(lambda k: shift(k, W2[1]))(K2[1]) for d in (jax.jacfwd, jax.jacrev))
    np.testing.assert_allclose(forward, reverse, rtol=1e-12)
    central = (shift(K2[1] + 1e-3, W2[1]) - shift(K2[1] - 1e-3, W2[1])) / 2e-3
    np.testing.assert_allclose(reverse, central, rtol=1e-6)


def test_doubled_normalisation():
    """C_V = 1 + 4 s2, C_A = 1 for dimuons; exact both ways."""
    C_V, C_A = to_doubled(standard_model_current(Channel("mu", "mu", "mu"), S2))
    np.testing.assert_allclose([C_V[0], C_A[0]], [1 + 4 * S2, 1.0], rtol=1e-15)
    current = LeptonCurrent(jnp.asarray([0.31, -1.7]), jnp.asarray([0.07, 2.3]))
    back = from_doubled(*to_doubled(current))
    np.testing.assert_array_equal(back.g_V, current.g_V)
    np.testing.assert_array_equal(back.g_A, current.g_A)


@pytest.mark.parametrize("species", SPECIES)
def test_a_species_and_its_channel(species):
    channel = Channel.of(species, "mu", "e")
    assert channel.species == species and channel.name == f"{species} -> mu- e+"
    assert channel.antineutrino == (species[:4] == "anti") and channel.neutrino in FLAVOURS
    assert channel == Channel(channel.neutrino, "mu", "e", channel.antineutrino)


@pytest.mark.parametrize("species", ["numux", "anti", "nuantimu"])
def test_what_is_no_species(species):
    with pytest.raises(ValueError, match=r"Channel\.neutrino = .*; allowed: e, mu, tau"):
        Channel.of(species, "mu", "mu")


def test_an_experiment_has_the_channel_of_its_first_beam():
    experiment = load_experiment("charm2")
    assert len(experiment.fluxes) > 1 and experiment.channel() == experiment.channel(experiment.fluxes[0])
    turned = dataclasses.replace(experiment, fluxes=experiment.fluxes[::-1])
    assert turned.channel().antineutrino != experiment.channel().antineutrino


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theory", "parameters", "structures"),
    [(zprime, {"mass": 0.1, "g": 1e-3}, ("VV", "AA")), (scalar, {"mass": 0.1, "g_nu": 1e-3}, ("VV", "AA", "SS", "PP"))],
)
def test_a_chain_has_the_structures_that_its_theory_needs(theory, parameters, structures):
    chain = prepare_for(load_experiment("ccfr"), theory, parameters)
    assert {kernel.structures for kernel in chain.kernels.values()} == {structures}
