"""Helicity amplitudes of nu gamma* -> nu l- l+, each part of the current apart, in 2x2 Weyl algebra.

    M = (G_F/sqrt2) (e^2/Q2) j_a L^{a m} H_m,      j_a = ubar(k') g_a (1 - g5) u(k)
    L^{a m} = ubar(p-) [ G^a (q^ - p+^ + m_+)/D_+ g^m + g^m (p-^ - q^ + m_-)/D_- G^a ] v(p+)
    G^a = g^a (g_V - g_A g5),   D_+ = (q - p+)^2 - m_+^2,   D_- = (p- - q)^2 - m_-^2

The Dirac equation removes the masses from the numerators and the Fierz identity turns the neutrino
current into an outer product of two-spinors, so that each chirality of the charged leptons gives

    A^m = (2 p-^m/D_- - 2 p+^m/D_+) a b + a b^m/D_+ - a^m b/D_-                                (1)
    a = u^dag xi,   b = eta^T v,   a^m = u^dag s^m q^ xi,   b^m = eta^T q^ s^m v.

A scalar or pseudoscalar current has G = g_S + i g_P g5 and j = ubar(k') (1 - g5) u(k) instead: the outgoing
neutrino is right-handed (or an antineutrino), so nothing interferes with V and A, and only |j|^2 = 4 K2
remains of the neutrinos. The same steps and the algebra of the Pauli matrices leave, for either chirality
c = +-1 of v, a convection and a magnetic current, each conserved by itself:

    A^m = j [ (2 p-^m/D_- - 2 p+^m/D_+ + q^m d) u^dag v + s B^m.(u^dag sigma v) ]               (2)
    d = 1/D_+ - 1/D_-,   s = 1/D_+ + 1/D_-,   B^t = c q,   B^i.N = c q_t N_i - i (q x N)_i.

S and P do not interfere either: summed over spins, Re S.H (P.H)^* could only be eps(p-, p+, q, H) times a
scalar, whose two contributions, Tr[p-^ p+^ H^ q^ i g5] and Tr[p-^ q^ H^ p+^ i g5], cancel for every real H.

Exact; one neutrino helicity only, hence no average; metric (+,-,-,-). Needs float64.
"""

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from tridentjax._types import Energies, Scalar
from tridentjax.currents import Channel
from tridentjax.process.phase_space import PhaseSpacePoints

STRUCTURES = ("VV", "AA", "VA")
SCALAR_STRUCTURES = ("SS", "PP")
ALL_STRUCTURES = STRUCTURES + SCALAR_STRUCTURES


def leptonic_amplitudes(
    channel: Channel, points: PhaseSpacePoints, components: str = "txy"
) -> Complex[Array, "2 component 2 2 *point"]:
    """A^m = j_a L^{a m} stripped of couplings: axes (V or A, m, spin of l-, spin of l+, point).

    Only the t, x, y components are needed: q_m A^m = 0 with q along z fixes the fourth.
    Spins are quantised along fixed rest-frame axes, which has no singular direction.
    Antineutrinos exchange the spinors of k and k'. Units GeV^0 (spinors carry sqrt(GeV)).
    """
    incoming, outgoing = _left_spinor(points.k), _left_spinor(points.k_prime)
    if channel.antineutrino:
        incoming, outgoing = outgoing, incoming
    q, p_minus, p_plus = points.q, points.p_minus, points.p_plus
    D_minus = -points.Q2 - 2.0 * minkowski(q, p_minus)
    D_plus = -points.Q2 - 2.0 * minkowski(q, p_plus)

    chiral = []
    for sign in (+1.0, -1.0):  # left: s^m = (1, -sigma), q^ = q.(1, sigma); right: the other way round
        if sign > 0:  # (sigmabar_a)_ij (sigmabar^a)_kl = 2 eps_ik eps_jl
            xi, eta = _epsilon(outgoing.conj()), _epsilon(incoming)
        else:  # (sigmabar_a)_ij (sigma^a)_kl = 2 delta_il delta_jk
            xi, eta = incoming, outgoing.conj()
        u_dagger = _massive_spinor(p_minus, channel.mass_minus, -sign).conj()
        v = sign * _massive_spinor(p_plus, channel.mass_plus, -sign)
        q_xi = _slash(q, -sign, xi)
        q_eta = _transposed_slash(q, -sign, eta)
        a, b = _contract(u_dagger, xi), _contract(v, eta)
        rows = []
        for m in components:
            index = "txyz".index(m)
            eikonal = 2.0 * (p_minus[index] / D_minus - p_plus[index] / D_plus)
            a_m = _contract(u_dagger, _pauli(m, -sign, q_xi)) / D_minus[None]
            b_m = _contract(v, _transposed_pauli(m, -sign, q_eta)) / D_plus[None]
            rows.append(a[:, None] * (eikonal[None] * b + b_m)[None] - a_m[:, None] * b[None])  # (1)
        chiral.append(4.0 * jnp.stack(rows))  # 2 from (1 - g5), 2 from the Fierz identity
    left, right = chiral
    return jnp.stack([left + right, left - right])  # G^a = (g_V + g_A) left + (g_V - g_A) right


