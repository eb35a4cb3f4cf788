"""LEFT and SMEFT currents: against the full non-linear tree amplitude with complex tensors, and closed formulas."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tree_amplitudes import CHANNELS, DIMUON, RNG, S2, V2, as_complex, assert_matches, generic, parameters, tensor

from tridentjax.constants import G_F
from tridentjax.currents import FLAVOURS, Channel, quadratic_couplings, standard_model_current
from tridentjax.faults import InputError
from tridentjax.theory.left import LEFT_NAMES, WARSAW_NAMES, left_shift, to_left
from tridentjax.theory.smeft import SCHEMES, smeft_shift, warsaw_to_left


def test_every_channel_of_left():
    values = generic(LEFT_NAMES)
    g_L, g_R = (-V2 / 2 * tensor(values, family) for family in ("VnueLL", "VnueLR"))
    for channel in CHANNELS:
        assert_matches(left_shift(parameters(values), channel), channel, g_L, g_R)


def test_complex_rates_are_explicit_complex_arithmetic():
    values = generic(LEFT_NAMES, size=1e-5)
    for channel in (DIMUON, Channel("e", "mu", "e", True), Channel("tau", "e", "mu")):
        shift = left_shift(parameters(values), channel)
        g_L, g_R = as_complex(shift, channel)
        model = standard_model_current(channel, S2)
        g_V, g_A = g_L + g_R, g_L - g_R
        at = [FLAVOURS.index(flavour) for flavour in channel.outgoing_neutrinos]
        g_V[at] += np.asarray(model.g_V)
        g_A[at] += np.asarray(model.g_A)
        expected = [(abs(g_V) ** 2).sum(), (abs(g_A) ** 2).sum(), (g_V * g_A.conj()).real.sum()]
        rows = jnp.asarray(at, dtype=int)
        added = type(shift)(shift.g_V.at[rows].add(model.g_V), shift.g_A.at[rows].add(model.g_A))
        np.testing.assert_allclose(quadratic_couplings(added), expected, rtol=1e-12)


def test_rows_of_the_outgoing_neutrinos():
    shift = left_shift({"VnueLL_2322": 2.2e-6, "VnueLR_1222": -0.7e-6}, DIMUON)
    unit = 1 / (2 * np.sqrt(2) * G_F)
    np.testing.assert_allclose(shift.g_V, [0.7e-6 * unit, 0.0, -2.2e-6 * unit], rtol=1e-14)
    np.testing.assert_allclose(shift.g_A, [-0.7e-6 * unit, 0.0, -2.2e-6 * unit], rtol=1e-14)
    assert left_shift({"VnueLL_1323_Im": 1e-6}, DIMUON).g_V.shape == (3,)  # not in this channel
    assert left_shift({"VnueLL_1222_Im": 1e-6}, DIMUON).g_V.shape == (6,)


def test_antineutrino_is_the_charge_conjugate():
    """antinu_a -> antinu_b l_i^- l_j^+ has the conjugate coupling of nu_a -> nu_b l_j^- l_i^+."""
    values = parameters(generic(WARSAW_NAMES))
    for a, i, j in itertools.product(FLAVOURS, repeat=3):
        anti = smeft_shift(values, Channel(a, i, j, True), "alpha_mW_GF", S2)
        neutrino = smeft_shift(values, Channel(a, j, i), "alpha_mW_GF", S2)
        for x, y in ((anti.g_V, neutrino.g_V), (anti.g_A, neutrino.g_A)):
            np.testing.assert_allclose(x, np.concatenate([y[:3], -y[3:]]), rtol=1e-13, atol=1e-20)
    one = left_shift({"VnueLL_1221": 3e-7}, Channel("mu", "mu", "e"))  # nu_mu -> nu_e mu- e+
    assert one.g_V[0] != 0.0
    assert left_shift({"VnueLL_1221": 3e-7}, Channel("mu", "mu", "e", True)).g_V[0] == 0.0
    assert left_shift({"VnueLL_1221": 3e-7}, Channel("mu", "e", "mu", True)).g_V[0] == one.g_V[0]


@pytest.mark.slow
def test_jit_vmap_and_batches_are_the_loop():
    values = parameters(generic(WARSAW_NAMES))
    names = list(values)
    channel = Channel("e", "mu", "mu")

    def shift(vector, s2):
        current = smeft_shift(dict(zip(names, vector, strict=True)), channel, "alpha_mZ_GF", s2)
        return jnp.stack([current.g_V, current.g_A])

    batch = jnp.asarray(RNG.normal(size=(5, len(names)))) * 1e-7
    s2 = jnp.linspace(0.222, 0.239, 5)
    loop = np.stack([shift([float(c) for c in row], float(x)) for row, x in zip(np.asarray(batch), s2, strict=True)])
    np.testing.assert_allclose(jax.jit(jax.vmap(shift))(batch, s2), loop, rtol=1e-12, atol=1e-17)
    arrays = shift(list(batch.T), s2)  # coefficients with a batch shape of their own
    np.testing.assert_allclose(np.moveaxis(arrays, -1, 0), loop, rtol=1e-12, atol=1e-17)
    mixed = smeft_shift({"phiD": batch[:, 0], "le_1122": 1e-8}, channel, "alpha_mZ_GF", 0.231)
    assert mixed.g_V.shape == (3, 5)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_gradients(scheme):
    values = parameters(generic(WARSAW_NAMES))
    point = jnp.asarray([*values.values(), 0.2386 / V2])  # the angle in the same units, last

    def rate(x):
        coefficients = dict(zip(values, x[:-1], strict=True))
        return quadratic_couplings(smeft_shift(coefficients, DIMUON, scheme, x[-1] * V2)) @ jnp.asarray(
            [1.3, 0.7, -0.4]
        )

    forward, reverse = jax.jit(jax.jacfwd(rate))(point), jax.jit(jax.grad(rate))(point)
    np.testing.assert_allclose(forward, reverse, rtol=1e-10, atol=1e-12 * np.abs(reverse).max())
    direction = jnp.asarray(RNG.normal(size=point.size)) * 1e-10
    finite = (rate(point + direction) - rate(point - direction)) / 2
    np.testing.assert_allclose(finite, reverse @ direction, rtol=1e-6)
    at_zero = jax.grad(lambda x: smeft_shift({"phiD": x, "phiWB": x}, DIMUON, scheme, S2).g_V[1])(0.0)
    assert jnp.isfinite(at_zero)


def test_nothing_given_is_no_shift():
    for shift in (left_shift({}, DIMUON), smeft_shift({"sin2_theta_w": 0.23}, DIMUON, "fixed_s2", S2)):
        np.testing.assert_array_equal(shift.g_V, np.zeros(3))
        np.testing.assert_array_equal(shift.g_A, np.zeros(3))
    assert warsaw_to_left({}, "alpha_mZ_GF", S2) == {}


def test_misnamed_coefficients_are_refused_where_they_are_used():
    with pytest.raises(InputError, match="VnueLL_2211_Im does not exist"):
        left_shift({"VnueLL_2211_Im": 1e-9}, DIMUON)
    with pytest.raises(InputError, match="ll_2211 is redundant; use ll_1122"):
        smeft_shift({"ll_2211": 1e-9}, DIMUON, "fixed_s2", S2)
    with pytest.raises(InputError, match="unknown scheme 'MSbar'; Allowed: alpha_mW_GF, alpha_mZ_GF"):
        smeft_shift({}, DIMUON, "MSbar", S2)
    with pytest.raises(InputError, match="unknown scheme 'MSbar'"):
        warsaw_to_left({}, "MSbar", S2)


@pytest.mark.parametrize("channel", CHANNELS[::5], ids=lambda c: c.name)
def test_current_to_left_and_back(channel):
    """Every row of a shift, complex ones too, from its coefficients again; coefficients from their shift."""
    given = parameters(generic(LEFT_NAMES))
    shift = left_shift(given, channel)
    coefficients = to_left(shift, channel)
    assert set(coefficients) <= set(given)
    for name, value in coefficients.items():
        np.testing.assert_allclose(value, given[name], rtol=1e-12)
    back = left_shift(coefficients, channel)
    for coupling in ("g_V", "g_A"):
        np.testing.assert_allclose(getattr(back, coupling), getattr(shift, coupling), rtol=1e-12, atol=1e-20)
