"""Beams are looked up by place, never by the name they are shown with."""

import numpy as np
import pytest

from tridentjax import InputError
from tridentjax.experiment.load import load_beams, load_experiment
from tridentjax.rates.chain import fold, prepare, unselected
from tridentjax.rates.exposure import expected_events
from tridentjax.rates.response import rate_ratio, signal
from tridentjax.theory.theories import sm, zprime

EDGES = (1, 2, 3, 5, 8, 12, 20, 40)
PION = (8e-5, 1.2e-4, 9e-5, 3e-5, 6e-6, 1e-6, 1e-7)
KAON = (1e-6, 1.5e-6, 2e-6, 2.5e-6, 2.2e-6, 1.5e-6, 5e-7)
ZPRIME = {"mass": np.float64(0.1), "g": np.float64(2e-3)}
EXPERIMENT = """\
name: two_beams
title: Pions and kaons
reference: nobody:2026
channel: {{lepton_minus: mu, lepton_plus: mu}}
flux: [{flux}]
target: [{{nucleus: Ar40}}]
{cuts}
exposure:
  target_mass: {{value: 50, unit: tonne, status: invented}}
  amount: {{value: 1.0e+21, unit: POT, status: invented}}
measurement:
  {{observable: rate_ratio, distribution: normal, unit: "1", value: 1.0, uncertainty: 0.3,
   includes_theory_error: true, status: invented}}
"""
CUT = "cuts: [{observable: E_minus, unit: GeV, min: 4.0}]"


def table(path, *columns, species=("numu",)):
    rows = zip(EDGES[:-1], EDGES[1:], *columns, strict=True)
    text = ["# unit: 1/GeV/m^2/POT", "# energy_unit: GeV", "E_lo,E_hi," + ",".join(species)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([*text, *(",".join(map(str, row)) for row in rows)]) + "\n")


def write(folder, *flux, cuts=CUT):
    table(folder / "pion" / "flux.csv", PION)
    table(folder / "kaon" / "flux.csv", KAON)
    entries = ", ".join(f"{{species: numu, table: {name}}}" for name in flux)
    path = folder / "two_beams.yaml"
    path.write_text(EXPERIMENT.format(flux=entries, cuts=cuts))
    return path


@pytest.mark.parametrize("order", [("pion", "kaon"), ("kaon", "pion")])
def test_tables_of_one_name_have_their_own_acceptance(tmp_path, order):
    experiment = load_experiment(write(tmp_path, *(f"{name}/flux.csv" for name in order)))
    chain = prepare(experiment)
    response = fold(chain)
    assert float(expected_events(response, experiment).sum()) == pytest.approx(
        63.55, abs=0.2
    )  # error of the acceptance 0.2 %
    assert float(rate_ratio(response, zprime, ZPRIME)) == pytest.approx(4.715, abs=0.015)
    kept = np.asarray(signal(response, sm, {}) / signal(fold(unselected(chain)), sm, {}))
    names = [component.flux for component in response.components]
    assert names[:2] == [f"{name}/flux.csv" for name in order]  # and not `flux` twice
    for first, second in zip(kept[::2], kept[1::2], strict=True):  # the kaons' neutrinos have more energy
        assert (first < 0.5 * second) == (order[0] == "pion")


@pytest.mark.parametrize("again", ["pion/flux.csv", "./pion/flux.csv", "pion/copy.csv"])
def test_the_same_spectrum_twice_is_refused(tmp_path, again):
    table(tmp_path / "pion" / "copy.csv", PION)
    with pytest.raises(InputError, match=r"flux: entries 1 and 3 are the same spectrum of numu .*; keep one"):
        load_experiment(write(tmp_path, "pion/flux.csv", "kaon/flux.csv", again))


def test_beams_of_tables_of_one_name(tmp_path):
    path = write(tmp_path, "pion/flux.csv", "kaon/flux.csv", "./kaon/flux.csv")
    table(tmp_path / "kaon" / "flux.csv", KAON, PION, species=("numu", "nue"))
    beams = load_beams(path)
    assert [(beam.species, beam.name) for beam in beams] == [
        ("numu", "pion/flux.csv"), ("numu", "kaon/flux.csv"), ("nue", "kaon/flux.csv")
    ]  # fmt: skip
    assert float(beams[2].weight.sum()) == pytest.approx(float(beams[0].weight.sum()), rel=1e-12)


def test_histograms_of_one_root_file_are_beams_of_their_own(tmp_path):
    uproot = pytest.importorskip("uproot")
    with uproot.recreate(tmp_path / "beam.root") as file:
        for name, values in (("pion", PION), ("kaon", KAON)):
            file[name] = (np.asarray(values), np.asarray(EDGES, dtype=float))
    entry = (
        "{{species: numu, table: beam.root, histogram: {}, unit: 1/GeV/m^2/POT, energy_unit: GeV, content: per_GeV}}"
    )
    path = tmp_path / "two_beams.yaml"
    path.write_text(EXPERIMENT.format(flux=", ".join(map(entry.format, ("pion", "kaon"))), cuts=""))
    beams = load_beams(path)
    assert [beam.name for beam in beams] == ["beam.root:pion", "beam.root:kaon"]
    assert [beam.name for beam in load_experiment(path).fluxes] == ["beam.root:pion", "beam.root:kaon"]
    ratio = float(beams[0].weight.sum() / beams[1].weight.sum())
    assert ratio == pytest.approx(np.dot(PION, np.diff(EDGES)) / np.dot(KAON, np.diff(EDGES)), rel=1e-12)
