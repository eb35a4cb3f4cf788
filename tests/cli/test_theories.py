"""Theories as a user of the command line meets them: couplings, rates, configs and runs, and what is refused."""

import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from typer.testing import CliRunner

from tridentjax import InputError, cli
from tridentjax.currents import Channel
from tridentjax.inference.build import make_model
from tridentjax.inference.model import PRIOR_DRAWS, count_undefined
from tridentjax.runs.config import config_names, load_config
from tridentjax.theory.binding import bind_theory

POINT = ["Lambda_IR=1225.691031", "c_L_e=0.58", "c_L_mu=0.58", "c_R_mu=0.6"]
LMUTAU = ["Lambda_IR=1225.691031", "g=0.5", "mass=50", "c_L_mu=0.45", "c_R_mu=0.6"]


def call(*arguments, settings=()):
    options = [text for setting in settings for text in ("--set", setting)]
    return CliRunner().invoke(cli.app, [*map(str, arguments), *options])


def answer(*arguments, settings=()):
    result = call(*arguments, "--json", settings=settings)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def faults(*arguments, settings=()):
    result = call(*arguments, settings=settings)
    assert result.exit_code == 2 and "Traceback" not in result.stderr
    return result.stderr


# --- couplings -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_couplings_of_the_warped_model():
    """Point P2 of rs_matching.md, section 7.4, first column."""
    content = answer("couplings", "rs", settings=POINT)
    (result,) = content["results"]
    assert result["delta_g_V"] == pytest.approx(-1.468967e-02, abs=5e-9)
    assert result["delta_g_A"] == pytest.approx(-1.178429e-02, abs=5e-9)
    assert content["inputs"]["scheme"] == "alpha_mZ_GF" and content["inputs"]["sin2_theta_w"] == 0.23122
    assert content["derived"]["first_KK_mass"] == pytest.approx(3000.0, rel=1e-7)
    exact = [*POINT, "scheme=fixed_s2", "order=exact"]
    (result,) = answer("couplings", "rs", settings=exact)["results"]
    assert result["delta_g_V"] == pytest.approx(-8.169320e-04, abs=5e-10)
    text = call("couplings", "rs", settings=POINT).stdout
    assert "first_KK_mass = 3000 GeV" in text and "embedding = minimal" in text and "order = linear" in text


@pytest.mark.slow
def test_couplings_of_the_bulk_boson():
    """Table 7.5: IR breaking, c_L = 0.45, c_E = 0.6; our G_F is 9e-8 larger."""
    content = answer("couplings", "rs_lmutau", settings=[*LMUTAU, "breaking=ir"])
    (result,) = content["results"]
    assert result["delta_g_V"] == pytest.approx(6.235030, rel=3e-7)
    assert result["delta_g_A"] == pytest.approx(-4.109159e-03, rel=3e-7)
    assert 0 < content["derived"]["pole_mass"] < 50 and content["derived"]["first_KK_mass"] == pytest.approx(
        3000, rel=1e-7
    )


def test_couplings_of_wilson_coefficients():
    contact = answer("couplings", "left", settings=["VnueLL_2222=1e-6", "VnueLR_1222=2e-6", "VnueLR_1222_Im=-3e-6"])
    rows = {(r["neutrino_out"], r["part"]): r for r in contact["results"]}
    unit = 1e-6 / (2 * np.sqrt(2) * 1.1663788e-5)  # delta g_X = -C/(2 sqrt2 G_F)
    assert rows["mu", "real"]["delta_g_V"] == pytest.approx(-unit) == pytest.approx(rows["mu", "real"]["delta_g_A"])
    assert rows["e", "real"]["g_V"] == pytest.approx(-2 * unit) and rows["e", "real"]["g_A"] == pytest.approx(2 * unit)
    assert rows["e", "imaginary"]["g_V"] == pytest.approx(3 * unit)
    assert set(rows) == {("mu", "real"), ("e", "real"), ("e", "imaginary")}  # nothing for nu_tau
    assert contact["results"][0]["neutrino_out"] == "mu"  # the Standard Model's own comes first
    assert "(imaginary part)" in call("couplings", "left", settings=["VnueLR_1222_Im=-3e-6"]).stdout