def scalar_amplitudes(
    channel: Channel, points: PhaseSpacePoints, components: str = "txy"
) -> Complex[Array, "2 component 2 2 *point"]:
    """A^m = j L^m stripped of couplings for G = 1 and G = i g5: axes (S or P, m, spin of l-, spin of l+, point).

    The same for neutrino and antineutrino. The phase of j is left out. Spins and components as in
    `leptonic_amplitudes`.
    """
    q, p_minus, p_plus = points.q, points.p_minus, points.p_plus
    D_minus = -points.Q2 - 2.0 * minkowski(q, p_minus)
    D_plus = -points.Q2 - 2.0 * minkowski(q, p_plus)
    difference, sum_ = 1.0 / D_plus - 1.0 / D_minus, (1.0 / D_plus + 1.0 / D_minus)[None, None]
    convection = 2.0 * (p_minus / D_minus[None] - p_plus / D_plus[None]) + q * difference[None]
    q_t, q_x, q_y, q_z = q[:, None, None]
    chiral = []
    for sign in (-1.0, +1.0):  # v left-handed, then right-handed; u has the other chirality
        u_dagger = _massive_spinor(p_minus, channel.mass_minus, -sign).conj()
        v = -sign * _massive_spinor(p_plus, channel.mass_plus, sign)
        (up_up, up_down), (down_up, down_down) = [[x[:, None] * y[None] for y in v] for x in u_dagger]
        unit, N_z = up_up + down_down, up_up - down_down
        N_x, N_y = up_down + down_up, 1j * (down_up - up_down)
        magnetic = {  # B^m.N
            "t": sign * (q_x * N_x + q_y * N_y + q_z * N_z),
            "x": sign * q_t * N_x - 1j * (q_y * N_z - q_z * N_y),
            "y": sign * q_t * N_y - 1j * (q_z * N_x - q_x * N_z),
            "z": sign * q_t * N_z - 1j * (q_x * N_y - q_y * N_x),
        }
        rows = [convection["txyz".index(m)][None, None] * unit + sum_ * magnetic[m] for m in components]  # (2)
        chiral.append(jnp.stack(rows))
    left, right = chiral
    j = 2.0 * jnp.sqrt(jnp.maximum(points.K2, 1e-300))
    return j[None, None, None, None] * jnp.stack([right + left, 1j * (right - left)])


def photon_density(
    amplitudes: Complex[Array, "2 3 2 2 *point"], structures: tuple[str, ...] = STRUCTURES
) -> Float[Array, "structure 2 *point"]:
    """Spin sums for a transverse (mean of x and y) and a longitudinal (t) photon.

    Axes (structure; polarisation T, L; point). `structures` is `STRUCTURES` for `leptonic_amplitudes`, with
    VA = 2 Re V A^*, and `SCALAR_STRUCTURES` for `scalar_amplitudes`.
    """
    power = [_spin_sum(x, y) for x, y in _structure_pairs(amplitudes, structures)]
    return jnp.stack([jnp.stack([(p[1] + p[2]) / 2.0, p[0]]) for p in power])


def hadronic_weights(
    E_nu: Energies,
    target_mass: Scalar,
    Q2: Float[Array, "*shape"],
    s_hat: Float[Array, "*shape"],
) -> Float[Array, "2 2 *shape"]:
    """Azimuth-averaged hadronic tensor of a photon: axes (RR or Q2g; T or L), GeV^2.

    R = 2P - q and q_m A^m = 0 give, with x = 2 M E/(s_hat + Q2) and kappa the photon momentum,
    <|R.A|^2> = R_perp^2 |A_T|^2 + (R_0 Q2/kappa^2)^2 |A_L|^2,  R_perp^2 = 4 Q2 x (x - 1) - 4 M^2,
    R_0/kappa = 2 x - 1, and -Q2 A.A^* = Q2 (2 |A_T|^2 - (Q2/kappa^2) |A_L|^2).
    R_perp vanishes at the edge of phase space.
    """
    x = 2.0 * target_mass * E_nu / (s_hat + Q2)
    Q2_over_kappa2 = 4.0 * s_hat * Q2 / (s_hat + Q2) ** 2
    R_perp2 = jnp.maximum(4.0 * Q2 * x * (x - 1.0) - 4.0 * target_mass**2, 0.0)
    longitudinal = (2.0 * x - 1.0) ** 2 * Q2 * Q2_over_kappa2
    return jnp.stack([jnp.stack([R_perp2, longitudinal]), jnp.stack([2.0 * Q2, -Q2 * Q2_over_kappa2])])


