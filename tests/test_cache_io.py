import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tridentjax import InputError
from tridentjax import cache as cache_module
from tridentjax.cache import cache_folder, cached_arrays, save_arrays
from tridentjax.files import read_yaml, write_json, write_text, write_yaml
from tridentjax.runs.folder import provenance, run_folder
from tridentjax.runs.posterior_file import load_posterior, save_posterior


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


def test_failed_text_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert json.loads(path.read_text()) == {"a": 1} and os.listdir(tmp_path) == ["x.json"]


def test_yaml_round_trip(tmp_path):
    content = {"z": 1e-5, "a": [1, 2.5, "1"], "deep": {"flag": False, "text": "a: b # c", "none": None}}
    write_yaml(tmp_path / "x.yaml", content)
    assert read_yaml(tmp_path / "x.yaml") == content
    assert list(read_yaml(tmp_path / "x.yaml")) == ["z", "a", "deep"]


def test_provenance():
    content = provenance()
    assert content["x64"] is True and content["tridentjax"] and content["git_revision"]
    json.dumps(content, allow_nan=False)


def test_run_folder_is_created(tmp_path):
    made = run_folder(tmp_path / "a" / "b", resume=False, force=False)
    assert made.is_dir() and not os.listdir(made)
    assert run_folder(made, resume=False, force=False) == made  # an empty folder is free


def test_run_folder_refusals(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "posterior.nc").write_text("precious")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="--resume and --force exclude each other"):
        run_folder(tmp_path / "new", resume=True, force=True)
    with pytest.raises(InputError, match="exists; continue it with --resume or replace it with --force"):
        run_folder(tmp_path / "full", resume=False, force=False)
    with pytest.raises(InputError, match="is a file; give a folder"):
        run_folder(tmp_path / "file", resume=False, force=True)
    with pytest.raises(InputError, match=r"cannot write to run folder .*choose another --out"):
        run_folder(tmp_path / "file" / "below", resume=False, force=False)
    assert not (tmp_path / "new").exists()
    assert run_folder(tmp_path / "full", resume=True, force=False).is_dir()
    assert (tmp_path / "full" / "posterior.nc").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_run_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match=r"cannot write to run folder .*Permission denied"):
        run_folder(tmp_path / "new", resume=False, force=False)


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


def test_posterior_round_trip(stored):
    path, groups = stored
    tree = load_posterior(path)
    assert tree.attrs["seed"] == 3 and tree["posterior"].attrs["inference_library"] == "tridentjax"
    for group, variables in groups.items():
        for name, values in variables.items():
            read = tree[group][name]
            np.testing.assert_array_equal(read.values, values)
            assert read.dims == (("chain", "draw") if values.ndim else ())
    assert tree["sample_stats"]["diverging"].dtype == bool
    assert tree["posterior"]["mass"].attrs["unit"] == "GeV" and tree["posterior"]["g"].attrs["unit"] == "1"
    assert os.listdir(path.parent) == ["posterior.nc"]


def test_truncated_posterior_is_refused(stored):
    path, _ = stored
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="truncated or not NetCDF-4"):
            load_posterior(path)


def test_foreign_posterior_is_refused(tmp_path):
    import xarray

    with pytest.raises(InputError, match="no posterior file"):
        load_posterior(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("mass,g\n1,2\n")
    with pytest.raises(InputError, match="truncated or not NetCDF-4"):
        load_posterior(tmp_path / "text.nc")
    xarray.Dataset({"x": ("t", [1.0, 2.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="NetCDF but not a tridentjax posterior"):
        load_posterior(tmp_path / "other.nc")


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
