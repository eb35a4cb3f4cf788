"""Tower sums on the IR brane at a timelike momentum: what fixes the masses of W and Z to all orders.

A Higgs mass on the IR brane is of rank one in the modes, so the physical masses follow from the sums over the
massless towers at t = t' = 1 and qhat2 = (momentum/Lambda_IR)^2, in closed form with Bessel functions.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.theory.rs.geometry import WarpedGeometry

_SERIES_TERMS = 16  # (s/4)^k/k!^2 at s = _LARGEST_QHAT2 is below 1e-17 from there on
_LARGEST_QHAT2 = 10.0  # below it lies at most the first pole, the square of a first Kaluza-Klein mass


def resolved_ir_sum(geometry: WarpedGeometry, qhat2: Scalar) -> Float[Array, ""]:
    """sum_(n>=1) chi_n(1)^2/(x_n^2 - qhat2): `tower_sum` on the IR brane at a momentum, timelike if qhat2 > 0.

    With u the solution of -(u'/t)' = qhat2 u/t that obeys the UV boundary condition u' = -qhat2 epsilon kappa_UV u
    and N = int dt/t u + brane terms, the sum is [N - Lhat u(1)]/(qhat2 N). u = 1 + O(qhat2) is a combination of
    t J_1 and t Y_1, whose power series let qhat2 be divided out. Exact to rounding; NaN from the first pole on.
    """
    L, kappa_UV, epsilon2 = geometry.L, geometry.kappa_UV, geometry.epsilon**2
    q = jnp.asarray(qhat2, dtype=float)
    a, b, j, r = _bessel_series(q / 4.0)
    a_UV, b_UV, j_UV, r_UV = _bessel_series(q * epsilon2 / 4.0)
    length = L + kappa_UV
    # u = 1 + q [t^2 r/4 - t^2 j (ln t/2 + rho)], 2 rho = length + q sigma from the UV boundary condition
    sigma = epsilon2 * (0.25 * (kappa_UV * a_UV - b_UV) + kappa_UV * (0.25 * r_UV - 0.5 * kappa_UV * j_UV))
    sigma = sigma / (1.0 + q * epsilon2 * (0.5 * kappa_UV * j_UV - 0.25 * a_UV))
    rho = 0.5 * (length + q * sigma)
    u = 1.0 + q * (0.25 * r - rho * j)
    norm = geometry.kappa_IR * u + 2.0 * rho * (1.0 - 0.25 * q * a) + 0.25 * q * b
    excess = sigma * (1.0 - 0.25 * q * a) + 0.25 * (b - length * a) - length * (0.25 * r - rho * j)
    below_pole = (norm > 0) & (q < _LARGEST_QHAT2) & ~jnp.isnan(geometry.volume)
    return jnp.where(below_pole, excess / norm, jnp.nan)


def resolved_minus_plus_ir_sum(geometry: WarpedGeometry, qhat2: Scalar, norm: Scalar | None = None) -> Float[Array, ""]:
    """`minus_plus_sum` on the IR brane at a momentum: N u(1)/[u'(1) - qhat2 kappa_IR u(1)] with u(epsilon) = 0.

    Unlike the static sum it feels the IR brane term. Exact to rounding; NaN from the first pole on.
    """
    q, epsilon2 = jnp.asarray(qhat2, dtype=float), geometry.epsilon**2
    a, b, j, r = _bessel_series(q / 4.0)
    _, _, j_UV, r_UV = _bessel_series(q * epsilon2 / 4.0)
    admixture = epsilon2 * j_UV / (1.0 + q * epsilon2 * (0.5 * geometry.L * j_UV + 0.25 * r_UV))
    u = j - admixture * (1.0 + 0.25 * q * r)
    slope = 2.0 * (1.0 - 0.25 * q * a) + 0.25 * q**2 * b * admixture - q * geometry.kappa_IR * u
    below_pole = (slope > 0) & (q < _LARGEST_QHAT2)
    return jnp.where(below_pole, (geometry.volume if norm is None else norm) * u / slope, jnp.nan)


def _bessel_series(s: Float[Array, ""]) -> tuple[Float[Array, ""], ...]:
    """Entire functions of s = qhat2 t^2/4 in the solutions t^2 j and 1 - 2 s ln t j + s r of the gauge equation.

    Their slopes over t are 2 (1 - s a) and -qhat2 [ln t (1 - s a) + s b] (DLMF 10.2.2, 10.8.1, with 2 s ln t j for
    z ln(z/2) J_1: the constant part of the logarithm moves along t^2 j).
    """
    k = np.arange(_SERIES_TERMS)
    factorial = np.cumprod(np.maximum(k, 1.0))  # k!
    harmonic = np.cumsum(1.0 / (k + 1.0))  # H_(k+1)
    sign = (-1.0) ** k
    next_squared = ((k + 1) * factorial) ** 2  # (k+1)!^2
    mixed = (k + 1) * factorial**2  # k! (k+1)!
    rows = (
        sign / next_squared,
        sign * harmonic / next_squared,
        sign / mixed,
        sign * (2.0 * harmonic - 1.0 / (k + 1)) / mixed,
    )
    powers = jnp.concatenate([jnp.ones(1), jnp.cumprod(jnp.broadcast_to(s, (_SERIES_TERMS - 1,)))])
    return tuple(jnp.asarray(np.stack(rows)) @ powers)
