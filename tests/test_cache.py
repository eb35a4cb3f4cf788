"""The cache of arrays: found again, damaged, unwritable, and two processes that start together."""

import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tridentjax import cache as cache_module
from tridentjax.cache import cache_folder, cached_arrays, save_arrays
from tridentjax.runs.posterior_file import save_posterior


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIDENTJAX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"x": np.arange(4.0), "y": np.eye(2)}


def test_cache_folder_follows_the_environment(folder, monkeypatch, tmp_path):
    assert cache_folder() == folder
    monkeypatch.delenv("TRIDENTJAX_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "tridentjax"


def test_second_call_reads_the_file(folder):
    compute = Counter()
    first, second = (cached_arrays("thing", "a=1", compute) for _ in range(2))
    assert compute.calls == 1 and sorted(first) == sorted(second)
    np.testing.assert_array_equal(first["x"], second["x"])
    cached_arrays("thing", "a=2", compute)
    assert compute.calls == 2 and len(list(folder.glob("thing-*.npz"))) == 2


@pytest.mark.parametrize("damage", ["truncate", "garbage", "empty"])
def test_damaged_cache_is_computed_again(folder, caplog, damage):
    compute = Counter()
    cached_arrays("thing", "a=1", compute)
    (path,) = folder.glob("*.npz")
    whole = path.read_bytes()
    path.write_bytes({"truncate": whole[: len(whole) // 2], "garbage": b"no archive at all", "empty": b""}[damage])
    with caplog.at_level(logging.WARNING, logger="tridentjax"):
        again = cached_arrays("thing", "a=1", compute)
    assert compute.calls == 2 and "ignoring damaged cache file" in caplog.text
    np.testing.assert_array_equal(again["x"], np.arange(4.0))
    assert cached_arrays("thing", "a=1", compute) and compute.calls == 2


def test_unwritable_cache_folder_only_costs_time(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TRIDENTJAX_CACHE", str(tmp_path / "file" / "below"))
    compute = Counter()
    with caplog.at_level(logging.WARNING, logger="tridentjax"):
        arrays = cached_arrays("thing", "a=1", compute)
    np.testing.assert_array_equal(arrays["y"], np.eye(2))
    assert "computed again next time" in caplog.text


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    save_arrays(path, {"x": np.arange(3)})

    def half(stream, **arrays):
        stream.write(b"PK half a fi")
        raise OSError("no space left on device")

    monkeypatch.setattr(cache_module.np, "savez", half)
    with pytest.raises(OSError, match="no space"):
        save_arrays(path, {"x": np.zeros(9)})
    with np.load(path) as stored:
        np.testing.assert_array_equal(stored["x"], np.arange(3))
    assert os.listdir(tmp_path) == ["x.npz"]


@pytest.fixture
def stored(tmp_path):
    rng = np.random.default_rng(5)
    groups = {
        "posterior": {"mass": rng.lognormal(size=(2, 30)), "g": rng.random((2, 30))},
        "sample_stats": {"diverging": rng.random((2, 30)) < 0.1, "n_steps": rng.integers(1, 9, (2, 30))},
        "observed_data": {"ccfr": np.asarray(0.82)},
    }
    path = tmp_path / "posterior.nc"
    save_posterior(path, groups, {"mass": "GeV"}, {"inference_library": "tridentjax", "seed": 3})
    return path, groups


def test_two_that_start_together_compute_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIDENTJAX_CACHE", str(tmp_path))
    calls = []

    def compute():
        calls.append(time.sleep(0.3))
        return {"x": np.arange(3.0)}

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: cached_arrays("table", "same inputs", compute), range(3)))
    assert len(calls) == 1
    for arrays in found:
        np.testing.assert_array_equal(arrays["x"], [0.0, 1.0, 2.0])
