from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from tridentjax.experiment.flux import SPECIES, flux_names, flux_path, load_flux, read_flux_table, table_species
from tridentjax.faults import InputError

REFERENCES = YAML(typ="safe", pure=True).load(Path(__file__).parents[1] / "references" / "fluxes.yaml")["fluxes"]
KNOTS = "# unit: 1/GeV/m^2/POT\n# energy_unit: GeV\nspecies,E_nu,flux\n"
BINS = "# unit: 1/GeV/m^2/POT\n# energy_unit: GeV\nE_lo,E_hi,numu\n"


@pytest.fixture
def table(tmp_path):
    """Write a flux table and return its path."""

    def write(text):
        path = tmp_path / "mine.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("entry", REFERENCES, ids=lambda entry: entry["name"])
def test_knots_reproduce_the_binned_source(entry):
    flux = load_flux(entry["flux"], entry["species"])
    # a knot table may leave out at most the sparse tail of its source
    assert float(flux.weight.sum()) == pytest.approx(entry["integral"], rel=entry["tolerance"])
    assert flux.pivot == pytest.approx(entry["mean_energy"], rel=5e-3)
    assert (np.diff(flux.energy) > 0).all() and (np.asarray(flux.weight) > 0).all()


def test_every_packaged_flux_has_a_reference():
    held = {(name, species) for name in flux_names() for species in table_species(read_flux_table(name))}
    assert held == {(entry["flux"], entry["species"]) for entry in REFERENCES}


def test_units_of_packaged_fluxes():
    assert not load_flux("CCFR", "numu").absolute
    charm = load_flux("CHARMII_FHC", "numu")
    assert charm.absolute and charm.unit == "1/GeV/m^2/POT" and charm.name == "CHARMII_FHC"
    assert load_flux("FASERnu", "numu").unit == "1/GeV/m^2/fb^-1"
    assert charm.range[0] == pytest.approx(4.0, rel=0.02) and charm.range[1] == pytest.approx(200.0, rel=0.02)


def test_knots_of_a_power_law_are_exact(table):
    """Log-log interpolation of a power law has no error; the Gauss rule inside each interval is tight."""
    energy = np.geomspace(0.7, 40.0, 14)
    rows = "\n".join(f"numu,{e!r},{3.0 * e**-2.3!r}" for e in energy.tolist())
    flux = load_flux(table(KNOTS + rows + "\n"), "numu")
    exact = 3.0 / 1.3 * (0.7**-1.3 - 40.0**-1.3)
    np.testing.assert_allclose(flux.weight.sum(), exact, rtol=1e-12)
    np.testing.assert_allclose(flux.weight @ flux.energy**1.5, 3.0 / 0.2 * (40.0**0.2 - 0.7**0.2), rtol=1e-12)


def test_bins_are_constant_inside_and_zero_in_gaps(table):
    flux = load_flux(table(BINS + "0.5,1.0,2.0\n1.0,3.0,0.0\n4.0,6.5,0.3\n"), "numu")
    integrand = lambda e: e**3 - 2.0 * e  # noqa: E731
    exact = sum(f * (b**4 / 4 - b**2 - a**4 / 4 + a**2) for a, b, f in [(0.5, 1.0, 2.0), (4.0, 6.5, 0.3)])
    np.testing.assert_allclose(flux.weight @ integrand(flux.energy), exact, rtol=1e-13)
    inside = np.asarray(flux.energy)
    assert not ((inside > 1.0) & (inside < 4.0)).any()
    np.testing.assert_allclose(flux.weight.sum(), 2.0 * 0.5 + 0.3 * 2.5, rtol=1e-14)


def test_square_centimetres_and_MeV_are_converted(table):
    metres = load_flux(table(BINS + "0.5,1.5,2.0\n1.5,4.0,0.7\n"), "numu")
    text = BINS.replace("m^2", "cm^2").replace("energy_unit: GeV", "energy_unit: MeV")
    small = load_flux(table(text + "500,1500,2.0\n1500,4000,0.7\n"), "numu")
    np.testing.assert_allclose(small.energy, metres.energy, rtol=1e-14)
    np.testing.assert_allclose(small.weight, 1e4 * np.asarray(metres.weight), rtol=1e-14)
    assert small.unit == "1/GeV/m^2/POT"
    assert small.pivot == pytest.approx(metres.pivot)


def test_globes_columns_are_bin_centres(table):
    header = "# format: globes\n# unit: 1/GeV/m^2/POT\n# energy_unit: GeV\n"
    rows = "".join(f"{c} {0.1 * c} {2 + c} 0 {0.2} {0.3 * c} 0\n" for c in (0.25, 0.75, 1.25, 1.75))
    path = table(header + rows)
    for column, species in enumerate(SPECIES):
        if species in ("nutau", "antinutau"):
            continue
        values = np.array([[float(x) for x in row.split()] for row in rows.splitlines()])[:, column + 1]
        flux = load_flux(path, species)
        np.testing.assert_allclose(flux.weight.sum(), 0.5 * values.sum(), rtol=1e-13)
        np.testing.assert_allclose(flux.range, (0.0, 2.0), atol=0.05)
    with pytest.raises(InputError, match="nutau is zero everywhere"):
        load_flux(path, "nutau")


