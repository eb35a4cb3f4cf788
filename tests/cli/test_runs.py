"""The one shell of the run verbs: folder, options, exit codes, interruption, dry run."""

import json
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import pytest
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.faults import InputError
from tridentjax.runs import contour, dry_run, fit, sample, scan, validate
from tridentjax.runs.config import config_path, load_config

MODULES = {"sample": sample, "contour": contour, "fit": fit, "scan": scan, "validate": validate}
SUFFIX = {"sample": "", "contour": "_contour", "fit": "_fit", "scan": "_scan", "validate": "_validation"}
NEEDS = {"sample": "converged", "fit": "converged", "validate": "passed"}
VERBS = list(MODULES)


@pytest.fixture(autouse=True)
def started(monkeypatch):
    """Devices that JAX was set up for."""
    devices = []
    monkeypatch.setattr(cli_support, "start_jax", devices.append)
    return devices


@pytest.fixture
def calls(monkeypatch):
    """Runs that were asked for; they do nothing and all is well."""
    found = []

    def pretend(verb):
        def run(spec, folder, **options):
            found.append((verb, spec, folder, options))
            return {"name": spec.name, "converged": True, "passed": True}, f"{verb} of {spec.name}"

        return run

    for verb, module in MODULES.items():
        monkeypatch.setattr(module, f"{verb}_run", pretend(verb))
    return found


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_own_folder_beside_that_of_the_config(calls, started, verb):
    result = call(verb, "zprime_ccfr", "--device", "cpu")
    assert result.exit_code == 0 and result.stdout == f"{verb} of zprime_ccfr\n" and started == ["cpu"]
    call(verb, "zprime_ccfr", "--set", "output.folder=mine/first")
    call(verb, "zprime_ccfr", "--set", "output.folder=mine/first", "--out", "there", "--force")
    assert [name for name, *_ in calls] == [verb] * 3
    folders = [Path(f"runs/zprime_ccfr{SUFFIX[verb]}"), Path(f"mine/first{SUFFIX[verb]}"), Path("there")]
    assert [folder for _, _, folder, _ in calls] == folders
    assert [options["force"] for *_, options in calls] == [False, False, True]
    assert all(options["config"] == config_path("zprime_ccfr") for *_, options in calls)


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_the_answer_and_nothing_else(calls, verb):
    result = call(verb, "zprime_ccfr", "--json")
    assert json.loads(result.stdout) == {"name": "zprime_ccfr", "converged": True, "passed": True}
    assert result.stderr == ""


@pytest.mark.parametrize("verb", VERBS)
def test_exit_code_tells_what_did_not_hold(monkeypatch, verb):
    holds = {"converged": False, "passed": False}
    monkeypatch.setattr(MODULES[verb], f"{verb}_run", lambda *_, **__: (holds, "answer"))
    result = call(verb, "zprime_ccfr")
    assert result.exit_code == (3 if verb in NEEDS else 0) and result.stdout == "answer\n"
    if verb in NEEDS:
        holds[NEEDS[verb]] = True
        assert call(verb, "zprime_ccfr").exit_code == 0


@pytest.mark.parametrize("verb", VERBS)
def test_interruption_says_what_helps_this_verb(monkeypatch, verb):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(MODULES[verb], f"{verb}_run", interrupt)
    result = call(verb, "zprime_ccfr")
    assert result.exit_code == 130 and result.stdout == ""
    assert ("continue with --resume" in result.stderr) == (verb in ("sample", "scan"))
    assert ("start again" in result.stderr) == (verb not in ("sample", "scan"))


