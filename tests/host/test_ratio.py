"""The plug-in on arrays, tables and in other processes: same numbers in any order and piece, nothing hangs."""

import numpy as np
import pytest

from tridentjax import InputError
from tridentjax.host import count_invalid, trident_ratio, trident_ratio_grid, trident_ratio_table
from tridentjax.host import points as host_points
from tridentjax.host import ratio as host_ratio

RANDOM = np.random.default_rng(20261123)
SCAN = {
    "Lambda_IR": RANDOM.uniform(900.0, 9000.0, 40),
    "c_L": RANDOM.uniform(0.3, 0.8, 40),
    "c_E2": RANDOM.uniform(0.3, 0.8, 40),
    "kappa_UV": RANDOM.uniform(-3.0, 3.0, 40),
    "mass": RANDOM.uniform(0.01, 3.0, 40),
    "g_nu": 1e-3,
    "g_L": 8e-4,
    "g_R": RANDOM.uniform(-1e-3, 1e-3, 40),
}
LIGHT = {key: SCAN[key] for key in ("mass", "g_nu", "g_L", "g_R")}
EMBEDDINGS = ["minimal", "custodial_plr_nu"]


def at(points, i):
    return {key: x[i] if np.ndim(x) else x for key, x in points.items()}


@pytest.mark.slow
def test_array_is_its_points():
    ratio = trident_ratio(SCAN)
    assert ratio.shape == (40,) and ratio.dtype == np.float64 and np.ptp(ratio) > 0.1
    np.testing.assert_allclose(ratio[:6], [trident_ratio(at(SCAN, i)) for i in range(6)], rtol=1e-13)


def test_spellings_of_the_payload():
    theirs = {"kappa_UV": "kappa_uv", "c_E2": "c_E"}
    renamed = {theirs.get(key, key): x for key, x in SCAN.items()}
    np.testing.assert_array_equal(trident_ratio({**renamed, "input_scheme": "alpha_mZ_GF"}), trident_ratio(SCAN))


def test_pieces_do_not_matter(monkeypatch):
    points = {**LIGHT, "g_nu": np.array([[1e-3], [2e-3], [-3e-3]])}
    whole = trident_ratio(points, "nutev")
    assert whole.shape == (3, 40)
    monkeypatch.setattr(host_points, "_BLOCK", 7)
    monkeypatch.setattr(host_ratio, "_BATCHES", (1, 4))
    np.testing.assert_allclose(trident_ratio(points, "nutev"), whole, rtol=1e-13)
    np.testing.assert_allclose(whole[2], trident_ratio({**LIGHT, "g_nu": -3e-3}, "nutev"), rtol=1e-13)


@pytest.mark.slow
def test_words_for_each_row():
    words = np.array(EMBEDDINGS)[RANDOM.integers(0, 2, 40)]
    ratio = trident_ratio({**SCAN, "embedding": words})
    each = {word: trident_ratio({**SCAN, "embedding": word}) for word in EMBEDDINGS}
    assert np.abs(each["minimal"] - each["custodial_plr_nu"]).min() > 1e-6
    np.testing.assert_allclose(ratio, np.where(words == "minimal", *each.values()), rtol=1e-14)
    assert trident_ratio({"mass": np.zeros((0, 3)), "g_nu": 1.0, "g_V": 1.0}).shape == (0, 3)


@pytest.mark.slow
def test_points_outside_are_nan_and_counted():
    kappa_IR = np.array([0.1, -1.0, 0.2, 0.3, np.inf, 0.5, 0.0])
    points = {"Lambda_IR": np.array([2e3, 2e3, np.nan, -1.0, 3e19, 95.0, 2e3]), "c_L": 0.6, "c_E2": 0.5,
              "kappa_IR": kappa_IR, "kappa_UV": np.array([0.0] * 6 + [-50.0]), "order": "exact"}  # fmt: skip
    ratio = trident_ratio(points)
    np.testing.assert_array_equal(np.isnan(ratio), [False] + [True] * 6)
    assert count_invalid(points, ratio) == {
        "Lambda_IR; allowed: a finite number": 1,
        "kappa_IR; allowed: a finite number": 1,
        "Lambda_IR; allowed: positive [GeV]": 1,
        "Lambda_IR, k; allowed: Lambda_IR below k": 1,
        "kappa_IR; allowed: 0 or more (else a mode has negative norm)": 1,
        "Lambda_IR, k, kappa_UV, kappa_IR; allowed: ln(k/Lambda_IR) + kappa_UV + kappa_IR positive (else the massless "
        "mode has negative norm)": 1,
        host_points.NO_NUMBER: 1,
    }
    assert count_invalid(SCAN, trident_ratio(SCAN)) == {}


@pytest.mark.parametrize(
    ("points", "text"),
    [
        ({}, "no model; give Lambda_IR with bulk masses, mass with couplings, or delta_g_V"),
        ({"Lambda_IR": 3e3}, "(?s)c_L_e is missing; theory rs needs.*c_L_mu is missing.*c_R_mu is missing"),
        ({"Lamda_IR": 3e3}, "unknown parameter 'Lamda_IR' in points; did you mean 'Lambda_IR'"),
        ({**SCAN, "c_L_mu": 0.4}, "c_L_mu gives c_L_mu a second time"),
        ({"mass": 1.0, "g_nu": 1.0}, "muon couplings received: none; allowed: g_V and/or g_A, or g_L and g_R"),
        ({"mass": 1.0, "g_nu": 1.0, "g_L": 1.0}, "muon couplings received: g_L; allowed"),
        ({"delta_g_V": np.zeros(3), "delta_g_A": np.zeros(4)}, r"\(3,\).*\(4,\).* do not broadcast"),
        ({"delta_g_V": 1j}, "delta_g_V has elements of type complex128; allowed: real numbers"),
        ({"delta_g_V": "much"}, "delta_g_V has elements of type <U4; allowed: real numbers"),
        ({**SCAN, "embedding": ["minimal"] * 39 + ["none"]}, "unknown embedding 'none' in points"),
    ],
)
def test_bad_scans(points, text):
    with pytest.raises(InputError, match=text):
        trident_ratio(points)


def test_bad_experiment_and_columns():
    with pytest.raises(InputError, match="unknown experiment with a folded response 'nova'"):
        trident_ratio({"delta_g_V": 0.1}, "nova")
    with pytest.raises(InputError, match=r"(?s)c_L: shape \(2,\).*allowed: one-dimensional, 3 real.*out: shape \(2,\)"):
        trident_ratio_table(np.ones(3), np.ones(2), np.ones(3), out=np.ones(2))
    with pytest.raises(InputError, match="unknown parameter 'embeding'"):
        trident_ratio_grid([3e3], [0.5], [0.5], embeding="minimal")


# --- tables --------------------------------------------------------------------------------------------------


# --- processes -----------------------------------------------------------------------------------------------
