"""Likelihoods against SciPy, normalised over the data, with finite slopes wherever a rate ratio can go."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats
from scipy.integrate import quad

from tridentjax import log_likelihood
from tridentjax.experiment.likelihood import (
    half_normal_log_density,
    normal_log_density,
    poisson_log_probability,
    profiled_background,
    split_normal_log_density,
)
from tridentjax.experiment.load import Measurement

OBSERVABLE = {"poisson": "counts", "half_normal": "upper_limit"}


def measurement(distribution, value, low=0.0, high=0.0, counts=(0.0, 0.0, 0.0), level=0.0):
    observable = OBSERVABLE.get(distribution, "rate_ratio")
    return Measurement(value, low, high, *counts, observable, distribution, "invented", confidence_level=level)


@pytest.mark.parametrize("truth", [0.3, 1.7])
def test_normal_is_normalised_over_the_data(truth):
    density = jax.jit(lambda x: jnp.exp(normal_log_density(x, truth, 0.41)))
    assert quad(lambda x: float(density(x)), truth - 5, truth + 5, points=[truth])[0] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("sides", [(0.72, 1.73), (0.5, 0.1)])
def test_split_normal_is_normalised_over_the_data(sides):
    density = jax.jit(lambda x: jnp.exp(split_normal_log_density(x, 1.3, *sides)))
    area = sum(quad(lambda x: float(density(x)), *edges)[0] for edges in [(-18.7, 1.3), (1.3, 21.3)])
    assert area == pytest.approx(1, abs=1e-8)


def test_split_normal_sides():
    """A truth above the measured value is judged by the upper error."""
    at_peak = split_normal_log_density(0.72, 0.72, 0.6, 1.73)
    above = split_normal_log_density(0.72, 0.72 + 1.73, 0.6, 1.73)
    below = split_normal_log_density(0.72, 0.72 - 0.6, 0.6, 1.73)
    np.testing.assert_allclose([at_peak - above, at_peak - below], 0.5, rtol=1e-12)
    symmetric = split_normal_log_density(0.9, 1.4, 0.33, 0.33)
    np.testing.assert_allclose(symmetric, stats.norm(1.4, 0.33).logpdf(0.9), rtol=1e-12)


def test_poisson_sums_to_one_with_a_fixed_background():
    counts = np.arange(200.0)
    p = np.exp(jax.vmap(lambda n: poisson_log_probability(n, 10.8 * 0.7 + 9.8))(jnp.asarray(counts)))
    assert p.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(p, stats.poisson(10.8 * 0.7 + 9.8).pmf(counts), rtol=1e-10)


@pytest.mark.parametrize(
    ("count", "signal", "background", "sd"),
    [(17, 10.8, 9.8, 2.9), (17, 25.0, 9.8, 2.9), (3, 0.5, 8.1, 4.0), (40, 2.0, 9.8, 0.3), (5, 0.0, 6.0, 2.0)],
)
def test_profiled_background_is_the_maximum(count, signal, background, sd):
    def minus_log(b):
        return -(stats.poisson(signal + b).logpmf(count) + stats.norm(b, sd).logpdf(background))

    best = optimize.minimize_scalar(minus_log, bounds=(0, 60), method="bounded", options={"xatol": 1e-10})
    ours = float(profiled_background(float(count), signal, background, sd))
    assert ours == pytest.approx(best.x, abs=2e-5)
    assert minus_log(ours) <= best.fun + 1e-10


def test_profiled_background_never_goes_negative():
    # nothing seen over a small background with a wide error: the unconstrained root lies below 0
    assert float(profiled_background(0.0, 4.0, 1.0, 5.0)) == 0.0
    assert np.isfinite(log_likelihood(measurement("poisson", 0.0, counts=(1.0, 5.0, 4.0)), 1.0))


@pytest.mark.slow
def test_generic_values():
    ours = log_likelihood(measurement("normal", 0.82, 0.28, 0.28), 1.31)
    np.testing.assert_allclose(ours, stats.norm(1.31, 0.28).logpdf(0.82), rtol=1e-12)
    ours = log_likelihood(measurement("split_normal", 0.72, 0.72, 1.73), 2.2)
    expected = np.log(2 / (0.72 + 1.73) / np.sqrt(2 * np.pi)) - 0.5 * ((2.2 - 0.72) / 1.73) ** 2
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    counting = measurement("poisson", 17.0, counts=(9.8, 2.9, 10.8))
    expected = stats.poisson(10.8 * 1.4 + 8.3).logpmf(17) + stats.norm(8.3, 2.9).logpdf(9.8)
    np.testing.assert_allclose(log_likelihood(counting, 1.4, 8.3), expected, rtol=1e-12)
    grid = [float(log_likelihood(counting, 1.4, b)) for b in np.linspace(1, 20, 4001)]
    np.testing.assert_allclose(log_likelihood(counting, 1.4), max(grid), atol=1e-6)


@pytest.mark.parametrize(("limit", "level"), [(1.95, 0.90), (3.3, 0.95), (0.41, 0.683)])
def test_half_normal_holds_its_level_below_the_limit(limit, level):
    sd = limit / stats.norm.isf((1.0 - level) / 2.0)
    for R in (0.17, 1.0, 2.6):
        ours = half_normal_log_density(R, limit, level)
        np.testing.assert_allclose(ours, stats.halfnorm(scale=sd).logpdf(R), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(ours, log_likelihood(measurement("half_normal", limit, level=level), R), rtol=1e-14)
    density = jax.jit(lambda R: jnp.exp(half_normal_log_density(R, limit, level)))
    assert quad(lambda R: float(density(R)), 0.0, limit)[0] == pytest.approx(level, abs=1e-10)
    assert quad(lambda R: float(density(R)), 0.0, 12 * limit, points=[limit])[0] == pytest.approx(1, abs=1e-10)


def test_counting_would_not_give_the_published_limit_of_nova():
    """9 events over 5.66 +- 5.15 with 4.66 expected: a profile likelihood ends at 2.83, not at the published 1.95."""
    counting = jax.jit(lambda R: log_likelihood(measurement("poisson", 9.0, counts=(5.66, 5.15, 4.66)), R))
    best = optimize.minimize_scalar(lambda R: -float(counting(R)), bounds=(0, 5), method="bounded")
    crossing = optimize.brentq(lambda R: -float(counting(R)) - best.fun - stats.norm.isf(0.05) ** 2 / 2, best.x, 9)
    assert crossing == pytest.approx(2.83, rel=0.1)
    assert crossing > 1.3 * 1.95


def test_known_background_has_no_constraint():
    known = measurement("poisson", 6.3, counts=(2.7, 0.0, 3.1))
    for R, background in ((0.4, None), (1.7, None), (1.7, 2.7)):
        mean = 3.1 * R + 2.7
        expected = 6.3 * np.log(mean) - mean - special.gammaln(7.3)
        np.testing.assert_allclose(log_likelihood(known, R, background), expected, rtol=1e-13)


def test_nothing_expected_but_something_seen_is_finite():
    """R = 0 without a background: g_V and g_A shifted away exactly."""
    known = measurement("poisson", 4.0, counts=(0.0, 0.0, 3.1))
    value, slope = jax.value_and_grad(lambda x: log_likelihood(known, x**2))(0.0)
    assert np.isfinite(slope) and -4000 < float(value) < -1000
    empty = measurement("poisson", 0.0, counts=(0.0, 0.0, 3.1))
    assert float(log_likelihood(empty, 0.0)) == pytest.approx(0.0, abs=1e-299)


@pytest.mark.parametrize("missing", [("value",), ("signal_sm",), ("value", "signal_sm")])
def test_an_incomplete_count_is_refused(missing):
    incomplete = dataclasses.replace(measurement("poisson", 4.0, counts=(1.0, 0.5, 2.0)), missing=missing)
    with pytest.raises(ValueError, match=f"{' and '.join(missing)} missing; complete the chain with"):
        log_likelihood(incomplete, 1.0)


MEASUREMENTS = {
    "normal": measurement("normal", 0.82, 0.28, 0.28),
    "split": measurement("split_normal", 0.72, 0.72, 1.73),
    "poisson": measurement("poisson", 17.0, counts=(9.8, 2.9, 10.8)),
    "known background": measurement("poisson", 5.3, counts=(1.7, 0.0, 2.9)),
    "limit": measurement("half_normal", 1.95, level=0.9),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("name", MEASUREMENTS)
@pytest.mark.parametrize("R", [0.4, 1.37])
def test_transforms(name, R):
    function = lambda R: log_likelihood(MEASUREMENTS[name], R)  # noqa: E731
    x = jnp.asarray(R)
    np.testing.assert_allclose(jax.jit(function)(x), function(x), rtol=1e-13)
    forward, reverse = jax.jacfwd(function)(x), jax.grad(function)(x)
    np.testing.assert_allclose(forward, reverse, rtol=1e-12)
    np.testing.assert_allclose(reverse, (function(x + 1e-5) - function(x - 1e-5)) / 2e-5, rtol=1e-7)
    batch = jax.vmap(function)(jnp.asarray([R, 2.1]))
    np.testing.assert_allclose(batch, [function(x), function(jnp.asarray(2.1))], rtol=1e-13)


def test_gradient_crosses_the_kink_of_a_split_normal():
    slope = jax.grad(lambda R: log_likelihood(MEASUREMENTS["split"], R))
    np.testing.assert_allclose([slope(0.72 - 1e-9), slope(0.72), slope(0.72 + 1e-9)], 0.0, atol=1e-8)
