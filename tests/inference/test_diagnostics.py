"""Diagnostics of chains and information gains, on draws whose distribution is known."""

import numpy as np
import pytest
from scipy import stats

from tridentjax.inference.diagnostics import bulk_ess, information_gain, r_hat, summarise


def test_white_noise_is_all_effective():
    draws = np.random.default_rng(1).normal(size=(4, 2000))
    assert bulk_ess(draws) == pytest.approx(8000, rel=0.1)
    assert r_hat(draws) < 1.003


@pytest.mark.parametrize("phi", [0.5, 0.85])
def test_ess_of_an_autoregressive_chain(phi):
    rng = np.random.default_rng(7)
    x = np.zeros((4, 20000))
    x[:, 0] = rng.normal(size=4)
    for i in range(1, x.shape[1]):
        x[:, i] = phi * x[:, i - 1] + np.sqrt(1 - phi**2) * rng.normal(size=4)
    expected = x.size * (1 - phi) / (1 + phi)
    assert bulk_ess(x) == pytest.approx(expected, rel=0.15)
    assert bulk_ess(np.exp(3 * x)) == pytest.approx(bulk_ess(x), rel=1e-9)  # ranks do not care


def test_r_hat_sees_shifted_and_spread_chains():
    rng = np.random.default_rng(2)
    shifted = rng.normal(size=(4, 500))
    shifted[3] += 1.5
    assert r_hat(shifted) > 1.1
    spread = rng.normal(size=(4, 500)) * np.array([1, 1, 1, 5])[:, None]
    assert r_hat(spread) > 1.1
    drift = rng.normal(size=(4, 500)) + np.linspace(0, 3, 500)
    assert r_hat(drift) > 1.1


def test_summary_has_named_quantiles():
    draws = np.random.default_rng(3).lognormal(size=(3, 4000))
    summary = summarise(draws)
    assert set(summary) == {"mean", "sd", "quantiles", "r_hat", "ess_bulk"}
    for name, q in {"5%": 0.05, "16%": 0.16, "50%": 0.5, "84%": 0.84, "95%": 0.95}.items():
        assert summary["quantiles"][name] == pytest.approx(stats.lognorm(1).ppf(q), rel=0.06)


def test_information_gain_of_known_distributions():
    """Uniform draws carry none; a prior cut to 1/8 three bits; a normal of width s in its prior ln(..) nats."""
    u = np.random.default_rng(9).uniform(size=(4, 1000))
    nothing = information_gain(u, 4000.0)
    assert abs(nothing["bits"]) < 3 * nothing["error"] and nothing["error"] < 0.002
    eighth = information_gain(0.25 + u / 8, 4000.0, bins=64)
    np.testing.assert_allclose(eighth["bits"], 3.0, atol=0.01)
    narrow = np.random.default_rng(10).normal(0.5, 0.08, (4, 20000))
    expected = -0.5 * np.log2(2 * np.pi * np.e * 0.08**2)
    found = information_gain(narrow, 80000.0, bins=100)
    np.testing.assert_allclose(found["bits"], expected, atol=max(3 * found["error"], 0.003))


def test_information_gain_is_unbiased_at_small_samples():
    """Without the correction 200 uniform draws in 20 bins would claim 0.07 bit."""
    rng = np.random.default_rng(11)
    found = [information_gain(rng.uniform(size=(4, 50)), 200.0) for _ in range(300)]
    mean, error = np.mean([x["bits"] for x in found]), np.std([x["bits"] for x in found])
    assert abs(mean) < 0.006
    np.testing.assert_allclose(np.mean([x["error"] for x in found]), error, rtol=0.35)
