"""Scans on Dask: the rows of one process, whatever dies on the way; schedulers that are not there."""

import os
import signal
import socket
import threading
import time

import numpy as np
import pytest
from distributed import LocalCluster
from fixtures_statistics import OFF, statistical_model
from typer.testing import CliRunner

from tridentjax.faults import InputError
from tridentjax.runs.config import config_path, load_config
from tridentjax.runs.scan import scan_run
from tridentjax.scan import build as scan_setup
from tridentjax.scan import cluster
from tridentjax.scan.cluster import ALLOCATOR, connect, nanny_environment
from tridentjax.scan.parts import read_part

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask about ports and connections that a killed worker leaves


@pytest.fixture(autouse=True)
def light(monkeypatch):
    monkeypatch.setattr(scan_setup, "make_model", lambda spec: statistical_model(", ".join(spec.experiments), OFF))


def settings(*more):
    small = ("experiments=[ccfr]", "scan.part=1024", "scan.points=null")
    return load_config("zprime_plane", (*small, *more))


def run(spec, folder, **options):
    summary, _ = scan_run(spec, folder, config=config_path("zprime_plane"), **options)
    parts = [read_part(folder / "parts" / f"part-{i:06d}.parquet") for i in range(len(summary["files"]))]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def kill_a_worker(local, folder, done):
    """Wait until some parts are there, then kill -9 the process of one worker."""
    deadline = time.monotonic() + 100.0
    while len(list((folder / "parts").glob("part-*.parquet"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    if not local.workers:
        return  # the run has failed
    os.kill(next(iter(local.workers.values())).pid, signal.SIGKILL)
    done.append(len(list((folder / "parts").glob("part-*.parquet"))))


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path):
    """Rows of a table go to the workers, one of which dies; the files are those of a single process."""
    random = np.random.default_rng(5)
    table = np.exp(random.uniform(np.log([1e-3, 1e-4]), np.log([1e2, 0.3]), (300 * 1024 + 77, 2)))
    np.savetxt(tmp_path / "rows.csv", table, delimiter=",", header="mass,g", comments="")
    spec = settings(f"scan.rows={{file: {tmp_path}/rows.csv}}", "scan.gradients=[log_likelihood]")
    alone = run(spec, tmp_path / "alone")
    killed = []
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, protocol="tcp") as local:
        killer = threading.Thread(target=kill_a_worker, args=(local, tmp_path / "many", killed))
        killer.start()
        many = run(spec, tmp_path / "many", dask=local.scheduler_address)
        killer.join()
    assert 5 <= killed[0] < 301  # in mid-scan
    np.testing.assert_allclose(alone["mass"], table[:, 0], rtol=1e-15)
    for name, x in alone.items():
        if name.startswith("d_"):  # the last bit of a derivative depends on how many devices share a block
            np.testing.assert_allclose(many[name], x, rtol=1e-14, err_msg=name)
        else:
            np.testing.assert_array_equal(many[name], x, err_msg=name)
    assert not list((tmp_path / "many" / "parts").glob("*.tmp"))


def test_no_scheduler(tmp_path, monkeypatch):
    from tridentjax import cli
    from tridentjax.cli import options as cli_support

    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)
    monkeypatch.setattr(cluster, "_TIMEOUT", "0.5s")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    for scheduler in (address, "nonsense"):
        options = ["scan", "zprime_plane", "--out", str(tmp_path / "s"), "--dask", scheduler]
        result = CliRunner().invoke(cli.app, options)
        assert result.exit_code == 2 and "Traceback" not in result.stderr, result.output
        assert f"--dask '{scheduler}': no scheduler answers" in result.stderr
        assert not (tmp_path / "s").exists()


def test_a_scheduler_without_workers_is_refused():
    with (
        LocalCluster(n_workers=0, dashboard_address=None, processes=False) as empty,
        pytest.raises(InputError, match="the scheduler has no workers; start some with `dask worker`"),
        connect(empty.scheduler_address),
    ):
        pass


def test_workers_keep_their_memory():
    """The allocator settings replace those of Dask and leave its other variables alone."""
    environment = nanny_environment()
    assert environment.items() >= ALLOCATOR.items() and "OMP_NUM_THREADS" in environment
