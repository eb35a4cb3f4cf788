"""`tridentjax reach dune`: curve, table, figure, refusals."""

import json

import numpy as np
import pytest
from scipy.stats import norm
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support

LEVEL = 0.9
Z = norm.isf(0.05)
EXPERIMENT = """
name: hydrogen
title: Hydrogen in the DUNE beam
reference: none
data_set: hydrogen
channel: {lepton_minus: mu, lepton_plus: mu}
flux:
  - {species: numu, table: DUNE_ND_FHC}
target:
  - {nucleus: H1, mass_fraction: 1.0}
exposure:
  target_mass: {value: 10, unit: tonne, status: test}
  amount: {value: 2.2e21, unit: POT, status: test}
  duration: {value: 2, unit: year}
measurement:
  {observable: rate_ratio, distribution: normal, unit: "1", value: 0.7, uncertainty: 0.2,
   includes_theory_error: true, status: test}
nuisances:
  incoherent_normalisation: {log_sd: 0.11, status: test}
"""


@pytest.fixture
def hydrogen(tmp_path):
    (tmp_path / "hydrogen.yaml").write_text(EXPERIMENT)
    return tmp_path / "hydrogen.yaml"


def call(monkeypatch, *arguments):
    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)
    return CliRunner().invoke(cli.app, ["reach", "dune", *map(str, arguments)])


def test_command_writes_curve_table_and_figure(hydrogen, tmp_path, monkeypatch):
    out = tmp_path / "reach.svg"
    result = call(monkeypatch, "--experiment", hydrogen, "--g", 1e-3, "--g", 2e-4, "--mass", 0.02, "--mass", 0.7,
                  "--confidence-level", LEVEL, "--out", out, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["label"] == "projection, not data" and content["statistical_accuracy"] is None
    assert content["assumptions"]["kind"]["value"] == "projection"
    assert content["assumptions"]["exposure"]["value"] == "about 3 years per beam mode"
    assert content["assumptions"]["nuisance incoherent_normalisation"]["value"] == 0.11
    for point in content["curve"]:  # one normalisation acts on the whole rate: as in the toy
        R = point["rate_ratio"]
        assert point["accuracy"] == pytest.approx((R - 1.0) / Z, rel=1e-9)
        hidden = np.log(R) / 0.11 <= Z
        assert (point["accuracy_with_nuisances"] is None) == hidden
        assert (point["reason"] or "").startswith("the theory error alone hides it" if hidden else "")
    assert {point["accuracy_with_nuisances"] is None for point in content["curve"]} == {True, False}
    assert {row["accuracy"] for row in content["excluded_g"]} == {0.25, 0.4}
    table = out.with_suffix(".csv").read_text()
    assert "projection, not data" in table.splitlines()[0] and "projection, not data" in out.read_text()
    again = call(monkeypatch, "--experiment", hydrogen, "--out", out)
    assert again.exit_code == 2 and again.stderr.count("exists; add --force") == 2


def test_command_names_every_fault(monkeypatch):
    result = call(monkeypatch, "--experiment", "dune", "--g", -1, "--mass", 1e-4, "--points", 3, "--years", 0,
                  "--efficiency", 2, "--confidence-level", 0, "--out", "reach.pn", "--json")  # fmt: skip
    assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr
    for fault in (
        "unknown experiment 'dune'", "--g -1; allowed", "--mass 0.0001; allowed: 0.001 GeV or more", "not both",
        "--years 0; allowed: positive", "--efficiency 2; allowed", "confidence level 0; allowed", "allowed: a table",
    ):  # fmt: skip
        assert fault in result.stderr, fault


def test_counts_are_refused(monkeypatch):
    result = call(monkeypatch, "--experiment", "nutev_1998")
    assert result.exit_code == 2 and "nutev_1998 measures counts; needed" in result.stderr
