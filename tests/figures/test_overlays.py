"""Curves beside a contour: tables with declared columns and units, and the historical band of the muon's moment."""

import re

import numpy as np
import pytest
from pydantic import ValidationError

from tridentjax import InputError
from tridentjax.figures.overlays import load_overlay
from tridentjax.schema.contour import OverlaySpec
from tridentjax.theory.muon_moment import historical_band

UNITS, RANGES = ("GeV", "1"), ((1e-3, 1e3), (1e-5, 3.0))
TABLE = "# digitised\nm,sigma,g\n13.5,7.0,8.6e-4\n120.0,7.5,1.12e-3\n169.0,8.5,1.22e-3\n"


def spec(**changes):
    return OverlaySpec(**({"label": "theirs", "file": "curve.csv", "x_unit": "GeV", "y_unit": "1"} | changes))


def load(tmp_path, text, name="curve.csv", units=UNITS, ranges=RANGES, **changes):
    (tmp_path / name).write_text(text)
    return load_overlay(spec(file=name, **changes), units, ranges, tmp_path)


def faults(*arguments, **keywords):
    with pytest.raises(InputError) as caught:
        load(*arguments, **keywords)
    return caught.value.faults


@pytest.mark.parametrize(("unit", "factor"), [("GeV", 1.0), ("MeV", 1e-3), ("keV", 1e-6), ("eV", 1e-9), ("TeV", 1e3)])
def test_units_of_a_mass(tmp_path, unit, factor):
    wide = ((1e-9, 1e6), (1e-5, 3.0))
    found = load(tmp_path, TABLE, x="m", y="g", x_unit=unit, ranges=wide)
    np.testing.assert_allclose(found.x, np.asarray([13.5, 120.0, 169.0]) * factor, rtol=1e-15)
    np.testing.assert_allclose(found.y, [8.6e-4, 1.12e-3, 1.22e-3], rtol=1e-15)
    assert found.label == "theirs" and found.upper is None


def test_columns_by_number_and_white_space(tmp_path):
    text = "# no header\n0.0135 0.5 8.6e-4\n\n0.169   0.7\t1.22e-3\n"
    for name, y in (("curve.txt", 3), ("other.dat", 2)):
        found = load(tmp_path, text, name=name, x=1, y=y)
        np.testing.assert_array_equal(found.x, [0.0135, 0.169])
        np.testing.assert_array_equal(found.y, {3: [8.6e-4, 1.22e-3], 2: [0.5, 0.7]}[y])
    found = load(tmp_path, TABLE, x=1, y=3, x_unit="MeV")  # numbers count columns below a header too
    np.testing.assert_array_equal(found.y, [8.6e-4, 1.12e-3, 1.22e-3])


def test_other_planes_keep_their_own_unit(tmp_path):
    ranges = ((-3.0, 1.5), (-2.5, 2.0))
    found = load(tmp_path, "a,b\n-1.2,0.3\n0.4,0.9\n", units=("1", "GeV^-2"), ranges=ranges, x="a", y="b",
                 x_unit="1", y_unit="GeV^-2")  # fmt: skip
    np.testing.assert_array_equal(found.x, [-1.2, 0.4])
    (fault,) = faults(tmp_path, "a,b\n-1.2,0.3\n", units=("1", "GeV^-2"), ranges=ranges, x="a", y="b",
                      x_unit="1", y_unit="TeV^-2")  # fmt: skip
    assert fault == "overlay 'theirs': y_unit = 'TeV^-2'; allowed: GeV^-2 (the axis is in GeV^-2)"


