"""Fluxes from ROOT histograms, written here with uproot."""

import sys

import numpy as np
import pytest

from tridentjax import InputError, load_experiment
from tridentjax.experiment.flux import table_flux
from tridentjax.experiment.root_flux import read_root_flux

uproot = pytest.importorskip("uproot")

EDGES = np.array([0.5, 1.25, 3.0, 7.5])
CONTENT = np.array([2.0e-4, 7.0e-5, 3.0e-6])
EXPERIMENT = """name: mine
title: mine
reference: none
channel: {lepton_minus: mu, lepton_plus: mu}
flux:
  - ENTRY
target: [{nucleus: O16}]
measurement: {observable: rate_ratio, distribution: normal, unit: "1", value: 1.1, uncertainty: 0.3,
  includes_theory_error: true, status: invented}
"""
ENTRY = (
    "{species: numu, table: beam.root, histogram: near/numu_flux, "
    "unit: 1/GeV/m^2/POT, energy_unit: GeV, content: per_GeV}"
)


@pytest.fixture
def beam(tmp_path):
    path = tmp_path / "beam.root"
    with uproot.recreate(path) as file:
        file["near/numu_flux"] = (CONTENT, EDGES)
        file["in_MeV"] = (CONTENT, 1e3 * EDGES)
        file["plane"] = np.histogram2d([1.0], [2.0], bins=2)
        file["negative"] = (-CONTENT, EDGES)
    return path


def load(folder, entry):
    path = folder / "mine.yaml"
    path.write_text(EXPERIMENT.replace("ENTRY", entry))
    return load_experiment(path)


def test_histogram_of_a_flux(beam):
    flux = load(beam.parent, ENTRY).fluxes[0]
    assert (flux.species, flux.unit, flux.name) == ("numu", "1/GeV/m^2/POT", "beam")
    np.testing.assert_allclose(flux.weight.sum(), CONTENT @ np.diff(EDGES), rtol=1e-14)
    np.testing.assert_allclose(flux.weight @ flux.energy, CONTENT @ (np.diff(EDGES**2) / 2), rtol=1e-14)


def test_histogram_of_neutrinos_per_bin_in_MeV_and_square_centimetres(beam):
    entry = ENTRY.replace("near/numu_flux", "in_MeV").replace("energy_unit: GeV", "energy_unit: MeV")
    per_bin = load(beam.parent, entry.replace("per_GeV", "per_bin").replace("m^2", "cm^2")).fluxes[0]
    np.testing.assert_allclose(per_bin.weight.sum(), 1e4 * CONTENT.sum(), rtol=1e-14)
    middle = (EDGES[1:] + EDGES[:-1]) / 2
    np.testing.assert_allclose(per_bin.weight @ per_bin.energy, 1e4 * CONTENT @ middle, rtol=1e-14)
    per_GeV = load(beam.parent, entry).fluxes[0]
    np.testing.assert_allclose(per_GeV.weight.sum(), CONTENT @ np.diff(EDGES), rtol=1e-14)
    assert per_bin.unit == per_GeV.unit == "1/GeV/m^2/POT"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "near/numu_flux",
            "near/nmu_flux",
            r"flux: unknown histogram 'near/nmu_flux' in beam\.root; did you mean 'near/n",
        ),
        ("near/numu_flux", "plane", "unknown histogram 'plane'"),
        ("near/numu_flux", "negative", r"beam\.root:negative: row 1, numu = -0\.0002; allowed: a finite flux >= 0"),
        ("beam.root", "none.root", "flux: cannot read ROOT file"),
        ("unit: 1/GeV/m^2/POT, ", "", r"flux\.0 = .*a ROOT histogram carries no units: add unit$"),
        (", energy_unit: GeV, content: per_GeV", "", "carries no units: add energy_unit, content"),
        ("per_GeV", "per_eV", r"flux\.0\.content = 'per_eV': .*'per_GeV' or 'per_bin'"),
        ("1/GeV/m^2/POT", "1/GeV/acre", "unknown flux unit '1/GeV/acre'"),
        ("energy_unit: GeV", "energy_unit: keV", "unknown energy unit 'keV'.*Allowed: GeV, MeV"),
        ("beam.root", "CCFR", "histogram, unit, energy_unit, content belong to a ROOT file; the header of this table"),
    ],
)
def test_bad_entry_is_refused(beam, old, new, message):
    assert old in ENTRY
    with pytest.raises(InputError, match=message):
        load(beam.parent, ENTRY.replace(old, new))


def test_a_file_that_is_not_root(beam):
    beam.write_text("no ROOT")
    with pytest.raises(InputError, match="cannot read ROOT file"):
        load(beam.parent, ENTRY)


def test_without_uproot_the_extra_is_named(beam, monkeypatch):
    monkeypatch.setitem(sys.modules, "uproot", None)
    with pytest.raises(
        InputError, match=r"beam\.root: reading ROOT files needs uproot; install the extra: tridentjax\[root\]"
    ):
        load(beam.parent, ENTRY)


def test_table_in_memory(beam):
    table = read_root_flux(beam, "near/numu_flux", "antinumu", "1/GeV", "GeV", "per_GeV")
    assert table.place == "beam.root:near/numu_flux" and table.columns == ("E_lo", "E_hi", "antinumu")
    flux = table_flux(table, "antinumu", "a name")
    assert not flux.absolute and (flux.species, flux.name) == ("antinumu", "a name")
    np.testing.assert_allclose(flux.intervals, np.stack([EDGES[:-1], EDGES[1:]], axis=1), rtol=1e-15)
