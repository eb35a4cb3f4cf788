"""Data over theory: pulls, exact p-values of counts, combination, and the command."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.cli.commands import compare as compare_command
from tridentjax.experiment.load import load_experiment
from tridentjax.rates.comparison import Comparison, combine, count_p_value

COUNT = load_experiment("nutev_1998").measurement


def deviance(n, estimate, signal, sd, most=60.0):
    """q of a count with the best background found numerically."""

    def at(b):
        return -2.0 * (stats.poisson.logpmf(n, signal + b) - stats.poisson.logpmf(n, n)) + ((estimate - b) / sd) ** 2

    return minimize_scalar(at, bounds=(0.0, most), method="bounded", options={"xatol": 1e-9}).fun


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


def test_default_list_has_each_data_set_once():
    names = [experiment.name for experiment in compare_command.default_experiments()]
    assert names[:4] == ["ccfr", "charm2", "nutev", "nova"] and {"dune_0p25", "dune_0p40"} <= set(names)
    assert not {"dune_fhc", "dune_rhc", "charm2_0p64", "nutev_1998"} & set(names)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)
    return CliRunner().invoke(cli.app, ["compare", *map(str, arguments)])


HYDROGEN = """
name: {name}
title: {name} of hydrogen
reference: none
data_set: {data_set}
channel: {{lepton_minus: mu, lepton_plus: mu}}
flux: [{{species: numu, table: CCFR}}]
target: [{{nucleus: H1, mass_fraction: 1.0}}]
measurement: {{{measurement}, status: test}}
nuisances: {{incoherent_normalisation: {{log_sd: 0.2, status: test}}}}
"""
RATIO = 'observable: rate_ratio, distribution: {}, unit: "1", value: 0.72, {}, includes_theory_error: {}'
MEASURED = {
    "split": RATIO.format("split_normal", "uncertainty_low: 0.3, uncertainty_high: 0.9", "true"),
    "plain": RATIO.format("normal", "uncertainty: 0.3", "false"),
    "counted": "observable: counts, distribution: poisson, unit: events, observed: 17, background: 9.8, "
    "background_uncertainty: 2.9, signal_sm: 10.8, includes_theory_error: false",
    "limit": 'observable: upper_limit, distribution: half_normal, unit: "1", value: 1.3, confidence_level: 0.9, '
    "includes_theory_error: true",
}


def test_command(tmp_path, monkeypatch):
    paths = []
    for name, measurement in MEASURED.items():
        data_set = "same" if name in ("plain", "counted") else name
        paths.append(tmp_path / f"{name}.yaml")
        paths[-1].write_text(HYDROGEN.format(name=name, data_set=data_set, measurement=measurement))
    out = tmp_path / "data.svg"
    shifts = ("--theory", "contact", "--set", "delta_g_V=0.3", "--set", "delta_g_A=-0.2")
    result = call(monkeypatch, *paths, *shifts, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    split, plain, counts, limit = content["measurements"]
    R = split["predicted"]
    assert R > 1.3 and all(item["predicted"] == pytest.approx(R, rel=1e-9) for item in content["measurements"])
    assert all(item["theory_error"] == pytest.approx(0.2 * R, rel=1e-9) for item in content["measurements"])
    assert split["pull"] == pytest.approx((0.72 - R) / 0.9, rel=1e-9)
    assert plain["pull"] == pytest.approx((0.72 - R) / np.hypot(0.3, 0.2 * R), rel=1e-9)
    counted = [item["theory_error_counted"] for item in content["measurements"]]
    assert counted == ["in the quoted error", "in quadrature", "neglected", "in the quoted error"]
    for item in (split, plain, counts):
        assert item["p_value"] == pytest.approx(2.0 * stats.norm.cdf(-abs(item["pull"])), rel=1e-9)
    assert counts["measured"] == pytest.approx((17 - 9.8) / 10.8, rel=1e-12) and counts["pull"] < 0.0
    assert counts["p_value"] == pytest.approx(count_p_value(COUNT, R), rel=1e-9)
    assert limit["pull"] is None and limit["limit"] == 1.3 and limit["confidence_level"] == 0.9
    assert content["combined"] == ["split", "plain"] and content["projections"] == []
    assert content["chi2"] == pytest.approx(split["pull"] ** 2 + plain["pull"] ** 2, rel=1e-12)
    text = out.with_suffix(".csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in text if not line.startswith("#")))
    assert [r["name"] for r in rows] == list(MEASURED) and rows[0]["limit"] == "" and rows[3]["p_value"] == ""
    assert "counted of hydrogen" in out.read_text(encoding="utf-8")


def test_command_refusals(monkeypatch):
    result = call(monkeypatch, "ccfr", "ccfr", "nomad", "--theory", "zprim", "--out", "x.pn")
    assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr
    for fault in ("experiment ccfr is named twice", "unknown experiment 'nomad'", "unknown theory 'zprim'",
                  "allowed: a table"):  # fmt: skip
        assert fault in result.stderr, fault
