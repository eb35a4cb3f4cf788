"""Commands and files with a scalar mediator: SS and PP where the theory has them, and nowhere else."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.constants import G_F

SCALAR = ["--theory", "scalar", "--set", "mass=0.7", "--set", "g_nu=0.004", "--set", "g_S=0.01", "--set", "g_P=-0.006"]
BEAM = ["--target", "Ar40", "--energy", 9]


def call(*arguments):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def answer(*arguments):
    return json.loads(call(*arguments, "--json"))


@pytest.mark.slow
def test_sigma_names_the_scalar_structures():
    content, plain = answer("sigma", *BEAM, *SCALAR), answer("sigma", *BEAM)
    entry, before = content["results"][0], plain["results"][0]
    assert set(entry["total"]) == {"VV", "AA", "VA", "SS", "PP", "sigma", "error"}
    assert set(before["total"]) == {"VV", "AA", "VA", "sigma", "error"} and "g_S" not in plain
    assert set(content["details"][0]["coherent"]["errors"]) == {"VV", "AA", "VA", "SS", "PP"}
    strength = 0.004 / (np.sqrt(2) * G_F * 0.7**2)
    np.testing.assert_allclose([content["g_S"], content["g_P"]], np.array([[-0.01], [0.006]]) * strength, rtol=1e-9)
    for name in ("coherent", "incoherent_proton"):
        assert entry[name]["VV"] == before[name]["VV"]
        extra = entry[name]["sigma"] - before[name]["sigma"]
        contact = strength**2 * (0.01**2 * entry[name]["SS"] + 0.006**2 * entry[name]["PP"])
        assert 0.05 * contact < extra < 0.9 * contact  # the propagator, at K2 of 0.1 to 1 GeV^2
    np.testing.assert_allclose(
        entry["total"]["PP"],
        sum(entry[r]["PP"] for r in ("coherent", "incoherent_proton", "incoherent_neutron")),
        rtol=1e-12,
    )
    text = call("sigma", *BEAM, *SCALAR)
    assert f"SS {entry['total']['SS']:.4e}  PP {entry['total']['PP']:.4e}" in text
    assert "SS" not in call("sigma", *BEAM)


@pytest.mark.slow
def test_event_files_hold_what_a_scalar_needs(tmp_path):
    """Standard-Model events reweighted, and events of the scalar itself: columns, and the same cross section."""
    parquet = pytest.importorskip("pyarrow.parquet")
    direct = answer("events", "-n", 3000, "--out", tmp_path / "a.parquet", *BEAM, *SCALAR)
    turned = answer(
        "events", "-n", 3000, "--out", tmp_path / "b.parquet", *BEAM, "--reweight", *SCALAR[1:], "--seed", 6
    )
    error = np.hypot(direct["cross_section_error"], turned["cross_section_error"])
    assert abs(direct["cross_section"] - turned["cross_section"]) < 4 * error < 0.1 * direct["cross_section"]
    answer("events", "-n", 50, "--out", tmp_path / "c.parquet", *BEAM)
    tables = [parquet.read_table(tmp_path / f"{name}.parquet") for name in "abc"]
    structures = [[c for c in table.column_names if c.startswith("w_")] for table in tables]
    assert structures == [["w_VV", "w_AA", "w_VA", "w_SS", "w_PP"]] * 2 + [["w_VV", "w_AA", "w_VA"]]
    g_V, g_A = 0.5 + 2 * 0.23122, 0.5
    for table in tables[:2]:  # the columns are what multiplies the couplings of the event
        strength = 0.004 / (np.sqrt(2) * G_F * (0.7**2 + table["K2"].to_numpy()))
        couplings = [g_V**2, g_A**2, g_V * g_A, (0.01 * strength) ** 2, (0.006 * strength) ** 2]
        sums = sum(c * table[name].to_numpy() for c, name in zip(couplings, structures[0], strict=True))
        np.testing.assert_allclose(sums, 1.0, rtol=1e-9)


def test_hepmc_weights(tmp_path):
    pyhepmc = pytest.importorskip("pyhepmc")
    call("events", "-n", 20, "--out", tmp_path / "a.hepmc3", *BEAM, *SCALAR)
    with pyhepmc.open(str(tmp_path / "a.hepmc3")) as stream:
        event = next(iter(stream))
    assert event.weight_names == ["CV", "VV", "AA", "VA", "SS", "PP"] and len(event.weights) == 6


@pytest.mark.slow
def test_distribution_adds_up():
    options = ["--bins", "0.2:1.4:4", *BEAM, "--points", 1024]
    with_, without = (answer("distribution", "m_ll", *options, *extra) for extra in (SCALAR, []))
    sigma = answer("sigma", *BEAM, *SCALAR)["results"][0]["total"]["sigma"]
    assert with_["total_cm2"] == pytest.approx(sigma, rel=2e-2, abs=0.0)
    assert (np.array(with_["value"]) > np.array(without["value"])).all()
