"""Data over theory: pulls, exact p-values of counts, combination, and the command."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

from tridentjax.experiment.load import load_experiment
from tridentjax.rates.comparison import Comparison, combine, count_p_value

COUNT = load_experiment("nutev_1998").measurement


def deviance(n, estimate, signal, sd, most=60.0):
    """q of a count with the best background found numerically."""

    def at(b):
        return -2.0 * (stats.poisson.logpmf(n, signal + b) - stats.poisson.logpmf(n, n)) + ((estimate - b) / sd) ** 2

    return minimize_scalar(at, bounds=(0.0, most), method="bounded", options={"xatol": 1e-9}).fun


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1.0, 2.3])
def test_p_value_of_a_count_against_toys(ratio):
    rng, signal, sd = np.random.default_rng(7), 10.8 * ratio, 2.9
    half = (signal - 9.8 + sd**2) / 2.0
    best = np.sqrt(half**2 + signal * 9.8 + sd**2 * (17.0 - signal)) - half
    observed = deviance(17, 9.8, signal, sd)
    toys = [(rng.poisson(signal + best), rng.normal(best, sd)) for _ in range(800)]
    expected = np.mean([deviance(n, estimate, signal, sd) >= observed for n, estimate in toys])
    error = np.sqrt(expected * (1 - expected) / len(toys))
    assert count_p_value(COUNT, ratio) == pytest.approx(expected, abs=4.0 * error)


def test_p_value_with_a_known_background_is_a_sum():
    known = dataclasses.replace(COUNT, background_uncertainty=0.0)
    n = np.arange(200)
    mean = 9.8 + 10.8 * 1.2
    relative = stats.poisson.logpmf(n, mean) - stats.poisson.logpmf(n, np.maximum(n, 1e-300))
    own = relative[17]
    expected = stats.poisson.pmf(n, mean)[relative <= own + 1e-12].sum()
    assert count_p_value(known, 1.2) == pytest.approx(expected, rel=1e-9)


def test_p_value_of_many_events():
    """The deviance of thousands of events follows chi2 of one degree of freedom."""
    many = dataclasses.replace(COUNT, value=10350.0, background=4000.0, background_uncertainty=60.0, signal_sm=6000.0)
    expected = stats.chi2.sf(deviance(10350, 4000.0, 6000.0, 60.0, 9000.0), 1)
    assert count_p_value(many, 1.0) == pytest.approx(expected, rel=0.02)


def row(name, pull, data_set=None, kind="measurement"):
    p = None if pull is None else 2 * stats.norm.sf(abs(pull))
    known = (name, name, kind, "rate_ratio", data_set or name)
    return Comparison(*known, 1.0, 0.1, 0.1, None, None, 1.0, 0.1, "neglected", pull, p)


def test_combination_takes_every_data_set_once_and_no_projection():
    rows = [row("a", 1.3), row("b", -0.4, "x"), row("c", 2.0, "x"), row("d", 5.0, kind="projection"), row("e", None)]
    found = combine(rows)
    assert found.names == ("a", "b") and found.degrees_of_freedom == 2
    assert found.chi2 == pytest.approx(1.3**2 + 0.4**2, rel=1e-12)
    assert found.p_value == pytest.approx(np.exp(-found.chi2 / 2.0), rel=1e-12)
    assert combine(rows[3:]) is None