def test_couplings_from_a_wcxf_file(tmp_path):
    path = tmp_path / "point.json"
    path.write_text(
        json.dumps({"eft": "SMEFT", "basis": "Warsaw", "scale": 91.19, "values": {"le_2222": 1e-6, "G": 1e-7}})
    )
    content = answer("couplings", "smeft", settings=[f"wcxf={path}", "scheme=fixed_s2"])
    given = answer("couplings", "smeft", settings=["le_2222=1e-6", "scheme=fixed_s2"])
    assert content["results"] == given["results"]
    assert "91.19 GeV" in content["inputs"]["notes"][0] and "G" in content["inputs"]["notes"][1]
    path.write_text(json.dumps({"eft": "SMEFT", "basis": "SILH", "scale": 91.19, "values": {}}))
    assert "basis 'SILH' of SMEFT; allowed: Warsaw" in faults("couplings", "smeft", settings=[f"wcxf={path}"])
    assert "no/such.json" in faults("couplings", "smeft", settings=["wcxf=no/such.json"])


def test_couplings_of_a_scalar():
    (result,) = answer("couplings", "scalar", "--K2", 0.5, settings=["mass=2", "g_nu=0.03", "g_P=0.02"])["results"]
    expected = 0.03 * 0.02 / (np.sqrt(2) * 1.1663788e-5 * 4.5)
    assert abs(result["g_P"]) == pytest.approx(expected, rel=1e-9) and result["g_S"] == 0.0 == result["delta_g_V"]


@pytest.mark.slow
def test_couplings_of_two_theories_and_several_mediators():
    both = answer("couplings", "rs+rs_lmutau", settings=[*POINT, "g=0.5", "mass=50", "breaking=ir"])["results"][0]
    alone = [
        answer("couplings", "rs", settings=POINT)["results"][0],
        answer("couplings", "rs_lmutau", settings=["g=0.5", "mass=50", "breaking=ir", *(POINT[0], *POINT[2:])])[
            "results"
        ][0],
    ]
    assert both["delta_g_A"] == pytest.approx(sum(r["delta_g_A"] for r in alone), rel=1e-10)
    two = answer("couplings", "zprime", settings=["mass=0.1,20", "g=1e-3,0.3"])["results"][0]["delta_g_V"]
    one = [
        answer("couplings", "zprime", settings=pair)["results"][0]["delta_g_V"]
        for pair in (["mass=0.1", "g=1e-3"], ["mass=20", "g=0.3"])
    ]
    assert two == pytest.approx(sum(one), rel=1e-12)


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("theory", "settings", "message"),
    [
        ("rs", [*POINT, "embedding=custodial"], "embedding = custodial; allowed: minimal, custodial_trivial"),
        ("rs", [*POINT, "order=exact", "Lambda_IR=50"], "Lambda_IR is given twice"),
        ("rs", ["Lambda_IR=50", *POINT[1:], "order=exact"], "theory rs has no solution at Lambda_IR = 50.0"),
        ("rs", [*POINT, "kappa_IR=-1"], "kappa_IR = -1; allowed: 0 or more"),
        ("rs", POINT[:3], "theory rs needs (Lambda_IR, c_L_e, c_L_mu, c_R_mu)"),
        ("rs+rz", POINT, "unknown theory 'rz'"),
        ("rs_lmutau", [*LMUTAU, "breaking=middle"], "breaking = middle; allowed: uv, ir"),
        ("smeft", ["ll_2211=1e-6"], "ll_2211 is redundant; use ll_1122"),
        ("smeft", ["ll_2222_Im=1e-6"], "ll_2222 is hermitian"),
        ("zprime", ["mass=0.1", "g"], "--set 'g': expected name=value"),
    ],
)
def test_couplings_faults(theory, settings, message):
    assert message in faults("couplings", theory, settings=settings)


