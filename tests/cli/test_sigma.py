"""`tridentjax sigma`: numbers, notes, refusals."""

from functools import partial

import pytest
from command_line import answer, call, faults

from tridentjax.currents import Channel
from tridentjax.nucleus.regimes import target_regimes
from tridentjax.process.model_spread import summed

close = partial(pytest.approx, rel=1e-9, abs=0.0)  # the default 1e-12 would let any two cross sections in cm^2 agree


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_sigma_of_a_composition_by_mass():
    (found,) = answer("sigma", "--target", "O:0.53,Si:0.47", "--energy", 13)["results"]
    parts = [answer("sigma", "--target", name, "--energy", 13)["results"][0] for name in ("O", "Si")]
    share = 0.53 / 15.999 / (0.53 / 15.999 + 0.47 / 28.085)
    expected = share * parts[0]["total"]["sigma"] + (1 - share) * parts[1]["total"]["sigma"]
    assert found["total"]["sigma"] == close(expected, rel=1e-4)


@pytest.mark.slow
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


@pytest.mark.slow
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
        (["--theory", "zprime", "--set", "mass=1e-5", "--set", "g=1"], "mass = 1e-05; allowed: 1e-3 GeV or more"),
        (["--theory", "zprime", "--set", "mass=1", "--set", "mass=2", "--set", "g=1"], "mass is given twice"),
        (["--theory", "zprime", "--set", "mass=nan", "--set", "g=1"], "mass = nan; allowed: a finite number"),
        (["--gv", "1", "--ga", "nan"], "allowed: finite"),
        (["--energy", "inf"], "--energy inf"),
        (["--set", "one_loop=2"], "one_loop = 2; allowed: 0 (tree level) to 1 (one loop)"),
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
