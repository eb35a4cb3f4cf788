"""Command-line contract. Commands run in this process; a few real processes check start-up and a whole run."""

import json
import os
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from tridentjax import __version__, cli
from tridentjax.io import load_posterior
from tridentjax.tables import read_yaml

TINY = [
    "--set", "nuisances=false", "--set", "output.figures=false", "--set", "sampler.chains=2", "--set",
    "sampler.warmup=50", "--set", "sampler.draws=50", "--set", "sampler.max_draws=50", "--set", "sampler.block=25",
]  # fmt: skip


@pytest.fixture(autouse=True)
def jax_is_set_up(monkeypatch):
    monkeypatch.setattr(cli, "start_jax", lambda device: None)


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def answer(*arguments):
    """The JSON object on standard output; nothing else may be there."""
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 1
    content = json.loads(result.stdout)
    assert isinstance(content, dict)
    return content


def faults(*arguments):
    """Standard error of a refused command."""
    result = call(*arguments)
    assert result.exit_code == 2, (result.exit_code, result.output)
    assert result.stdout == "" and "Traceback" not in result.stderr
    return result.stderr


def process(*arguments):
    command = [sys.executable, "-m", "tridentjax.cli", *(str(a) for a in arguments)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


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


@pytest.mark.parametrize("command", ["info", "list", "show", "sigma", "rate", "couplings", "sample"])
def test_every_command_has_help_with_an_example(command):
    result = call(command, "--help")
    assert result.exit_code == 0 and f"Example: tridentjax {command}" in result.stdout


def test_float64_switches_itself_on():
    result = process("info", "--json", "--device", "cpu")
    content = json.loads(result.stdout)
    assert content["x64"] is True and content["version"] == __version__
    assert {"version", "jax", "devices", "x64", "cache", "data"} <= set(content)


def test_bad_device():
    result = process("info", "--device", "tpu")
    assert result.returncode == 2 and "--device 'tpu'; allowed: cpu, gpu" in result.stderr and not result.stdout


# --- list and show -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("configs", "zprime_ccfr"), ("experiments", "ccfr"), ("theories", "zprime"), ("nuclei", "Ar40"),
        ("fluxes", "CCFR"), ("form-factors", "woods-saxon"),
    ],
)  # fmt: skip
def test_list(kind, member):
    items = answer("list", kind)["items"]
    assert member in [item["name"] for item in items]
    assert all(item["source"] and "\n" not in item["source"] for item in items)
    assert member in call("list", kind).stdout


def test_list_of_something_else():
    assert "configs" in faults("list", "confgs")


@pytest.mark.parametrize(("name", "kind"), [("zprime_ccfr", "config"), ("nutev", "experiment"), ("CCFR", "flux")])
def test_show(name, kind):
    content = answer("show", name)
    assert content["kind"] == kind and content["text"].rstrip("\n") == call("show", name).stdout.rstrip("\n")


def test_show_of_something_else():
    assert "did you mean 'zprime_ccfr'" in faults("show", "zprime_ccrf")


# --- sigma ---------------------------------------------------------------------------------------------------


def test_sigma():
    content = answer("sigma", "--target", "Ar40", "--energy", 5, "--energy", 0.2, "--rtol", 2e-2)
    assert {"results", "g_V", "g_A", "sin2_theta_w"} <= set(content)
    high, low = content["results"]
    assert set(high) == {"energy", "coherent", "incoherent_proton", "incoherent_neutron", "total"}
    g_V, g_A = content["g_V"][0], content["g_A"][0]
    assert (g_V, g_A) == (pytest.approx(0.5 + 2 * content["sin2_theta_w"]), 0.5)
    for regime in ("coherent", "incoherent_proton", "incoherent_neutron"):
        entry = high[regime]
        assert set(entry) == {"VV", "AA", "VA", "sigma", "error"} and 0 < entry["error"] < 0.05 * entry["sigma"]
        assert entry["sigma"] == pytest.approx(g_V**2 * entry["VV"] + g_A**2 * entry["AA"], rel=1e-9)
    assert high["total"]["sigma"] == pytest.approx(
        sum(high[r]["sigma"] for r in ("coherent", "incoherent_proton", "incoherent_neutron"))
    )
    # 0.2 GeV lies below every threshold: exact zeros and a note for each
    assert all(low[r] == {"VV": 0, "AA": 0, "VA": 0, "sigma": 0, "error": 0} for r in low if r != "energy")
    assert sum("0.2 GeV is below the" in note for note in content["notes"]) == 3


def test_sigma_of_a_forbidden_channel_is_zero():
    content = answer("sigma", "--target", "proton", "--energy", 8, "--leptons", "e-mu+")
    (entry,) = content["results"]
    assert entry["coherent"] is None and entry["incoherent_proton"]["sigma"] == 0.0
    assert content["g_V"] == [] and "forbidden" in content["notes"][0]