def test_here_before_beside_the_config(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "curve.csv").write_text("0.2,1e-3\n")
    assert load_overlay(spec(), UNITS, RANGES, tmp_path).x.tolist() == [0.2]
    (tmp_path / "here" / "curve.csv").write_text("0.3,1e-3\n")
    assert load_overlay(spec(), UNITS, RANGES, tmp_path).x.tolist() == [0.3]
    absolute = spec(file=str(tmp_path / "curve.csv"))
    assert load_overlay(absolute, UNITS, RANGES, tmp_path / "nowhere").x.tolist() == [0.2]


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (TABLE, {"x": "mass", "y": "g"}, r"no column 'mass' in curve\.csv; it has m, sigma, g$"),
        (TABLE, {"x": 1, "y": 4}, r"column 4 of curve\.csv; allowed: 1 to 3"),
        (TABLE, {"x": 0, "y": 3}, r"column 0 of curve\.csv; allowed: 1 to 3"),
        (TABLE, {"x": "g", "y": "g"}, "x and y are both column g"),
        ("0.1,1e-3\n", {"x": "m"}, "no column 'm' in .*no header line: give column numbers"),
        ("m,g\n0.1,1e-3\n0.2,-\n", {"x": "m", "y": "g"}, r"row 2, column g is not a number"),
        ("m,g\n0.1,nan\n", {"x": "m", "y": "g"}, r"row 1, column g is not a number"),
        ("0.1 1e-3\n0.2\n", {}, "row 2, column 2 is not a number"),
        ("m,g\n", {}, "has no rows of numbers"),
        ("", {}, "has no rows of numbers"),
        (TABLE, {"x": 1, "y": 3, "x_unit": "furlong"}, r"x_unit = 'furlong'; allowed: eV, keV, MeV, GeV, TeV"),
        (TABLE, {"x": 1, "y": 3, "y_unit": "GeV"}, r"y_unit = 'GeV'; allowed: 1 \(the axis is in 1\)"),
        (TABLE, {"x": "g", "y": "m", "x_unit": "MeV"}, "fits the plane better exchanged; are the columns swapped"),
        ("0.12,1.1e-3\n400,0.2\n", {"x": 2, "y": 1}, "fits the plane better exchanged"),
        (TABLE, {"x": 1, "y": 3, "x_unit": "eV"}, "lies outside the plane, x in .*check the units"),
    ],
)
def test_faults_of_a_table(tmp_path, text, changes, message):
    (fault,) = faults(tmp_path, text, **changes)
    assert fault.startswith("overlay 'theirs': ") and re.search(message, fault), fault


def test_all_faults_of_a_table_at_once(tmp_path):
    found = faults(tmp_path, TABLE, x="mass", y=7, x_unit="furlong", y_unit="2")
    assert len(found) == 4


def test_a_table_without_two_columns_or_file(tmp_path):
    with pytest.raises(InputError, match=r"overlay 'theirs': cannot read .*missing\.csv"):
        load_overlay(spec(file="missing.csv"), UNITS, RANGES, tmp_path)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match=r"cannot read .*binary\.csv"):
        load_overlay(spec(file="binary.csv"), UNITS, RANGES, tmp_path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"file": "a", "x_unit": None}, "x_unit missing: the unit of a table cannot be guessed"),
        ({"file": "a", "x_unit": None, "y_unit": None}, "x_unit and y_unit missing"),
        ({"file": None}, "give exactly one of file and band"),
        ({"band": "muon_g_minus_2"}, "give exactly one of file and band"),
        ({"file": None, "band": "electron"}, "muon_g_minus_2"),
    ],
)
def test_faults_of_the_block(given, message):
    with pytest.raises(ValidationError, match=message):
        spec(**given)


def test_band_of_the_muon(tmp_path):
    band = OverlaySpec(label="historical", band="muon_g_minus_2")
    found = load_overlay(band, UNITS, RANGES, tmp_path)
    low, high = historical_band(np.asarray([1e-3, 0.37, 1e3]))
    np.testing.assert_allclose(found.x[[0, -1]], [1e-3, 1e3], rtol=1e-12)
    np.testing.assert_allclose([found.y[0], found.upper[-1]], [low[0], high[-1]], rtol=1e-12)
    assert (found.y < found.upper).all()
    with pytest.raises(InputError, match=r"'historical': the g-2 band needs a plane of a mass .*\('1', '1'\)"):
        load_overlay(band, ("1", "1"), RANGES, tmp_path)


# --- the moment ----------------------------------------------------------------------------------------------
