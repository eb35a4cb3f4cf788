"""The full non-linear tree amplitude with complex Wilson coefficients: the oracle of `left` and `smeft`."""

import itertools

import numpy as np

from tridentjax.currents import FLAVOURS, Channel
from tridentjax.theory.left import COMPLEX_NAMES

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
