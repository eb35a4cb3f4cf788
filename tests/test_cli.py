"""Command-line contract. Commands run in this process; a few real processes check start-up and a whole run."""

import json
import os
import subprocess
import sys
import time
from functools import partial
from importlib import import_module

import pytest
from typer.testing import CliRunner

from tridentjax import __version__, cli
from tridentjax.cli import options as cli_support
from tridentjax.currents import Channel
from tridentjax.files import read_yaml
from tridentjax.nucleus.regimes import target_regimes
from tridentjax.process.model_spread import summed
from tridentjax.runs.posterior_file import load_posterior

TINY = [
    "--set", "nuisances=false", "--set", "output.figures=false", "--set", "sampler.chains=2", "--set",
    "sampler.warmup=50", "--set", "sampler.draws=50", "--set", "sampler.max_draws=50", "--set", "sampler.block=25",
]  # fmt: skip

close = partial(pytest.approx, rel=1e-9, abs=0.0)  # the default 1e-12 would let any two cross sections in cm^2 agree


@pytest.fixture(autouse=True)
def jax_is_set_up(monkeypatch):
    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)


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
        ("fluxes", "CCFR"), ("form-factors", "woods-saxon"), ("materials", "steel"), ("materials", "Fe"),
        ("observables", "theta_minus"),
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
    assert (g_V, g_A) == (close(0.5 + 2 * content["sin2_theta_w"]), 0.5)
    for regime in ("coherent", "incoherent_proton", "incoherent_neutron"):
        entry = high[regime]
        assert set(entry) == {"VV", "AA", "VA", "sigma", "error"} and 0 < entry["error"] < 0.05 * entry["sigma"]
        assert entry["sigma"] == close(g_V**2 * entry["VV"] + g_A**2 * entry["AA"], rel=1e-9)
    assert high["total"]["sigma"] == close(
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
    assert entry["sigma"] == close(0.09 * entry["VV"] + 0.64 * entry["AA"], rel=1e-9)
    assert content["g_V"] == [0.3] and content["g_A"] == [-0.8]


def test_sigma_is_that_of_the_library():
    """Steel by its isotopes, from the tables; the total is the sum of the regimes."""
    content = answer("sigma", "--target", "steel", "--energy", 13)
    (entry,), (details,) = content["results"], content["details"]
    same = answer("sigma", "--target", "Fe", "--energy", 13)["results"][0]
    library = summed(Channel("mu", "mu", "mu"), target_regimes("steel"), [13.0])
    for name, found in library.items():
        assert entry[name]["sigma"] == close(found.sigma[0], rel=1e-12) == same[name]["sigma"]
        assert entry[name]["error"] == close(found.sigma_error[0], rel=1e-12)
        assert details[name]["method"] == "table"
        assert list(details[name]["errors"].values()) == close(found.error[0])
    assert entry["total"]["sigma"] == close(sum(found.sigma[0] for found in library.values()))


def test_sigma_of_a_composition_by_mass():
    (found,) = answer("sigma", "--target", "O:0.53,Si:0.47", "--energy", 13)["results"]
    parts = [answer("sigma", "--target", name, "--energy", 13)["results"][0] for name in ("O", "Si")]
    share = 0.53 / 15.999 / (0.53 / 15.999 + 0.47 / 28.085)
    expected = share * parts[0]["total"]["sigma"] + (1 - share) * parts[1]["total"]["sigma"]
    assert found["total"]["sigma"] == close(expected, rel=1e-4)


def test_sigma_with_cuts():
    """Acceptance = selected over total; a window and the rest of the range add up to 1."""
    options = ["--target", "proton", "--energy", 20, "--rtol", 2e-2]
    inside = answer("sigma", *options, "--cut", "E_minus=6:14.5:0.2", "--cut", "theta_plus=:0.5")
    (entry,), (ratio,) = inside["results"], inside["acceptance"]
    whole = answer("sigma", *options)
    assert inside["details"][0]["incoherent_proton"]["method"] == "events" and "acceptance" not in whole
    expected = entry["total"]["sigma"] / whole["results"][0]["total"]["sigma"]
    assert 0.1 < ratio["total"] < 0.7 and ratio["total"] == close(expected)
    assert ratio["incoherent_proton"] == close(ratio["total"])
    parts = [answer("sigma", *options, "--cut", c)["acceptance"][0]["total"] for c in ("E_minus=6:", "E_minus=:6")]
    assert sum(parts) == pytest.approx(1, abs=0.03) and min(parts) > 0.2
    assert "acceptance 0." in call("sigma", *options, "--cut", "E_minus=6:").stdout


def test_sigma_with_cuts_below_threshold():
    content = answer("sigma", "--target", "proton", "--energy", 0.2, "--cut", "E_minus=0.1:")
    assert content["acceptance"] == [{"incoherent_proton": None, "total": None}]
    shown = call("sigma", "--target", "proton", "--energy", 0.2, "--cut", "E_minus=0.1:").stdout
    assert "acceptance undefined (no rate)" in shown


def test_sigma_spread():
    content = answer("sigma", "--target", "O16", "--energy", 4, "--energy", 30, "--spread")
    spread = content["model_spread"]
    assert set(spread) == {"coherent", "incoherent"}
    models = spread["coherent"]["sigma"]
    assert next(iter(models)) == "default" and len(models) > 3
    assert models["default"] == close([e["coherent"]["sigma"] for e in content["results"]])
    for i in range(2):
        values = [sigma[i] for sigma in models.values()]
        assert spread["coherent"]["half_range"][i] == close((max(values) - min(values)) / 2 / values[0])
    text = call("sigma", "--target", "O16", "--energy", 4, "--spread").stdout
    assert "coherent: half the range over the models" in text and "incoherent with dipole" in text


def test_sigma_says_where_the_contact_limit_ends():
    notes = {E: answer("sigma", "--target", "neutron", "--energy", E, "--rtol", 3e-2)["notes"] for E in (900, 2500)}
    assert notes[900] == [] and "the contact limit of W and Z ends" in notes[2500][0]


def test_sigma_at_one_loop():
    """g_V from the published coefficients; sin^2 theta_W no longer matters."""
    content = answer("sigma", "--target", "proton", "--energy", 9, "--set", "one_loop=1", "--sin2-theta-w", 0.2386)
    assert content["g_V"] == [pytest.approx(0.96007, abs=1e-5)] and content["g_A"] == [pytest.approx(0.49381, abs=1e-5)]
    entry = content["results"][0]["incoherent_proton"]
    assert entry["sigma"] == close(content["g_V"][0] ** 2 * entry["VV"] + content["g_A"][0] ** 2 * entry["AA"])


def test_sigma_reports_all_faults_at_once():
    text = faults(
        "sigma", "--target", "Ar41", "--energy", -1, "--neutrino", "numuu", "--leptons", "mumu", "--rtol", 3,
        "--gv", 1, "--theory", "zprim", "--set", "mass", "--p-fermi", 7,
    )  # fmt: skip
    for fault in (
        "unknown material, element or nuclide 'Ar41'", "--energy -1.0", "did you mean 'numu'", "--leptons 'mumu'",
        "--rtol 3.0",
        "--gv and --ga go together", "did you mean 'zprime'", "'mass': expected name=value", "--p-fermi 7.0",
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
        (["--theory", "zprime", "--set", "mass=nan", "--set", "g=1"], "mass = nan; allowed: a finite number"),
        (["--gv", "1", "--ga", "nan"], "allowed: finite"),
        (["--energy", "inf"], "--energy inf"),
        (["--set", "one_loop=2"], "one_loop = 2.0; allowed: 0 (tree level) to 1 (one loop)"),
        (["--cut", "E_minus"], "--cut 'E_minus': expected OBSERVABLE=MIN:MAX"),
        (["--cut", "E_minus=a:2"], "--cut 'E_minus=a:2': expected OBSERVABLE=MIN:MAX"),
        (["--cut", "E_minus=1:2:3:4"], "expected OBSERVABLE=MIN:MAX"),
        (["--cut", "E_mins=1:"], "did you mean 'E_minus'"),
        (["--cut", "E_minus=:"], "neither min nor max"),
        (["--cut", "theta_plus=0.1:4:-0.1"], "resolution must not be negative"),
        (["--spread", "--target", "Fe57,"], "mass fraction"),
    ],
)
def test_sigma_faults(arguments, message):
    assert message in faults("sigma", "--target", "Ar40", "--energy", 3, *arguments)


