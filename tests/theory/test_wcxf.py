"""Names of the coefficients and their faults; WCxf files in JSON and YAML."""

import json

import numpy as np
import pytest

from tridentjax.currents import Channel
from tridentjax.faults import InputError
from tridentjax.theory.binding import theory_faults
from tridentjax.theory.left import COMPLEX_NAMES, LEFT_COMPLEX, LEFT_NAMES, WARSAW_COMPLEX, WARSAW_NAMES, left_shift
from tridentjax.theory.wcxf import load_wcxf

LEFT_FILE = """\
eft: WET
basis: JMS
scale: 4.8
metadata: {generator: by hand}
values:
  VnueLL_2222: 1.0e-8
  VnueLR_1222: {Re: 2.0e-9, Im: -3.0e-9}
  VnueLL_1122: {Re: 4e-9, Im: 0}
  VnueLL_2321: {Im: 5.0e-9}
  VnueduLL_2221: {Re: 1.0e-8, Im: 1.0e-9}
  G: 0
"""


def written(folder, text, name="coefficients.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_number_of_names_is_that_of_independent_operators():
    # nu nu e e: 9 x 9 entries of a hermitian 9 x 9 matrix: 9 real, 36 complex, for each chirality
    assert (len(LEFT_NAMES), len(LEFT_COMPLEX)) == (2 * (9 + 36), 2 * 36)
    # Warsaw (Alonso et al. 2014, n_g = 3): ll 27 real + 18 imaginary, le 45 + 36, phil1, phil3, phie 6 + 3, phiD, phiWB
    assert (len(WARSAW_NAMES), len(WARSAW_COMPLEX)) == (27 + 45 + 3 * 6 + 2, 18 + 36 + 3 * 3)
    assert COMPLEX_NAMES == LEFT_COMPLEX | WARSAW_COMPLEX
    assert {"ll_1221", "le_2222", "phil1_33", "phiD"}.isdisjoint(COMPLEX_NAMES)
    assert {"ll_1212", "ll_1231", "le_1221", "phil1_12", "VnueLL_1221"} <= COMPLEX_NAMES


@pytest.mark.parametrize(
    ("theory", "given", "text"),
    [
        ("smeft", {"ll_2211": 1e-9}, "theory: ll_2211 is redundant; use ll_1122, the same coefficient"),
        ("smeft", {"ll_2122": 1e-9}, "theory: ll_2122 is redundant; use ll_1222, its complex conjugate"),
        ("smeft", {"phil3_32_Im": 1e-9}, "phil3_32_Im is redundant; use phil3_23, its complex conjugate"),
        ("left", {"VnueLR_2112": 1e-9}, "VnueLR_2112 is redundant; use VnueLR_1221, its complex conjugate"),
        ("left", {"VnueLL_2222_Im": 1e-9}, "VnueLL_2222_Im does not exist, VnueLL_2222 is hermitian and has no imag"),
        ("smeft", {"ll_1221_Im": 1e-9}, "ll_1221_Im does not exist, ll_1221 is hermitian and has no imaginary part"),
        ("smeft", {"le_222": 1e-9}, r"unknown smeft coefficient 'le_222' in theory; did you mean 'le_2322'\?"),
        ("left", {"VnuLL_2222": 1e-9}, "unknown left coefficient 'VnuLL_2222' in theory; did you mean 'VnueLL_2222'"),
        ("smeft", {"phiD": float("nan")}, "phiD = nan; allowed: a finite number"),
        ("smeft", {"phiD": "big"}, "phiD = big; allowed: a finite number"),
        ("smeft", {"scheme": "alpha_mZ"}, "scheme = alpha_mZ; allowed: alpha_mZ_GF, alpha_mW_GF, mW_mZ_GF, fixed_s2"),
        ("left", {"scheme": "fixed_s2"}, "unknown left coefficient 'scheme'"),
    ],
)
def test_faults(theory, given, text):
    faults = theory_faults(theory, given)
    assert len(faults) == 1
    with pytest.raises(InputError, match=text):
        raise InputError(faults)


def test_faults_are_collected_and_good_input_has_none():
    assert len(theory_faults("smeft", {"ll_2211": 1.0, "xx": 1.0, "phiD": 1e-9, "scheme": "best"}, "here")) == 3
    for theory, names, complex_names in (("left", LEFT_NAMES, LEFT_COMPLEX), ("smeft", WARSAW_NAMES, WARSAW_COMPLEX)):
        good = {name: -1.7e-9 for name in (*names, *(f"{name}_Im" for name in complex_names))}
        assert theory_faults(theory, good) == []
    assert theory_faults("smeft", {"scheme": "fixed_s2"}) == []


def test_yaml_file_of_the_weak_effective_theory(tmp_path):
    read = load_wcxf(written(tmp_path, LEFT_FILE))
    assert (read.theory, read.scale, read.ignored) == ("left", 4.8, ["VnueduLL_2221", "G"])
    assert read.parameters == {
        "VnueLL_2222": 1e-8,
        "VnueLR_1222": 2e-9,
        "VnueLR_1222_Im": -3e-9,
        "VnueLL_1122": 4e-9,
        "VnueLL_2321": 0.0,
        "VnueLL_2321_Im": 5e-9,
    }
    assert theory_faults(read.theory, read.parameters) == []
    np.testing.assert_allclose(
        left_shift(read.parameters, Channel("mu", "mu", "mu")).g_V[1], -1e-8 / (2 * np.sqrt(2) * 1.1663788e-5)
    )


@pytest.mark.parametrize("basis", ["Warsaw", "Warsaw up"])
def test_json_file_of_the_smeft(tmp_path, basis):
    content = {
        "eft": "SMEFT",
        "basis": basis,
        "scale": 91.1876,
        "values": {"ll_1221": 3e-08, "phil1_23": {"Re": 1e-09, "Im": 2e-09}, "lq1_1111": 1e-07, "phiWB": -4e-9},
    }
    read = load_wcxf(str(written(tmp_path, json.dumps(content, indent=1), "coefficients.json")))
    assert (read.theory, read.scale, read.ignored) == ("smeft", 91.1876, ["lq1_1111"])
    assert read.parameters == {"ll_1221": 3e-8, "phil1_23": 1e-9, "phil1_23_Im": 2e-9, "phiWB": -4e-9}


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (
            "eft: WET\n",
            "eft: WET-2\n",
            "unknown eft 'WET-2' in coefficients.yaml; did you mean .* with wilson first",
        ),
        ("eft: WET\n", "", "key 'eft' is missing; WCxf needs eft, basis, scale, values"),
        ("JMS", "flavio", "basis 'flavio' of WET; allowed: JMS; translate it to JMS with wilson first"),
        ("scale: 4.8\n", "", "coefficients.yaml: key 'scale' is missing"),
        ("scale: 4.8", "scale: -1", r"scale = -1; allowed: a positive number \[GeV\]"),
        ("scale: 4.8", "scale: m_b", "scale = 'm_b'; allowed: a positive number"),
        ("VnueLL_2222: 1.0e-8", "VnueLL_2222: big", "VnueLL_2222 = 'big'; allowed: a finite number"),
        ("VnueLL_2222: 1.0e-8", "VnueLL_2222: true", "VnueLL_2222 = True; allowed: a finite number"),
        ("VnueLL_2222: 1.0e-8", "VnueLL_2222: .inf", "VnueLL_2222 = inf; allowed: a finite number"),
        (
            "Im: -3.0e-9",
            "Imag: -3.0e-9",
            r"VnueLR_1222 = \{'Re': 2e-09, 'Imag': -3e-09\}; allowed: .* or \{Re: number, Im",
        ),
        ("Im: 0}", "Im: 1e-9}", "VnueLL_1122 has the imaginary part 1e-09 but is hermitian; allowed: 0"),
        ("VnueLR_1222", "VnueLR_2122", "VnueLR_2122 is redundant; use VnueLR_1222, its complex conjugate"),
        ("VnueLR_1222", "VnueLR_1422", "unknown left coefficient 'VnueLR_1422'"),
        ("VnueLR_1222", "VNUELR_1222", "unknown left coefficient 'VNUELR_1222' in coefficients.yaml; did you mean"),
        ("VnueLL_2222", "VnueLR_1233_Im", r"VnueLR_1233_Im is no WCxf name; allowed: VnueLR_1233: \{Re: number, Im"),
    ],
)
def test_faults_of_a_file(tmp_path, old, new, text):
    assert old in LEFT_FILE
    with pytest.raises(InputError, match=text) as caught:
        load_wcxf(written(tmp_path, LEFT_FILE.replace(old, new, 1)))
    assert len(caught.value.faults) == 1


def test_all_faults_of_a_file_at_once(tmp_path):
    values = "values: {ll_2211: 1e-8, ll_1221: {Im: 1e-9}, phiD: x, le_9999: 1, lu_1111: 1}"
    text = f"eft: SMEFT\nbasis: JMS\nscale: 0\n{values}"
    with pytest.raises(InputError) as caught:
        load_wcxf(written(tmp_path, text))
    faults = caught.value.faults
    assert len(faults) == 6
    assert all("coefficients.yaml" in fault for fault in faults)
    with pytest.raises(InputError, match=r"values = \[1, 2\]; allowed: a mapping of names to numbers"):
        load_wcxf(written(tmp_path, "eft: WET\nbasis: JMS\nscale: 5\nvalues: [1, 2]"))
    with pytest.raises(InputError, match="cannot read"):
        load_wcxf(tmp_path / "absent.json")
