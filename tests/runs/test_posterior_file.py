"""posterior.nc: round trip, truncated and foreign files."""

import os

import numpy as np
import pytest

from tridentjax import InputError
from tridentjax.runs.posterior_file import load_posterior, save_posterior


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
