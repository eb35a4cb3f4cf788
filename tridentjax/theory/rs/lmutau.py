"""Bulk U(1)_{L_mu - L_tau} of the warped space: its whole Kaluza-Klein tower in the trident current.

Charges: electron 0, muon +1, tau -1, with their neutrinos. A brane b gives the zero mode the Lagrangian mass m0.
Exchange between the zero modes p (neutrino) and q (charged lepton) at spacelike momentum transfer K2:

    L_eff = -(g^2 q_nu q_l/Lambda^2) P(p, q; K2) (nubar g^a P_L nu)(lbar g_a P_X l),   Lambda = Lambda_IR    (1)

The massless tower is P0(p,q) = 1/Q + G_Q(p,q), Q = K2/Lambda^2, G_Q = sum_(n>=1) chi_n chi_n'/(x_n^2 + Q). The mass
term is of rank one in modes, M chi_m(b) chi_n(b) with M = (m0/Lambda)^2, so that (Sherman-Morrison)

    P = P0(p,q) - M P0(p,b) P0(b,q)/(1 + M P0(b,b))
      = u/(Q + M u) + Theta - Q (h + h' + M h h')/(Q + M u)                                                 (2)
    u = 1 + Q G_Q(b,b),  h = G_Q(b,b) - G_Q(p,b),  h' = G_Q(b,b) - G_Q(q,b),
    Theta = G_Q(p,q) + G_Q(b,b) - G_Q(p,b) - G_Q(q,b)  ->  (Lhat/2) int_0^L 2 e^-2y (S_p-S_b)(S_q-S_b) dy  at Q = 0

exact, without cancellation, and Lambda^2/m0^2 + Theta at Q = 0 with the mass on either brane. At Q > 0

    G_Q = G - Q G4/(1 + rho Q),  G4 = sum_(n>=1) chi_n chi_n'/x_n^4,  rho = G4(b,b)/G(b,b)                    (3)

is exact through order Q, and a [0/1] Pade approximant for (b,b): u > 0, no false pole at any spacelike momentum.
"""

from collections.abc import Mapping
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tridentjax._types import Scalar
from tridentjax.constants import G_F
from tridentjax.currents import Channel, LeptonCurrent
from tridentjax.faults import InputError, unknown
from tridentjax.theory.mediators import ELECTRIC_CHARGE, L_MU_MINUS_L_TAU
from tridentjax.theory.rs.geometry import (
    Profile,
    WarpedGeometry,
    fermions,
    ir_brane,
    overlap,
    second_moment,
    stack,
    tower_sum,
    uv_brane,
)

BRANES = {"ir": ir_brane, "uv": uv_brane}
SMALLEST_LAMBDA_IR = 100.0  # [GeV]; below, Eq. (3) is not good enough at the K2 of neutrino beams


def _number(x: Scalar) -> Float[Array, ""]:
    return jnp.asarray(x, dtype=float)


def _numbers(values: Mapping[str, Scalar]) -> dict[str, Float[Array, ""]]:
    return {flavour: _number(c) for flavour, c in values.items()}


class LMuTau(eqx.Module):
    """Bulk L_mu - L_tau boson: coupling and mass of its zero mode, lepton bulk masses, where it is broken and mixes.

    `g` is the four-dimensional coupling, g^2 = g5^2 k/Lhat; `mass` [GeV] the Lagrangian mass of the zero mode, from
    a scalar on the brane `breaking` ("uv" or "ir"); see `pole_mass` for the physical one. `c_L`, `c_R`: bulk masses
    by flavour, of the doublet and of the charged singlet; only flavours that a channel meets are needed.
    `kinetic_mixing` is chi in -(chi/2) F_mn X^mn between photon and zero mode, put on the brane `mixing_brane`.
    """

    geometry: WarpedGeometry
    g: Float[Array, ""] = eqx.field(converter=_number)
    mass: Float[Array, ""] = eqx.field(converter=_number)
    c_L: dict[str, Float[Array, ""]] = eqx.field(converter=_numbers)
    c_R: dict[str, Float[Array, ""]] = eqx.field(converter=_numbers)
    breaking: str = eqx.field(static=True, default="uv")
    kinetic_mixing: Float[Array, ""] = eqx.field(converter=_number, default=0.0)
    mixing_brane: str = eqx.field(static=True, default="uv")


