import json
import os
from pathlib import Path

import numpy as np
import pytest

from tridentjax.cli.commands.events import events
from tridentjax.currents import Channel
from tridentjax.events import files as event_files
from tridentjax.events.files import check_event_file, write_events
from tridentjax.events.generate import generate_events
from tridentjax.events.sample import PARTICLES, reweighted
from tridentjax.events.source import beam_source
from tridentjax.faults import InputError
from tridentjax.theory.theories import zprime

pyhepmc = pytest.importorskip("pyhepmc")
parquet = pytest.importorskip("pyarrow.parquet")

DEFAULTS = {
    "experiment": None, "count": 60, "flux": None, "energy": None, "target": None, "neutrino": "numu",
    "leptons": "mu-mu+", "theory": "sm", "settings": [], "reweight": None, "cuts": [], "weighted": False,
    "seed": 5, "force": False, "as_json": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def sample():
    return generate_events(beam_source(7.3, Channel("mu", "mu", "mu", antineutrino=True), "Ar40"), 150, seed=4)


@pytest.fixture(scope="module")
def shifted(sample):
    return reweighted(sample, zprime, {"mass": 0.03, "g": 1e-3})


def read_hepmc(path):
    with pyhepmc.open(str(path)) as stream:
        return list(stream)


@pytest.mark.few(1)
@pytest.mark.parametrize("suffix", [".hepmc3", ".hepmc"])
def test_hepmc_round_trip(sample, tmp_path, suffix):
    path = tmp_path / f"events{suffix}"
    write_events(path, sample)
    found = read_hepmc(path)
    assert [event.event_number for event in found] == list(range(150))
    for i, event in enumerate(found):
        assert event.momentum_unit == pyhepmc.Units.GEV and event.length_unit == pyhepmc.Units.MM
        assert [particle.status for particle in event.particles] == [4, 4, 1, 1, 1, 1]
        assert [particle.pid for particle in event.particles] == sample.codes[i].tolist()
        momenta = [[p.momentum.e, p.momentum.px, p.momentum.py, p.momentum.pz] for p in event.particles]
        np.testing.assert_allclose(momenta, sample.momenta[i], rtol=1e-15, atol=1e-18)
        missing = np.sum(momenta[:2], axis=0) - np.sum(momenta[2:], axis=0)
        assert np.abs(missing).max() <= 1e-9 * sample.E_nu[i]
        (vertex,) = event.vertices
        assert [p.pid for p in vertex.particles_in] == sample.codes[i, :2].tolist()
        assert [p.pid for p in vertex.particles_out] == sample.codes[i, 2:].tolist()
        assert vertex.status == 1 and vertex.position.length() == 0.0
        assert event.weights[0] == 1.0
    masses = [particle.generated_mass for particle in found[0].particles]
    M = sample.masses[sample.component[0]]
    np.testing.assert_allclose(masses, [0.0, M, 0.0, 0.1056583755, 0.1056583755, M], rtol=1e-12)


def test_hepmc_knows_the_sample(sample, tmp_path):
    path = tmp_path / "events.hepmc3"
    write_events(path, sample)
    event = read_hepmc(path)[-1]
    assert event.cross_section.xsec() == pytest.approx(sample.cross_section * 1e36, rel=1e-6)
    assert event.cross_section.xsec_err() == pytest.approx(sample.error * 1e36, rel=1e-6)
    assert event.weight_names == ["CV", "VV", "AA", "VA"]
    assert event.run_info.tools[0].name == "tridentjax"
    content = json.loads(str(event.run_info.attributes["tridentjax"]))
    assert content["seed"] == 4 and content["theory"] == "sm" and content["events"] == 150
    assert content["cross_section"] == sample.cross_section


def test_hepmc_weights_of_another_theory(sample, shifted, tmp_path):
    write_events(tmp_path / "a.hepmc3", sample)
    write_events(tmp_path / "b.hepmc3", shifted)
    before, after = (read_hepmc(tmp_path / name) for name in ("a.hepmc3", "b.hepmc3"))
    weights = np.array([event.weights[0] for event in after])
    assert weights.mean() == pytest.approx(1.0) and np.ptp(weights) > 0.1
    np.testing.assert_allclose(weights, shifted.weight / shifted.weight.mean(), rtol=1e-12)
    # with the structures in the file, the SM sample becomes any theory: here with the couplings g_V = 1, g_A = 0
    VV = np.array([event.weights[1] for event in before])
    np.testing.assert_allclose(VV, sample.structures[:, 0], rtol=1e-12)


def test_parquet_round_trip(sample, tmp_path):
    path = tmp_path / "events.parquet"
    write_events(path, sample)
    table = parquet.read_table(path)
    assert table.num_rows == 150
    for i, particle in enumerate(PARTICLES):
        for j, axis in enumerate(("E", "px", "py", "pz")):
            column = f"{particle}_{axis}"
            np.testing.assert_array_equal(table[column].to_numpy(), sample.momenta[:, i, j])
            assert table.schema.field(column).metadata == {b"unit": b"GeV"}
        np.testing.assert_array_equal(table[f"{particle}_pdg"].to_numpy(), sample.codes[:, i])
    for name in ("E_nu", "Q2", "K2", "weight"):
        np.testing.assert_array_equal(table[name].to_numpy(), getattr(sample, name))
    np.testing.assert_array_equal(table["w_AA"].to_numpy(), sample.structures[:, 1])
    assert table["component"].to_pylist() == [sample.summaries[c].name for c in sample.component]
    assert table.schema.field("weight").metadata == {b"unit": b"cm^2"}
    content = json.loads(table.schema.metadata[b"tridentjax"])
    assert content["events"] == 150 and content["cross_section"] == sample.cross_section
    assert content["components"][0]["name"] == sample.summaries[0].name
    assert table["weight"].to_numpy().sum() == pytest.approx(content["cross_section"], rel=1e-9, abs=0.0)


def test_reweighted_parquet_keeps_its_components(shifted, tmp_path):
    write_events(tmp_path / "b.parquet", shifted)
    table = parquet.read_table(tmp_path / "b.parquet")
    assert len(set(table["component"].to_pylist())) == 3
    content = json.loads(table.schema.metadata[b"tridentjax"])
    assert content["theory"] == "zprime" and content["reweighted_from"]["theory"] == "sm"


def test_an_existing_file_is_kept(sample, tmp_path):
    path = tmp_path / "events.parquet"
    path.write_text("precious")
    with pytest.raises(InputError, match="exists; replace it with --force"):
        write_events(path, sample)
    assert path.read_text() == "precious"
    write_events(path, sample, force=True)
    assert parquet.read_table(path).num_rows == 150


@pytest.mark.parametrize("name", ["events.parquet", "events.hepmc3"])
def test_a_failed_write_leaves_the_old_file(sample, tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_text("precious")
    broken = sample._replace(metadata=sample.metadata | {"bad": np.inf})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_events(path, broken, force=True)
    assert path.read_text() == "precious" and os.listdir(tmp_path) == [name]


def test_paths_that_cannot_be_written(tmp_path, monkeypatch):
    assert "format '.root'; allowed: .hepmc, .hepmc3, .parquet" in check_event_file(tmp_path / "a.root", False)[0]
    assert "format '(none)'" in check_event_file(tmp_path / "a", False)[0]
    assert "does not exist; create it" in check_event_file(tmp_path / "no" / "a.parquet", False)[0]
    (tmp_path / "folder.parquet").mkdir()
    assert "is a folder" in check_event_file(tmp_path / "folder.parquet", True)[0]
    monkeypatch.setattr(event_files.os, "access", lambda *_: False)
    assert "cannot write to folder" in check_event_file(tmp_path / "a.parquet", False)[0]
    monkeypatch.setattr(event_files, "find_spec", lambda _: None)
    faults = check_event_file(tmp_path / "a.hepmc3", False)
    assert "need pyhepmc; install it with pip install 'tridentjax[events]'" in faults[0] and len(faults) == 2


def call(capsys, out, **options):
    events(**(DEFAULTS | {"out": Path(out)} | options))
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def test_command_at_fixed_energy(capsys, tmp_path):
    answer = call(capsys, tmp_path / "a.parquet", energy=10.0, target="proton")
    assert answer["events"] == 60 and 0.05 < answer["efficiency"] <= 1.0
    assert answer["cross_section"] == pytest.approx(answer["components"][0]["cross_section"], rel=1e-9, abs=0.0)
    assert parquet.read_table(answer["file"])["E_nu"].to_pylist() == [10.0] * 60
    again = call(capsys, tmp_path / "b.parquet", energy=10.0, target="proton")
    assert parquet.read_table(answer["file"]).equals(parquet.read_table(again["file"]))


def test_command_with_an_experiment(capsys, tmp_path):
    answer = call(capsys, tmp_path / "a.hepmc3", experiment="ccfr", weighted=True)
    assert answer["weighted"] and answer["events"] == len(read_hepmc(answer["file"])) == 60
    assert answer["efficiency"] == answer["effective_share"] < 1.0


def test_command_with_another_theory(capsys, tmp_path):
    settings = ["mass=0.03", "g=1e-3"]
    beam = {"flux": "DUNE_ND_FHC", "target": "proton", "settings": settings, "count": 4000}
    direct = call(capsys, tmp_path / "a.parquet", theory="zprime", **beam)
    shifted = call(capsys, tmp_path / "b.parquet", reweight="zprime", **beam)
    assert shifted["reweighted"] and shifted["weighted"] and not direct["weighted"]
    error = np.hypot(direct["cross_section_error"], shifted["cross_section_error"])
    assert direct["cross_section"] == pytest.approx(shifted["cross_section"], abs=4.0 * error)
    assert shifted["cross_section_error"] < 0.1 * shifted["cross_section"]


@pytest.mark.slow
def test_command_respects_cuts(capsys, tmp_path):
    answer = call(capsys, tmp_path / "a.parquet", energy=10.0, target="proton", cuts=["E_plus=2:6"])
    energy = parquet.read_table(answer["file"])["l_plus_E"].to_numpy()
    assert energy.min() >= 2.0 and energy.max() <= 6.0


def test_command_text(capsys, tmp_path):
    events(**(DEFAULTS | {"out": tmp_path / "a.parquet", "energy": 10.0, "target": "proton", "as_json": False}))
    text = capsys.readouterr().out
    assert "60 unweighted events" in text and "efficiency (accepted trials) 0." in text


def faults(**options):
    with pytest.raises(InputError) as caught:
        events(**(DEFAULTS | options))
    return caught.value.faults


def test_command_reports_all_faults_at_once(tmp_path):
    found = faults(
        out=tmp_path / "a.root", count=0, flux="DUNE", target="Ar41", theory="zprim", neutrino="nuu", cuts=["E=1:"]
    )
    text = "\n".join(found)
    for part in ("-n 0", "zprim", "'.root'", "'nuu'", "'DUNE'", "'Ar41'", "unknown observable 'E'"):
        assert part in text
    assert len(found) == 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give an experiment, or --target with one of --flux and --energy"),
        ({"target": "Ar40"}, "with one of --flux and --energy"),
        ({"target": "Ar40", "flux": "CCFR", "energy": 1.0}, "with one of --flux and --energy"),
        ({"experiment": "ccfr", "target": "Ar40"}, "has its own beam and target; leave --target out"),
        ({"experiment": "ccr"}, "did you mean 'ccfr'"),
        ({"target": "Ar40", "energy": -2.0}, "--energy -2.0; allowed: positive"),
        ({"target": "Ar40", "energy": 0.1}, "lowest threshold"),
        ({"target": "Ar40", "energy": 9.0, "leptons": "e-tau+"}, "forbidden at tree level"),
        ({"target": "Ar40", "energy": 9.0, "reweight": "zprime"}, "theory zprime needs"),
        ({"target": "Ar40", "energy": 9.0, "reweight": "sm", "theory": "contact"}, "leave --theory contact out"),
    ],
)
def test_command_faults(tmp_path, options, message):
    assert message in "\n".join(faults(out=tmp_path / "a.parquet", **options))
    assert os.listdir(tmp_path) == []
