"""Independent answers for the warped space: explicit towers, diagonalised mass matrices, Bessel propagators.

Nothing here knows the closed forms of `theory.rs.geometry`. Modes come from `theory.rs.kk` (itself tested against the
root equation in mpmath), sums are taken mode by mode and extrapolated in their number.
"""

import numpy as np
from scipy.special import iv, kv

from tridentjax.theory.rs.geometry import WarpedGeometry
from tridentjax.theory.rs.kk import kk_couplings, kk_roots, kk_wave


def geometry_of(L, kappa_UV=0.0, kappa_IR=0.0, k=1.2209e19):
    return WarpedGeometry(k * np.exp(-L), k, kappa_UV, kappa_IR)


class Tower:
    """Roots x_n and wave functions of `count` modes: averages over fermion densities, values on the two branes."""

    def __init__(self, geometry, fermions, count, boundary="++", norm=None):
        self.count = count
        self.roots = kk_roots(geometry, count, boundary)
        ends = np.array([float(geometry.epsilon), 1.0])
        branes = kk_wave(geometry, self.roots, ends, boundary, norm)
        averages = kk_couplings(geometry, self.roots, fermions, boundary, norm)
        self.values = {c: averages[:, i] for i, c in enumerate(fermions)} | {"uv": branes[:, 0], "ir": branes[:, 1]}

    def sum(self, p, q, power=2):
        """sum_n chi_n(p) chi_n(q)/x_n^power over all modes, the tail extrapolated."""
        partial = np.cumsum(self.values[p] * self.values[q] / self.roots**power)
        return extrapolated(lambda n: partial[n - 1], self.count)


def extrapolated(sum_to, N):
    """Limit of sums over n = 1..N, a function of N: Aitken's rule at N, N/2, N/4, exact for a tail N^-p with any p.

    Alternating terms (one end on each brane) are tamed first by the average of the sums to n and n + 1. With roots at
    (n - 1/4) pi its tail is that of an integral from n + 3/4. A cubic puts the three points at exact ratios.
    """

    def at(position):
        last = min(int(position - 0.75) + 3, N)
        numbers = np.arange(last - 4, last + 1)
        sums = np.stack([np.asarray(sum_to(n)) for n in numbers])
        smooth = (sums[1:] + sums[:-1]) / 2.0
        return np.polyfit(numbers[:-1] + 0.75 - position, smooth.reshape(4, -1), 3)[-1].reshape(sums.shape[1:])

    end, half, quarter = (at((N - 0.25) * share) for share in (1.0, 0.5, 0.25))
    second = (end - half) - (half - quarter)
    return end - np.where(second == 0.0, 0.0, (end - half) ** 2 / np.where(second == 0.0, 1.0, second))