def lmutau_shift(model: LMuTau, channel: Channel, K2: Float[Array, " point"]) -> LeptonCurrent:
    """What the tower adds to (g_V, g_A) at each K2 [GeV^2], shape (nu_out, point).

        delta g_{L,R} = (v^2/2) (g^2/Lambda^2) q_nu q_l P(c_L_nu, c_{L,R}_l; K2),   v^2 = 1/(sqrt2 G_F)         (4)
        delta g_V    += v^2 (g/Lambda^2) q_nu chi e P(c_L_nu, mixing brane; K2)                               (5)

    and delta g_V = g_L + g_R, delta g_A = g_L - g_R. Far below Lambda, delta g_V = v^2 g (g + chi e)/(m^2 + K2) for
    muons and delta g_A = 0. Eq. (5) is the photon of the mixing brane: it reaches every charged lepton, Q = -1,
    with -chi e Q = +chi e. Channels with two different leptons get zeros: the boson conserves flavour. Antineutrinos
    as neutrinos. Differentiable in every number of the model, first and higher order; NaN outside its validity.

    Raises
    ------
    InputError : a bulk mass that the channel needs is not in `c_L`, `c_R`; an unknown brane.
    """
    if channel.lepton_minus != channel.lepton_plus:
        zeros = jnp.zeros((len(channel.outgoing_neutrinos), K2.size))
        return LeptonCurrent(zeros, zeros)
    neutrino, lepton = channel.neutrino, channel.lepton_minus
    zeros = jnp.zeros_like(K2)
    if L_MU_MINUS_L_TAU[neutrino] == 0.0:
        return LeptonCurrent(zeros[None], zeros[None])
    charged = L_MU_MINUS_L_TAU[lepton] != 0.0
    _require(model, channel, [("c_L", neutrino)] + [(side, lepton) for side in ("c_L", "c_R") if charged])
    geometry = model.geometry
    branes = [_brane(geometry, getattr(model, place), place) for place in ("mixing_brane", "breaking")]
    masses = [model.c_L[neutrino], *([model.c_L[lepton], model.c_R[lepton]] if charged else [])]
    leptons = fermions(geometry, jnp.stack(masses))
    tower = _tower(geometry, jax.tree.map(lambda x, y: jnp.concatenate([x, y]), leptons, stack(*branes)))
    strength = L_MU_MINUS_L_TAU[neutrino] * model.g / (jnp.sqrt(2.0) * G_F)
    zero_mode, of_mixing = _propagator(geometry, tower, (0, -2), model.mass, K2)
    g_V = ELECTRIC_CHARGE * model.kinetic_mixing * (zero_mode + of_mixing)  # (5)
    g_A = zeros
    if charged:
        of_L, of_R = (_propagator(geometry, tower, (0, side), model.mass, K2)[1] for side in (1, 2))
        charge = L_MU_MINUS_L_TAU[lepton] * model.g
        g_V = g_V + charge * (zero_mode + (of_L + of_R) / 2.0)  # (4)
        g_A = charge * (of_L - of_R) / 2.0  # (4); the common part drops out before rounding
    return LeptonCurrent((strength * g_V)[None], (strength * g_A)[None])


def lmutau_propagator(
    geometry: WarpedGeometry, p: Profile, q: Profile, breaking: Profile, mass: Scalar, K2: Float[Array, " point"]
) -> Float[Array, " point"]:
    """P(p, q; K2)/Lambda_IR^2 [GeV^-2] of Eq. (2): zero mode and tower, at spacelike K2 [GeV^2].

    `breaking` is the profile of the brane that gives the zero mode its Lagrangian mass [GeV]. Exact at K2 = 0. Error
    measured against Bessel functions (|kappa_UV| <= 5, kappa_IR <= 3, c from -0.5 to 0.9, mass <= Lambda_IR), relative
    to P of two leptons: below 3e-3 at K2 = 0.3 Lambda_IR^2, which is 3000 GeV^2 at 100 GeV, below 3e-5 at a tenth of
    it, typically (median) 1e-4 and 1e-7; above Lambda_IR^2 an interpolation without poles, no more. Smooth in every
    argument.
    """
    tower = _tower(geometry, stack(p, q, breaking))
    return sum(_propagator(geometry, tower, (0, 1), mass, K2), jnp.zeros_like(K2))


