"""Magnetic moment of the muon from a vector boson: a historical band to draw beside trident limits.

    a = (g^2/8 pi^2) int_0^1 dx 2 m_mu^2 x^2 (1-x) / (x^2 m_mu^2 + (1-x) m^2)                    (1)

for a vector coupling g to muons (Leveille, NPB 137 (1978) 63; as in Altmannshofer et al., PRL 113 (2014) 091801).
The deviation that this band explains, 251(59)e-11, was that of the 2021 average from the 2020 prediction; the 2025
measurement agrees with the 2025 prediction, so the band is of historical interest only.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.constants import MASS_MU
from tridentjax.quadrature import gauss_legendre

HISTORICAL_DEVIATION, HISTORICAL_ERROR = 251e-11, 59e-11


def magnetic_moment(mass: Float[Array, "*batch"], g: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Shift of a = (g-2)/2 of the muon, Eq. (1); mass in GeV. Differentiable, finite at mass -> 0."""
    unit, weight = gauss_legendre(60)
    nodes = 1.0 - unit**3, 3.0 * unit**2 * weight  # resolves 1 - x ~ (m_mu/m)^2
    x, rule = (jnp.asarray(a).reshape((1,) * jnp.ndim(mass) + (-1,)) for a in nodes)
    integrand = (
        2.0 * MASS_MU**2 * x**2 * (1.0 - x) / (x**2 * MASS_MU**2 + (1.0 - x) * jnp.asarray(mass)[..., None] ** 2)
    )
    return g**2 / (8.0 * jnp.pi**2) * (integrand * rule).sum(-1)  # (1)


def historical_band(
    mass: Float[np.ndarray, " mass"], deviations: float = 2.0
) -> tuple[Float[np.ndarray, " mass"], Float[np.ndarray, " mass"]]:
    """Couplings g that explain the historical deviation within so many standard deviations: lower and upper edge."""
    of_unit_coupling = np.asarray(magnetic_moment(jnp.asarray(mass), jnp.ones(len(mass))))
    edges = (HISTORICAL_DEVIATION + sign * deviations * HISTORICAL_ERROR for sign in (-1.0, 1.0))
    low, high = (np.sqrt(edge / of_unit_coupling) for edge in edges)
    return low, high
