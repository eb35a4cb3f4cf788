"""`tridentjax validate`: report, ranks, figures, exit codes, refusals. The statistics have their own tests."""

import csv
import json

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.inference.checks.uniformity import chi2_p_value, ecdf_p_value
from tridentjax.runs import validate as validate_run

SMALL = tuple(
    argument
    for setting in (
        "nuisances=false", "calibration.draws=19", "calibration.bins=5", "calibration.warmup=100",
        "calibration.max_draws=400", "calibration.seeds=2", "sampler.chains=2", "sampler.warmup=100",
        "sampler.draws=300", "sampler.max_draws=1200", "sampler.block=100", "sampler.ess=50",
    )
    for argument in ("--set", setting)
)  # fmt: skip


@pytest.fixture(autouse=True)
def jax_is_set_up(monkeypatch):
    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)


def call(*arguments):
    return CliRunner().invoke(cli.app, ["validate", *(str(a) for a in arguments)])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """All checks of a small run, with its answer."""
    path = tmp_path_factory.mktemp("validate") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli_support, "start_jax", lambda device: None)
        result = call("zprime_ccfr", "--out", path, "--replications", 40, *SMALL, "--json")
    return path, result, json.loads(result.stdout)


@pytest.mark.slow
def test_report_names_checks_values_and_verdicts(run):
    path, result, answer = run
    assert [check["check"] for check in answer["checks"]] == [
        "sbc chi2", "sbc ecdf", "sbc sampling", "chains", "grid", "seeds", "seeds R-hat",
    ]  # fmt: skip
    for check in answer["checks"]:
        sign, limit = check["threshold"].split()
        x, limit = check["value"], float(limit)
        assert check["passed"] == {">=": x >= limit, "<=": x <= limit, "<": x < limit, "=": x == limit}[sign]
    assert answer["passed"] == all(check["passed"] for check in answer["checks"])
    assert result.exit_code == (0 if answer["passed"] else 3), result.stderr
    assert json.loads((path / "summary.json").read_text()) == answer
    assert "calibration: 40/40 replications" in result.stderr and "seed 2: draws" in result.stderr


@pytest.mark.slow
def test_ranks_are_those_of_the_report(run):
    path, _, answer = run
    lines = [line for line in (path / "ranks.csv").read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert len(rows) == 40
    for test, p_value in (("chi2", lambda ranks: chi2_p_value(ranks, 19, 5)), ("ecdf", lambda r: ecdf_p_value(r, 19))):
        (check,) = [c for c in answer["checks"] if c["check"] == f"sbc {test}"]
        for name, p in check["p_values"].items():
            assert p == pytest.approx(p_value(np.asarray([int(row[f"rank_{name}"]) for row in rows])), rel=1e-9)
        assert check["value"] == min(check["p_values"].values()) and set(check["p_values"]) == {
            "mass", "g", "log_likelihood",
        }  # fmt: skip
    masses = np.asarray([float(row["true_mass"]) for row in rows])
    assert 0.02 < masses.min() < 0.1 < masses.max() < 0.5  # of calibration.ranges


@pytest.mark.slow
def test_grid_and_seeds_are_in_the_report(run):
    checks = {check["check"]: check for check in run[2]["checks"]}
    quantiles = checks["grid"]["quantiles"]
    assert [row["parameter"] for row in quantiles] == ["mass"] * 5 + ["g"] * 5
    assert max(abs(row["share"] - row["q"]) for row in quantiles) < 0.2
    assert set(checks["seeds"]["parameters"]) == {"mass", "g"}
    assert len(checks["seeds"]["parameters"]["g"]["means"]) == 2


@pytest.mark.slow
def test_files_and_figures(run):
    path, _, answer = run
    names = {file.removeprefix(f"{path}/") for file in answer["files"]}
    figures = {f"figures/{name}.png" for name in ("rank_histograms", "rank_ecdf", "grid", "seeds")}
    assert names == {"run.yaml", "run.resolved.yaml", "summary.json", "ranks.csv"} | figures
    assert all((path / name).stat().st_size > 500 for name in names)
    stored = YAML(typ="safe", pure=True).load(path / "run.resolved.yaml")
    assert stored["calibration"]["replications"] == 40 and stored["hash"] == answer["hash"]


@pytest.mark.slow
def test_folder_is_not_overwritten(run):
    result = call("zprime_ccfr", "--out", run[0], *SMALL)
    assert result.exit_code == 2 and "replace it with --force" in result.stderr and result.stdout == ""


@pytest.mark.slow
def test_exit_code_3_when_a_check_fails(tmp_path, monkeypatch):
    """Chains that cannot have converged, reported as a table."""
    result = call("zprime_ccfr", "--out", tmp_path, *SMALL, "--set", "calibration.checks=[grid]", "--set",
                  "sampler.draws=100", "--set", "sampler.max_draws=100",
                  "--set", "sampler.ess=4000", "--set", "output.figures=false")  # fmt: skip
    assert result.exit_code == 3 and "Traceback" not in result.stderr
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("chains ")]
    assert "FAILED" in line and "seeds that have not converged" in line
    assert not (tmp_path / "figures").exists() and not (tmp_path / "ranks.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("zprime_ccfr", "--replications", 5), "calibration.replications = 5"),
        (("zprime_ccfr", "--set", "calibration.fixed={mass: 0.1}"), "mass cannot have both a range and a fixed value"),
        (("zprime_ccfr", "--set", "calibration.fixd={}"), "did you mean 'fixed'"),
        (("zprime_ccfr", "--set", "calibration.ranges={mas: [0.1, 1]}"), "ranges.mas: not a sampled parameter"),
        (("zprime_ccfr", "--set", "calibration.checks=[sbc, gird]"), "calibration.checks.1 = 'gird'"),
    ],
)
def test_bad_input(tmp_path, arguments, message):
    result = call(*arguments, "--out", tmp_path / "new")
    assert result.exit_code == 2 and message in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == "" and not (tmp_path / "new").exists()


@pytest.mark.slow
def test_dry_run_has_the_reduced_parameters(tmp_path):
    result = call("zprime_ccfr", "--out", tmp_path / "new", "--dry-run", "--json", "--set", "nuisances=false")
    answer = json.loads(result.stdout)
    assert answer["parameters"] == pytest.approx({"mass": 0.1, "g": np.sqrt(3e-4 * 3e-3)}, rel=1e-9)
    assert np.isfinite(answer["log_likelihood"]) and not (tmp_path / "new").exists()


@pytest.mark.slow
def test_interruption(tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(validate_run, "calibrate", interrupted)
    result = call("zprime_ccfr", "--out", tmp_path / "new", *SMALL)
    assert result.exit_code == 130 and "start again" in result.stderr
