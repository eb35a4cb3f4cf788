"""`tridentjax fit`: run folder, answer, table, refusals. The numbers have their own tests."""

import csv
import json

import jax.numpy as jnp
import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.experiment.load import load_experiment
from tridentjax.figures.fit import plot_curve
from tridentjax.inference.build import make_model
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.model import Model
from tridentjax.inference.profile_curve import Curve, Interval
from tridentjax.rates.chain import Chain
from tridentjax.runs import fit as fit_run
from tridentjax.runs.config import config_names, load_config
from tridentjax.theory.theories import sm

SMALL = ("--set", "nuisances=false", "--set", "fit.starts=4", "--set", "fit.points=9")


class NoChain(Model):
    """R = 1 + 3e7 g^2/(mass^2 + 60 GeV^2) in the place of the kernels."""

    def responses(self, values):
        return ()

    def rate_ratios(self, values, responses=None):
        return jnp.stack([1.0 + 3e7 * values["g"] ** 2 / (values["mass"] ** 2 + 60.0)])

    def derived(self, values):
        return {}


def without_kernels(spec):
    """The model of a config, checked as ever, without the time that its kernels take."""
    names = tuple(spec.params)
    priors = {n: Prior(p.prior.min, p.prior.max, p.prior.dist) for n, p in spec.params.items()}
    chains = tuple(Chain(load_experiment(name), {}, (), ()) for name in spec.experiments)
    units = {n: p.unit for n, p in spec.params.items()}
    latex = {n: p.latex for n, p in spec.params.items()}
    return NoChain(chains, priors, {}, {}, None, None, None, None, sm, lambda p: {}, names, ({},), {}, units, latex)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)
    monkeypatch.setattr(fit_run, "make_model", without_kernels)


def call(*arguments):
    return CliRunner().invoke(cli.app, ["fit", *(str(a) for a in arguments)])


def faults(*arguments):
    result = call(*arguments)
    assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """CCFR without nuisances: limits of R follow from the Gaussian measurement."""
    path = tmp_path_factory.mktemp("fit") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli_support, "start_jax", lambda device: None)
        patch.setattr(fit_run, "make_model", without_kernels)
        result = call(
            "zprime_ccfr", "--out", path, *SMALL, "--set", "fit.profile=[g]", "--extremum", "max:rate_ratio_ccfr",
            "--set", "fit.nearest={mass: 0.1, g: 1.0e-4}", "--json",
        )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return path, json.loads(result.stdout)


def test_answer(folder):
    path, answer = folder
    assert {"best_fit", "covariance", "log_likelihood", "status"} <= set(answer)
    assert answer["status"] == "degenerate" and answer["at_bound"] == {"g": "lower"}
    assert answer["best_fit"]["g"] == {
        "value": 1e-5, "error": None, "unit": "1", "reason": "at the lower end of its prior",
    }  # fmt: skip
    assert answer["covariance"] == {"parameters": ["mass", "g"], "matrix": [[None, None], [None, None]]}
    assert answer["flat_directions"][0]["components"] == {"mass": 1.0}
    expected = -0.5 * ((1.0 - 0.82) / 0.28) ** 2 - np.log(0.28 * np.sqrt(2.0 * np.pi))
    assert answer["log_likelihood"] == pytest.approx(expected, abs=1e-6)
    assert answer["starts"]["count"] == 4 and answer["starts"]["undefined"] == 0
    assert json.loads((path / "fit.json").read_text()) == answer


def test_extremum_and_nearest_point(folder):
    answer = folder[1]
    (extremum,) = answer["extremum"]
    widest = 0.82 + 0.28 * np.sqrt(3.841458820694124 + (0.18 / 0.28) ** 2)
    assert extremum["value"] == pytest.approx(widest, rel=1e-6) and extremum["constrained"] and extremum["converged"]
    nearest = answer["nearest"]
    assert nearest["unit"] == "prior ranges" and nearest["delta_chi2"] == pytest.approx(3.84146, rel=1e-5)
    point = nearest["parameters"]
    along = np.log(point["mass"] / 0.1) / np.log(1e6), np.log(point["g"] / 1e-4) / np.log(3e5)
    assert nearest["value"] == pytest.approx(float(np.hypot(*along)), rel=1e-8)


@pytest.mark.slow
def test_with_kernels(tmp_path, monkeypatch):
    """L_mu - L_tau: the same limit of R from the chain itself."""
    monkeypatch.setattr(fit_run, "make_model", make_model)
    result = call(
        "zprime_ccfr", "--out", tmp_path / "run", *SMALL, "--set", "fit.profile=[g]", "--extremum",
        "max:rate_ratio_ccfr", "--json",
    )  # fmt: skip
    answer = json.loads(result.stdout)
    widest = 0.82 + 0.28 * np.sqrt(3.841458820694124 + (0.18 / 0.28) ** 2)
    assert result.exit_code == 0 and answer["extremum"][0]["value"] == pytest.approx(widest, rel=1e-6)
    assert answer["status"] == "degenerate" and answer["at_bound"] == {"g": "lower"}


