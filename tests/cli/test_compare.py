"""`tridentjax compare`: rows, files, refusals."""

import csv
import json

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.cli.commands import compare as compare_command
from tridentjax.experiment.load import load_experiment
from tridentjax.rates.comparison import count_p_value

COUNT = load_experiment("nutev_1998").measurement


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
