"""The plug-in on tables and grids: same numbers in any order and piece."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tridentjax.host import table as host_table
from tridentjax.host import trident_ratio, trident_ratio_grid, trident_ratio_table

RANDOM = np.random.default_rng(20261123)


def lepton_rows(count, dtype=float):
    """Shuffled rows of a lepton grid, by column."""
    axes = np.linspace(3e3, 15e3, 5), np.linspace(0.31, 0.87, 7), np.array([0.5, 0.6, 0.75])
    return [RANDOM.choice(axis.astype(dtype), count) for axis in axes]


@pytest.mark.few(3)
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


@pytest.mark.slow
def test_grid_is_the_product_of_its_axes():
    Lambda, c_L, c_E = np.array([3e3, 8e3]), np.array([0.35, 0.5, 0.7]), np.array([0.4, 0.6, 0.65, 0.9])
    grid = trident_ratio_grid(Lambda, c_L, c_E, experiment="charm2", embedding="custodial_trivial")
    assert grid.shape == (2, 3, 4) and np.unique(grid).size == 24
    row = {"Lambda_IR": 8e3, "c_L": 0.7, "c_E2": c_E, "embedding": "custodial_trivial"}
    np.testing.assert_allclose(grid[1, 2], trident_ratio(row, "charm2"), rtol=1e-14)


@pytest.mark.slow
def test_lepton_grid_of_91_million_rows():
    script = Path(__file__).parents[1] / "benchmarks" / "host_speed.py"
    result = subprocess.run([sys.executable, script, "--json"], capture_output=True, text=True, check=True)
    figures = json.loads(result.stdout)
    assert figures["rows"] == 91_348_803 and figures["shuffled_seconds"] < 60 and figures["product_seconds"] < 60
    assert figures["extra_MiB"] < 600