# --- rate and couplings --------------------------------------------------------------------------------------


def test_rate():
    content = answer("rate", "ccfr", "--theory", "zprime", "--set", "mass=200", "--set", f"g={200 / 551}")
    assert content["rate_ratio"] == close(1.361, rel=0.03)
    assert {"rate_ratio", "components", "sigma_flux_averaged_cm2", "events"} <= set(content)
    assert all({"flux", "nucleus", "regime", "share", "rate_ratio"} <= set(c) for c in content["components"])
    assert sum(c["share"] for c in content["components"]) == close(1)
    average = sum(c["share"] * c["rate_ratio"] for c in content["components"])
    assert average == close(content["rate_ratio"]) and content["events"] is None
    sigma = content["sigma_flux_averaged_cm2"]
    assert sigma["theory"] == close(sigma["sm"] * content["rate_ratio"])


def test_rate_of_the_standard_model():
    content = answer("rate", "ccfr")
    assert content["rate_ratio"] == 1.0
    assert "R = N/N_SM = 1.000000" in call("rate", "ccfr").stdout


SMALL = """name: small
title: small
reference: test
channel: {lepton_minus: mu, lepton_plus: mu}
flux: [{species: numu, table: CCFR}]
target: [{nucleus: H1, mass_fraction: 0.4}, {material: carbon, mass_fraction: 0.6}]
cuts: [{observable: E_minus, unit: GeV, min: 9.0, resolution: 1.0}]
efficiency: 0.75
measurement: {observable: rate_ratio, distribution: normal, unit: "1", value: 1.0, uncertainty: 0.3,
  includes_theory_error: false, status: test}
"""


