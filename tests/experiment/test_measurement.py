"""What a measurement says about itself: its ratio, what it expects, throws, and how far a datum is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from tridentjax.experiment.likelihood import best_background, profiled_background
from tridentjax.experiment.load import load_experiment
from tridentjax.experiment.measurement import Measurement

RATIO = Measurement(
    value=0.8, uncertainty_low=0.25, uncertainty_high=0.4, background=0.0, background_uncertainty=0.0, signal_sm=0.0,
    observable="rate_ratio", distribution="split_normal", status="invented",
)  # fmt: skip
COUNT = Measurement(
    value=17.0, uncertainty_low=0.0, uncertainty_high=0.0, background=9.8, background_uncertainty=2.9, signal_sm=10.8,
    observable="counts", distribution="poisson", status="invented",
)  # fmt: skip


def test_as_ratio():
    assert RATIO.as_ratio() == (0.8, 0.25, 0.4)
    value, low, high = COUNT.as_ratio()
    assert value == pytest.approx(7.2 / 10.8) and low == high == pytest.approx(np.sqrt(17 + 2.9**2) / 10.8)


def test_expected_and_distance():
    assert RATIO.expected(1.4, 99.0) == 1.4 and COUNT.expected(1.4, 9.0) == pytest.approx(24.12)
    # the upper error counts where the prediction lies above the datum
    np.testing.assert_allclose(RATIO.distance(jnp.asarray([0.8, 0.8]), jnp.asarray([1.2, 0.3])), [1.0, 2.0])
    assert float(COUNT.distance(17.0, 25.0)) == pytest.approx(8.0 / 5.0)


@pytest.mark.slow
def test_toys_have_the_distribution_of_the_likelihood():
    keys = jax.random.split(jax.random.PRNGKey(6), 4000)
    counts, estimates = jax.vmap(lambda key: COUNT.throw(1.3, 8.0, key))(keys)
    assert (np.asarray(counts) % 1 == 0).all() and np.mean(counts) == pytest.approx(
        22.04, abs=4 * 22.04**0.5 / 4000**0.5
    )
    assert stats.kstest(np.asarray(estimates), stats.norm(8.0, 2.9).cdf).pvalue > 1e-3
    values, none = jax.vmap(lambda key: RATIO.throw(1.3, 8.0, key))(keys)
    above = np.asarray(values) > 1.3  # measured above the truth: the lower error
    assert above.mean() == pytest.approx(0.25 / 0.65, abs=0.035) and not np.asarray(none).any()
    assert stats.kstest(np.asarray(values)[above] - 1.3, stats.halfnorm(scale=0.25).cdf).pvalue > 1e-3
    assert stats.kstest(1.3 - np.asarray(values)[~above], stats.halfnorm(scale=0.4).cdf).pvalue > 1e-3


def test_best_background():
    assert float(best_background(COUNT, 1.1)) == pytest.approx(float(profiled_background(17.0, 11.88, 9.8, 2.9)))
    assert float(best_background(RATIO, 1.1)) == 0.0


def test_kinds():
    kinds = {name: load_experiment(name).measurement for name in ("ccfr", "nutev_1998", "nova")}
    assert [m.is_ratio for m in kinds.values()] == [True, False, False]
    assert [m.is_count and m.uncertain_background for m in kinds.values()] == [False, True, False]
    assert [m.is_limit for m in kinds.values()] == [False, False, True]
