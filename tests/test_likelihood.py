import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.integrate import quad

from tridentjax import log_likelihood
from tridentjax.experiment import Measurement
from tridentjax.likelihood import (
    normal_log_density,
    poisson_log_probability,
    profiled_background,
    split_normal_log_density,
)


def measurement(distribution, value, low=0.0, high=0.0, counts=(0.0, 0.0, 0.0)):
    observable = "counts" if distribution == "poisson" else "rate_ratio"
    return Measurement(value, low, high, *counts, observable, distribution, "invented")


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


MEASUREMENTS = {
    "normal": measurement("normal", 0.82, 0.28, 0.28),
    "split": measurement("split_normal", 0.72, 0.72, 1.73),
    "poisson": measurement("poisson", 17.0, counts=(9.8, 2.9, 10.8)),
}


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
