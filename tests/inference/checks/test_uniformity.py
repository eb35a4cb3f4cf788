"""Tests of uniformity against enumeration and SciPy."""

import itertools

import numpy as np
import pytest
from scipy import stats

from tridentjax.inference.checks.uniformity import chi2_p_value, counts_below, ecdf_band, ecdf_p_value


@pytest.mark.parametrize(("count", "draws"), [(3, 2), (5, 3)])
def test_ecdf_p_value_by_enumeration(count, draws):
    """Every possible sample of ranks, weighed alike: P(smallest tail <= the one seen)."""
    z = np.arange(1, draws + 1) / (draws + 1)

    def smallest_tail(ranks):
        k = counts_below(np.asarray(ranks), draws)
        return min(
            2 * min(stats.binom.cdf(a, count, b), stats.binom.sf(a - 1, count, b)) for a, b in zip(k, z, strict=True)
        )

    every = {ranks: smallest_tail(ranks) for ranks in itertools.product(range(draws + 1), repeat=count)}
    tails = np.asarray(list(every.values()))
    for ranks in (tuple([0] * count), tuple([draws] * (count - 1) + [1]), tuple(np.arange(count) % (draws + 1))):
        expected = np.mean(tails <= every[ranks] * (1 + 1e-12))
        assert ecdf_p_value(np.asarray(ranks), draws) == pytest.approx(expected, abs=1e-9)


def test_band_holds_its_share_of_uniform_samples():
    """Simultaneous coverage against simulation (Algorithm 1 of Säilynoja et al.); p-values are uniform."""
    rng = np.random.default_rng(5)
    samples = rng.integers(0, 20, (4000, 70))
    band = ecdf_band(70, 19, 0.9)
    below = np.stack([counts_below(row, 19) for row in samples])
    inside = ((below >= band.low[None]) & (below <= band.high[None])).all(1)
    error = np.sqrt(0.9 * 0.1 / 4000)
    assert 0.9 - 3 * error < inside.mean() < 0.925  # at least the level; counts are discrete
    p = np.asarray([ecdf_p_value(row, 19) for row in samples[:600]])
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    outside = np.asarray([ecdf_p_value(row, 19) < 0.1 for row in samples[:600]])
    assert np.mean(outside == ~inside[:600]) > 0.97  # two views of one test, but for ties at its edge


def test_chi2_against_scipy():
    ranks = np.random.default_rng(8).integers(0, 100, 230)
    expected = stats.chisquare(np.histogram(ranks, 20, (0, 100))[0]).pvalue
    assert chi2_p_value(ranks, 99, 20) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="100 ranks do not fill 30 equal bins"):
        chi2_p_value(ranks, 99, 30)


@pytest.mark.parametrize("shape", [(0.5, 0.5), (2.2, 2.2), (1.0, 1.4)])
def test_bent_ranks_are_seen(shape):
    """Posteriors too narrow, too wide, and shifted."""
    ranks = (100 * np.random.default_rng(2).beta(*shape, 400)).astype(int)
    assert ecdf_p_value(ranks, 99) < 1e-3
    assert chi2_p_value(ranks, 99, 10) < 1e-2
