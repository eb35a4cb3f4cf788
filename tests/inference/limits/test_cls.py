"""CLs: closed forms, toys against asymptotic formulas, and the distributions that toys are thrown from."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import analytic_model
from scipy import stats

from tridentjax.inference.data import Data, asimov, observed, standard_model
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


@pytest.mark.slow
def test_no_signal_of_several_experiments_is_free_of_rounding():
    function = simple("ccfr", "charm2", "nutev_1998", nuisances=2)
    for g in (1e-9, 1e-8, 3e-8, 1e-7, 3e-7):
        assert abs(float(function({"g": jnp.asarray(g)})[0])) < 2e-4


@pytest.mark.slow
def test_derivative_with_nuisances():
    function = simple("ccfr", "charm2", "nutev_1998", nuisances=2)
    for g in (0.09, 0.83, 2.2):
        _, slope = function({"g": jnp.asarray(g)})
        up, down = (float(function({"g": jnp.asarray(g + s * 1e-5)})[0]) for s in (1, -1))
        assert float(slope["g"]) == pytest.approx((up - down) / 2e-5, rel=1e-4)


# --- toys ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
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


@pytest.mark.slow
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
