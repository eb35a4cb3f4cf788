"""The plug-in on arrays, tables and in other processes: same numbers in any order and piece, nothing hangs."""

import json
import multiprocessing
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from tridentjax import InputError
from tridentjax.host import count_invalid, trident_ratio, trident_ratio_grid, trident_ratio_table
from tridentjax.host import points as host_points
from tridentjax.host import ratio as host_ratio
from tridentjax.host import table as host_table

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


def test_words_for_each_row():
    words = np.array(EMBEDDINGS)[RANDOM.integers(0, 2, 40)]
    ratio = trident_ratio({**SCAN, "embedding": words})
    each = {word: trident_ratio({**SCAN, "embedding": word}) for word in EMBEDDINGS}
    assert np.abs(each["minimal"] - each["custodial_plr_nu"]).min() > 1e-6
    np.testing.assert_allclose(ratio, np.where(words == "minimal", *each.values()), rtol=1e-14)
    assert trident_ratio({"mass": np.zeros((0, 3)), "g_nu": 1.0, "g_V": 1.0}).shape == (0, 3)


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


def lepton_rows(count, dtype=float):
    """Shuffled rows of a lepton grid, by column."""
    axes = np.linspace(3e3, 15e3, 5), np.linspace(0.31, 0.87, 7), np.array([0.5, 0.6, 0.75])
    return [RANDOM.choice(axis.astype(dtype), count) for axis in axes]


@pytest.mark.parametrize("largest", [1 << 22, 60])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_table_is_its_rows(monkeypatch, tmp_path, dtype, largest):
    columns = lepton_rows(3000, dtype)
    columns[1][17], columns[0][23], columns[0][2900] = np.nan, -np.inf, np.nan
    mapped = []
    for i, column in enumerate(columns):
        path = tmp_path / f"{i}"
        np.memmap(path, dtype, "w+", shape=column.shape)[:] = column
        mapped.append(np.memmap(path, dtype, "r", shape=column.shape))
    expected = trident_ratio(dict(zip(("Lambda_IR", "c_L", "c_E2"), columns, strict=True)))
    assert np.isnan(expected).sum() == 3
    asked, evaluated = [], host_table._Table._evaluate

    def spy(self, triples):
        asked.append(triples[0].size)
        return evaluated(self, triples)

    monkeypatch.setattr(host_table._Table, "_evaluate", spy)
    monkeypatch.setattr(host_table, "_ROWS", 500)
    monkeypatch.setattr(host_table, "_LARGEST_TABLE", largest)
    out = np.empty(3000, dtype=np.float64)
    assert trident_ratio_table(*mapped, out=out) is out
    np.testing.assert_allclose(out, expected, rtol=1e-14)  # the last digit knows the place in a batch
    distinct = len(set(zip(*(np.nan_to_num(x).tolist() for x in columns), strict=True)))
    assert sum(asked) == distinct if largest > 60 else sum(asked) > distinct


def test_rare_values_arrive_late(monkeypatch):
    monkeypatch.setattr(host_table, "_ROWS", 4)
    Lambda, c_L, c_E = np.repeat([9e3, 4e3, 6e3], 4), np.tile([0.6, 0.45, 0.6, 0.7], 3), np.repeat([0.5, 0.3], 6)
    expected = trident_ratio({"Lambda_IR": Lambda, "c_L": c_L, "c_E2": c_E})
    np.testing.assert_allclose(trident_ratio_table(Lambda, c_L, c_E), expected, rtol=1e-14)


def test_grid_is_the_product_of_its_axes():
    Lambda, c_L, c_E = np.array([3e3, 8e3]), np.array([0.35, 0.5, 0.7]), np.array([0.4, 0.6, 0.65, 0.9])
    grid = trident_ratio_grid(Lambda, c_L, c_E, experiment="charm2", embedding="custodial_trivial")
    assert grid.shape == (2, 3, 4) and np.unique(grid).size == 24
    row = {"Lambda_IR": 8e3, "c_L": 0.7, "c_E2": c_E, "embedding": "custodial_trivial"}
    np.testing.assert_allclose(grid[1, 2], trident_ratio(row, "charm2"), rtol=1e-14)


# --- processes -----------------------------------------------------------------------------------------------

PRELUDE = """
import multiprocessing, sys, warnings
from tridentjax.host import TridentConstraint, trident_ratio
class Point:
    def get_extra(self, key):
        return {"delta_g_v": 0.05, "delta_g_a": -0.03} if key == "neutrino_trident_inputs" else None
constraint = TridentConstraint()
"""