class MassMatrices:
    """Truncated mass matrices of the electroweak towers with a Higgs on the IR brane, in units Lambda_IR = g_Z = 1.

    Neutral basis: Z, then W3_n, B_n and, with SU(2)_R, the (-,+) combination Z'_n; charged: W, W_n, W_R,n. The photon
    decouples from the Higgs and is left out. `x` is g_Z^2 v^2/4, `s2` the angle of the zero modes, rho = g_R^2/g_Z^2,
    `T_R3` of (doublet, singlet) or None without SU(2)_R. c: bulk masses of Le, Lmu, Rmu.
    """

    def __init__(self, su2, u1, c, s2, x, T_R3=None, g_R_over_g=1.0, count=160):
        self.s2, self.x, self.count, self.T_R3 = s2, x, count, T_R3
        self.c, self.rho = c, g_R_over_g**2 * (1.0 - s2)
        fermions = list(dict.fromkeys(c.values()))
        self.W, self.B = (Tower(geometry, fermions, count) for geometry in (su2, u1))
        norm = float(u1.L + u1.kappa_UV + u1.kappa_IR)
        self.R = None if T_R3 is None else Tower(u1, fermions, count, "-+", norm)

    def neutral_current(self, T3, Y, T_R3, where, n):
        """Couplings to (Z, W3_n, B_n, Z'_n) of a zero mode or, `where` = "ir", of the Higgs."""
        c, s = np.sqrt(1.0 - self.s2), np.sqrt(self.s2)
        parts = [[T3 - self.s2 * (T3 + Y)], c * T3 * self.W.values[where][:n], s * Y * self.B.values[where][:n]]
        if self.R is not None:
            g = self.rho / np.sqrt(self.rho - self.s2)
            parts.append(g * (T_R3 - self.s2 / self.rho * Y) * self.R.values[where][:n])
        return np.concatenate(parts)

    def charged_current(self, where, n):
        """Couplings to (W, W_n, W_R,n) relative to g; zero modes of leptons do not see W_R, the Higgs does."""
        parts = [[1.0], self.W.values[where][:n]]
        if self.R is not None:
            right = np.sqrt(self.rho / (1.0 - self.s2)) * self.R.values[where][:n]
            parts.append(right if where == "ir" else 0.0 * right)
        return np.concatenate(parts)

    def observables(self, n):
        """(CC_e_mu, CC_mu_mu, NC_L, NC_R, m_Z^2, m_W^2) with n modes a tower; the first four in units of 2/v^2."""
        towers = [self.W, self.B] + ([] if self.R is None else [self.R])
        T_l, T_e = self.T_R3 or (0.0, 0.0)
        Le, Lmu, Rmu = (self.c[name] for name in ("Le", "Lmu", "Rmu"))
        higgs = self.neutral_current(-0.5, 0.5, 0.5, "ir", n)
        masses = np.concatenate([[0.0], *(tower.roots[:n] ** 2 for tower in towers)])
        neutral = np.linalg.eigh(np.diag(masses) + 4.0 * self.x * np.outer(higgs, higgs))
        towers.remove(self.B)
        higgs = self.charged_current("ir", n)
        masses = np.concatenate([[0.0], *(tower.roots[:n] ** 2 for tower in towers)])
        m_W0 = (1.0 - self.s2) * self.x
        charged = np.linalg.eigh(np.diag(masses) + m_W0 * np.outer(higgs, higgs))
        nu = self.neutral_current(0.5, -0.5, T_l, Lmu, n)
        left, right = (
            self.neutral_current(-0.5, -0.5, T_l, Lmu, n),
            self.neutral_current(0.0, -1.0, T_e, Rmu, n),
        )
        e, mu = (self.charged_current(name, n) for name in (Le, Lmu))
        return np.array(
            [
                m_W0 * exchange(charged, e, mu),
                m_W0 * exchange(charged, mu, mu),
                2.0 * self.x * exchange(neutral, nu, left),
                2.0 * self.x * exchange(neutral, nu, right),
                neutral[0][0],
                charged[0][0],
            ]
        )

    def limit(self):
        """`observables` for infinitely many modes."""
        return extrapolated(self.observables, self.count)


def brane_mass_exchange(tower, M, brane, Q, ends):
    """P(p, q; Q), all pairs, of a bulk U(1) with the mass term M chi_m chi_n on a brane: mass matrix diagonalised."""

    def truncated(n):
        one = {end: np.concatenate([[1.0], tower.values[end][:n]]) for end in (brane, *ends)}
        squares = np.concatenate([[0.0], tower.roots[:n] ** 2])
        values, vectors = np.linalg.eigh(np.diag(squares) + M * np.outer(one[brane], one[brane]))
        rotated = np.stack([one[end] @ vectors for end in ends])
        return (rotated / (values + Q)) @ rotated.T

    return extrapolated(truncated, tower.count)


def exchange(system, p, q):
    """p (M^2)^-1 q from eigenvalues and eigenvectors."""
    values, vectors = system
    return (p @ vectors) @ ((q @ vectors) / values)