def pole_mass(model: LMuTau) -> Float[Array, ""]:
    """Mass [GeV] of the lightest state, the first zero of Q + M u in Eqs. (2), (3) at Q = -(m/Lambda)^2.

        rho y^2 - (1 + M G + M rho) y + M = 0,   y = (m/Lambda)^2,   G = G(b,b)                                (6)

    m^2 = m0^2 [1 - (m0/Lambda)^2 G(b,b)] to first order; level repulsion keeps it below the first massive mode for
    any m0. Relative error, measured against the exact root: below 1e-5 for m0 < Lambda/3, below 3e-3 for m0 = Lambda
    and, with the mass on the IR brane, below 1e-5 everywhere; 5 % at m0 = 3 Lambda on the UV brane.
    """
    geometry = model.geometry
    b = _brane(geometry, model.breaking, "breaking")
    G = tower_sum(geometry, b, b)
    rho = second_moment(geometry, b, b) / G
    M = (model.mass / geometry.Lambda_IR) ** 2
    half = (1.0 + M * G + M * rho) / 2.0
    y = M / (half + jnp.sqrt(half**2 - rho * M))  # (6); the radicand is at least (1 - rho M)^2/4 + M G/2
    return jnp.where(_allowed(geometry, model.mass), geometry.Lambda_IR * jnp.sqrt(y), jnp.nan)


class _Tower(NamedTuple):
    """Sums over the massive modes between profiles, of which the last is the breaking brane: G, G4 and static Theta."""

    G: Float[Array, "profile profile"]
    G4: Float[Array, "profile profile"]
    Theta: Float[Array, "profile profile"]


def _tower(geometry: WarpedGeometry, profiles: Profile) -> _Tower:
    from_brane = jax.tree.map(lambda x: x - x[-1:], profiles)
    Theta = 0.5 * geometry.volume * overlap(geometry, from_brane, from_brane)
    return _Tower(tower_sum(geometry, profiles, profiles), second_moment(geometry, profiles, profiles), Theta)


def _propagator(
    geometry: WarpedGeometry, tower: _Tower, ends: tuple[int, int], mass: Scalar, K2: Float[Array, " point"]
) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Eq. (2) in GeV^-2 between two profiles: the part that does not know them, u/(K2 + m0^2 u), and the rest."""
    p, q = ends
    G, G4, b = tower.G, tower.G4, -1
    Lambda2 = geometry.Lambda_IR**2
    Q, M = K2 / Lambda2, _number(mass) ** 2 / Lambda2
    reach = Q / (1.0 + G4[b, b] / G[b, b] * Q)
    u = 1.0 + Q * (G[b, b] - reach * G4[b, b])
    from_p = G[b, b] - G[p, b] - reach * (G4[b, b] - G4[p, b])  # h
    from_q = G[b, b] - G[q, b] - reach * (G4[b, b] - G4[q, b])  # h'
    Theta = tower.Theta[p, q] - reach * (G4[p, q] + G4[b, b] - G4[p, b] - G4[q, b])
    denominator = jnp.where(_allowed(geometry, mass), K2 + _number(mass) ** 2 * u, jnp.nan)
    return u / denominator, Theta / Lambda2 - Q * (from_p + from_q + M * from_p * from_q) / denominator  # (2)


def _allowed(geometry: WarpedGeometry, mass: Scalar) -> Bool[Array, ""]:
    return (_number(mass) > 0.0) & (geometry.Lambda_IR >= SMALLEST_LAMBDA_IR)


def _brane(geometry: WarpedGeometry, name: str, place: str) -> Profile:
    if name not in BRANES:
        raise InputError([unknown("brane", name, BRANES, place)])
    return BRANES[name](geometry)


def _require(model: LMuTau, channel: Channel, needed: list[tuple[str, str]]) -> None:
    missing = [(side, flavour) for side, flavour in needed if flavour not in getattr(model, side)]
    if missing:
        raise InputError(
            f"parameter {side}_{flavour} is missing: {channel.name} needs this bulk mass of L_mu - L_tau; "
            "allowed: any real number, above 1/2 for a lepton near the UV brane"
            for side, flavour in missing
        )
