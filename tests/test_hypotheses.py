"""CLs: closed forms, toys against asymptotic formulas, and the distributions that toys are thrown from."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import analytic_model
from scipy import stats

from tridentjax.inference.data import Data, asimov, observed, standard_model, throw
from tridentjax.inference.limits.cls import expand, expanded_ratios, log_CLs, make_toy_CLs, reference_fit
from tridentjax.inference.profile import profile

kept = functools.cache(analytic_model)


def two_sided(x, R_theta, R_sm, sigma):
    """CLs of one normal measurement: the statistic is monotonic in x, so both probabilities are normal tails."""
    sign = np.sign(R_theta - R_sm)
    return stats.norm.logcdf(sign * (x - R_theta) / sigma) - stats.norm.logcdf(sign * (x - R_sm) / sigma)


def compiled(model):
    reference = jax.jit(functools.partial(reference_fit, model))()
    return jax.jit(jax.value_and_grad(lambda point: log_CLs(model, reference, point)))


# --- asymptotic ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("g", [-0.61, -0.13, 0.17, 0.84, 2.7])
def test_CLs_of_one_normal_measurement_is_exact(g):
    """No nuisances; rates that rise and fall."""
    value, slope = simple()({"g": jnp.asarray(g)})
    assert float(value) == pytest.approx(two_sided(0.82, 1 + g, 1.0, 0.28), rel=1e-7)
    up, down = (two_sided(0.82, 1 + g + h, 1.0, 0.28) for h in (1e-5, -1e-5))
    assert float(slope["g"]) == pytest.approx((up - down) / 2e-5, rel=1e-6)


@functools.cache
def simple(*experiments, nuisances=0):
    return compiled(kept(*(experiments or ("ccfr",)), nuisances=nuisances))


@pytest.mark.parametrize(
    "experiments", [("ccfr",), pytest.param(("ccfr", "charm2", "nutev_1998"), marks=pytest.mark.slow)]
)
def test_no_signal_is_not_excluded(experiments):
    """CLs -> 1 on the way to the Standard Model, with a finite slope everywhere."""
    function = simple(*experiments, nuisances=2)
    for g in (0.0, 1e-12, 1e-9, 1e-7):
        value, slope = function({"g": jnp.asarray(g)})
        assert np.isfinite([float(value), float(slope["g"])]).all()
        assert len(experiments) > 1 or abs(float(value)) < 2e-5  # the smallest separation; others: next test
    values = [float(function({"g": jnp.asarray(g)})[0]) for g in (1e-3, 0.03, 0.4, 1.9)]
    assert 0.0 > values[0] > values[1] > values[2] > values[3]


def test_no_signal_of_several_experiments_is_free_of_rounding():
    function = simple("ccfr", "charm2", "nutev_1998", nuisances=2)
    for g in (1e-9, 1e-8, 3e-8, 1e-7, 3e-7):
        assert abs(float(function({"g": jnp.asarray(g)})[0])) < 2e-4


def test_derivative_with_nuisances():
    function = simple("ccfr", "charm2", "nutev_1998", nuisances=2)
    for g in (0.09, 0.83, 2.2):
        _, slope = function({"g": jnp.asarray(g)})
        up, down = (float(function({"g": jnp.asarray(g + s * 1e-5)})[0]) for s in (1, -1))
        assert float(slope["g"]) == pytest.approx((up - down) / 2e-5, rel=1e-4)


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


# --- toys ----------------------------------------------------------------------------------------------------


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


def test_same_seed_same_toys():
    model = kept("nutev_1998", "charm2", "nutev")
    arguments = jnp.asarray([1.31, 1.12, 0.93]), jnp.asarray([0.4, -1.3]), jnp.asarray([8.7, 0.0, 0.0])
    one, again, other = (throw(model, *arguments, jax.random.PRNGKey(seed)) for seed in (4, 4, 5))
    for name in ("value", "background", "centre"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert (one.value[1:] != other.value[1:]).all() and (one.centre != other.centre).all()


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


def test_expansion_of_the_ratios():
    model = kept("ccfr", "nutev")
    point, z = {"g": jnp.asarray(0.8)}, jnp.asarray([0.3, -0.2])
    expansion = expand(model, point, z)
    np.testing.assert_allclose(expanded_ratios(expansion, z), model.ratios_at(point, z), rtol=1e-14)
    errors = []
    for length in (0.4, 0.2):  # third order remains
        away = z + length * jnp.asarray([1.0, 0.7])
        errors.append(np.abs(expanded_ratios(expansion, away) - model.ratios_at(point, away)))
    np.testing.assert_allclose(errors[0] / errors[1], 8.0, rtol=0.15)


def test_toys_against_asymptotic_formulas():
    toy_CLs = make_toy_CLs(kept("ccfr"), 8_000, 3)
    function = simple("ccfr", nuisances=2)
    for g in (0.23, 0.55):
        point = {"g": jnp.asarray(g)}
        toys, expected = toy_CLs(point), float(np.exp(function(point)[0]))
        assert 0.01 < expected < 0.9 and toys.error < 0.05
        assert toys.CLs == toys.p_theta / toys.p_sm
        assert toys.CLs == pytest.approx(expected, abs=4 * toys.error)
        binomial = [np.sqrt(p * (1 - p) / 8_000) / p for p in (toys.p_theta, toys.p_sm)]
        assert toys.error == pytest.approx(toys.CLs * np.hypot(*binomial), rel=1e-10)


@pytest.mark.slow
def test_toys_of_counts_against_enumeration():
    """Known nuisances: both probabilities from the Poisson and the normal distribution."""
    model, g = kept("nutev_1998", nuisances=0), jnp.asarray(0.7)
    toys = make_toy_CLs(model, 8_000, 9)({"g": g})
    data, null = observed(model), standard_model(model)
    F = lambda m, d, p: profile(m, d, m.ratios_at, p).deviance  # noqa: E731

    @jax.jit
    @jax.vmap
    def statistic(count, background):
        toy = Data(count[None], background[None], jnp.zeros(0))
        return F(model, toy, {"g": g}) - F(null, toy, {})

    z, weight = np.polynomial.hermite_e.hermegauss(60)
    counts = np.arange(90)
    for p, truth_model, point in ((toys.p_theta, model, {"g": g}), (toys.p_sm, null, {})):
        truth = asimov(truth_model, point, jnp.zeros(0), data)
        n, b = (a.ravel() for a in np.meshgrid(counts, float(truth.background[0]) + 2.9 * z, indexing="ij"))
        one = float(F(model, data, {"g": g}) - F(null, data, {}))
        above = np.asarray(statistic(jnp.asarray(n, dtype=float), jnp.asarray(b))).reshape(90, 60) >= one
        probability = stats.poisson(float(truth.value[0])).pmf(counts) @ above @ (weight / weight.sum())
        assert p == pytest.approx(probability, abs=4 * np.sqrt(probability / 8_000) + 0.004)