def bessel_exchange(L, kappa_UV, kappa_IR, M, brane, Q, ends):
    """P(p, q; Q) for all pairs of `ends` (bulk masses, "uv" or "ir"), from the Green's function in Bessel functions.

    Q = K2/Lambda_IR^2, M = (m0/Lambda_IR)^2 the mass on `brane`. Returns a matrix. P(t, t') = Lhat u(t_<) U(t_>)/W
    with u, U = t [a I1(Qh t) + b K1(Qh t)], Qh^2 = Q, fulfilling u'/t = (kappa_UV Q + mu_UV^2) u at the UV brane,
    U' = -(kappa_IR Q + mu_IR^2) U at the IR brane, mu^2 = Lhat M; averaged over densities by panels in ln t.
    """
    waves = _boundary_waves(L, kappa_UV, kappa_IR, M, brane, Q)
    s, weights, below = _panels(L)
    lower, upper = waves(np.exp(s))
    (low_UV, low_IR), (high_UV, high_IR) = waves(np.array([np.exp(-L), 1.0]))
    values = {"uv": (low_UV, high_UV), "ir": (low_IR, high_IR)}

    def density(c):
        raw = np.exp((1.0 - 2.0 * c) * s - np.max((1.0 - 2.0 * c) * s))
        return raw / (weights @ raw)

    for c in (end for end in ends if not isinstance(end, str)):
        values[c] = (weights @ (density(c) * lower), weights @ (density(c) * upper))

    def pair(p, q):
        if "uv" in (p, q):
            return low_UV * values[q if p == "uv" else p][1]
        if "ir" in (p, q):
            return high_IR * values[q if p == "ir" else p][0]
        w, v = density(p), density(q)
        return weights @ (w * upper * below(v * lower) + v * upper * below(w * lower))

    return np.array([[pair(p, q) for q in ends] for p in ends])


def _boundary_waves(L, kappa_UV, kappa_IR, M, brane, Q):
    """t -> (sqrt(Lhat/W) u, sqrt(Lhat/W) U), each scaled so that it neither over- nor underflows."""
    Qh, eps, volume = np.sqrt(Q), np.exp(-L), L + kappa_UV + kappa_IR
    at_UV = kappa_UV * Q + volume * M * (brane == "uv")
    at_IR = kappa_IR * Q + volume * M * (brane == "ir")
    z = Qh * eps
    a, b = Qh * kv(0, z) + at_UV * eps * kv(1, z), Qh * iv(0, z) - at_UV * eps * iv(1, z)
    A, B = Qh * kv(0, Qh) - at_IR * kv(1, Qh), Qh * iv(0, Qh) + at_IR * iv(1, Qh)
    wronskian = a * B - A * b  # (u' U - u U')/t, from I0 K1 + I1 K0 = 1/z

    def waves(t):
        i, k = t * iv(1, Qh * t), t * kv(1, Qh * t)
        return a * i + b * k, volume / wronskian * (A * i + B * k)

    return waves


def _panels(L, order=16):
    """Nodes s = ln t, weights, and the integral from the UV end to each node, on panels of half an e-fold."""
    node, weight = np.polynomial.legendre.leggauss(order)
    panels = int(np.ceil(2.0 * L))
    half = L / panels / 2.0
    s = -L + half * (2.0 * np.arange(panels)[:, None] + 1.0 + node[None])
    legendre = np.polynomial.legendre
    integrals = np.stack([legendre.legint(unit, lbnd=-1) for unit in np.eye(order)], axis=1)
    within = half * legendre.legvander(node, order) @ integrals @ np.linalg.inv(legendre.legvander(node, order - 1))

    def below(f):
        blocks = f.reshape(panels, order)
        before = np.cumsum(blocks @ weight * half) - blocks @ weight * half
        return (before[:, None] + blocks @ within.T).ravel()

    return s.ravel(), np.tile(weight * half, panels), below
