"""Independent cross sections: explicit Dirac spinors in the laboratory, vegas over another phase-space tree.

NumPy only; nothing but the physical constants comes from the package. What differs from `tridentjax`:

* amplitude: 4-spinors (p^ + m) w / sqrt(E + m) in the Dirac representation, laboratory momenta and the bare current
  contraction, no Fierz identity, no frame in which q lies along an axis;
* phase space: nu N -> N' X, X -> l- Y, Y -> nu' l+ instead of X -> nu' (l- l+). Both propagators then depend on
  one polar angle each, measured from q in the rest frame of X and of Y, so that vegas sees separable peaks;
* form factors: a Fourier transform with Simpson's rule, tabulated and interpolated; Kelly's numbers typed in again.

Momenta have the component (t, x, y, z) as first axis and the event as last; the metric is (+,-,-,-).
"""

from collections.abc import Callable
from dataclasses import dataclass

import gvar
import numpy as np
import vegas

from tridentjax.constants import (
    ALPHA_EM,
    G_F,
    GEV2_TO_CM2,
    HBARC,
    LEPTON_MASS,
    MASS_NEUTRON,
    MASS_PROTON,
    MU_NEUTRON,
    MU_PROTON,
)

DIMENSION = 7  # s_hat, Q2, s_Y, angles of l- about q, angles of l+ about q
_CHUNK = 4096  # events at a time: the work arrays stay in the processor's cache


# ---------------------------------------------------------------------------------------------- amplitude
def dot(a, b):
    """Scalar product of four-vectors."""
    return a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3]


def sigma(v, s):
    """v.sigma on a two-spinor."""
    return np.stack([v[2] * s[0] + (v[0] - 1j * v[1]) * s[1], (v[0] + 1j * v[1]) * s[0] - v[2] * s[1]])


def slash(p, s):
    """p^ on a four-spinor, Dirac representation: g^0 = diag(1,1,-1,-1), g^i = ((0, sigma), (-sigma, 0))."""
    up, down = s[:2], s[2:]
    return np.concatenate([p[0] * up - sigma(p[1:], down), sigma(p[1:], up) - p[0] * down])


def gamma5(s):
    """g5 = ((0, 1), (1, 0)) on a four-spinor."""
    return np.concatenate([s[2:], s[:2]])


def bar_product(x, y):
    """xbar y = x^dag g^0 y."""
    return (x[:2].conj() * y[:2]).sum(0) - (x[2:].conj() * y[2:]).sum(0)


def basis(n, like, values):
    """A constant four-spinor for n events in the precision of `like`."""
    return np.asarray(values, np.result_type(like, 1j))[:, None] * np.ones((1, n), like.dtype)


def massive_spinors(p, mass, antiparticle):
    """Two u (or v) spinors with sum u ubar = p^ + m (sum v vbar = p^ - m), axis (component, event) each."""
    found = []
    for s in (0, 1):
        w = basis(p.shape[1], p, np.eye(4)[s + (2 if antiparticle else 0)])
        rotated = mass * w - slash(p, w) if antiparticle else slash(p, w) + mass * w
        found.append(rotated / np.sqrt(p[0] + mass))
    return found


def left_spinor(p):
    """u of a massless left-handed fermion (also v of its antiparticle), u^dag u = 2E."""
    u = slash(p, basis(p.shape[1], p, [0, 1, 0, 1]))  # g5 w = w, hence g5 (p^ w) = -p^ w
    return u * np.sqrt(2 * p[0] / (np.abs(u) ** 2).sum(0))


def unit_vectors(like):
    """e_a with components delta_a^b, so that slash(e_a) = g_a (lower index)."""
    return np.eye(4, dtype=like.dtype)[:, :, None]