@pytest.mark.slow
def test_a_channel_that_needs_another_bulk_mass():
    text = faults("couplings", "rs", "--leptons", "e-e+", settings=POINT)
    assert "c_R_e is missing" in text
    assert (
        answer("couplings", "rs", "--leptons", "e-e+", settings=[*POINT, "c_R_e=0.55"])["results"][0]["neutrino_out"]
        == "mu"
    )


@pytest.mark.slow
def test_flavour_violation_opens_what_the_standard_model_forbids():
    """nu_mu -> nu_e e- mu+ of one LEFT coefficient: the contact rate of mu- e+ with couplings C/(2 sqrt2 G_F)."""
    C = 3e-6
    options = ["--target", "proton", "--energy", 12, "--rtol", 1e-2]
    left = [*options, "--leptons", "e-mu+", "--theory", "left"]
    content = answer("sigma", *left, settings=[f"VnueLL_1212={C}"])
    (found,) = content["results"]
    assert content["neutrino_out"] == ["e"] and len(content["g_V"]) == 1
    assert answer("sigma", *options, "--leptons", "e-mu+")["results"][0]["total"]["sigma"] == 0.0
    g = C / (2 * np.sqrt(2) * 1.1663788e-5)
    entry = found["incoherent_proton"]
    expected = g**2 * (entry["VV"] + entry["AA"] + entry["VA"])
    assert entry["sigma"] == pytest.approx(expected, rel=1e-6, abs=0.0) and entry["sigma"] > 0.0
    mirrored = answer("sigma", *options, "--leptons", "mu-e+")["results"][0]["incoherent_proton"]
    assert entry["VV"] == pytest.approx(mirrored["VV"], rel=2e-2, abs=0.0)


# --- rates ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_rate_of_a_scalar_only_adds():
    content = answer("rate", "ccfr", "--theory", "scalar", settings=["mass=300", "g_nu=0.4", "g_S=0.5"])
    twice = answer("rate", "ccfr", "--theory", "scalar", settings=["mass=300", "g_nu=0.8", "g_S=-0.5"])
    assert content["rate_ratio"] > 1.0
    assert twice["rate_ratio"] - 1 == pytest.approx(4 * (content["rate_ratio"] - 1), rel=1e-9)


@pytest.mark.slow
def test_rate_of_the_warped_model_shows_the_first_mode():
    content = answer("rate", "ccfr", "--theory", "rs", settings=POINT)
    assert content["derived"]["first_KK_mass"] == pytest.approx(3000, rel=1e-7)
    assert content["rate_ratio"] - 1 == pytest.approx(-3.4e-2, abs=1e-3)
    assert "first_KK_mass = 3000 GeV" in call("rate", "ccfr", "--theory", "rs", settings=POINT).stdout


# --- configs and runs ----------------------------------------------------------------------------------------


# the nuisances act on the experiment, not on the theory: one config with them is enough, the others are slow
LIVE = [pytest.param(name, True, marks=() if name == "zprime_ccfr" else pytest.mark.slow) for name in config_names()]
THREE = ("zprime_joint", "zprime_plane")  # experiments
NOMINAL = [pytest.param(name, False, marks=pytest.mark.slow if name in THREE else ()) for name in config_names()]


@pytest.mark.few(1)
@pytest.mark.parametrize(("name", "nuisances"), [*LIVE, *NOMINAL])
def test_every_config_has_a_finite_gradient(name, nuisances):
    spec = load_config(name, () if nuisances else ("nuisances=false",))
    if spec.contour is not None and not spec.contour.combine:  # one curve for each experiment
        with pytest.raises(InputError, match="variants of the same data"):
            make_model(spec)
        spec = spec.model_copy(update={"experiments": spec.experiments[:1]})
    model = make_model(spec)
    z = jnp.asarray(np.random.default_rng(3).normal(size=len(model.names)))
    value, gradient = jax.jit(jax.value_and_grad(model.log_weight))(z)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert set(model.units) >= {"delta_g_V", "delta_g_A"} and count_undefined(model) == 0