def hadronic_contraction(
    points: PhaseSpacePoints,
    amplitudes: Complex[Array, "2 3 2 2 *point"],
    E_nu: Energies,
    target_mass: Scalar,
    structures: tuple[str, ...] = STRUCTURES,
) -> Float[Array, "structure 2 *point"]:
    """Spin-summed |R.A|^2 and -Q2 A.A^* at the point's own hadron azimuth: (structure; RR, Q2g; point).

    The event-by-event form of `hadronic_weights`, for cuts and distributions in the laboratory;
    `structures` as in `photon_density`.
    """
    weights = hadronic_weights(E_nu, target_mass, points.Q2, points.s_hat)
    R_perp, azimuth = jnp.sqrt(weights[0, 0]), points.hadron_azimuth
    R = jnp.stack([jnp.sqrt(weights[0, 1]), -R_perp * jnp.cos(azimuth), -R_perp * jnp.sin(azimuth)])
    R_dot_A = (R[None, :, None, None] * amplitudes).sum(1)
    RR = jnp.stack([_spin_sum(x, y) for x, y in _structure_pairs(R_dot_A, structures)])
    metric = (weights[1][None] * photon_density(amplitudes, structures)).sum(1)
    return jnp.stack([RR, metric], axis=1)


def minkowski(p: Float[Array, "4 *point"], r: Float[Array, "4 *point"]) -> Float[Array, "*point"]:
    """Scalar product with metric (+,-,-,-)."""
    return p[0] * r[0] - p[1] * r[1] - p[2] * r[2] - p[3] * r[3]


def _structure_pairs(
    amplitudes: Complex[Array, "2 *shape"], structures: tuple[str, ...]
) -> tuple[tuple[Complex[Array, "*shape"], Complex[Array, "*shape"]], ...]:
    one, other = amplitudes
    squares = (one, one), (other, other)
    return (*squares, (2.0 * one, other)) if structures == STRUCTURES else squares


def _spin_sum(
    x: Complex[Array, "*component 2 2 point"], y: Complex[Array, "*component 2 2 point"]
) -> Float[Array, "*component point"]:
    """Re sum over both spins of x y^*; spins are the two axes before the point."""
    return (x.real * y.real + x.imag * y.imag).sum((-3, -2))


# Two-spinor algebra; axis 0 is the spinor component, s.p = p_t + sign p.sigma
def _left_spinor(p: Float[Array, "4 *point"]) -> Complex[Array, "2 *point"]:
    """sqrt(2E) chi for a massless left-handed fermion: p.sigma chi = -|p| chi."""
    plus = jnp.maximum(p[0] + p[3], 1e-300)
    return jnp.stack([-(p[1] - 1j * p[2]) / jnp.sqrt(plus), jnp.sqrt(plus) + 0j])


def _massive_spinor(p: Float[Array, "4 *point"], mass: float, sign: float) -> Complex[Array, "2 spin *point"]:
    """Columns of sqrt(p_t + sign p.sigma) = (p_t + m + sign p.sigma)/sqrt(2(p_t + m)), one for each spin."""
    t, x, y, z = p[0] + mass, sign * p[1], sign * p[2], sign * p[3]
    first, second = jnp.stack([t + z + 0j, x + 1j * y]), jnp.stack([x - 1j * y, t - z + 0j])
    return jnp.stack([first, second], axis=1) / jnp.sqrt(2.0 * t)[None, None]


def _slash(p: Float[Array, "4 *point"], sign: float, spinor: Complex[Array, "2 *point"]) -> Complex[Array, "2 *point"]:
    t, x, y, z = p[0], sign * p[1], sign * p[2], sign * p[3]
    return jnp.stack([(t + z) * spinor[0] + (x - 1j * y) * spinor[1], (x + 1j * y) * spinor[0] + (t - z) * spinor[1]])


def _transposed_slash(
    p: Float[Array, "4 *point"], sign: float, spinor: Complex[Array, "2 *point"]
) -> Complex[Array, "2 *point"]:
    return _slash(p * jnp.asarray([1.0, 1.0, -1.0, 1.0]).reshape((4,) + (1,) * (p.ndim - 1)), sign, spinor)


def _pauli(m: str, sign: float, s: Complex[Array, "2 *point"]) -> Complex[Array, "2 *point"]:
    """(1, sign sigma)^m applied to a spinor."""
    if m == "t":
        return s
    rows = {"x": (s[1], s[0]), "y": (-1j * s[1], 1j * s[0]), "z": (s[0], -s[1])}[m]
    return sign * jnp.stack(rows)


def _transposed_pauli(m: str, sign: float, s: Complex[Array, "2 *point"]) -> Complex[Array, "2 *point"]:
    return _pauli(m, -sign if m == "y" else sign, s)


def _epsilon(s: Complex[Array, "2 *point"]) -> Complex[Array, "2 *point"]:
    return jnp.stack([s[1], -s[0]])


def _contract(
    columns: Complex[Array, "2 spin *point"], spinor: Complex[Array, "2 *point"]
) -> Complex[Array, "spin *point"]:
    """Sum over the spinor component; keeps the spin axis of `columns`."""
    return columns[0] * spinor[0][None] + columns[1] * spinor[1][None]