def test_table_and_figure(folder):
    path, answer = folder
    lines = (path / "profile.csv").read_text().splitlines()
    assert any("unit of mass: GeV" in line for line in lines if line.startswith("#"))
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(rows) == 9 and list(rows[0]) == ["parameter", "value", "delta_chi2", "mass", "g"]
    assert all(float(row["delta_chi2"]) >= 0.0 for row in rows)
    np.testing.assert_allclose([float(row["g"]) for row in rows], [float(row["value"]) for row in rows], rtol=1e-14)
    (low, high) = (i for i in answer["profile"]["g"]["intervals"])
    assert (low["confidence_level"], high["confidence_level"]) == (0.68, 0.95) and low["high"] < high["high"]
    assert low["open_low"] and not low["open_high"]
    names = {"fit.json", "summary.json", "run.yaml", "run.resolved.yaml", "profile.csv", "figures/profile.png"}
    assert {file.removeprefix(f"{path}/") for file in answer["files"]} == names
    assert all((path / name).stat().st_size > 0 for name in names)
    resolved = YAML(typ="safe", pure=True).load((path / "run.resolved.yaml").read_text())
    assert resolved["fit"]["extremum"] == [{"output": "rate_ratio_ccfr", "sense": "max"}]
    assert resolved["hash"] == answer["hash"]


def test_existing_run_is_kept(folder):
    before = (folder[0] / "fit.json").read_bytes()
    assert "exists" in faults("zprime_ccfr", "--out", folder[0], *SMALL)
    assert (folder[0] / "fit.json").read_bytes() == before


def test_all_faults_of_the_names_at_once(tmp_path):
    said = faults(
        "zprime_ccfr", "--out", tmp_path / "new", "--extremum", "max:rate_ratio_ccfs", "--set", "fit.profile=[gg]",
        "--set", "fit.nearest={mass: 0.1}",
    )  # fmt: skip
    assert "unknown output 'rate_ratio_ccfs' in fit.extremum.0; did you mean 'rate_ratio_ccfr'" in said
    assert "unknown parameter 'gg' in fit.profile; did you mean 'g'" in said
    assert "fit.nearest: g is missing" in said and not (tmp_path / "new").exists()


def test_all_faults_of_the_block_at_once():
    said = faults(
        "zprime_ccfr", "--extremum", "largest:g", "--extremum", "g", "--set", "fit.starts=0", "--set", "fit.seeds=3",
        "--set", "fit.nuisances=fixed", "--set", "fit.confidence_level=1.5",
    )  # fmt: skip
    for place in ("fit.extremum.0.sense", "fit.extremum.1.sense", "fit.extremum.1.output", "fit.starts", "seeds",
                  "fit.nuisances", "fit.confidence_level"):  # fmt: skip
        assert place in said
    assert "'largest'" in said


@pytest.mark.slow  # another model is built; the flag has tests with `sample` and `contour`
def test_dry_run_writes_nothing(tmp_path):
    result = call("zprime_ccfr", "--out", tmp_path / "dry", "--dry-run", "--json", "--set", "nuisances=false")
    assert result.exit_code == 0 and "log_likelihood" in json.loads(result.stdout)
    assert not (tmp_path / "dry").exists()


def test_packaged_fit_blocks():
    blocks = {name: load_config(name).fit for name in config_names()}
    fitted = {name for name, block in blocks.items() if block is not None}
    assert fitted == {"zprime_ccfr", "zprime_joint", "smeft", "rs_minimal", "rs_custodial", "rs_lmutau"}


def test_curve_panel_names_level_and_statistic():
    values = np.geomspace(0.1, 10.0, 5)
    intervals = {0.68: (Interval(0.1, 0.9, True, False),), 0.9: (Interval(0.1, 2.0, True, False),)}
    axes = plot_curve(Curve("m", values, values**2, np.zeros((5, 1)), intervals, 0.0), "m [GeV]", True)
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == [
        "profile likelihood", r"68 % CL, $\Delta\chi^2$ < 0.99", r"90 % CL, $\Delta\chi^2$ < 2.71", "allowed, 90 % CL",
    ]  # fmt: skip
    styles = [line.get_linestyle() for line in axes.get_lines()[:3]]
    assert len(set(styles)) == 3 and axes.get_xscale() == "log" and axes.get_xlabel() == "m [GeV]"