def run(code, folder, prelude=PRELUDE, **environment):
    """Standard output of a program in a fresh process with an empty cache; a hang is a failure."""
    path = folder / "program.py"
    path.write_text(prelude + textwrap.dedent(code))
    result = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=False, timeout=120,
        env={"TRIDENTJAX_CACHE": str(folder / "cache"), "PATH": "", "JAX_PLATFORMS": "cpu", **environment},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_jax_starts_with_the_first_point_and_keeps_its_precision(tmp_path):
    out = run(
        """
        import time
        assert "jax" not in sys.modules
        assert constraint.evaluate(type("Empty", (), {"get_extra": lambda self, key: None})()).passes is False
        assert "jax" not in sys.modules
        payload = {"Lambda_IR": 1225.691031, "c_L": 0.58, "c_E": 0.6, "model_label": "minimal_rs"}
        payload["light_mediator"] = {"mass": 0.2, "g_nu": 1e-3, "g_L": 1e-3, "g_R": 1e-3}
        model = type("Model", (), {"get_extra": lambda self, key: payload})()
        start = time.process_time()
        constraint.evaluate(model)
        first = time.process_time() - start
        times = []
        for _ in range(50):
            start = time.perf_counter()
            constraint.evaluate(model)
            times.append(time.perf_counter() - start)
        import jax
        assert jax.numpy.ones(()).dtype == jax.numpy.float32 and not jax.config.jax_enable_x64
        print(first, min(times), repr(constraint.evaluate(Point()).predicted))
        """,
        tmp_path,
        JAX_ENABLE_X64="0",
    )
    first, warm, predicted = map(float, out.split())
    assert first < 5.0 and warm < 1e-3
    assert predicted == pytest.approx(float(trident_ratio({"delta_g_V": 0.05, "delta_g_A": -0.03})), rel=1e-14)
    assert not (tmp_path / "cache").exists()  # no leptonic table was needed


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_pools(method, tmp_path):
    out = run(
        f"""
        if __name__ == "__main__":
            with multiprocessing.get_context("{method}").Pool(2) as pool:
                results = pool.map(constraint.evaluate, [Point()] * 6, chunksize=1)
            assert "jax" not in sys.modules
            print(*{{repr(result.predicted) for result in results}}, len(results))
        """,
        tmp_path,
    )
    predicted, count = map(float, out.split())
    assert predicted == pytest.approx(float(trident_ratio({"delta_g_V": 0.05, "delta_g_A": -0.03})), rel=1e-14)
    assert count == 6


REFUSAL = "this process was forked from one in which JAX had started, where JAX would wait for ever; start workers with"


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.parametrize(
    ("parent", "answer"),
    [("trident_ratio({'delta_g_V': 0.1})", REFUSAL), ("import jax", "True")],  # imported is not started
)
def test_fork_of_a_process_that_has_used_jax(parent, answer, tmp_path):
    out = run(
        f"""
        {parent}
        warnings.simplefilter("ignore", RuntimeWarning)  # JAX's own, at the fork
        with multiprocessing.get_context("fork").Pool(1) as pool:
            try:
                print(pool.apply(constraint.evaluate, (Point(),)).passes)
            except RuntimeError as error:
                print(error)
        """,
        tmp_path,
    )
    assert out.startswith(answer)


LATE = """
import multiprocessing, sys, warnings
import jax, numpy

def worker(starts):
    if starts:
        jax.numpy.ones(3).sum()
    numpy.ones((300, 300)) @ numpy.ones((300, 300))  # threads of its own
    from tridentjax.host import trident_ratio
    try:
        return float(trident_ratio({"delta_g_V": 0.1})) > 1.0
    except RuntimeError as error:
        return str(error)

warnings.simplefilter("ignore", RuntimeWarning)
if PARENT:
    jax.numpy.ones(3).sum()
with multiprocessing.get_context("fork").Pool(1) as pool:
    print(pool.apply(worker, (not PARENT,)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks at the threads under /proc")
@pytest.mark.parametrize(("parent", "answer"), [(True, REFUSAL), (False, "True")])
def test_plug_in_imported_after_the_fork(parent, answer, tmp_path):
    assert run("", tmp_path, prelude=f"PARENT = {parent}" + LATE).startswith(answer)


@pytest.mark.slow
def test_lepton_grid_of_91_million_rows():
    script = Path(__file__).parent / "benchmarks" / "host_speed.py"
    result = subprocess.run([sys.executable, script, "--json"], capture_output=True, text=True, check=True)
    figures = json.loads(result.stdout)
    assert figures["rows"] == 91_348_803 and figures["shuffled_seconds"] < 60 and figures["product_seconds"] < 60
    assert figures["extra_MiB"] < 600
