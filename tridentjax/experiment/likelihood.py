"""Likelihoods of measured rate ratios, upper limits and event counts."""

import math

import jax.numpy as jnp
from jax.scipy.special import erfinv, gammaln
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.experiment.measurement import Measurement

_LOG_ROOT_2PI = 0.5 * math.log(2.0 * math.pi)
_SMALLEST_MEAN = 1e-300  # of a Poisson count: nothing expected, but something seen, stays a finite number


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


def half_normal_log_density(rate_ratio: Scalar, limit: Scalar, confidence_level: float) -> Float[Array, ""]:
    """Half-normal surrogate for a published upper limit on R, of which no likelihood was published.

    L(R) = sqrt(2/pi)/sd exp(-R^2/(2 sd^2)) for R >= 0, with sd = limit/z, z = sqrt2 erfinv(CL), so that R below
    the limit holds the share CL of a prior flat in R. It says nothing about where inside the limit R is: an
    assumption that reproduces the published number and no more. NOvA: R < 1.95 at 90 %, while a counting
    likelihood of its 9 events over 5.66 +- 5.15 gives 2.83. There is no datum to normalise over: the density
    integrates to 1 over R.

    Parameters
    ----------
    rate_ratio : R = N/N_SM >= 0; differentiable.
    limit : the upper limit.
    confidence_level : its confidence level, in (0, 1).
    """
    sd = limit / (math.sqrt(2.0) * erfinv(jnp.asarray(confidence_level)))
    return -0.5 * (rate_ratio / sd) ** 2 - jnp.log(sd) - _LOG_ROOT_2PI + math.log(2.0)


def poisson_log_probability(count: Scalar, mean: Scalar) -> Float[Array, ""]:
    """Log Poisson(count; mean), also for the count of an Asimov data set, which need not be whole.

    A mean of 0 is taken as 1e-300: with events seen the result is hugely negative but finite.
    """
    mean = jnp.maximum(jnp.asarray(mean), _SMALLEST_MEAN)
    return count * jnp.log(mean) - mean - gammaln(jnp.asarray(count) + 1.0)


def profiled_background(count: Scalar, signal: Scalar, background: Scalar, sd: Scalar) -> Float[Array, ""]:
    """Background b that maximises Poisson(count; signal + b) N(background; b, sd).

    Root of b^2 + b (signal - background + sd^2) = signal background + sd^2 (count - signal), at least 0; the
    background itself where sd = 0.
    """
    half = (signal - background + sd**2) / 2.0
    constant = signal * background + sd**2 * (count - signal)
    square = half**2 + constant
    real = square > 0.0  # a root of 0 has no finite slope
    root = jnp.where(real, jnp.sqrt(jnp.where(real, square, 1.0)), 0.0)
    return jnp.where(jnp.asarray(sd) > 0.0, jnp.maximum(root - half, 0.0), background)


def best_background(measurement: Measurement, rate_ratio: Scalar) -> Float[Array, ""]:
    """Background of a count that fits best at a rate ratio; without an error that of the record, 0 for a ratio."""
    m = measurement
    return profiled_background(m.value, m.signal_sm * rate_ratio, m.background, m.background_uncertainty)


def log_likelihood(measurement: Measurement, rate_ratio: Scalar, background: Scalar | None = None) -> Float[Array, ""]:
    """Log-likelihood of one measurement at a predicted rate ratio.

    Parameters
    ----------
    measurement : see `Measurement`.
    rate_ratio : R = N/N_SM >= 0.
    background : true background of a counting experiment; profiled out (with its constraint) if None.

    Returns
    -------
    Log of a density that integrates, or of a probability that sums, to 1 over the data; for an upper limit see
    `half_normal_log_density`. A background without error is taken as known and has no constraint.

    Raises
    ------
    ValueError : a count whose signal or Asimov value is to come from the flux; see `exposure.complete`.
    """
    m = measurement
    if m.missing:
        raise ValueError(
            f"log_likelihood: {' and '.join(m.missing)} missing; complete the chain with exposure.complete"
        )
    if m.distribution == "normal":
        return normal_log_density(m.value, rate_ratio, m.uncertainty_low)
    if m.distribution == "split_normal":
        return split_normal_log_density(m.value, rate_ratio, m.uncertainty_low, m.uncertainty_high)
    if m.distribution == "half_normal":
        return half_normal_log_density(rate_ratio, m.value, m.confidence_level)
    if background is None:
        background = best_background(m, rate_ratio)
    uncertain = jnp.asarray(m.background_uncertainty) > 0.0
    width = jnp.where(uncertain, m.background_uncertainty, 1.0)
    constraint = jnp.where(uncertain, normal_log_density(m.background, background, width), 0.0)
    return poisson_log_probability(m.value, m.expected(rate_ratio, background)) + constraint
