"""kill -9 at ten random moments of a scan and of a chain: the resumed output is that of an uninterrupted run."""

import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from tridentjax.runs.posterior_file import load_posterior

pytestmark = pytest.mark.slow
SCAN = ("scan", "zprime_plane", "experiments=[ccfr]", "scan.points=400000", "scan.part=4096", "output.figures=false")
CHAIN = (
    "sample", "zprime_ccfr", "nuisances=false", "sampler.chains=2", "sampler.warmup=400", "sampler.draws=2000",
    "sampler.max_draws=2000", "sampler.block=20", "output.figures=false",
)  # fmt: skip


def command(arguments, folder, *options):
    verb, config, *settings = arguments
    changes = [x for setting in settings for x in ("--set", setting)]
    return [sys.executable, "-m", "tridentjax.cli", verb, config, "--out", str(folder), *changes, *options]


def times_ready(folder):
    """How often a run has got as far as its first part or block."""
    log = folder / "log.txt"
    return log.read_text().count("ready after") if log.is_file() else 0


def kill_ten_times(arguments, folder, duration, moments):
    """Start, kill at a random time after everything was ready, resume; ten times. How many were killed in the work."""
    killed = 0
    for number in range(10):
        with subprocess.Popen(
            command(arguments, folder, *(("--resume",) if number else ())),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while process.poll() is None and times_ready(folder) <= number:
                time.sleep(0.01)
            time.sleep(moments.uniform(0.0, duration))
            killed += process.poll() is None
            process.kill()
    subprocess.run(command(arguments, folder, "--resume"), check=True, capture_output=True)
    return killed


def test_scan(tmp_path):
    subprocess.run(command(SCAN, tmp_path / "a"), check=True, capture_output=True)
    assert kill_ten_times(SCAN, tmp_path / "b", 0.8, np.random.default_rng(6)) >= 8
    paths = sorted(path.name for path in (tmp_path / "b" / "parts").iterdir())
    assert paths == sorted(path.name for path in (tmp_path / "a" / "parts").iterdir()) and len(paths) == 98
    for name in paths:
        assert pq.read_table(tmp_path / "a" / "parts" / name).equals(pq.read_table(tmp_path / "b" / "parts" / name))


def test_chain(tmp_path):
    subprocess.run(command(CHAIN, tmp_path / "a"), check=True, capture_output=True)
    assert kill_ten_times(CHAIN, tmp_path / "b", 6.0, np.random.default_rng(7)) >= 8
    one, other = (load_posterior(tmp_path / name / "posterior.nc") for name in "ab")
    for group in ("posterior", "sample_stats"):
        for name, values in one[group].data_vars.items():
            np.testing.assert_array_equal(values.values, other[group][name].values)
    assert one["posterior"].sizes == {"chain": 2, "draw": 2000}