def amplitudes(channel, momenta):
    """A^m = j_a L^{a m} (upper index m) without G_F, e and 1/Q2: dict (current, spin, spin) -> (4, event).

    L^{a m} = ubar(p-) [G^a (q^ - p+^ + m_+)/D_+ g^m + g^m (p-^ - q^ + m_-)/D_- G^a] v(p+), with G^a = g^a for the
    current 'V' and -g^a g5 for 'A'. The matrices left of g^m act on ubar through their bar conjugates.
    """
    k, q, k_prime, p_minus, p_plus = momenta
    m_minus, m_plus = channel.mass_minus, channel.mass_plus
    first, last = (k, k_prime) if channel.antineutrino else (k_prime, k)  # vbar(k) ... v(k') for antineutrinos
    e = unit_vectors(k)
    right = left_spinor(last)
    chiral = right - gamma5(right)
    bar = left_spinor(first)
    j = np.stack([bar_product(bar, slash(e[a], chiral)) for a in range(4)])  # lower index
    j = j * np.array([1, -1, -1, -1], k.dtype)[:, None]  # components of j^a, as `slash` expects
    Q2 = -dot(q, q)
    D_minus, D_plus = -Q2 - 2 * dot(q, p_minus), -Q2 - 2 * dot(q, p_plus)

    def g_upper(m, s):
        return slash(e[m], s) * (1 if m == 0 else -1)

    left_of_photon, right_of_photon = [], []
    us = massive_spinors(p_minus, m_minus, antiparticle=False)
    vs = massive_spinors(p_plus, m_plus, antiparticle=True)
    for u in us:
        ju = slash(j.conj(), u)  # bar conjugate of ubar j^; of -ubar j^ g5: + g5 j^* u
        left_of_photon.append(
            {key: (slash(q - p_plus, x) + m_plus * x) / D_plus for key, x in (("V", ju), ("A", gamma5(ju)))}
        )
    for v in vs:
        pair = (("V", slash(j, v)), ("A", -slash(j, gamma5(v))))
        right_of_photon.append({key: (slash(p_minus - q, x) + m_minus * x) / D_minus for key, x in pair})
    g_u = [[g_upper(m, u) for m in range(4)] for u in us]  # ubar g^m = bar of g^m u
    g_v = [[g_upper(m, v) for m in range(4)] for v in vs]
    return {
        (key, i, h): np.stack(
            [
                bar_product(left_of_photon[i][key], g_v[h][m]) + bar_product(g_u[i][m], right_of_photon[h][key])
                for m in range(4)
            ]
        )
        for key in "VA"
        for i in range(2)
        for h in range(2)
    }


def contractions(channel, mass, momenta, metric=True):
    """Spin-summed (|R.A|^2, -Q2 A.A^*) for VV, AA, VA: axes (structure, tensor, event); R = 2P - q."""
    q = momenta[1]
    A = amplitudes(channel, momenta)
    R_lower = np.stack([2 * mass - q[0], q[1], q[2], q[3]])  # P at rest
    g = np.array([1, -1, -1, -1], q.dtype)[:, None]
    zero = np.zeros_like(q[0])
    total = {(key, tensor): zero for key in ("VV", "AA", "VA") for tensor in (0, 1)}
    for i in range(2):
        for h in range(2):
            V, X = A["V", i, h], A["A", i, h]
            RV, RX = (R_lower * V).sum(0), (R_lower * X).sum(0)
            for key, a, b, Ra, Rb, factor in (
                ("VV", V, V, RV, RV, 1),
                ("AA", X, X, RX, RX, 1),
                ("VA", V, X, RV, RX, 2),
            ):
                total[key, 0] = total[key, 0] + factor * (Ra * Rb.conj()).real
                if metric:
                    total[key, 1] = total[key, 1] + factor * dot(q, q) * (g * a * b.conj()).real.sum(0)
    return np.stack([np.stack([total[key, tensor] for tensor in (0, 1)]) for key in ("VV", "AA", "VA")])


# ------------------------------------------------------------------------------------------------ targets
@dataclass(frozen=True)
class Target:
    """Mass, the coefficients of R_m R_n and -Q2 g_mn, and the largest Q2 worth sampling (beyond: nothing)."""

    mass: float
    structure: Callable
    largest_Q2: float = np.inf
    has_metric_tensor: bool = True