def test_sigma_with_own_couplings():
    content = answer("sigma", "--target", "neutron", "--energy", 6, "--gv", 0.3, "--ga", -0.8, "--rtol", 2e-2)
    entry = content["results"][0]["incoherent_neutron"]
    assert entry["sigma"] == pytest.approx(0.09 * entry["VV"] + 0.64 * entry["AA"], rel=1e-9)
    assert content["g_V"] == [0.3] and content["g_A"] == [-0.8]


def test_sigma_reports_all_faults_at_once():
    text = faults(
        "sigma", "--target", "Ar41", "--energy", -1, "--neutrino", "numuu", "--leptons", "mumu", "--rtol", 3,
        "--gv", 1, "--theory", "zprim", "--set", "mass", "--p-fermi", 7,
    )  # fmt: skip
    for fault in (
        "unknown material, element or nuclide 'Ar41'", "--energy -1.0", "did you mean 'numu'", "--leptons 'mumu'", "--rtol 3.0",
        "--gv and --ga go together", "did you mean 'zprime'", "'mass': expected name=number", "--p-fermi 7.0",
    ):  # fmt: skip
        assert fault in text, fault
    assert all(line.startswith("error: ") for line in text.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--form-factor", "helmm"], "did you mean 'helm'"),
        (["--form-factor", "woods-saxon", "--ff", "r=1.1"], "parameter of form factor woods-saxon 'r'"),
        (["--form-factor", "woods-saxon", "--ff", "r0=-1.1"], "r0 = -1.1; allowed: a positive length"),
        (["--nucleon-form-factor", "kely"], "did you mean 'kelly'"),
        (["--theory", "zprime", "--set", "mass=1e-5", "--set", "g=1"], "down to 0.001 GeV"),
        (["--theory", "zprime", "--set", "mass=1", "--set", "mass=2", "--set", "g=1"], "mass is given twice"),
        (["--theory", "zprime", "--set", "mass=nan", "--set", "g=1"], "expected name=number"),
        (["--gv", "1", "--ga", "nan"], "allowed: finite"),
        (["--energy", "inf"], "--energy inf"),
    ],
)
def test_sigma_faults(arguments, message):
    assert message in faults("sigma", "--target", "Ar40", "--energy", 3, *arguments)


# --- rate and couplings --------------------------------------------------------------------------------------


def test_rate():
    content = answer("rate", "ccfr", "--theory", "zprime", "--set", "mass=200", "--set", f"g={200 / 551}")
    assert content["rate_ratio"] == pytest.approx(1.361, rel=0.03)
    assert {"rate_ratio", "components", "sigma_flux_averaged_cm2", "events"} <= set(content)
    assert all({"flux", "nucleus", "regime", "share", "rate_ratio"} <= set(c) for c in content["components"])
    assert sum(c["share"] for c in content["components"]) == pytest.approx(1)
    average = sum(c["share"] * c["rate_ratio"] for c in content["components"])
    assert average == pytest.approx(content["rate_ratio"]) and content["events"] is None
    sigma = content["sigma_flux_averaged_cm2"]
    assert sigma["theory"] == pytest.approx(sigma["sm"] * content["rate_ratio"])


def test_rate_of_the_standard_model():
    content = answer("rate", "ccfr")
    assert content["rate_ratio"] == 1.0
    assert "R = N/N_SM = 1.000000" in call("rate", "ccfr").stdout


def test_rate_reports_all_faults_at_once():
    text = faults("rate", "cfr", "--theory", "zprime", "--set", "mas=1")
    assert "did you mean 'ccfr'" in text and "did you mean 'mass'" in text and "needs (g, mass)" in text


def test_rate_of_a_broken_file(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\ntaget: []\n")
    text = faults("rate", tmp_path / "mine.yaml")
    assert "'taget'" in text and "did you mean 'target'" in text and "measurement is missing" in text


def test_couplings():
    content = answer("couplings", "zprime", "--set", "mass=0.3", "--set", "g=0.02", "--K2", 0, "--K2", 0.07)
    zero, finite = content["results"]
    assert {"K2", "g_V", "g_A", "delta_g_V", "delta_g_A"} <= set(zero)
    scale = 2**0.5 * 1.1663788e-5
    assert zero["delta_g_V"] == pytest.approx(4e-4 / (scale * 0.09), rel=1e-9)
    assert finite["delta_g_V"] == pytest.approx(4e-4 / (scale * 0.16), rel=1e-9)
    assert zero["delta_g_A"] == 0 and content["inputs"]["sin2_theta_w"] == 0.23122 and content["inputs"]["scheme"]


def test_couplings_faults():
    text = faults("couplings", "zprime", "--set", "mass=-1", "--K2", -3, "--neutrino", "mu", "--leptons", "mu+mu-")
    for fault in ("mass = -1.0; allowed: positive", "--K2 -3.0", "unknown neutrino 'mu'", "--leptons 'mu+mu-'"):
        assert fault in text
    assert answer("couplings", "sm", "--leptons", "e-mu+")["results"] == []


# --- sample --------------------------------------------------------------------------------------------------


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


def test_interrupt_has_its_own_exit_code(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tridentjax.commands.sample", interrupt)
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
    assert {"joint.png", "marginals.png", "rate_ratios.png", "traces.png"} == set(os.listdir(folder / "figures"))
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