def test_options_of_a_verb_reach_its_config_and_its_run(calls):
    call("sample", "zprime_ccfr", "--seed", 8, "--resume")
    call("contour", "zprime_ccfr", "--statistic", "cls", "--statistic", "profile", "--confidence-level", 0.9)
    call("fit", "zprime_ccfr", "--extremum", "min:g", "--extremum", "max:rate_ratio_ccfr")
    call("scan", "zprime_plane", "--resume", "--allow-changes", "--batch", 7, "--devices", 2)
    call("validate", "zprime_ccfr", "--replications", 30)
    specs, options = ({call[0]: call[i] for call in calls} for i in (1, 3))
    assert specs["sample"].sampler.seed == 8 and options["sample"]["resume"] is True
    assert options["sample"]["dask"] is None
    assert (
        specs["contour"].contour.statistics == ["cls", "profile"] and specs["contour"].contour.confidence_level == 0.9
    )
    assert [(x.sense, x.output) for x in specs["fit"].fit.extremum] == [("min", "g"), ("max", "rate_ratio_ccfr")]
    assert {k: options["scan"][k] for k in ("resume", "allow_changes", "batch", "devices", "dask")} == {
        "resume": True, "allow_changes": True, "batch": 7, "devices": 2, "dask": None,
    }  # fmt: skip
    assert specs["validate"].calibration.replications == 30


def test_a_scheduler_that_does_not_answer_is_found_out_before_the_run(calls, monkeypatch):
    pytest.importorskip("distributed")

    def refuse(address):
        raise InputError([f"no scheduler at {address}"])

    monkeypatch.setattr("tridentjax.scan.cluster.check_scheduler", refuse)
    for verb in ("sample", "scan"):
        result = call(verb, "zprime_plane", "--dask", "tcp://nowhere:1")
        assert result.exit_code == 2 and "no scheduler at tcp://nowhere:1" in result.stderr
    assert calls == []


@pytest.mark.parametrize("verb", VERBS)
def test_faults_of_a_config_are_told_before_the_run(calls, verb):
    result = call(verb, "zprime_ccfr", "--set", "sampler.chains=0", "--set", "thory=sm")
    assert result.exit_code == 2 and "sampler.chains = 0" in result.stderr and "did you mean 'theory'" in result.stderr
    assert calls == []


@pytest.mark.parametrize("verb", VERBS)
def test_one_dry_run_for_every_verb(calls, monkeypatch, verb):
    """Parameters, fixed and derived ones and the likelihood; `validate` shows what its calibration works with."""
    specs = []

    def model(spec):
        specs.append(spec)
        sampled = {name: p.prior for name, p in spec.params.items() if p.prior is not None}
        middle = {name: jnp.sqrt(prior.min * prior.max) for name, prior in sampled.items()}
        return SimpleNamespace(
            names=tuple(sampled), units={"mass": "GeV", "g": "1", "ratio": "GeV"}, experiments=("ccfr",),
            parameters=lambda z: (middle, 0.0), derived=lambda p: {"ratio": p["mass"] / p["g"]},
            log_likelihood=lambda p: -p["mass"] - p["g"],
        )  # fmt: skip

    monkeypatch.setattr(dry_run, "make_model", model)
    content = json.loads(call(verb, "zprime_ccfr", "--dry-run", "--json", "--set", "params.g.start=0.02").stdout)
    reduced = verb == "validate"
    mass, g = (0.1, (3e-4 * 3e-3) ** 0.5) if reduced else (1.0, 0.02)
    assert list(content) == ["config", "parameters", "fixed", "derived", "experiments", "log_likelihood"]
    assert content["parameters"] == pytest.approx({"mass": mass, "g": g}, rel=1e-6)
    assert content["derived"] == pytest.approx({"ratio": mass / g}, rel=1e-6)
    assert content["log_likelihood"] == pytest.approx(-mass - g, rel=1e-6)
    assert (specs[0] == load_config("zprime_ccfr", ("params.g.start=0.02",))) == (not reduced)
    shown = call(verb, "zprime_ccfr", "--dry-run").stdout
    assert "[GeV] (derived)" in shown and shown.splitlines()[-1].startswith("log-likelihood = ")
    assert calls == []
