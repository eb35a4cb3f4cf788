"""`tridentjax rate`: ratios, shares, cuts, refusals."""

from functools import partial

import pytest
from command_line import answer, call, faults

close = partial(pytest.approx, rel=1e-9, abs=0.0)  # the default 1e-12 would let any two cross sections in cm^2 agree


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


@pytest.mark.slow
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
    for fault in ("cuts E_minus: unit 'rad'; allowed: GeV, MeV", "did you mean 'CCFR'", "one_loop = 7"):
        assert fault in text, fault


def test_rate_reports_all_faults_at_once():
    text = faults("rate", "cfr", "--theory", "zprime", "--set", "mas=1")
    assert "did you mean 'ccfr'" in text and "did you mean 'mass'" in text and "needs (g, mass)" in text


def test_rate_of_a_broken_file(tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\ntaget: []\n")
    text = faults("rate", tmp_path / "mine.yaml")
    assert "'taget'" in text and "did you mean 'target'" in text and "measurement is missing" in text