def test_table_species_lists_what_is_there():
    assert set(table_species(read_flux_table("CHARMII_FHC"))) == {"numu", "antinumu"}


def test_path_of_a_user_file(table):
    path = table(BINS + "0.5,1.0,2.0\n")
    assert flux_path(path) == path
    assert load_flux(str(path), "numu").name == "mine"


# error texts --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BINS.replace("# unit: 1/GeV/m^2/POT\n", "") + "1,2,3\n", "the header has no '# unit: ...' line"),
        (BINS.replace("# energy_unit: GeV\n", "") + "1,2,3\n", "the header has no '# energy_unit: ...' line"),
        (BINS.replace("m^2", "mm^2") + "1,2,3\n", r"unknown flux unit '1/GeV/mm\^2/POT' in mine.csv; did you mean"),
        (BINS.replace(": GeV", ": TeV") + "1,2,3\n", "unknown energy unit 'TeV' in mine.csv; .*Allowed: GeV, MeV"),
        (BINS + "1,2,-3\n", "row 1, numu = -3.0; allowed: a finite flux >= 0"),
        (BINS + "1,2,nan\n", "row 1, numu = nan; allowed: a finite flux >= 0"),
        (BINS + "1,2,many\n", "row 1, column 'numu' = 'many' is not a number"),
        (BINS + "1,2,0\n2,3,0\n", "numu is zero everywhere"),
        (BINS + "1,2,1\n1,3,1\n", "E_lo does not increase at row 2"),
        (BINS + "1,2,1\n1.5,3,1\n", r"bin 1 is \[1.0, 2.0\]; bins must have E_lo < E_hi and not overlap"),
        (BINS + "3,2,1\n", r"bin 1 is \[3.0, 2.0\]"),
        (BINS + "1,2\n", "row 1 has 2 cells, needs 3"),
        (BINS, "no data rows"),
        (BINS.replace("E_lo", "low") + "1,2,3\n", "no column 'E_lo'"),
        (BINS.replace("numu", "nue") + "1,2,3\n", "unknown species 'numu' in mine.csv; did you mean 'nue'"),
        (KNOTS + "numu,2,3\nnumu,1,3\n", "E_nu of numu does not increase at row 2"),
        (KNOTS + "numu,1,3\nnumu,inf,3\n", "E_nu of numu = inf; allowed: finite and >= 0"),
        (KNOTS + "numu,1,3\nnumu,2,0\n", "numu at 2.0 GeV has flux 0.0, but a knot table is interpolated in log-log"),
        (KNOTS + "numu,1,3\n", "numu has 1 knot; at least two are needed"),
        (KNOTS + "nue,1,3\nnue,2,3\n", "unknown species 'numu' in mine.csv"),
    ],
)
def test_bad_table_is_refused(table, text, message):
    with pytest.raises(InputError, match=message):
        load_flux(table(text), "numu")


def test_all_faults_are_reported_at_once(table):
    with pytest.raises(InputError) as caught:
        load_flux(table(BINS + "1,2,-3\n2,3,nan\n3,2.5,4\n"), "numu")
    text = "\n".join(caught.value.faults)
    for part in ("row 1, numu = -3.0", "row 2, numu = nan", "bin 3 is"):
        assert part in text
    with pytest.raises(InputError) as caught:
        read_flux_table(table(BINS.replace("# unit: 1/GeV/m^2/POT\n# energy_unit: GeV\n", "") + "1,2,3\n"))
    assert len(caught.value.faults) == 2


def test_unknown_flux_and_species_come_with_a_suggestion():
    with pytest.raises(InputError, match=r"unknown flux 'CHARM2_FHC'; did you mean 'CHARMII_FHC'\?"):
        load_flux("CHARM2_FHC", "numu")
    with pytest.raises(InputError, match=r"unknown neutrino species 'nu_mu'; did you mean 'numu'\?"):
        load_flux("CCFR", "nu_mu")
    with pytest.raises(InputError, match=r"unknown species 'antinumu' in CCFR.csv; .*Allowed: numu"):
        load_flux("CCFR", "antinumu")


def test_globes_needs_two_increasing_rows(table):
    header = "# format: globes\n# unit: 1/GeV/m^2/POT\n# energy_unit: GeV\n"
    with pytest.raises(InputError, match="a GLoBES flux needs at least two rows"):
        load_flux(table(header + "1 1 1 1 1 1 1\n"), "numu")
    with pytest.raises(InputError, match="E_mid does not increase at row 2"):
        load_flux(table(header + "1 1 1 1 1 1 1\n0.5 1 1 1 1 1 1\n"), "numu")
