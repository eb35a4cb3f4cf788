"""LEFT and SMEFT currents: against the full non-linear tree amplitude with complex tensors, and closed formulas."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tridentjax.constants import G_F
from tridentjax.currents import FLAVOURS, Channel, quadratic_couplings, standard_model_current
from tridentjax.faults import InputError
from tridentjax.theory.left import COMPLEX_NAMES, LEFT_NAMES, WARSAW_NAMES, left_shift, to_left
from tridentjax.theory.smeft import SCHEMES, smeft_shift, warsaw_to_left

V2 = 1 / (np.sqrt(2) * 1.1663788e-5)  # GeV^2; written again so that a changed constant is noticed
S2 = 0.2357
DIMUON = Channel("mu", "mu", "mu")
CHANNELS = [Channel(a, i, j, anti) for a, i, j in itertools.product(FLAVOURS, repeat=3) for anti in (False, True)]
RNG = np.random.default_rng(20261122)


def generic(names, size=1e-7):
    """Complex value for every name, real for the hermitian ones."""
    return {n: size * (RNG.normal() + (1j * RNG.normal() if n in COMPLEX_NAMES else 0.0)) for n in names}


def parameters(values):
    real = {name: float(np.real(value)) for name, value in values.items()}
    return real | {f"{name}_Im": float(np.imag(v)) for name, v in values.items() if name in COMPLEX_NAMES}


def tensor(values, family):
    """sum over names of C O + h.c. as a full array: every place that an operator fills, found by brute force."""
    rank = {"phil1": 2, "phil3": 2, "phie": 2}.get(family, 4)
    full = np.zeros((3,) * rank, complex)
    for name, value in values.items():
        if name.split("_")[0] != family:
            continue
        index = tuple(int(x) - 1 for x in name.split("_")[1])
        operator, conjugate = np.zeros_like(full), np.zeros_like(full)
        swapped = [index] if family != "ll" else [index, index[2:] + index[:2]]
        for place in swapped:  # nu nu e e and e e nu nu halves of the product of two doublet currents
            operator[place] += 1
            conjugate[tuple(x for pair in zip(place[1::2], place[::2], strict=True) for x in pair)] += 1
        full += value * operator + (0 if np.array_equal(operator, conjugate) else np.conj(value) * conjugate)
    return full


def tree_amplitude(values, s2_effective):
    """(g_L, g_R) of every element prst to all orders in the vertices, as complex tensors; C in units of 1/v^2."""
    one = np.eye(3)
    c1, c3, ce = (tensor(values, family) for family in ("phil1", "phil3", "phie"))
    fermi = (values["phil3_11"] + values["phil3_22"] - values["ll_1221"] / 2).real
    strength = (1 - values["phiD"] / 2) / (1 + fermi)
    neutrino = one / 2 - (c1 - c3) / 2
    left, right = one * (s2_effective - 0.5) - (c1 + c3) / 2, one * s2_effective - ce / 2
    charged = np.einsum("pt,sr->prst", one + c3, one + c3) / (1 + fermi)
    g_L = charged + 2 * strength * np.einsum("pr,st->prst", neutrino, left) - tensor(values, "ll") / 2
    return g_L, 2 * strength * np.einsum("pr,st->prst", neutrino, right) - tensor(values, "le") / 2


def angle_shift(values, scheme, s2):
    """What the input scheme adds to s2, as printed in rs_matching.md section 5, with phiWB."""
    c2, D, WB = 1 - s2, values["phiD"], values["phiWB"] * np.sqrt(s2 * (1 - s2))
    fermi = (values["phil3_11"] + values["phil3_22"] - values["ll_1221"] / 2).real
    return {
        "alpha_mZ_GF": (s2 * c2 * (fermi + D / 2) + WB) / (c2 - s2),
        "alpha_mW_GF": s2 * fermi + WB,
        "mW_mZ_GF": -c2 * D / 2 - WB,
        "fixed_s2": 0.0,
    }[scheme]


def linear(values, scheme, s2, step=1e-4):
    """First order of `tree_amplitude` in all coefficients, by central differences."""
    up, down = ({n: sign * step * v for n, v in values.items()} for sign in (1, -1))
    pairs = [tree_amplitude(x, s2 + angle_shift(x, scheme, s2)) for x in (up, down)]
    return [(a - b) / (2 * step) for a, b in zip(*pairs, strict=True)]


def element(full, channel, b):
    a, i, j = (FLAVOURS.index(x) for x in (channel.neutrino, channel.lepton_minus, channel.lepton_plus))
    return full[a, b, i, j] if channel.antineutrino else full[b, a, i, j]


def as_complex(current, channel):
    """g_L and g_R of each outgoing neutrino as complex numbers."""
    rows = [np.asarray(x) for x in ((current.g_V + current.g_A) / 2, (current.g_V - current.g_A) / 2)]
    return [row[:3] + (1j * row[3:] if len(row) == 6 else 0.0) for row in rows]


def assert_matches(current, channel, g_L, g_R):
    for ours, full in zip(as_complex(current, channel), (g_L, g_R), strict=True):
        expected = [element(full, channel, b) for b in range(3)]
        np.testing.assert_allclose(ours, expected, rtol=1e-7, atol=1e-9 * np.abs(full).max(), err_msg=channel.name)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_channel_is_the_first_order_of_the_tree_amplitude(scheme):
    values = generic(WARSAW_NAMES)
    g_L, g_R = linear({n: v * V2 for n, v in values.items()}, scheme, S2)
    for channel in CHANNELS:
        assert_matches(smeft_shift(parameters(values), channel, scheme, S2), channel, g_L, g_R)


def test_every_channel_of_left():
    values = generic(LEFT_NAMES)
    g_L, g_R = (-V2 / 2 * tensor(values, family) for family in ("VnueLL", "VnueLR"))
    for channel in CHANNELS:
        assert_matches(left_shift(parameters(values), channel), channel, g_L, g_R)


def dimuon_formula(C, scheme, s2):
    """(delta g_V, delta g_A) of nu_mu -> nu_mu mu mu, rs_matching.md section 5, term by term; C in units of 1/v^2."""
    dGF = C["phil3_11"] + C["phil3_22"] - C["ll_1221"] / 2
    dg_nu, dg_muL = -(C["phil1_22"] - C["phil3_22"]) / 2, -(C["phil1_22"] + C["phil3_22"]) / 2
    ds2 = angle_shift(C | {"phiWB": 0.0}, scheme, s2)
    dg_L = 2 * C["phil3_22"] - dGF + (0.5 - s2) * (C["phiD"] / 2 + dGF)
    dg_L += 2 * (s2 - 0.5) * dg_nu + dg_muL + ds2 - C["ll_2222"]
    dg_R = -s2 * (C["phiD"] / 2 + dGF) + 2 * s2 * dg_nu - C["phie_22"] / 2 + ds2 - C["le_2222"] / 2
    return dg_L + dg_R, dg_L - dg_R


@pytest.mark.parametrize("scheme", SCHEMES)
def test_dimuon_formula_for_every_single_coefficient(scheme):
    used = ["phil1_22", "phil3_11", "phil3_22", "phie_22", "phiD", "ll_1221", "ll_2222", "le_2222"]
    for name in WARSAW_NAMES:
        if name == "phiWB":
            continue
        value = np.float64(RNG.normal())
        g_V, g_A = dimuon_formula(dict.fromkeys(used, np.float64(0.0)) | {name: value}, scheme, S2)
        shift = smeft_shift({name: float(value / V2)}, DIMUON, scheme, S2)
        np.testing.assert_allclose([shift.g_V[1], shift.g_A[1]], [g_V, g_A], rtol=1e-12, atol=1e-15, err_msg=name)


def test_published_point_of_the_warped_space():
    """P1 (minimal, UV leptons, 3 TeV) of rs_matching.md section 7.4: v^2 C in, shifts out, to the digits printed."""
    C = {
        "phil1_11": -3.111954e-4,
        "phil1_22": -3.111954e-4,
        "phil3_11": 1.034689e-3,
        "phil3_22": 1.034689e-3,
        "phie_22": -6.223907e-4,
        "phiD": -4.588138e-2,
        "ll_2222": -1.877306e-5,
        "ll_1122": 2.018329e-5,
        "ll_1221": -5.772941e-5,
        "le_2222": -1.736283e-5,
    }
    values = {name: value / V2 for name, value in C.items()}
    for scheme, expected in {"alpha_mZ_GF": -1.466948e-2, "fixed_s2": -8.853553e-4}.items():
        shift = smeft_shift(values, DIMUON, scheme, 0.23122)
        np.testing.assert_allclose(shift.g_V[1], expected, rtol=3e-6)
        np.testing.assert_allclose(shift.g_A[1], -1.178588e-2, rtol=3e-6)


def test_input_scheme_only_shifts_the_vector_coupling_of_equal_leptons():
    values = parameters(generic(WARSAW_NAMES))
    for channel in CHANNELS:
        shifts = [smeft_shift(values, channel, scheme, S2) for scheme in SCHEMES]
        for shift in shifts[1:]:
            np.testing.assert_allclose(shift.g_A, shifts[0].g_A, rtol=1e-10, atol=1e-16)
        moved = np.abs(np.asarray(shifts[0].g_V - shifts[3].g_V)) > 1e-12
        allowed = channel.lepton_minus == channel.lepton_plus
        assert list(moved[:3]) == [allowed and flavour == channel.neutrino for flavour in FLAVOURS]


def lagrangian(C, g1, g2):
    """(e^2, m_W^2, m_Z^2, Fermi constant times sqrt2, effective angle) at v_T = 1: tree level, phiD, phiWB, dG_F."""
    mass = np.array([[g2**2, -g1 * g2], [-g1 * g2, g1**2]]) / 4 * (1 + C["phiD"] / 2)
    kinetic = np.array([[1.0, C["phiWB"]], [C["phiWB"], 1.0]])
    kinetic_root = np.linalg.inv(np.linalg.cholesky(kinetic))
    squares, vectors = np.linalg.eigh(kinetic_root @ mass @ kinetic_root.T)
    photon, z = (kinetic_root.T @ vectors).T  # contents in (W3, B)
    charge = g2 * photon[0]  # coupling to T3, and to Y: e both
    t3, hypercharge = g2 * z[0], g1 * z[1]  # t3 T3 + hypercharge (Q - T3) = g_Z (T3 - s2 Q)
    fermi = 1 + (C["phil3_11"] + C["phil3_22"] - C["ll_1221"] / 2)
    return charge**2, g2**2 / 4, squares[1], fermi, -hypercharge / (t3 - hypercharge)


def test_all_input_schemes_describe_the_same_physics():
    """The angle from the inputs of each scheme plus its shift is the effective angle, up to C squared."""
    size = 1e-5
    names = ("phiD", "phiWB", "phil3_11", "phil3_22", "ll_1221")
    C = dict(zip(names, size * np.array([-2.3, 0.7, 0.4, 0.9, -1.6]), strict=True))
    e2, mW2, mZ2, fermi, effective = lagrangian(C, 0.3571, 0.6519)
    product_of_cosine_and_sine = e2 / (4 * fermi * mZ2)
    angles = {
        "alpha_mZ_GF": (1 - np.sqrt(1 - 4 * product_of_cosine_and_sine)) / 2,
        "alpha_mW_GF": e2 / (4 * fermi * mW2),
        "mW_mZ_GF": 1 - mW2 / mZ2,
        "fixed_s2": effective,
    }
    values = {name: float(value / V2) for name, value in C.items()}
    total = []
    for scheme, s2 in angles.items():
        shift, current = smeft_shift(values, DIMUON, scheme, float(s2)), standard_model_current(DIMUON, float(s2))
        total.append([shift.g_V[1] + current.g_V[0], shift.g_A[1] + current.g_A[0]])
    assert np.diff(sorted(angles.values())).min() > 0.05 * size  # the four angles do differ, and by far more than C^2
    np.testing.assert_allclose(total[:3], [total[3]] * 3, rtol=0, atol=5 * size**2)


def test_matching_to_left_and_then_to_the_current():
    values = parameters(generic(WARSAW_NAMES))
    matched = warsaw_to_left(values, "mW_mZ_GF", S2)
    real = {"VnueLL_1221", "VnueLL_1331", "VnueLL_2332"}  # complex in LEFT, but only hermitian operators reach them
    assert set(matched) == set(LEFT_NAMES) | {f"{name}_Im" for name in LEFT_NAMES if name in COMPLEX_NAMES - real}
    for channel in CHANNELS:
        one, two = left_shift(matched, channel), smeft_shift(values, channel, "mW_mZ_GF", S2)
        np.testing.assert_allclose(one.g_V, two.g_V, rtol=1e-12, atol=1e-18)
        np.testing.assert_allclose(one.g_A, two.g_A, rtol=1e-12, atol=1e-18)
    assert set(warsaw_to_left({"ll_1122": 1e-9, "phiWB": 1e-9}, "fixed_s2", S2)) == {"VnueLL_1122", "VnueLL_2211"}


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
