"""Numbers from outside this code base, and the table that holds them."""

from pathlib import Path

import pytest
from fixtures_physics import dimuon_table, kernel_total
from ruamel.yaml import YAML

from tridentjax.currents import Channel, standard_model_current
from tridentjax.nucleus.nuclei import NUCLEON_FORM_FACTORS, load_nucleus
from tridentjax.nucleus.regimes import nucleon_regime, nucleus_regimes

FOLDER = Path(__file__).parents[1] / "references"
ENTRIES = YAML(typ="safe", pure=True).load(FOLDER / "cross_sections.yaml")["entries"]
PUBLISHED = [entry for entry in ENTRIES if "published" in entry["inputs"]]


def calculate(entry):
    inputs = entry["inputs"]
    channel = Channel(*inputs["channel"])
    assert channel == dimuon_table().channel
    form_factor = dict(inputs["form_factor"])
    kind = form_factor.pop("kind")
    if inputs["target"] in ("proton", "neutron"):
        regime = nucleon_regime(inputs["target"], nucleon_model=kind)
    else:
        regime = nucleus_regimes(load_nucleus(inputs["target"], kind, form_factor))[0]
    VV, AA, VA = (float(x) for x in kernel_total(dimuon_table(), regime, inputs["E_nu"]))
    if entry["quantity"] == "sigma":
        current = standard_model_current(channel, inputs["sin2_theta_w"])
        g_V, g_A = float(current.g_V[0]), float(current.g_A[0])
        return g_V**2 * VV + g_A**2 * AA + g_V * g_A * VA
    return {"VV": VV, "AA": AA, "AA/VV": AA / VV}[entry["quantity"]]


@pytest.mark.few(3)
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_reference(entry):
    assert calculate(entry) == pytest.approx(entry["value"], rel=entry["tolerance"])


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry["name"])
def test_corrected_unit_brings_the_published_value_closer(entry):
    ours, published = calculate(entry), entry["inputs"]["published"]
    assert abs(ours / entry["value"] - 1) < abs(ours / published - 1)


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry["name"])
def test_corrected_value_is_the_published_one_in_right_units(entry):
    assert entry["value"] == pytest.approx(entry["inputs"]["published"] * 3.8938 / 3.9204, rel=1e-6)


def test_table_is_well_formed():
    names = [entry["name"] for entry in ENTRIES]
    assert len(set(names)) == len(names)
    for entry in ENTRIES:
        assert set(entry) == {"name", "quantity", "inputs", "value", "tolerance", "source"}
        assert entry["quantity"] in ("VV", "AA", "AA/VV", "sigma")
        keys = {"channel", "E_nu", "target", "form_factor"}
        keys |= {"sin2_theta_w", "published"} if entry["quantity"] == "sigma" else set()
        assert set(entry["inputs"]) == keys, entry["name"]
        assert isinstance(entry["value"], float) and entry["value"] > 0
        assert 0 < entry["tolerance"] <= 1e-2
        assert len(entry["source"]) > 10
        if entry["inputs"]["target"] in ("proton", "neutron"):
            assert entry["inputs"]["form_factor"]["kind"] in NUCLEON_FORM_FACTORS


def test_flux_table_is_well_formed():
    entries = YAML(typ="safe", pure=True).load(FOLDER / "fluxes.yaml")["fluxes"]
    assert len({entry["name"] for entry in entries}) == len(entries)
    for entry in entries:
        assert set(entry) == {"name", "flux", "species", "integral", "mean_energy", "tolerance", "source"}
        assert entry["species"] in ("numu", "antinumu")
        assert entry["integral"] > 0 and 0 < entry["tolerance"] <= 1e-3
