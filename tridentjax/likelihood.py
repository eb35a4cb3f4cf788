"""Likelihoods of measured rate ratios and event counts, normalised over the data."""

import math

import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.experiment import Measurement

_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)


def normal_log_density(x: Scalar, mean: Scalar, sd: Scalar) -> Float[Array, ""]:
    """Log N(x; mean, sd)."""
    return -0.5 * ((x - mean) / sd) ** 2 - jnp.log(sd) - _LOG_ROOT_2PI


def split_normal_log_density(x: Scalar, mean: Scalar, sd_low: Scalar, sd_high: Scalar) -> Float[Array, ""]:
    """Two-piece normal for a measured value x with errors -sd_low, +sd_high, given the true `mean`.

    The upper error applies when the truth lies above the measured value. Integrates to 1 over x.
    """
    sd = jnp.where(mean > x, sd_high, sd_low)
    norm = 2.0 / (jnp.asarray(sd_low) + sd_high)
    return -0.5 * ((x - mean) / sd) ** 2 + jnp.log(norm) - _LOG_ROOT_2PI


def poisson_log_probability(count: Scalar, mean: Scalar) -> Float[Array, ""]:
    """Log Poisson(count; mean) for mean > 0."""
    return count * jnp.log(mean) - mean - gammaln(jnp.asarray(count) + 1.0)


def profiled_background(count: Scalar, signal: Scalar, background: Scalar, sd: Scalar) -> Float[Array, ""]:
    """Background b that maximises Poisson(count; signal + b) N(background; b, sd).

    Root of b^2 + b (signal - background + sd^2) = signal background + sd^2 (count - signal), at least 0.
    """
    half = (signal - background + sd**2) / 2.0
    constant = signal * background + sd**2 * (count - signal)
    root = jnp.sqrt(jnp.maximum(half**2 + constant, 0.0))
    return jnp.maximum(root - half, 0.0)


def log_likelihood(measurement: Measurement, rate_ratio: Scalar, background: Scalar | None = None) -> Float[Array, ""]:
    """Log-likelihood of one measurement at a predicted rate ratio.

    Parameters
    ----------
    measurement : see `Measurement`.
    rate_ratio : R = N/N_SM >= 0.
    background : true background of a counting experiment; profiled out (with its constraint) if None.

    Returns
    -------
    Normalised over the data: the density integrates, or the probability sums, to 1.
    """
    m = measurement
    if m.distribution == "normal":
        return normal_log_density(m.value, rate_ratio, m.uncertainty_low)
    if m.distribution == "split_normal":
        return split_normal_log_density(m.value, rate_ratio, m.uncertainty_low, m.uncertainty_high)
    expected = m.signal_sm * rate_ratio
    if background is None:
        background = profiled_background(m.value, expected, m.background, m.background_uncertainty)
    constraint = normal_log_density(m.background, background, m.background_uncertainty)
    return poisson_log_probability(m.value, expected + background) + constraint
