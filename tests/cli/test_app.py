"""Command-line contract. Commands run in this process; a few real processes check start-up and a whole run."""

import json
import os
import subprocess
import sys
import time
from importlib import import_module

import pytest
import typer
from command_line import answer, call, faults, process

from tridentjax import __version__
from tridentjax.cli import app
from tridentjax.files import read_yaml
from tridentjax.runs.posterior_file import load_posterior

TINY = [
    "--set", "nuisances=false", "--set", "output.figures=false", "--set", "sampler.chains=2", "--set",
    "sampler.warmup=50", "--set", "sampler.draws=50", "--set", "sampler.max_draws=50", "--set", "sampler.block=25",
]  # fmt: skip


# --- start-up ------------------------------------------------------------------------------------------------


def test_help_does_not_wait_for_jax():
    code = (
        "import sys; from typer.testing import CliRunner; from tridentjax.cli import app;"
        "print(CliRunner().invoke(app, ['sample', '--help']).stdout);"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'jax', 'numpy', 'numpyro', 'scipy', 'matplotlib'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Example: tridentjax sample zprime_ccfr" in result.stdout
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_help_answers_at_once():
    process("--help")
    started = time.monotonic()
    assert process("--help").returncode == 0
    assert time.monotonic() - started < 0.6  # 0.3 s on an idle machine


def commands(group, *path):
    """Every command of the app, `reach belle2` and its like included."""
    for name, command in group.commands.items():
        yield from commands(command, *path, name) if hasattr(command, "commands") else [(*path, name)]


EVERY = sorted(commands(typer.main.get_command(app)))


def test_app_has_the_commands_of_its_contract():
    contract = "info list show sigma rate couplings sample fit contour scan events distribution compare validate"
    assert {path[0] for path in EVERY} == {*contract.split(), "reach"}


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_every_command_has_help_with_an_example(command):
    result = call(*command, "--help")
    assert result.exit_code == 0 and f"Example: tridentjax {' '.join(command)}" in result.stdout


def test_float64_switches_itself_on():
    result = process("info", "--json", "--device", "cpu")
    content = json.loads(result.stdout)
    assert content["x64"] is True and content["version"] == __version__
    assert {"version", "jax", "devices", "x64", "cache", "data"} <= set(content)


def test_bad_device():
    result = process("info", "--device", "tpu")
    assert result.returncode == 2 and "--device 'tpu'; allowed: cpu, gpu" in result.stderr and not result.stdout


# --- list and show -------------------------------------------------------------------------------------------


# --- sigma ---------------------------------------------------------------------------------------------------


# --- rate and couplings --------------------------------------------------------------------------------------


# --- sample --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_dry_run(tmp_path):
    content = answer("sample", "zprime_ccfr", "--dry-run", "--out", tmp_path / "run", "--set", "params.g.start=1e-4")
    assert len(content["parameters"]) == 9 and content["parameters"]["g"] == 1e-4
    # the Standard Model against 0.82 +- 0.28, to the small effect of g
    assert content["log_likelihood"] == pytest.approx(-0.5 * (0.18 / 0.28) ** 2 + 0.3540, abs=1e-3)
    assert not (tmp_path / "run").exists()
    assert "log-likelihood = " in call("sample", "zprime_ccfr", "--dry-run", *TINY).stdout


def test_sample_reports_all_faults_at_once():
    text = faults("sample", "zprime_ccfr", "--set", "sampler.chains=0", "--set", "thory=sm", "--set", "params.g.unit=3")
    assert "sampler.chains = 0" in text and "did you mean 'theory'" in text and "params.g.unit = 3" in text
    assert "did you mean 'zprime_ccfr'" in faults("sample", "zprime_ccrf")
    assert "unknown experiment 'cfr'" in faults("sample", "zprime_ccfr", "--dry-run", "--set", "experiments=[cfr]")


def test_sample_refuses_folders(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "posterior.nc").write_text("precious")
    assert "--resume or replace it with --force" in faults("sample", "zprime_ccfr", "--out", tmp_path / "run")
    both = faults("sample", "zprime_ccfr", "--out", tmp_path / "new", "--resume", "--force")
    assert "exclude each other" in both and not (tmp_path / "new").exists()
    assert "nothing to resume" in faults("sample", "zprime_ccfr", "--out", tmp_path / "run", "--resume")
    assert (tmp_path / "run" / "posterior.nc").read_text() == "precious"


@pytest.mark.parametrize(
    ("package", "arguments"),
    [
        ("h5py", ["sample", "zprime_ccfr"]),
        ("corner", ["sample", "rs_minimal"]),
        ("matplotlib", ["sample", "zprime_ccfr"]),
        ("h5py", ["scan", "zprime_plane", "--set", "scan.points=null", "--set", "scan.grid={mass: 3, g: 4}"]),
    ],
    ids=lambda x: x if isinstance(x, str) else x[1],
)
def test_what_the_end_of_a_run_needs_is_asked_for_at_its_start(monkeypatch, tmp_path, package, arguments):
    import_module("h5netcdf")  # it would remember a missing h5py for the rest of the session
    monkeypatch.setitem(sys.modules, package, None)
    text = faults(*arguments, "--out", tmp_path / "run")
    assert f"needs {package}" in text and "install" in text and not (tmp_path / "run").exists()


def test_interrupt_has_its_own_exit_code(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tridentjax.runs.sample.sample_run", interrupt)
    result = call("sample", "zprime_ccfr")
    assert result.exit_code == 130 and "--resume" in result.stderr


def test_whole_run_with_figures(tmp_path):
    """Written files, figures, exit code 3 for a run that cannot converge; the folder is then taken."""
    pytest.importorskip("matplotlib")
    arguments = ["sample", "zprime_ccfr", *TINY, "--set", "output.figures=true", "--set", "sampler.ess=100000"]
    result = process(*arguments, "--seed", 12, "--out", tmp_path / "run", "--json")
    assert result.returncode == 3, result.stderr
    content = json.loads(result.stdout)
    assert {"parameters", "divergences", "files", "converged"} <= set(content) and content["converged"] is False
    for name in ("mass", "g"):
        assert {"mean", "sd", "quantiles", "r_hat", "ess_bulk"} <= set(content["parameters"][name])
    folder = tmp_path / "run"
    names = {"posterior.nc", "summary.json", "run.yaml", "run.resolved.yaml", "checkpoint.npz", "log.txt"}
    assert names <= {path.name for path in folder.iterdir()}
    figures = {"joint.png", "marginals.png", "predictive.png", "rate_ratios.png", "traces.png"}
    assert figures == set(os.listdir(folder / "figures"))
    assert all(os.path.exists(path) for path in content["files"])
    assert not list(folder.glob("*.tmp"))
    assert "warm-up 25/50" in result.stderr and "bulk ESS" in result.stderr
    saved = read_yaml(folder / "run.resolved.yaml")
    assert saved["sampler"]["seed"] == 12 and saved["provenance"]["tridentjax"] == __version__ and saved["hash"]
    tree = load_posterior(folder / "posterior.nc")
    assert tree["posterior"]["mass"].shape == (2, 50) and tree["posterior"]["mass"].attrs["unit"] == "GeV"
    assert tree["sample_stats"]["diverging"].dtype == bool
    assert json.loads((folder / "summary.json").read_text())["seed"] == 12
    assert call(*arguments, "--out", folder).exit_code == 2
