"""Asimov data and toys: what they are thrown from."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import analytic_model
from scipy import stats

from tridentjax.inference.data import asimov, observed, standard_model, throw
from tridentjax.inference.profile import profile

kept = functools.cache(analytic_model)


@pytest.mark.slow
def test_asimov_data_fit_their_own_hypothesis():
    """The fit returns the nuisances the data were made with, and nothing is better."""
    model = kept("nutev_1998", "ccfr", "nutev")
    point, z = {"g": jnp.asarray(0.37)}, jnp.asarray([0.42, -0.91])
    data = asimov(model, point, z, observed(model))
    ratios = model.ratios_at(point, z)
    np.testing.assert_allclose(data.value[1:], ratios[1:], rtol=1e-14)
    assert float(data.value[0]) == pytest.approx(10.8 * float(ratios[0]) + float(data.background[0]), rel=1e-12)
    found = profile(model, data, model.ratios_at, point, z + 0.7)
    assert bool(found.converged)
    np.testing.assert_allclose(found.z, z, atol=1e-6)


def test_standard_model_has_the_theory_switched_off():
    model, z = kept("ccfr", "nutev"), jnp.zeros(2)
    point = {"g": jnp.asarray(0.37)}
    np.testing.assert_allclose(model.ratios_at(point, z), [1.37, 1.296], rtol=1e-14)
    np.testing.assert_array_equal(standard_model(model).ratios_at(point, z), 1.0)


@functools.cache
def sample(count=40_000):
    """Toys of (nutev_1998, charm2, nutev) about a truth."""
    model = kept("nutev_1998", "charm2", "nutev")
    ratios, z, backgrounds = jnp.asarray([1.31, 1.12, 0.93]), jnp.asarray([0.4, -1.3]), jnp.asarray([8.7, 0.0, 0.0])
    keys = jax.random.split(jax.random.PRNGKey(5), count)
    return jax.jit(jax.vmap(lambda key: throw(model, ratios, z, backgrounds, key)))(keys)


def compare(values, distribution):
    """Mean, variance and five quantiles within 4.5 standard errors."""
    count = values.size
    mean, variance, kurtosis = (float(x) for x in distribution.stats("mvk"))
    assert values.mean() == pytest.approx(mean, abs=4.5 * np.sqrt(variance / count))
    assert values.var() == pytest.approx(variance, rel=4.5 * np.sqrt((kurtosis + 2) / count))
    for q in (0.03, 0.2, 0.5, 0.8, 0.97):
        at = float(distribution.ppf(q))
        share = float(distribution.cdf(at))
        assert np.mean(values <= at) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / count))


@pytest.mark.slow
def test_same_seed_same_toys():
    model = kept("nutev_1998", "charm2", "nutev")
    arguments = jnp.asarray([1.31, 1.12, 0.93]), jnp.asarray([0.4, -1.3]), jnp.asarray([8.7, 0.0, 0.0])
    one, again, other = (throw(model, *arguments, jax.random.PRNGKey(seed)) for seed in (4, 4, 5))
    for name in ("value", "background", "centre"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert (one.value[1:] != other.value[1:]).all() and (one.centre != other.centre).all()


@pytest.mark.slow
def test_toys_of_a_normal_measurement():
    compare(np.asarray(sample().value[:, 1]), stats.norm(1.12, 0.57))


def test_toys_of_counts():
    compare(np.asarray(sample().value[:, 0]), stats.poisson(10.8 * 1.31 + 8.7))
    compare(np.asarray(sample().background[:, 0]), stats.norm(8.7, 2.9))
    assert (np.asarray(sample().background[:, 1:]) == 0.0).all()


def test_toys_of_the_constraints():
    for k, centre in enumerate((0.4, -1.3)):
        compare(np.asarray(sample().centre[:, k]), stats.norm(centre, 1.0))
    columns = np.column_stack([sample().value, sample().background[:, :1], sample().centre])
    correlations = np.corrcoef(columns.T) - np.eye(6)
    assert np.abs(correlations).max() < 4.5 / np.sqrt(len(columns))


@pytest.mark.slow
def test_toys_of_a_split_normal_measurement():
    """The likelihood is their density: histogram against its integral, and the share below the truth."""
    values, R, low, high = np.asarray(sample().value[:, 2]), 0.93, 0.72, 1.73

    def cdf(x):
        below = 2 * high / (low + high) * stats.norm.cdf((np.minimum(x, R) - R) / high)
        return below + 2 * low / (low + high) * (stats.norm.cdf((np.maximum(x, R) - R) / low) - 0.5)

    edges = np.linspace(-3.5, 3.0, 27)
    counts, _ = np.histogram(values, edges)
    expected = np.diff(cdf(edges)) * values.size
    assert (np.abs(counts - expected) < 4.5 * np.sqrt(expected + 1)).all()
    share = high / (low + high)
    assert np.mean(values < R) == pytest.approx(share, abs=4.5 * np.sqrt(share * (1 - share) / values.size))
