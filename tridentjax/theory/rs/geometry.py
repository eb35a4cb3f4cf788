"""Warped interval: fermion profiles and the Kaluza-Klein gauge sums that they see, in closed form.

    ds^2 = (k z)^-2 (eta_mn dx^m dx^n - dz^2),  t = z Lambda_IR = e^-y in [epsilon, 1],  x_n = m_n/Lambda_IR

Gauge action with brane kinetic terms kappa (times 1/k), modes normalised to int dt/t chi^2 + kappa_UV chi^2(epsilon)
+ kappa_IR chi^2(1) = Lhat, hence chi_0 = 1 and 1/g^2 = Lhat/(g5^2 k). Zero mode of a fermion of bulk mass c:
density t^(a-1) on [epsilon, 1], a = 1 - 2c; c > 1/2 is UV-localised, for doublets and singlets alike.

    S(y)      share of the density at t > e^-y = y phi(a y)/(L phi(a L)),  phi(x) = (1 - e^-x)/x      (1)
    B         <t^2> = phi((a+2) L)/phi(a L),   <t^2 ln t> = L phi'((a+2) L)/phi(a L)                   (2)
    D         <min(t, t')^2> = epsilon^2 + int_0^L 2 e^-2y S S' dy                                     (3)
    G         sum_(n>=1) chi chi'/x_n^2 = (Lhat D + A + A' + C0)/2,  A = <t^2 ln t> - (1/2 + kappa_IR) B  (4)
    Theta     G(p,q) - G(p,1) - G(q,1) + G(1,1) = Lhat (1 - B - B' + D)/2                              (5)
    G^-+      the same sum for a (-,+) field = N (D - epsilon^2)/2                                     (6)

(4) solves -d_t (t^-1 d_t G) = Lhat delta(t - t') - 1/t, G'(1) = -kappa_IR, G'(epsilon) = epsilon kappa_UV, orthogonal
to the zero mode; without brane terms it is Casagrande et al., 0807.4937, Eq. (34).
A brane is a density too, concentrated at its t: one formula serves fermion-fermion, fermion-brane, brane-brane.

Every function is smooth in every parameter (c = 1/2, c + c' = 2, c = 3/2, kappa = 0 included) and needs float64.
Outside Lambda_IR < k, kappa_IR >= 0, Lhat > 0 (ghosts) the sums are NaN, never a number.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.constants import PLANCK_MASS
from tridentjax.quadrature import gauss_legendre


def _polished_rule(count: int) -> tuple[Float[np.ndarray, " node"], Float[np.ndarray, " node"]]:
    """Gauss-Legendre rule on [0, 1] with end nodes and weights good to 5e-14 relative.

    The library's rule has 1e-11 there, and e^-2y lives at the end of a long interval. One Newton step for the
    nodes; the weight 2 (1 - x^2)/[(1 - x^2) P']^2 does not feel an error of x in the bracket.
    """
    x = 2.0 * gauss_legendre(count)[0] - 1.0
    before, P = np.ones_like(x), x
    for n in range(2, count + 1):
        before, P = P, ((2 * n - 1) * x * P - (n - 1) * before) / n
    slope = count * (before - x * P)  # (1 - x^2) P'(x)
    step = -P * (1.0 - x**2) / slope
    return (1.0 + x + step) / 2.0, (1.0 - x**2 - 2.0 * x * step) / slope**2


_UNIT_NODES, _UNIT_WEIGHTS = _polished_rule(128)
# ln(sinh u/u) = sum_n coefficient_n u^(2n): 2^(2n) B_2n/(2n (2n)!)
_LOG_SINHC = (
    1 / 6,
    -1 / 180,
    1 / 2835,
    -1 / 37800,
    1 / 467775,
    -691 / 3831077250,
    2 / 127702575,
    -3617 / 2605132530000,
    43867 / 350813659321125,
)


def _number(x: Scalar) -> Float[Array, ""]:
    return jnp.asarray(x, dtype=float)


class WarpedGeometry(eqx.Module):
    """Warped interval and the brane kinetic terms of one gauge group.

    Lambda_IR [GeV] is k e^(-pi k r_c), the warped curvature scale (the first Kaluza-Klein mass is 2.45 Lambda_IR
    without brane terms); k [GeV] the curvature; kappa_UV, kappa_IR the brane kinetic terms times k.
    """

    Lambda_IR: Float[Array, ""] = eqx.field(converter=_number)
    k: Float[Array, ""] = eqx.field(converter=_number, default=PLANCK_MASS)
    kappa_UV: Float[Array, ""] = eqx.field(converter=_number, default=0.0)
    kappa_IR: Float[Array, ""] = eqx.field(converter=_number, default=0.0)

    @property
    def L(self) -> Float[Array, ""]:
        """ln(k/Lambda_IR), the proper length times k."""
        return jnp.log(self.k / self.Lambda_IR)

    @property
    def epsilon(self) -> Float[Array, ""]:
        """Lambda_IR/k, the position t of the UV brane."""
        return self.Lambda_IR / self.k

    @property
    def volume(self) -> Float[Array, ""]:
        """Lhat = L + kappa_UV + kappa_IR; NaN where the geometry is not allowed, see the module's text."""
        volume = self.L + self.kappa_UV + self.kappa_IR
        return jnp.where((self.L > 0) & (volume > 0) & (self.kappa_IR >= 0), volume, jnp.nan)


class Profile(eqx.Module):
    """Normalised density on t in [epsilon, 1], known through its moments and its distribution.

    B = <t^2>, t2_log = <t^2 ln t>; S and m at the 128 Gauss-Legendre nodes of y in [0, L]: the share of the
    density at t > e^-y, and <min(t, e^-y)^2>. A leading axis is several densities; sums between two profiles then
    have the axes of both (`stack` for many at once: one matrix product instead of a quadrature a pair).
    """

    B: Float[Array, "*many"]
    t2_log: Float[Array, "*many"]
    S: Float[Array, "*many node"]
    m: Float[Array, "*many node"]


def stack(*profiles: Profile) -> Profile:
    """Several densities as one profile with a leading axis."""
    return jax.tree.map(lambda *fields: jnp.stack(fields), *profiles)


def fermions(geometry: WarpedGeometry, c: Float[Array, " lepton"]) -> Profile:
    """`fermion` for several bulk masses, with a leading axis."""
    return jax.vmap(lambda c: fermion(geometry, c))(c)


def nodes(geometry: WarpedGeometry) -> tuple[Float[Array, " node"], Float[Array, " node"]]:
    """Gauss-Legendre nodes and weights for the integral over y = -ln t in [0, L]."""
    return geometry.L * _UNIT_NODES, geometry.L * _UNIT_WEIGHTS


def zero_mode_density(geometry: WarpedGeometry, c: Scalar, t: Float[Array, " point"]) -> Float[Array, " point"]:
    """Density of the zero mode in dt, t^(a-1)/int t^(a-1) dt with a = 1 - 2c, at t in [epsilon, 1]."""
    a = 1.0 - 2.0 * _number(c)
    return jnp.exp((a - 1.0) * jnp.log(t) - log_phi(a * geometry.L) - jnp.log(geometry.L))


def fermion(geometry: WarpedGeometry, c: Scalar) -> Profile:
    """Profile of the zero mode of a fermion with bulk mass c, Eqs. (1) and (2).

    Ratios of phi are formed without its large factors: c from -10 to 10 neither overflows nor loses digits.
    """
    L, a = geometry.L, 1.0 - 2.0 * _number(c)
    y, _ = nodes(geometry)
    norm = log_phi(a * L)
    S = _distribution(a, L, y)  # (1)
    B = jnp.exp(log_phi((a + 2.0) * L) - norm)  # (2)
    closer_to_UV = (1.0 - _UNIT_NODES) * jnp.exp(log_phi((a + 2.0) * (L - y)) - (a + 2.0) * y - norm)
    return Profile(B, L * B * _log_phi_slope((a + 2.0) * L), S, jnp.exp(-2.0 * y) * S + closer_to_UV)


def ir_brane(geometry: WarpedGeometry) -> Profile:
    """The density that sits at t = 1."""
    y, _ = nodes(geometry)
    return Profile(jnp.ones_like(geometry.L), jnp.zeros_like(geometry.L), jnp.ones_like(y), jnp.exp(-2.0 * y))


def uv_brane(geometry: WarpedGeometry) -> Profile:
    """The density that sits at t = epsilon."""
    y, _ = nodes(geometry)
    epsilon2 = geometry.epsilon**2
    return Profile(epsilon2, -epsilon2 * geometry.L, jnp.zeros_like(y), epsilon2 * jnp.ones_like(y))


def overlap(geometry: WarpedGeometry, p: Profile, q: Profile) -> Float[Array, "*pq"]:
    """D - epsilon^2 = <min(t, t')^2> - epsilon^2, Eq. (3), without the cancellation."""
    y, weights = nodes(geometry)
    return jnp.tensordot(p.S * _each(2.0 * weights * jnp.exp(-2.0 * y), p), q.S, axes=(-1, -1))


def with_branes(geometry: WarpedGeometry, leptons: Profile) -> tuple[Profile, Float[Array, "all all"]]:
    """Leptons, IR and UV brane as one profile, and `overlap` between all of them.

    Only pairs of leptons need a quadrature: D(p, 1) = B and D(p, epsilon) = epsilon^2.
    """
    branes = stack(ir_brane(geometry), uv_brane(geometry))
    every = jax.tree.map(lambda x, y: jnp.concatenate([x, y]), leptons, branes)
    on_IR = every.B[:-1] - geometry.epsilon**2  # of the leptons and of the IR brane itself
    pairs = jnp.concatenate([overlap(geometry, leptons, leptons), on_IR[None, :-1]])
    return every, jnp.pad(jnp.concatenate([pairs, on_IR[:, None]], axis=1), ((0, 1), (0, 1)))


def tower_sum(geometry: WarpedGeometry, p: Profile, q: Profile) -> Float[Array, "*pq"]:
    """G(p, q), the sum over the (+,+) tower of chi_n chi_n'/x_n^2 without the zero mode, Eq. (4).

    Multiplies g^2/Lambda_IR^2 in the exchange at zero momentum. int (dt/t + brane terms) G = 0 fixes C0 exactly.
    """
    return tower_of(geometry, overlap(geometry, p, q), p, q)


def tower_of(geometry: WarpedGeometry, excess: Float[Array, "*pq"], p: Profile, q: Profile) -> Float[Array, "*pq"]:
    """`tower_sum` where the `overlap` is known: brane terms change everything but that."""
    D = excess + geometry.epsilon**2
    averages = jnp.add.outer(_average(geometry, p), _average(geometry, q))
    return 0.5 * (geometry.volume * D + averages + _constant(geometry))  # (4)


def subtracted_sum(geometry: WarpedGeometry, p: Profile, q: Profile) -> Float[Array, "*pq"]:
    """Theta(p, q) = G(p, q) - G(p, 1) - G(q, 1) + G(1, 1), Eq. (5): what an IR-brane mass leaves of the tower."""
    D = overlap(geometry, p, q) + geometry.epsilon**2
    return 0.5 * geometry.volume * (1.0 - jnp.add.outer(p.B, q.B) + D)  # (5)


def minus_plus_sum(geometry: WarpedGeometry, p: Profile, q: Profile, norm: Scalar | None = None) -> Float[Array, "*pq"]:
    """G^-+(p, q), the sum over a (-,+) tower (no zero mode), Eq. (6); an IR brane term does not change it.

    `norm` is N in g_R^2 N = g5R^2 k, where g_R is the coupling that multiplies the sum; default: Lhat.
    """
    return 0.5 * (geometry.volume if norm is None else norm) * overlap(geometry, p, q)  # (6)


def second_moment(geometry: WarpedGeometry, p: Profile, q: Profile) -> Float[Array, "*pq"]:
    """sum_(n>=1) chi_n chi_n'/x_n^4, the slope of the (+,+) tower in (momentum/Lambda_IR)^2.

    (1/Lhat) [int dt/t G(p,t) G(t,q) + kappa_UV G(p,epsilon) G(epsilon,q) + kappa_IR G(p,1) G(1,q)]: the modes
    are complete in the measure that normalises them.
    """
    y, weights = nodes(geometry)
    h = jnp.exp(-2.0 * y) * (-y - 0.5 - geometry.kappa_IR) + _constant(geometry)

    def at_nodes(profile: Profile) -> Float[Array, "*many node"]:
        own = geometry.volume * profile.m + _average(geometry, profile)[..., None]
        return 0.5 * (own + _each(h, profile))

    def at_brane(brane: Profile) -> Float[Array, "*pq"]:
        return jnp.multiply.outer(tower_sum(geometry, p, brane), tower_sum(geometry, q, brane))

    bulk = jnp.tensordot(at_nodes(p) * _each(weights, p), at_nodes(q), axes=(-1, -1))
    branes = geometry.kappa_UV * at_brane(uv_brane(geometry)) + geometry.kappa_IR * at_brane(ir_brane(geometry))
    return (bulk + branes) / geometry.volume


def _each(values: Float[Array, " node"], profile: Profile) -> Float[Array, "*many node"]:
    """Values at the nodes, with axes of size one for those of a profile."""
    return values.reshape((1,) * jnp.ndim(profile.B) + (-1,))


def log_phi(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """ln[(1 - e^-x)/x] = -x/2 + ln[sinh(x/2)/(x/2)], entire in x, for any real x.

    Below |x| = 1 the even part is its power series; the closed form sees a harmless x there, so that
    no derivative meets 0/0.
    """
    small = jnp.abs(x) < 1.0
    series = _small_log_phi(jnp.where(small, x, 0.0))
    safe = jnp.where(small, 1.0, x)
    size = jnp.abs(safe)
    return jnp.where(small, series, jnp.maximum(-safe, 0.0) + jnp.log(-jnp.expm1(-size) / size))


def _distribution(a: Float[Array, ""], L: Float[Array, ""], y: Float[Array, " node"]) -> Float[Array, " node"]:
    """S of Eq. (1), half the cost of the logarithms at each node: (1 - e^-ay)/(1 - e^-aL) unless a is small."""
    small = jnp.abs(a * L) < 1.0
    safe = jnp.where(small, 1.0 / L, a)
    size = jnp.abs(safe)
    # a < 0: both exponentials grow; e^(|a| (y - L)) is what is left of them
    closed = jnp.exp(jnp.minimum(safe, 0.0) * (L - y)) * jnp.expm1(-size * y) / jnp.expm1(-size * L)
    x, x_L = (jnp.where(small, a, 0.0) * length for length in (y, L))
    return jnp.where(small, _UNIT_NODES * jnp.exp(_small_log_phi(x) - _small_log_phi(x_L)), closed)


def _small_log_phi(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Power series of `log_phi`, for |x| <= 1."""
    u2 = (x / 2.0) ** 2
    return u2 * jnp.polyval(np.array(_LOG_SINHC[::-1]), u2) - x / 2.0


def _log_phi_slope(x: Float[Array, ""]) -> Float[Array, ""]:
    """Slope of ln phi, between -1 (x -> -inf) and 0; -1/2 at 0."""
    small = jnp.abs(x) < 1.0
    u = jnp.where(small, x / 2.0, 0.0)
    slopes = np.array([2 * n * value for n, value in enumerate(_LOG_SINHC, start=1)])
    series = 0.5 * (u * jnp.polyval(slopes[::-1], u**2) - 1.0)
    safe = jnp.where(small, 1.0, x)
    size = jnp.abs(safe)
    positive = -jnp.exp(-size) / jnp.expm1(-size) - 1.0 / size
    return jnp.where(small, series, jnp.where(safe > 0, positive, -1.0 - positive))


def _average(geometry: WarpedGeometry, p: Profile) -> Float[Array, "*many"]:
    """A = <t^2 ln t> - (1/2 + kappa_IR) <t^2> of Eq. (4)."""
    return p.t2_log - (0.5 + geometry.kappa_IR) * p.B


def _constant(geometry: WarpedGeometry) -> Float[Array, ""]:
    """C0 of Eq. (4), all orders in epsilon: the tower is orthogonal to the flat zero mode."""
    L, kappa_UV, kappa_IR, volume = geometry.L, geometry.kappa_UV, geometry.kappa_IR, geometry.volume
    UV_part = 0.5 - kappa_UV + (kappa_UV * (L + 0.5 + kappa_IR) - 0.5 * (L + 1.0 + kappa_IR)) / volume
    return (0.5 + kappa_IR + kappa_IR**2) / volume + geometry.epsilon**2 * UV_part