def woods_saxon_target(Z, A, mass, r0=1.126, a=0.523):
    """Nucleus with a Woods-Saxon charge density of radius r0 A^(1/3) [fm]; F tabulated in q and interpolated."""
    r = np.linspace(0.0, 25.0, 4_001)
    simpson = np.ones_like(r)
    simpson[1:-1:2], simpson[2:-1:2] = 4.0, 2.0
    charge = simpson * r**2 / (1.0 + np.exp((r - r0 * A ** (1 / 3)) / a))
    largest_Q2 = 3.0  # F^2 has fallen below 1e-10 long before
    table_q = np.linspace(0.0, np.sqrt(largest_Q2), 3_001)
    table_F = np.array([(np.sinc(q * r / HBARC / np.pi) * charge).sum() for q in table_q]) / charge.sum()

    def structure(Q2):
        return (Z * np.interp(np.sqrt(Q2).astype(float), table_q, table_F)) ** 2, 0.0

    return Target(mass, structure, largest_Q2, has_metric_tensor=False)


def nucleon_target(kind, p_fermi=0.0, model="kelly"):
    """A proton or neutron, J. J. Kelly, PRC 70 (2004) 068202 or dipole (0.843 GeV, G_En = 0); Fermi-gas blocking."""
    mass = MASS_PROTON if kind == "proton" else MASS_NEUTRON

    def sachs(Q2):
        tau = Q2 / (4 * mass**2)
        if model == "dipole":
            D = (1 + Q2 / 0.843**2) ** -2.0
            return (D, MU_PROTON * D) if kind == "proton" else (0.0 * D, MU_NEUTRON * D)
        if kind == "proton":
            electric = (1 - 0.24 * tau) / (1 + 10.98 * tau + 12.82 * tau**2 + 21.97 * tau**3)
            magnetic = (1 + 0.12 * tau) / (1 + 10.97 * tau + 18.86 * tau**2 + 6.55 * tau**3)
            return electric, MU_PROTON * magnetic
        electric = 1.70 * tau / (1 + 3.30 * tau) / (1 + Q2 / 0.71) ** 2
        magnetic = (1 + 2.33 * tau) / (1 + 14.72 * tau + 24.20 * tau**2 + 84.1 * tau**3)
        return electric, MU_NEUTRON * magnetic

    def structure(Q2):
        tau = Q2 / (4 * mass**2)
        G_E, G_M = sachs(Q2)
        x = np.sqrt(Q2 * (1 + tau)) / (2 * p_fermi) if p_fermi else np.ones_like(Q2)
        allowed = np.where(x < 1, 1.5 * x - 0.5 * x**3, 1.0)
        return allowed * (G_E**2 + tau * G_M**2) / (1 + tau), allowed * G_M**2

    return Target(mass, structure)


# -------------------------------------------------------------------------------------------- phase space
def boost_from_rest(frame, mass, p):
    """`p`, given in the rest frame of `frame` (of that mass), seen where `frame` is given."""
    energy = (frame[0] * p[0] + (frame[1:] * p[1:]).sum(0)) / mass
    return np.concatenate([energy[None], p[1:] + frame[1:] * ((p[0] + energy) / (frame[0] + mass))])


def boost_to_rest(frame, mass, p):
    """Inverse of `boost_from_rest`."""
    return boost_from_rest(np.concatenate([frame[:1], -frame[1:]]), mass, p)


def largest_s_hat(E, target):
    """Upper edge of s_hat, tightened where `largest_Q2` already limits the photon: 2E(|q| + q0) - Q2."""
    M = target.mass
    s = M * (M + 2 * E)
    edge = (np.sqrt(s) - M) ** 2
    if target.largest_Q2 < M * edge / np.sqrt(s):  # the Q2 at which s_hat reaches its edge
        Q2 = target.largest_Q2
        recoil = Q2 / (2 * M)
        return 2 * E * (np.sqrt(Q2 + recoil**2) - recoil) - Q2
    return edge


