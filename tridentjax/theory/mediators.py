"""Mediators of the lepton current: what a new particle adds to (g_V, g_A) or (g_S, g_P) at each K2.

    vector:  L = Z'_a ( g_nu nubar g^a P_L nu + lbar g^a (g_V - g_A g5) l )
             delta g_V(K2) = g_nu g_V / (sqrt2 G_F (M^2 + K2)),  delta g_A likewise               (1)
    scalar:  L = phi ( g_nu nubar' P_L nu + h.c. + lbar (g_S + i g_P g5) l )
             g_S(K2) = -g_nu g_S / (sqrt2 G_F (M^2 + K2)),  g_P likewise                          (2)

Altmannshofer et al., PRL 113 (2014) 091801, give the K2 -> 0 limit of (1); their g' enters squared, so the
shift of L_mu - L_tau is positive. Like-sign couplings add to the Standard Model. The neutrino nu' that a
scalar emits is right-handed (or an antineutrino, if the coupling breaks lepton number): it does not
interfere, and the sign of (2), from integrating out phi, is not observable. A momentum transfer between
neutrinos is spacelike: there is no resonance and no width.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import beta

from tridentjax.constants import ALPHA_EM, G_F, MASS_MU, MASS_TAU
from tridentjax.precision import as_float
from tridentjax.quadrature import gauss_legendre

L_MU_MINUS_L_TAU = {"e": 0.0, "mu": 1.0, "tau": -1.0}
ELECTRIC_CHARGE = float(np.sqrt(4.0 * np.pi * ALPHA_EM))  # e > 0, at zero momentum transfer


class VectorMediator(eqx.Module):
    """Vector mediators; leading axes are a tower, whose amplitudes are summed.

    mass [GeV] and dimensionless couplings to the neutrino (g_nu, left-handed) and to the charged-lepton
    vector and axial currents.
    """

    mass: Float[Array, "*tower"]
    g_nu: Float[Array, "*tower"]
    g_V: Float[Array, "*tower"]
    g_A: Float[Array, "*tower"]

    def __check_init__(self) -> None:
        _same_shape(self, "mass", "g_nu", "g_V", "g_A")


class ScalarMediator(eqx.Module):
    """Scalar mediators; leading axes are a tower, whose amplitudes are summed.

    mass [GeV] and dimensionless couplings: g_nu turns the neutrino into one of the other handedness, g_S and
    g_P are those of the charged-lepton scalar and pseudoscalar densities.
    """

    mass: Float[Array, "*tower"]
    g_nu: Float[Array, "*tower"]
    g_S: Float[Array, "*tower"]
    g_P: Float[Array, "*tower"]

    def __check_init__(self) -> None:
        _same_shape(self, "mass", "g_nu", "g_S", "g_P")


def mediator_shift(
    mediator: VectorMediator, K2: Float[Array, " node"]
) -> tuple[Float[Array, " node"], Float[Array, " node"]]:
    """Shifts (delta g_V, delta g_A) at each K2 [GeV^2], Eq. (1), summed over the tower.

    Differentiable in every field; finite for any mass >= 0 as long as K2 > 0.
    """
    return _exchange(mediator.mass, mediator.g_nu, (mediator.g_V, mediator.g_A), K2)


def scalar_shift(
    mediator: ScalarMediator, K2: Float[Array, " node"]
) -> tuple[Float[Array, " node"], Float[Array, " node"]]:
    """Couplings (g_S, g_P) of the scalar current at each K2 [GeV^2], Eq. (2), summed over the tower.

    Differentiable in every field; finite for any mass >= 0 as long as K2 > 0.
    """
    return _exchange(mediator.mass, -mediator.g_nu, (mediator.g_S, mediator.g_P), K2)


def loop_mixing(K2: Float[Array, "*node"]) -> Float[Array, "*node"]:
    """Kinetic mixing chi(K2)/g of the L_mu - L_tau boson with the photon from muon and tau loops.

    L = -(chi/2) F_mn X^mn with D = d - i e Q A - i g q X. Each loop of charges (Q, q) adds the cross term of
    its vacuum polarisation, chi = e g Q q (1/12 pi^2) ln(cut-off^2/m^2); with Q = -1 and q = +1, -1 for muon
    and tau the cut-off drops out, and at spacelike K2

        chi(K2)/g = -(e/2 pi^2) int_0^1 dx x(1-x) ln[(m_tau^2 + x(1-x) K2)/(m_mu^2 + x(1-x) K2)],   (3)

    -1/69.3 at K2 = 0. Araki et al., PRD 95 (2017) 055006, arXiv:1702.01497, use its magnitude at q^2 = -K2; the
    sign follows from the cross term. The mediator then couples to every charged lepton with -chi e Q = +chi e,
    which screens the muon's own charge by 0.4 %. Differentiable; smooth at K2 = 0.
    """
    unit, weight = gauss_legendre(40)
    x, slope = unit**2 * (3.0 - 2.0 * unit), 6.0 * unit * (1.0 - unit)  # resolves x ~ m_mu^2/K2
    y = x * (1.0 - x)
    y_K2 = jnp.asarray(K2)[..., None] * jnp.asarray(y).reshape((1,) * jnp.ndim(K2) + (-1,))
    logarithm = jnp.log((MASS_TAU**2 + y_K2) / (MASS_MU**2 + y_K2))
    return -ELECTRIC_CHARGE / (2.0 * jnp.pi**2) * (logarithm @ jnp.asarray(y * slope * weight))  # (3)


def loop_mixing_timelike(q2: Float[Array, "*node"]) -> tuple[Float[Array, "*node"], Float[Array, "*node"]]:
    """Real and imaginary part of the loop mixing chi/g at squared momentum q2 [GeV^2], as for a boson on its shell.

    `loop_mixing` continued to q2 = -K2 > 0, m^2 - i0 in its logarithms, in closed form: with z = q2/m^2,
    b = sqrt(1 - 4/z) and u = sqrt(4/z - 1),

        chi/g = -(e/2 pi^2) [ln(m_tau^2/m_mu^2)/6 + L(z_tau) - L(z_mu)]                                  (4)
        L(z) = int_0^1 dx x(1-x) ln[1 - x(1-x) z - i0] = [(1 + 2/z) F - 5/3 - 4/z]/6                      (5)
        F = 2 u arccot(u)  (0 < z < 4),   F = b {ln[(1+b)^2 |z|/4] - i pi (z > 4)}  (z < 0 or z > 4)       (6)

    and L = -sum_n B(n+2, n+2) z^n/n for |z| < 1. Its magnitude is what Araki et al., arXiv:1702.01497, use. Any
    real q2; negative ones give `loop_mixing(-q2)` and no imaginary part. Differentiable; exactly at a threshold
    q2 = 4 m^2, where the slope diverges like the root in (6), the term with the root is left out of the slope.
    """
    q2 = jnp.asarray(q2)
    (real_mu, imaginary_mu), (real_tau, imaginary_tau) = (_loop_logarithm(q2 / m**2) for m in (MASS_MU, MASS_TAU))
    strength = -ELECTRIC_CHARGE / (2.0 * jnp.pi**2)
    real = jnp.log(MASS_TAU / MASS_MU) / 3.0 + real_tau - real_mu
    return strength * real, strength * (imaginary_tau - imaginary_mu)  # (4)


def _loop_logarithm(z: Float[Array, "*node"]) -> tuple[Float[Array, "*node"], Float[Array, "*node"]]:
    small, bound, open_ = jnp.abs(z) < 1.0, (z >= 1.0) & (z < 4.0), (z > 4.0) | (z <= -1.0)
    n = np.arange(30, 0, -1)
    series = jnp.polyval(jnp.asarray(np.append(-beta(n + 2, n + 2) / n, 0.0)), jnp.where(small, z, 0.0), unroll=1)
    within = jnp.where(bound, z, 2.0)
    u = jnp.sqrt((4.0 - within) / within)
    outside = jnp.where(open_, z, 8.0)
    b = jnp.sqrt((outside - 4.0) / outside)
    F = jnp.where(bound, 2.0 * u * (jnp.pi / 2.0 - jnp.arctan(u)), 0.0)
    F = jnp.where(open_, b * jnp.log((1.0 + b) ** 2 * jnp.abs(outside) / 4.0), F)  # (6)
    large = jnp.where(small, 1.0, z)
    real = ((1.0 + 2.0 / large) * F - 5.0 / 3.0 - 4.0 / large) / 6.0  # (5)
    imaginary = jnp.where(z > 4.0, -jnp.pi * (1.0 + 2.0 / large) * b / 6.0, 0.0)
    return jnp.where(small, series, real), imaginary


def _exchange(
    mass: Float[Array, "*tower"],
    g_nu: Float[Array, "*tower"],
    couplings: tuple[Float[Array, "*tower"], Float[Array, "*tower"]],
    K2: Float[Array, " node"],
) -> tuple[Float[Array, " node"], Float[Array, " node"]]:
    mass, g_nu, first, second = (jnp.ravel(x) for x in (mass, g_nu, *couplings))
    propagator = jnp.sqrt(2.0) * G_F * (_spread(mass**2, K2) + K2[None])
    shifts = (_spread(g_nu * coupling, K2) / propagator for coupling in (first, second))  # (1), (2)
    return tuple(shift.sum(0) for shift in shifts)  # type: ignore[return-value]


def _spread(x: Float[Array, " tower"], K2: Float[Array, " node"]) -> Float[Array, "tower node"]:
    """The same x at every node, as a matrix product: so is its derivative, where a broadcast leaves a slow sum."""
    return x[:, None] @ jnp.ones_like(K2)[None]


def _same_shape(record: eqx.Module, *names: str) -> None:
    shapes = {name: jnp.shape(getattr(record, name)) for name in names}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"{type(record).__name__} fields have different shapes {shapes}; give all of them one shape")


def broadcast_tower(*fields: Any) -> tuple[Float[Array, "*tower"], ...]:
    """Fields of a mediator brought to one shape: a scalar coupling serves the whole tower."""
    return tuple(jnp.broadcast_arrays(*(as_float(x) for x in fields)))
