"""Laboratory momenta and the observables of an event.

Phase-space points live in the neutrino-photon frame, k along +z and q along -z. There the target at rest,
P, has P.k = M E and P.q = -Q2/2, which fixes

    P_t = (M E - Q2/2)/sqrt(s_hat),   P_z = P_t - M E/k_t,   P_T^2 = P_t^2 - P_z^2 - M^2,             (1)

and its azimuth is `hadron_azimuth`. The laboratory axes are the tetrad e_0 = P/M, e_3 = k/E - e_0 along the
beam, and two transverse vectors; every laboratory component is a scalar product with one of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax._types import Energies, Scalar
from tridentjax.currents import Channel
from tridentjax.process.phase_space import PhaseSpacePoints

Momenta = Float[Array, "4 point"]


class LaboratoryEvent(eqx.Module):
    """Momenta (t, x, y, z) [GeV] with the target at rest and the neutrino along +z; nu + N = nu' + l- + l+ + N'."""

    k: Momenta
    P: Momenta
    k_prime: Momenta
    p_minus: Momenta
    p_plus: Momenta
    P_prime: Momenta


def laboratory_event(
    channel: Channel, points: PhaseSpacePoints, E_nu: Energies, target_mass: Scalar, azimuth: Float[Array, " point"]
) -> LaboratoryEvent:
    """Momenta of all particles in the laboratory.

    `azimuth` turns the whole event about the beam, which no observable depends on. Momentum is conserved
    by construction: the recoil takes what is left, and is on its mass shell to rounding.
    """
    E_nu = jnp.broadcast_to(jnp.asarray(E_nu, dtype=float), points.Q2.shape)
    target, transverse = _target(points, E_nu, target_mass)
    cos, sin = jnp.cos(points.hadron_azimuth), jnp.sin(points.hadron_azimuth)
    zero = jnp.zeros_like(cos)
    # orthogonal to k and P: along P_T with enough of k to cancel P_T, and perpendicular to P_T
    e_1 = jnp.stack([zero, cos, sin, zero]) + (transverse / (target_mass * E_nu))[None] * points.k
    e_2 = jnp.stack([zero, -sin, cos, zero])
    turn_cos, turn_sin = jnp.cos(azimuth), jnp.sin(azimuth)

    def laboratory(p: Momenta, mass: float) -> Momenta:
        p_x, p_y = -_dot(p, e_1), -_dot(p, e_2)
        p_z = _dot(p, target) / target_mass - _dot(p, points.k) / E_nu
        three = jnp.stack([turn_cos * p_x - turn_sin * p_y, turn_sin * p_x + turn_cos * p_y, p_z])
        return jnp.concatenate([jnp.sqrt(mass**2 + (three**2).sum(0))[None], three])  # exactly on shell

    k = jnp.stack([E_nu, zero, zero, E_nu])
    P = jnp.stack([jnp.full_like(E_nu, target_mass), zero, zero, zero])
    k_prime = laboratory(points.k_prime, 0.0)
    p_minus, p_plus = laboratory(points.p_minus, channel.mass_minus), laboratory(points.p_plus, channel.mass_plus)
    return LaboratoryEvent(k, P, k_prime, p_minus, p_plus, k + P - k_prime - p_minus - p_plus)


def _target(points: PhaseSpacePoints, E_nu: Energies, target_mass: Scalar) -> tuple[Momenta, Float[Array, " point"]]:
    """Momentum of the target in the neutrino-photon frame and its transverse size, Eq. (1)."""
    time = (target_mass * E_nu - points.Q2 / 2.0) / jnp.sqrt(points.s_hat)  # (1)
    minus = target_mass * E_nu / points.k[0]  # P_t - P_z
    # P_T^2 = (P_t - P_z)(P_t + P_z) - M^2; it vanishes where the photon is collinear with the beam, where the
    # floor keeps the gradient of the root finite
    transverse = jnp.sqrt(jnp.maximum(minus * (2.0 * time - minus) - target_mass**2, 1e-300))
    cos, sin = jnp.cos(points.hadron_azimuth), jnp.sin(points.hadron_azimuth)
    return jnp.stack([time, transverse * cos, transverse * sin, time - minus]), transverse


class Observable(NamedTuple):
    """Something to cut on or to histogram: unit, LaTeX name, what it is, and how to get it."""

    unit: str
    latex: str
    meaning: str
    function: Callable[["Kinematics"], Float[Array, " point"]]


class Kinematics(eqx.Module):
    """What observables are made of: energies and momenta [GeV] in the laboratory, and invariants [GeV^2].

    `half_minus` = sin^2(theta/2) of the angle of l- to the beam, `half_pair` of the angle between the
    leptons: angles down to microradians keep their digits.
    """

    E_minus: Float[Array, " point"]
    E_plus: Float[Array, " point"]
    half_minus: Float[Array, " point"]
    half_plus: Float[Array, " point"]
    half_pair: Float[Array, " point"]
    m2_ll: Float[Array, " point"]
    Q2: Float[Array, " point"]
    K2: Float[Array, " point"]
    target_mass: Scalar


def kinematics(channel: Channel, points: PhaseSpacePoints, E_nu: Energies, target_mass: Scalar) -> Kinematics:
    """Laboratory kinematics of phase-space points from scalar products alone; differentiable."""
    target, _ = _target(points, E_nu, target_mass)
    m_minus, m_plus = channel.mass_minus, channel.mass_plus
    E_minus = jnp.maximum(_dot(points.p_minus, target) / target_mass, m_minus)
    E_plus = jnp.maximum(_dot(points.p_plus, target) / target_mass, m_plus)
    p_minus, p_plus = _momentum(E_minus, m_minus), _momentum(E_plus, m_plus)
    # k.p/E = E_p - |p| cos(theta), and E_p - |p| = m^2/(E_p + |p|)
    half_minus = (_dot(points.k, points.p_minus) / E_nu - m_minus**2 / (E_minus + p_minus)) / (2.0 * p_minus)
    half_plus = (_dot(points.k, points.p_plus) / E_nu - m_plus**2 / (E_plus + p_plus)) / (2.0 * p_plus)
    # p-.p+ = E- E+ - |p-||p+| cos, with E- E+ - |p-||p+| free of cancellation
    product = (points.m2_ll - m_minus**2 - m_plus**2) / 2.0
    gap = (m_minus**2 * E_plus**2 + m_plus**2 * p_minus**2) / (E_minus * E_plus + p_minus * p_plus)
    half_pair = (product - gap) / (2.0 * p_minus * p_plus)
    half_minus, half_plus, half_pair = (jnp.clip(x, 0.0, 1.0) for x in (half_minus, half_plus, half_pair))
    return Kinematics(
        E_minus, E_plus, half_minus, half_plus, half_pair, points.m2_ll, points.Q2, points.K2, target_mass
    )


def _momentum(energy: Float[Array, " point"], mass: float) -> Float[Array, " point"]:
    return jnp.sqrt(jnp.maximum((energy - mass) * (energy + mass), 1e-300))


def _angle(half: Float[Array, " point"]) -> Float[Array, " point"]:
    """Angle from sin^2(theta/2), with a finite gradient at 0 and pi."""
    safe = jnp.clip(half, 1e-30, 1.0 - 1e-15)
    return 2.0 * jnp.arctan2(jnp.sqrt(safe), jnp.sqrt(1.0 - safe))


def _dot(p: Momenta, r: Momenta) -> Float[Array, " point"]:
    return p[0] * r[0] - (p[1:] * r[1:]).sum(0)


OBSERVABLES: dict[str, Observable] = {
    "E_minus": Observable("GeV", r"E_{\ell^-}", "energy of the negative lepton", lambda x: x.E_minus),
    "E_plus": Observable("GeV", r"E_{\ell^+}", "energy of the positive lepton", lambda x: x.E_plus),
    "E_pair": Observable("GeV", r"E_{\ell\ell}", "sum of the lepton energies", lambda x: x.E_minus + x.E_plus),
    "theta_minus": Observable("rad", r"\theta_{\ell^-}", "l- to the beam", lambda x: _angle(x.half_minus)),
    "theta_plus": Observable("rad", r"\theta_{\ell^+}", "l+ to the beam", lambda x: _angle(x.half_plus)),
    "opening_angle": Observable("rad", r"\theta_{\ell\ell}", "between the leptons", lambda x: _angle(x.half_pair)),
    "m_ll": Observable("GeV", r"m_{\ell\ell}", "dilepton mass", lambda x: jnp.sqrt(x.m2_ll)),
    "T_recoil": Observable(
        "GeV",
        r"T",
        "kinetic energy of the recoil Q2/2M, a proxy for visible hadronic energy",
        lambda x: x.Q2 / (2.0 * x.target_mass),
    ),
    "Q2": Observable("GeV^2", r"Q^2", "photon virtuality", lambda x: x.Q2),
    "K2": Observable("GeV^2", r"K^2", "neutrino momentum transfer", lambda x: x.K2),
}