@pytest.mark.slow
def test_prior_draws_without_a_solution_are_counted():
    """Below some Lambda_IR no x reproduces m_Z: the share of a prior flat in its logarithm is known."""
    fixed = {"c_L_e": 0.6, "c_L_mu": 0.6, "c_R_mu": 0.6, "kappa_UV": 0.0, "kappa_IR": 0.0}

    def defined(Lambda_IR):
        bound = bind_theory("rs", {**fixed, "Lambda_IR": Lambda_IR, "order": "exact"})
        return bool(np.isfinite(bound.function(bound.values, Channel("mu", "mu", "mu"), jnp.zeros(1)).g_V).all())

    low, high = 20.0, 2000.0
    assert not defined(low) and defined(high)
    for _ in range(12):
        middle = np.sqrt(low * high)
        low, high = (low, middle) if defined(middle) else (middle, high)
    expected = np.log(low / 20.0) / np.log(100.0)
    overrides = [f"params.{name}={{value: {value}, unit: '1'}}" for name, value in fixed.items()]
    overrides += ["params.Lambda_IR.prior.min=20", "params.Lambda_IR.prior.max=2000", "nuisances=false"]
    share = count_undefined(make_model(load_config("rs_minimal", tuple(overrides)))) / PRIOR_DRAWS
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / PRIOR_DRAWS)


def test_prior_that_reaches_ghosts_is_refused():
    settings = ["params.kappa_UV.prior.min=-50", "params.kappa_IR.prior.min=-1", "params.Lambda_IR.prior.max=1e20"]
    text = faults("sample", "rs_minimal", "--dry-run", settings=settings)
    for part in (
        "kappa_IR = -1 (an end of its prior); allowed: 0 or more",
        "allowed: ln(k/Lambda_IR) + kappa_UV + kappa_IR positive",
        "Lambda_IR = 1e+20 (an end of its prior), k = 1.2209e+19; allowed: Lambda_IR below k",
    ):
        assert part in text


@pytest.mark.slow
def test_dry_run_shows_choices_and_derived_quantities():
    content = answer("sample", "rs_custodial", "--dry-run", settings=["nuisances=false"])
    assert content["fixed"]["embedding"] == "custodial_trivial" and content["derived"]["first_KK_mass"] > 2000
    text = call("sample", "rs_custodial", "--dry-run", settings=["nuisances=false"]).stdout
    assert "(derived)" in text and "alpha_mZ_GF (fixed)" in text


@pytest.mark.slow  # notebook 04 samples the same model
def test_a_short_run_is_prior_dominated_and_says_so(tmp_path):
    tiny = [
        "nuisances=false", "sampler.chains=2", "sampler.warmup=150", "sampler.draws=300", "sampler.max_draws=2400",
        "sampler.block=75", "sampler.ess=50",
    ]  # fmt: skip
    result = call("sample", "rs_custodial", "--out", tmp_path / "run", settings=tiny)
    assert result.exit_code == 0, result.stderr
    assert "PRIOR-DOMINATED" in result.stdout and "gain [bit]" in result.stdout and "first_KK_mass" in result.stdout
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["prior_dominated"] and summary["undefined_prior_draws"] == {"count": 0, "of": PRIOR_DRAWS}
    gains = {name: entry["information_gain"] for name, entry in summary["parameters"].items()}
    assert all(abs(gain["bits"]) < 0.15 and gain["error"] > 0 for gain in gains.values())
    masses = summary["derived"]["first_KK_mass"]
    assert masses["unit"] == "GeV" and 1e3 < masses["quantiles"]["50%"] < 2e4
    figures = {"corner.png", "couplings.png", "marginals.png", "masses.png", "predictive.png", "rate_ratios.png"}
    assert set(os.listdir(tmp_path / "run" / "figures")) == figures | {"traces.png"}
