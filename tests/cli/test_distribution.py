import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tridentjax import cli

OPTIONS = ["--target", "Ar40", "--energy", "7.3", "--points", "256"]


def run(*arguments):
    return CliRunner().invoke(cli.app, ["distribution", *map(str, arguments)])


def test_one_observable_as_json():
    result = run("E_plus", "--bins", "0:6:6", *OPTIONS, "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    value, error = np.array(content["value"]), np.array(content["error"])
    assert value.shape == error.shape == (6,) and (value > 0).all() and (error < value).all()
    assert content["edges"] == [[0, 1, 2, 3, 4, 5, 6]] and content["files"] == []
    assert content["total_cm2"] == pytest.approx(value.sum() + content["outside_cm2"], rel=1e-9, abs=0.0)
    assert content["outside_cm2"] > 0  # muons of 6 to 7.3 GeV


@pytest.mark.slow
def test_two_observables_with_cut_flux_and_theory_write_table_and_figure(tmp_path):
    figure = tmp_path / "map.png"
    arguments = [
        "m_ll", "T_recoil", "--bins", "0.2:1.2:4", "--bins", "1e-5:1e-2:3:log", "--target", "proton",
        "--flux", "DUNE_ND_FHC", "--neutrino", "antinumu", "--theory", "zprime", "--set", "mass=0.4", "--set", "g=2e-2",
        "--cut", "E_minus=0.3::0.05", "--points", 128, "--out", figure,
    ]  # fmt: skip
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert figure.read_bytes()[:4] == b"\x89PNG"
    text = figure.with_suffix(".csv").read_text(encoding="utf-8").splitlines()
    assert "m_ll = GeV, T_recoil = GeV" in text[1]
    rows = list(csv.DictReader(line for line in text if not line.startswith("#")))
    assert len(rows) == 12 and float(rows[0]["T_recoil_hi"]) == pytest.approx(1e-4)
    assert not list(tmp_path.glob("*.tmp"))
    again = run(*arguments)
    assert again.exit_code == 2 and "add --force" in again.stderr
    assert run(*arguments, "--force").exit_code == 0


def test_below_threshold_is_exactly_zero():
    result = run(
        "Q2",
        "--bins",
        "0:1:3",
        "--target",
        "proton",
        "--energy",
        3.1,
        "--leptons",
        "mu-tau+",
        "--points",
        128,
        "--json",
    )
    assert json.loads(result.stdout)["total_cm2"] == 0.0


def test_every_fault_at_once(tmp_path):
    result = run(
        "E_plu", "m_ll", "Q2", "--bins", "0:1", "--target", "Ar41", "--leptons", "mumu", "--theory", "smm",
        "--cut", "theta_minus=3:1", "--cut", "E_minus", "--points", 100, "--out", tmp_path / "a" / "b.txt",
    )  # fmt: skip
    assert result.exit_code == 2
    for fault in (
        "did you mean 'E_plus'", "3 observables with 1 --bins", "expected MIN:MAX:N", "'Ar41'", "--leptons 'mumu'",
        "unknown theory 'smm'", "min must be below max", "expected OBSERVABLE=MIN:MAX", "a power of two",
        "exactly one of --energy and --flux", "a table .csv, or a figure .png, .pdf, .svg", "does not exist",
    ):  # fmt: skip
        assert fault in result.stderr, fault
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_cuts_that_leave_nothing_are_refused_above_threshold_only():
    cut = ["--cut", "E_minus=50:"]
    result = run("m_ll", "--bins", "0.3:2:3", "--target", "proton", "--energy", 9.7, "--points", 128, *cut)
    assert result.exit_code == 2 and "no event passes the cuts" in result.stderr
    result = run("m_ll", "--bins", "0.3:2:3", "--target", "proton", "--energy", 0.2, "--points", 128, *cut, "--json")
    assert result.exit_code == 0 and json.loads(result.stdout)["total_cm2"] == 0.0


@pytest.mark.slow
def test_sigma_refuses_cuts_that_leave_nothing():
    arguments = ["sigma", "--target", "proton", "--energy", "9.7", "--energy", "0.2", "--cut", "E_plus=20:"]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2 and "no event passes at 9.7 GeV" in result.stderr and "0.2 GeV" not in result.stderr
