"""Sets of chains on a cluster: independent seeds, merged draws, and nothing lost with a worker."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from distributed import LocalCluster
from typer.testing import CliRunner

from tridentjax import cli
from tridentjax.cli import options as cli_support
from tridentjax.inference.posterior import Posterior, Sampling, merge_posteriors
from tridentjax.runs.config import load_config
from tridentjax.runs.sample_sets import sample_sets, set_seed

SETTINGS = (
    "nuisances=false", "sampler.sets=2", "sampler.chains=2", "sampler.warmup=200", "sampler.draws=300",
    "sampler.max_draws=300", "sampler.block=20",
)  # fmt: skip


def posterior(chains, draws, shift, seed):
    z = np.random.default_rng(seed).normal(shift, 1.0, (chains, draws, 2))
    own = {"x": z[..., 0], "y": z[..., 1]}
    statistics = {"diverging": z[..., 0] > 3.0}
    return Posterior(own, own, {}, {"ccfr": z[..., 0]}, z[..., 1], z, statistics, True)


def test_chains_are_joined_and_judged_together():
    settings = Sampling(ess=400)
    one, other, far = (posterior(*x) for x in ((4, 600, 0.0, 1), (3, 500, 0.0, 2), (2, 500, 4.0, 3)))
    merged = merge_posteriors([one, other], settings)
    assert merged.z.shape == (7, 500, 2) and merged.converged
    np.testing.assert_array_equal(merged.parameters["y"][4:], other.parameters["y"])
    np.testing.assert_array_equal(merged.log_likelihood[:4], one.log_likelihood[:, :500])
    assert merged.divergences == int((merged.z[..., 0] > 3.0).sum()) > 0
    assert not merge_posteriors([one, far], settings).converged  # each had, together they have not


def test_seeds_of_sets_differ_and_the_first_is_the_configs():
    seeds = [set_seed(seed, number) for seed in (1, 2) for number in range(50)]
    assert len(set(seeds)) == 100 and set_seed(7, 0) == 7 and all(0 <= seed < 2**32 for seed in seeds)


def test_sets_need_a_cluster(tmp_path, monkeypatch):
    monkeypatch.setattr(cli_support, "start_jax", lambda device: None)
    options = ["sample", "zprime_ccfr", "--out", str(tmp_path / "s"), "--set", "sampler.sets=3"]
    result = CliRunner().invoke(cli.app, options)
    assert result.exit_code == 2 and "sampler.sets = 3 needs a cluster: add --dask SCHEDULER" in result.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.timeout(1200)
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Dask about a killed worker
def test_a_killed_worker_costs_a_block(tmp_path):
    spec, found = load_config("zprime_ccfr", SETTINGS), []
    for kill in (False, True):
        folder = tmp_path / str(kill)
        folder.mkdir()
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, protocol="tcp") as local:

            def killer(local=local, folder=folder):
                deadline = time.monotonic() + 200.0
                while not (folder / "sets" / "set-001.npz").is_file() and time.monotonic() < deadline:
                    time.sleep(0.01)
                os.kill(local.workers[1].pid, signal.SIGKILL)

            thread = threading.Thread(target=killer if kill else lambda: None)
            thread.start()
            found.append(sample_sets(spec, folder, "hash", local.scheduler_address, lambda line: None))
            thread.join()
    whole, killed = found
    assert whole.z.shape == (4, 300, 2)
    np.testing.assert_array_equal(whole.z, killed.z)
    assert not np.allclose(whole.z[:2], whole.z[2:])