@pytest.mark.slow
def test_rate_with_cuts(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    options = ["--theory", "zprime", "--set", "mass=0.01", "--set", "g=1e-3"]
    content = answer("rate", tmp_path / "small.yaml", *options)
    for component in content["components"]:
        assert 0.3 < component["acceptance_sm"] < 0.75 and 0.3 < component["acceptance"] < 0.75
        # a light mediator acts on other events than the Standard Model
        assert component["acceptance"] != close(component["acceptance_sm"], rel=1e-3)
    (tmp_path / "bare.yaml").write_text("\n".join(x for x in SMALL.splitlines() if x[:4] not in ("cuts", "effi")))
    bare = answer("rate", tmp_path / "bare.yaml", *options)
    assert all("acceptance" not in c for c in bare["components"])
    averaged = sum(c["share"] * c["acceptance_sm"] for c in bare_and_cut(bare, content))
    sm = [c["sigma_flux_averaged_cm2"]["sm"] for c in (content, bare)]
    assert sm[0] / sm[1] == close(averaged, rel=1e-9)
    assert "acceptance 0." in call("rate", tmp_path / "small.yaml").stdout


def bare_and_cut(bare, cut):
    """Shares without cuts with the acceptances of the same components."""
    assert [(c["nucleus"], c["regime"]) for c in bare["components"]] == [
        (c["nucleus"], c["regime"]) for c in cut["components"]
    ]
    pairs = zip(bare["components"], cut["components"], strict=True)
    return [{"share": b["share"], "acceptance_sm": c["acceptance_sm"]} for b, c in pairs]


def test_rate_with_bad_cuts(tmp_path):
    (tmp_path / "bad.yaml").write_text(
        SMALL.replace("observable: E_minus, unit: GeV", "observable: E_minus, unit: rad").replace(
            "table: CCFR", "table: CFR"
        )
    )
    text = faults("rate", tmp_path / "bad.yaml", "--set", "one_loop=7")
    for fault in ("cuts E_minus: unit 'rad'; allowed: GeV, MeV", "did you mean 'CCFR'", "one_loop = 7.0"):
        assert fault in text, fault


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
    assert zero["delta_g_V"] == close(4e-4 / (scale * 0.09), rel=1e-9)
    assert finite["delta_g_V"] == close(4e-4 / (scale * 0.16), rel=1e-9)
    assert zero["delta_g_A"] == 0 and content["inputs"]["sin2_theta_w"] == 0.23122 and content["inputs"]["scheme"]


def test_couplings_of_the_standard_model_show_one_loop():
    content = answer("couplings", "sm")
    loop, tree = content["one_loop"], content["results"][0]
    assert (loop["g_V"], loop["g_A"]) == (pytest.approx(0.96007, abs=1e-5), pytest.approx(0.49381, abs=1e-5))
    assert loop["minus_tree_g_V"] == close(loop["g_V"] - tree["g_V"])
    assert content["inputs"]["scheme"] == "tree level"
    assert "one loop (Hill, Tomalak 2020" in call("couplings", "sm").stdout
    shifted = answer("couplings", "sm", "--set", "one_loop=1")
    assert shifted["results"][0]["g_V"] == close(loop["g_V"]) and "one loop" in shifted["inputs"]["scheme"]
    other = answer("couplings", "sm", "--neutrino", "antinumu", "--leptons", "e-e+")["one_loop"]
    assert other["g_V"] == pytest.approx(-0.03993, abs=1e-5)
    assert answer("couplings", "zprime", "--set", "mass=1", "--set", "g=1")["one_loop"] is None


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
