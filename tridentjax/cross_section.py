"""Direct cross sections: quasi-Monte-Carlo over the full phase space, with an honest error.

The reference path. Every point is a complete event, so cuts and distributions act on real momenta; the
compressed kernels of `kernel` are tested against it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.constants import ALPHA_EM, G_F, GEV2_TO_CM2
from tridentjax.currents import Channel, LeptonCurrent, quadratic_couplings
from tridentjax.matrix_element import hadronic_contraction, leptonic_amplitudes
from tridentjax.phase_space import (
    DIMENSION,
    PhaseSpacePoints,
    map_unit_cube,
    threshold_energy,
)
from tridentjax.precision import require_float64
from tridentjax.quadrature import Rule, sobol_rule
from tridentjax.targets import Q2_scale, Regime

_REPLICAS = 16
# 99.7 % quantile of Student's t with 15 degrees of freedom over 3: three quoted errors cover 99.7 %
_STUDENT = 1.19
_POINTS_PER_CHUNK = 4096
_MOST_POINTS = 2**20


class Estimate(eqx.Module):
    """Structures VV, AA, VA of a cross section [cm^2], with one-sigma errors and their covariance.

    The errors come from independent scrambles of the points, scaled so that three of them cover 99.7 %.
    """

    value: Float[Array, "3"]
    covariance: Float[Array, "3 3"]
    points: int = eqx.field(static=True)

    @property
    def error(self) -> Float[Array, "3"]:
        """Standard errors of VV, AA, VA."""
        return jnp.sqrt(jnp.diagonal(self.covariance))

    def contract(self, current: LeptonCurrent) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Cross section for K2-independent couplings, and its error [cm^2]."""
        couplings = quadratic_couplings(current)
        return couplings @ self.value, jnp.sqrt(jnp.maximum(couplings @ self.covariance @ couplings, 0.0))


def differential_cross_section(
    channel: Channel,
    points: PhaseSpacePoints,
    E_nu: Scalar,
    target_mass: Scalar,
) -> Float[Array, "3 2 point"]:
    """Weight of each point [cm^2]: axes structure (VV, AA, VA), hadronic tensor (RR, Q2g), point.

    dsigma = |M|^2 dPhi_4 / (4 E M) with couplings and form factors stripped off: multiply by
    `regime.structure(points.Q2)` and by the couplings at `points.K2`, then average with the rule's
    weights. No average over neutrino spin. Needs float64; differentiable in E_nu.
    """
    amplitudes = leptonic_amplitudes(channel, points)
    contraction = hadronic_contraction(points, amplitudes, E_nu, target_mass)
    prefactor = G_F**2 / 2.0 * (4.0 * np.pi * ALPHA_EM / points.Q2) ** 2 / (4.0 * E_nu * target_mass)
    return contraction * (prefactor * points.jacobian * GEV2_TO_CM2)[None, None]


@eqx.filter_jit
def integrate(channel: Channel, regime: Regime, E_nu: Scalar, rule: Rule) -> Float[Array, "3"]:
    """One estimate of (VV, AA, VA) [cm^2] with the points of one rule, in chunks of bounded memory."""

    def chunk(part: Rule) -> Float[Array, "3"]:
        points = map_unit_cube(channel, E_nu, regime.mass, Q2_scale(regime), regime.largest_Q2, part)
        weight = differential_cross_section(channel, points, E_nu, regime.mass)[:, : regime.hadronic]
        return (weight * regime.structure(points.Q2)[None]).sum(1) @ part.weights

    size = min(_POINTS_PER_CHUNK, rule.weights.size)
    parts = jax.tree.map(lambda x: x.reshape(-1, size, *x.shape[1:]), rule)
    return jax.lax.map(chunk, parts).sum(0)


def total_cross_section(
    channel: Channel,
    regime: Regime,
    E_nu: float,
    *,
    rtol: float = 1e-3,
    points: int = 2**12,
    seed: int = 0,
) -> Estimate:
    """Total cross section of one regime at one energy, to a relative accuracy.

    Parameters
    ----------
    channel, regime : process and target.
    E_nu : laboratory energy [GeV].
    rtol : wanted error of VV + AA relative to their sum; the sample is doubled until it is reached.
    points : size of the first sample, per scramble; sixteen independent scrambles are averaged.
    seed : of the scrambles.

    Returns
    -------
    Estimate; exactly zero with zero error at and below threshold, and for a channel that no
    neutrino flavour allows.

    Raises
    ------
    RuntimeError : 32-bit floats, or `rtol` not reached with the largest sample (16 x 2^20 points).
    ValueError : an energy that is not positive and finite.

    Notes
    -----
    Valid in the contact limit of W and Z, E_nu below about 1 TeV.
    """
    require_float64("total_cross_section")
    if not (np.isfinite(E_nu) and E_nu > 0.0):
        raise ValueError(f"neutrino energy {E_nu} GeV; allowed: positive and finite")
    zero = Estimate(jnp.zeros(3), jnp.zeros((3, 3)), 0)
    if E_nu <= threshold_energy(channel, regime.mass) or not channel.outgoing_neutrinos:
        return zero
    while True:
        values = np.stack(
            [
                integrate(channel, regime, jnp.asarray(E_nu), sobol_rule(points, DIMENSION, seed * _REPLICAS + i))
                for i in range(_REPLICAS)
            ]
        )
        mean = values.mean(0)
        covariance = _STUDENT**2 * np.cov(values.T) / _REPLICAS
        total, error = mean[0] + mean[1], np.sqrt(covariance[:2, :2].sum())
        if error <= rtol * total:
            return Estimate(jnp.asarray(mean), jnp.asarray(covariance), points * _REPLICAS)
        if points >= _MOST_POINTS:
            raise RuntimeError(
                f"{channel.name}, {regime.name} at {E_nu} GeV: relative error {error / total:.1e} after "
                f"{points * _REPLICAS} points; ask for rtol above that"
            )
        points = min(points * 4, _MOST_POINTS)
