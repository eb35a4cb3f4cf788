"""A sampling run that is killed and resumed, or resumed with another config."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ccfr_model import NUISANCES, SMALL, spec

from tridentjax import InputError
from tridentjax.files import write_yaml
from tridentjax.runs.config import config_path, load_config, physics_hash, resolved
from tridentjax.runs.posterior_file import load_posterior
from tridentjax.runs.sample import sample_run


def test_resuming_another_config_names_what_differs(tmp_path):
    before = resolved(spec())
    write_yaml(tmp_path / "run.resolved.yaml", before | {"hash": physics_hash(before), "provenance": {"jax": "0"}})
    changed = load_config("zprime_ccfr", (*SMALL, *NUISANCES["none"], "params.g.prior.max=2.5", "sampler.seed=9"))
    with pytest.raises(InputError) as caught:
        sample_run(changed, tmp_path, resume=True, force=False, config=config_path("zprime_ccfr"))
    (fault,) = caught.value.faults
    assert "params.g.prior.max: was 3.0, is 2.5" in fault and "sampler.seed: was 8, is 9" in fault
    assert "provenance" not in fault and "use --force" in fault
    with pytest.raises(InputError, match=r"no run\.resolved\.yaml; start it with --force"):
        sample_run(changed, tmp_path / "empty", resume=True, force=False, config=config_path("zprime_ccfr"))


COMMAND = [  # model, chains, warm-up and block of test_cli::test_whole_run_with_figures: one compilation serves both
    sys.executable, "-m", "tridentjax.cli", "sample", "zprime_ccfr", "--set", "output.figures=false",
    "--set", "sampler.chains=2", "--set", "sampler.warmup=50", "--set", "sampler.draws=1500",
    "--set", "sampler.max_draws=1500", "--set", "sampler.block=25", "--set", "sampler.ess=10",
    "--set", "nuisances=false", "--seed", "31", "--out",
]  # fmt: skip


@pytest.mark.slow
def test_killed_and_resumed_run_folder(tmp_path):
    """kill -9 at a random moment of a real run, then --resume: the same draws as in one go."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    quiet = {"stdout": subprocess.DEVNULL, "text": True, "env": environment}
    with subprocess.Popen([*COMMAND, tmp_path / "cut"], stderr=subprocess.PIPE, **quiet) as process:
        for line in process.stderr:
            if line.startswith("draws"):
                break
        time.sleep(np.random.default_rng().uniform(0.0, 0.6))
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "cut" / "posterior.nc").exists() and (tmp_path / "cut" / "checkpoint.npz").is_file()
    # both now find compiled code in the cache
    whole = subprocess.Popen([*COMMAND, tmp_path / "whole"], stderr=subprocess.DEVNULL, **quiet)
    resumed = subprocess.run([*COMMAND, tmp_path / "cut", "--resume"], stderr=subprocess.PIPE, check=False, **quiet)
    assert resumed.returncode in (0, 3), resumed.stderr  # 3: so short a run need not have converged
    assert whole.wait(timeout=300) == resumed.returncode
    one, two = (load_posterior(tmp_path / name / "posterior.nc")["posterior"] for name in ("whole", "cut"))
    for name in ("mass", "g"):
        np.testing.assert_array_equal(one[name].values, two[name].values)
    assert one["mass"].shape == (2, 1500)
