"""`tridentjax reach belle2`: output, files, refusals."""

import csv
import json

import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.experiment.belle2 import Belle2Assumptions
from tridentjax.inference.limits.belle2_reach import expected_reach, lmutau_events

THREE = ["--mass", 0.1, "--mass", 0.9, "--mass", 12]  # one shape everywhere: compiled once
LABEL = "auxiliary reach, not a trident measurement"


def run(*arguments):
    return CliRunner().invoke(cli.app, ["reach", "belle2", *map(str, arguments)])


def test_help_has_an_example():
    result = run("--help")
    text = " ".join(result.stdout.split())
    assert result.exit_code == 0 and "Example: tridentjax reach belle2" in text and LABEL in text


def test_json_has_the_curve_and_what_it_rests_on():
    options = ["--confidence-level", 0.95, "--background", 3.4, "--efficiency", 0.4, "--luminosity", 7.5]
    result = run("--mass", 0.37, "--mass", 10.575, "--mass", 11, *options, "--min-energy", 0.7, "--json")
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["label"] == LABEL and content["coupling_name"] == "g" and content["files"] == []
    stated = {name: item["value"] for name, item in content["assumptions"].items()}
    assert (stated["confidence_level"], stated["background"], stated["efficiency"]) == (0.95, 3.4, 0.4)
    record = Belle2Assumptions(
        confidence_level=0.95, background=3.4, efficiency=0.4, luminosity=7.5, min_energy=0.7
    )  # fmt: skip
    first, soft, heavy = content["curve"]
    expected = expected_reach("loop", jnp.asarray([0.37, 0.6, 11.0]), record)[0]
    assert first["coupling"] == pytest.approx(float(expected), rel=1e-12) and first["reason"] is None
    events = lmutau_events("loop", jnp.asarray([0.37, 0.6, 11.0]), jnp.full((3,), 1e-3), record)[0]
    assert first["events_per_coupling2"] == pytest.approx(1e6 * float(events), rel=1e-10)
    assert events / 1e-6 * expected**2 == pytest.approx(stated["signal_upper_limit"], rel=1e-10)
    assert soft["coupling"] is None and "no photon inside the angles" in soft["reason"]
    assert heavy["coupling"] is None and heavy["reason"] == "mass at or above sqrt(s) = 10.5830 GeV"


def test_optimistic_defaults_are_labelled_and_changed_ones_are_not():
    default = json.loads(run(*THREE, "--json").stdout)["assumptions"]
    assert default["background"]["value"] == 0.0 and default["efficiency"]["value"] == 1.0
    assert "optimistic: multi-photon background is not in arXiv:1701.00156" in default["background"]["note"]
    assert "optimistic" in default["efficiency"]["note"]
    changed = run(*THREE, "--json", "--background", 2, "--efficiency", 0.3)
    stated = json.loads(changed.stdout)["assumptions"]
    assert "optimistic" not in stated["background"]["note"] + stated["efficiency"]["note"]


@pytest.mark.slow
def test_tree_mixing_with_and_without_a_coupling():
    curves = [
        json.loads(run("--mixing", "tree", *THREE, *more, "--json").stdout)
        for more in ([], ["--g", 2e-6], ["--g", 1e-9])
    ]
    assert {content["coupling_name"] for content in curves} == {"epsilon"}
    free, small, tiny = ([point["coupling"] for point in content["curve"]] for content in curves)
    assert small[0] > free[0] and small[1] > free[1] and tiny == [None, None, None]
    assert "fewer than 2.303 signal events at every coupling" in curves[2]["curve"][0]["reason"]
    assert curves[1]["assumptions"]["g"]["value"] == 2e-6 and "g" not in curves[0]["assumptions"]


def test_text_carries_the_label():
    result = run(*THREE)
    assert LABEL in result.stdout.splitlines()[0] and "no reach: mass at or above" in result.stdout
    assert "background = 0.0 events" in result.stdout


def test_table_and_figure(tmp_path):
    figure = tmp_path / "reach.png"
    arguments = ["--mass-min", 0.02, "--mass-max", 30, "--points", 3, "--out", figure, "--json"]
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["files"] == [str(figure.with_suffix(".csv")), str(figure)]
    assert figure.read_bytes()[:4] == b"\x89PNG" and not list(tmp_path.glob("*.tmp"))
    text = figure.with_suffix(".csv").read_text(encoding="utf-8").splitlines()
    assert LABEL in text[0] and any("confidence_level = 0.9" in line for line in text)
    rows = list(csv.DictReader(line for line in text if not line.startswith("#")))
    np.testing.assert_allclose([float(row["mass"]) for row in rows], np.geomspace(0.02, 30, 3), rtol=1e-12)
    assert [row["g"] for row in rows] == [
        "" if p["coupling"] is None else repr(p["coupling"]) for p in content["curve"]
    ]
    assert rows[-1]["g"] == "" and "sqrt(s)" in rows[-1]["reason"]
    again = run(*arguments)
    assert again.exit_code == 2 and again.stderr.count("exists; add --force") == 2
    assert run(*arguments, "--force").exit_code == 0


def test_table_alone_and_a_curve_without_reach(tmp_path):
    table = tmp_path / "reach.csv"
    assert run(*THREE, "--out", table).exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["reach.csv"]
    assert run(*["--mass", 13] * 3, "--out", tmp_path / "none.svg").exit_code == 0


def test_figure_names_criterion_and_label(tmp_path):
    assert run("--points", 3, "--confidence-level", 0.95, "--out", tmp_path / "reach.svg").exit_code == 0
    text = (tmp_path / "reach.svg").read_text(encoding="utf-8")
    for words in ("95 % CL upper limit", "CLs", LABEL):  # Matplotlib writes every text as a comment
        assert words in text, words


def test_every_fault_at_once(tmp_path):
    result = run(
        "--mixing", "tre", "--g", 3, "--mass", -1, "--mass-max", 3, "--points", 1, "--background", -7,
        "--min-angle", 140, "--statistic", "bayes", "--out", tmp_path / "x" / "reach.pn", "--json",
    )  # fmt: skip
    assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr
    for fault in (
        "unknown mixing 'tre'", "--g 3; allowed: above 0, up to 1", "--mass -1; allowed: positive and finite",
        "not both", "--points 1; allowed: 2 to 100000", "background = -7; allowed: 0 or more",
        "min_angle = 140; allowed: below max_angle = 135", "statistic = 'bayes'; allowed: cls, classical",
        "allowed: a table .csv, or a figure", "does not exist",
    ):  # fmt: skip
        assert fault in result.stderr, fault


def test_other_refusals():
    assert "with --mixing loop the curve is in g itself" in run("--g", 1e-3).stderr
    assert "--mass-min 5 --mass-max 2; allowed" in run("--mass-min", 5, "--mass-max", 2).stderr
    nan = run("--mass", "nan")
    assert nan.exit_code == 2 and "--mass nan; allowed" in nan.stderr