def polar(q_energy, Q2, energy, momentum, mass, u):
    """Angle between q and a lepton of given energy: (1 - cos, solid-angle weight d cos / 2 du).

    The propagator is D = Q2 + 2 q.p = b (e + 1 - cos) with b = 2|q||p|; 1 - cos is sampled as du ~ d cos/(e + 1 - cos).
    """
    q2 = q_energy**2 + Q2
    b = 2 * np.sqrt(q2) * momentum
    a = Q2 + 2 * q_energy * energy
    # (a - b) b from (a - b)(a + b); only a sampling density, so a floor against rounding does no harm
    product = 4 * q2 * mass**2 + Q2 * (Q2 + 4 * energy * (q_energy - energy))
    e = np.maximum(product / ((a + b) * np.maximum(b, 1e-300)), 1e-13)
    log_range = np.log1p(2 / e)
    one_minus_cos = np.minimum(e * np.expm1(u * log_range), 2.0)
    return one_minus_cos, (one_minus_cos + e) * log_range / 2


def direction(one_minus_cos, phi, axis, e1, e2):
    """Unit vector at an angle to `axis`, its azimuth counted from e1 towards e2."""
    sine = np.sqrt(np.maximum(one_minus_cos * (2 - one_minus_cos), 0))
    return (1 - one_minus_cos) * axis + sine * (np.cos(phi) * e1 + np.sin(phi) * e2)


def events(channel, target, E, u):
    """Laboratory momenta (k, q, k', p-, p+), Q2 and the weight dPhi_4/du [GeV^4] of points u in the unit cube."""
    M, m_minus, m_plus = target.mass, channel.mass_minus, channel.mass_plus
    s = M * (M + 2 * E)
    n = u.shape[0]
    zero = np.zeros(n, u.dtype)

    # nu N -> N' X: dPhi_2 = dQ2/(16 pi M E), photon in the x-z plane
    low, high = (m_minus + m_plus) ** 2, largest_s_hat(E, target)
    s_hat = low * (high / low) ** u[:, 0]
    weight = s_hat * np.log(high / low) / (2 * np.pi)
    root = np.sqrt(s_hat)
    in_momentum, in_energy = M * E / np.sqrt(s), (s + M**2) / (2 * np.sqrt(s))
    out_energy = (s + M**2 - s_hat) / (2 * np.sqrt(s))
    out_momentum = np.sqrt(np.maximum(out_energy**2 - M**2, 0))
    Q2_high = 2 * (in_energy * out_energy + in_momentum * out_momentum - M**2)
    Q2_low = (M * s_hat) ** 2 / s / Q2_high
    Q2_high = np.clip(target.largest_Q2, Q2_low, Q2_high)
    Q2 = Q2_low * (Q2_high / Q2_low) ** u[:, 1]
    weight = weight * Q2 * np.log(Q2_high / Q2_low) / (16 * np.pi * M * E)
    q0 = -Q2 / (2 * M)
    qz = q0 - (s_hat + Q2) / (2 * E)
    q = np.stack([q0, np.sqrt(np.maximum(Q2 + q0**2 - qz**2, 0)), zero, qz])
    k = np.stack([zero + E, zero, zero, zero + E])
    X = k + q

    # X -> l- Y in the rest frame of X, polar angle about q
    sY_low, sY_high = m_plus**2, (root - m_minus) ** 2
    sY = sY_low + (sY_high - sY_low) * u[:, 2]
    weight = weight * (sY_high - sY_low) / (2 * np.pi)
    mY = np.sqrt(sY)
    q_X = boost_to_rest(X, root, q)
    q_X[0] = (s_hat - Q2) / (2 * root)
    E_minus = (s_hat + m_minus**2 - sY) / (2 * root)
    momentum = np.sqrt(np.maximum((root - mY - m_minus) * (root - mY + m_minus), 0) * ((root + mY) ** 2 - m_minus**2))
    momentum = momentum / (2 * root)
    one_minus_cos, dcos = polar(q_X[0], Q2, E_minus, momentum, m_minus, u[:, 3])
    weight = weight * momentum / (4 * np.pi * root) * dcos
    phi = 2 * np.pi * u[:, 4]
    axis = q_X[1:] / np.sqrt((q_X[1:] ** 2).sum(0))  # in the x-z plane
    in_plane, out = np.stack([axis[2], zero, -axis[0]]), np.stack([zero, zero + 1, zero])
    three = momentum * direction(one_minus_cos, phi, axis, in_plane, out)
    minus_X = np.concatenate([E_minus[None], three])
    Y_X = np.concatenate([(root - E_minus)[None], -three])

    # Y -> nu' l+ in the rest frame of Y, polar angle about q; the normal of (q, p-) is untouched by the boost
    q_Y = boost_to_rest(Y_X, mY, q_X)
    normal = np.cos(phi) * out - np.sin(phi) * in_plane
    axis = q_Y[1:] / np.sqrt((q_Y[1:] ** 2).sum(0))
    E_plus, momentum = (sY + m_plus**2) / (2 * mY), (sY - m_plus**2) / (2 * mY)
    one_minus_cos, dcos = polar(q_Y[0], Q2, E_plus, momentum, m_plus, u[:, 5])
    weight = weight * momentum / (4 * np.pi * mY) * dcos
    three = momentum * direction(one_minus_cos, 2 * np.pi * u[:, 6], axis, np.cross(normal, axis, axis=0), normal)
    plus_X = boost_from_rest(Y_X, mY, np.concatenate([E_plus[None], three]))
    prime_X = boost_from_rest(Y_X, mY, np.concatenate([momentum[None], -three]))
    k_prime, p_minus, p_plus = (boost_from_rest(X, root, p) for p in (prime_X, minus_X, plus_X))
    return (k, q, k_prime, p_minus, p_plus), Q2, weight


