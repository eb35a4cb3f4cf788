"""Imports point downwards: the import-linter contract of pyproject.toml, and no JAX configuration at import."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_import_contract_is_kept():
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def in_single_precision(code):
    """Standard output of a Python program in a fresh process with 32-bit floats."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"JAX_ENABLE_X64": "0", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_does_not_touch_the_precision_of_jax():
    code = "import jax, tridentjax; assert jax.numpy.zeros(()).dtype == jax.numpy.float32"
    in_single_precision(code)


def test_single_precision_is_refused():
    code = """
import tridentjax
from tridentjax.process.cross_section import total_cross_section
from tridentjax.currents import Channel
from tridentjax.process.leptonic_table import build_leptonic_table, load_leptonic_table
from tridentjax.nucleus.regimes import nucleon_regime
channel = Channel("mu", "mu", "mu")
for function in (
    lambda: total_cross_section(channel, nucleon_regime("proton"), 7.0),
    lambda: build_leptonic_table(channel),
    lambda: load_leptonic_table(channel),
):
    try:
        function()
    except RuntimeError as error:
        print(error)
    else:
        print("not refused")
"""
    lines = in_single_precision(code).splitlines()
    assert [line.split()[0] for line in lines] == [
        "total_cross_section",
        "build_leptonic_table",
        "load_leptonic_table",
    ], lines
    assert all("needs 64-bit floats" in line and "JAX_ENABLE_X64=1" in line for line in lines)
