"""Posterior predictive checks against tail probabilities from SciPy."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from toy_model import toy_model

from tridentjax.experiment.measurement import Nuisance
from tridentjax.figures.goodness import plot_predictive
from tridentjax.figures.style import pyplot
from tridentjax.inference.checks.predictive import describe, replicate, tail

DRAWS = (4, 4000)
SPLIT = {"distribution": "split_normal", "uncertainty_low": 0.31, "uncertainty_high": 0.94}
COUNTS = {
    "observable": "counts", "distribution": "poisson", "unit": "events", "value": 17.0, "background": 9.8,
    "background_uncertainty": 2.9, "signal_sm": 10.8,
}  # fmt: skip


@pytest.fixture
def ratios():
    return {"ccfr": np.random.default_rng(8).normal(1.3, 0.1, DRAWS)}


def with_background():
    """The count with its background as a nuisance."""
    background = Nuisance(2.9, False, "toy", part="background", centre=9.8)
    parts = ({"background": "background_ccfr"},)
    return dataclasses.replace(toy_model(**COUNTS), nuisances={"background_ccfr": background}, parts=parts)


def binomial(p):
    return 4.0 * np.sqrt(p * (1.0 - p) / np.prod(DRAWS))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [{}, SPLIT])
def test_p_value_of_a_ratio_is_the_mean_normal_tail(ratios, shape):
    model = toy_model(**shape)
    m, R = model.chains[0].experiment.measurement, ratios["ccfr"]
    found = replicate(model, ratios, {}, 3)["ccfr"]
    sd = np.where(m.value < R, m.uncertainty_high, m.uncertainty_low)
    expected = np.mean(2.0 * stats.norm.sf(np.abs(R - m.value) / sd))
    assert found.p_value == pytest.approx(expected, abs=binomial(expected))
    assert found.replicas.shape == DRAWS and found.observed == 0.82
    np.testing.assert_array_equal(found.predicted, R)


@pytest.mark.few(1)
@pytest.mark.parametrize("sampled", [False, True])
def test_p_value_of_a_count_is_a_mid_p(ratios, sampled):
    model, R = with_background() if sampled else toy_model(**COUNTS), ratios["ccfr"]
    backgrounds = np.random.default_rng(9).normal(9.0, 2.0, DRAWS)
    found = replicate(model, ratios, {"background_ccfr": backgrounds} if sampled else {}, 3)["ccfr"]
    signal = 10.8 * R
    half = (signal - 9.8 + 2.9**2) / 2.0
    best = np.sqrt(half**2 + signal * 9.8 + 2.9**2 * (17.0 - signal)) - half
    mean = signal + (backgrounds if sampled else best)
    np.testing.assert_allclose(found.predicted, mean, rtol=1e-10)
    n = np.arange(120)[:, None]
    flat = mean.ravel()[:2000]
    distance, own = np.abs(n - flat), np.abs(17.0 - flat)
    weight = (distance > own) + 0.5 * (distance == own)
    expected = (stats.poisson.pmf(n, flat) * weight).sum(0).mean()
    assert found.p_value == pytest.approx(expected, abs=2.0 * binomial(expected))
    assert (found.replicas == np.round(found.replicas)).all()


def test_a_background_that_would_make_the_mean_negative_is_cut_off(ratios):
    below = {"background_ccfr": np.full(DRAWS, -40.0)}
    found = replicate(with_background(), ratios, below, 3)["ccfr"]
    assert (found.predicted < 1e-8).all() and (found.replicas == 0.0).all() and found.p_value == 0.0


def ratio(value, low, high):
    model = toy_model(value=value, uncertainty_low=low, uncertainty_high=high)
    return model.chains[0].experiment.measurement


def test_tail_counts_ties_half_and_takes_the_right_side():
    predicted = np.asarray([2.0, 2.0, 2.0, 2.0])
    assert tail(ratio(4.0, 1.0, 1.0), np.asarray([3.0, 4.0, 0.0, 2.0]), predicted) == pytest.approx(
        (0 + 0.5 + 0.5 + 0) / 4
    )
    # above the prediction the lower error counts: (4 - 2)/0.5 = 4; below it (2 - 0)/8
    assert tail(ratio(3.9, 0.5, 8.0), np.asarray([4.0, 0.0, 6.0, 5.0]), predicted) == pytest.approx(0.75)


def test_same_seed_same_replicas_and_limits_are_left_out(ratios):
    model = toy_model()
    first, again, other = (replicate(model, ratios, {}, seed)["ccfr"].replicas for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.99
    limit = toy_model(observable="upper_limit", distribution="half_normal", uncertainty_low=0.0, uncertainty_high=0.0)
    assert replicate(limit, ratios, {}, 3) == {}


def test_summary_and_figure(ratios):
    found = replicate(toy_model(**COUNTS), ratios, {}, 3)
    summary = describe(found)["ccfr"]
    assert summary["p_value"] == found["ccfr"].p_value and summary["statistic"].endswith("mid-p")
    assert summary["replicated"]["mean"] == pytest.approx(summary["predicted"]["mean"], rel=0.01)
    both = {"counts": found["ccfr"], "ratio": replicate(toy_model(kind="projection"), ratios, {}, 3)["ccfr"]}
    left, right = plot_predictive(both).axes
    assert left.get_xlabel() == "counted events" and "projection, not data" in right.get_title()
    assert left.get_lines()[0].get_xdata()[0] == 17.0
    pyplot().close("all")