# --------------------------------------------------------------------------------------------- integration
def integrand(channel, target, E, u):
    """d(VV + AA, VV, AA, VA)/du [cm^2], shape (event, 4): dsigma = |M|^2 dPhi_4/(4 E M), one neutrino helicity."""
    result = np.empty((u.shape[0], 4), u.dtype)
    for start in range(0, u.shape[0], _CHUNK):
        part = slice(start, start + _CHUNK)
        momenta, Q2, weight = events(channel, target, E, u[part])
        tensors = contractions(channel, target.mass, momenta, metric=target.has_metric_tensor)
        W_RR, W_g = target.structure(Q2)
        coupling = G_F**2 / 2 * (4 * np.pi * ALPHA_EM / Q2) ** 2 / (4 * E * target.mass) * GEV2_TO_CM2
        VV, AA, VA = (tensors[:, 0] * W_RR + tensors[:, 1] * W_g) * (weight * coupling)
        result[part] = np.stack([VV + AA, VV, AA, VA], axis=1)
    return result


@dataclass(frozen=True)
class Process:
    """Lepton masses and the kind of beam, all that the amplitude asks of a channel."""

    mass_minus: float
    mass_plus: float
    antineutrino: bool = False


def process(lepton_minus, lepton_plus, antineutrino=False):
    """`Process` from the names of the leptons."""
    return Process(LEPTON_MASS[lepton_minus], LEPTON_MASS[lepton_plus], antineutrino)


@dataclass(frozen=True)
class VegasResult:
    """(VV + AA, VV, AA, VA) [cm^2] with one-sigma errors, probability of the chi^2 between iterations, evaluations."""

    value: np.ndarray
    error: np.ndarray
    Q: float
    evaluations: int


def vegas_cross_section(channel, target, E, *, neval=110_000, nitn=8, train=8, seed=1):
    """Integrate with vegas: `train` discarded iterations that adapt, then `nitn` with a frozen grid.

    The frozen grid makes iterations independent, so their unweighted mean is unbiased. vegas adapts to the first
    component, VV + AA; `alpha` = 1 (default 0.5) adapts faster, which the separable peaks allow.
    """
    count = 0

    @vegas.lbatchintegrand
    def batch(u):
        nonlocal count
        count += u.shape[0]
        return integrand(channel, target, E, np.asarray(u))

    random = np.random.default_rng(seed)
    integrator = vegas.Integrator([[0.0, 1.0]] * DIMENSION, ran_array_generator=random.random, alpha=1.0)
    integrator(batch, nitn=train, neval=neval // 3)
    result = integrator(batch, nitn=nitn, neval=neval, adapt=False)
    return VegasResult(gvar.mean(result), gvar.sdev(result), float(result.Q), count)
