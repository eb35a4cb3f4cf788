"""Spin sums by traces of explicit 4x4 Dirac matrices: the oracle of the helicity amplitudes."""

import equinox as eqx
import numpy as np
from targets import ARGON, PROTON

from tridentjax.currents import Channel

CASES = [
    (Channel("mu", "mu", "mu"), 9.7, ARGON),
    (Channel("mu", "mu", "mu", antineutrino=True), 3.4, PROTON),
    (Channel("mu", "e", "mu"), 6.1, PROTON),
    (Channel("mu", "mu", "e"), 33.0, ARGON),
    (Channel("e", "mu", "tau", antineutrino=True), 44.0, PROTON),
]
METRIC = np.diag([1.0, -1.0, -1.0, -1.0])
EYE = np.eye(4).astype(np.clongdouble)
_PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
GAMMA = np.zeros((4, 4, 4), np.clongdouble)  # Dirac representation, upper index
GAMMA[0] = np.diag([1, 1, -1, -1])
for i in range(3):
    GAMMA[i + 1, :2, 2:], GAMMA[i + 1, 2:, :2] = _PAULI[i], -_PAULI[i]
GAMMA5 = 1j * GAMMA[0] @ GAMMA[1] @ GAMMA[2] @ GAMMA[3]


def slash(p):
    return np.einsum("a,aij->ij", METRIC @ p, GAMMA)


def bar(matrix):
    return GAMMA[0] @ matrix.conj().T @ GAMMA[0]


def trace_squared(channel, momenta, H, g_V, g_A):
    """Sum over spins of |j_a L^{a m} H_m|^2 for a covariant vector H_m, in extended precision."""
    k, q, k_prime, p_minus, p_plus = momenta
    m_minus, m_plus = channel.mass_minus, channel.mass_plus
    first, last = (k_prime, k) if not channel.antineutrino else (k, k_prime)  # vbar(k) ... v(k')
    weak = [GAMMA[a] @ (EYE - GAMMA5) for a in range(4)]
    dot = lambda a, b: a @ METRIC @ b  # noqa: E731
    photon = np.einsum("m,mij->ij", H, GAMMA)  # H_m g^m
    plus = (slash(q - p_plus) + m_plus * EYE) / (dot(q - p_plus, q - p_plus) - m_plus**2)
    minus = (slash(p_minus - q) + m_minus * EYE) / (dot(p_minus - q, p_minus - q) - m_minus**2)
    vertex = [GAMMA[a] @ (g_V * EYE - g_A * GAMMA5) for a in range(4)]
    line = [vertex[a] @ plus @ photon + photon @ minus @ vertex[a] for a in range(4)]
    neutrino = np.array(
        [[np.trace(slash(first) @ weak[a] @ slash(last) @ bar(weak[b])) for b in range(4)] for a in range(4)]
    )
    lepton = np.array(
        [
            [
                np.trace((slash(p_minus) + m_minus * EYE) @ line[a] @ (slash(p_plus) - m_plus * EYE) @ bar(line[b]))
                for b in range(4)
            ]
            for a in range(4)
        ]
    )
    return np.einsum("ab,ac,bd,cd->", neutrino, METRIC, METRIC, lepton).real


def swapped(points):
    """The same event with the two charged leptons exchanged."""
    return eqx.tree_at(lambda p: (p.p_minus, p.p_plus), points, (points.p_plus, points.p_minus))
