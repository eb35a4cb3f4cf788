"""Simulation-based calibration and tests of uniformity; packaged configs under `slow`, also against grids and seeds.

Calibrated is a model with closed rate ratios, quick to compile; the packaged configs are calibrated under `slow`.
"""

import dataclasses
import functools

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import analytic_model

from tridentjax import InputError
from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.checks.agreement import across_seeds, against_grid, equal_lengths
from tridentjax.inference.checks.calibration import CalibrationSettings, calibrate
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.grid_posterior import grid_posterior
from tridentjax.inference.model import expand_model
from tridentjax.inference.posterior import Sampling, sample_posterior
from tridentjax.runs.config import load_config
from tridentjax.runs.validate import reduce_spec

SETTINGS = CalibrationSettings(replications=200, draws=99, warmup=200, block=100, max_draws=1500, batch=200, seed=4)


# --- uniformity ----------------------------------------------------------------------------------------------


# --- calibration ---------------------------------------------------------------------------------------------


def model(high=3.0):
    """One rate ratio, g with a loguniform prior, a nuisance."""
    built = analytic_model("ccfr", nuisances=1)
    return dataclasses.replace(built, priors={"g": Prior(0.2, high, "loguniform")})


@functools.cache
def calibrated(low=0.2, sd=0.28):
    """Fitted with another prior or error; these are leaves, so that the variants share their code."""

    def numbers(m):
        measured = m.chains[0].experiment.measurement
        return m.priors["g"].low, measured.uncertainty_low, measured.uncertainty_high

    fitted = eqx.tree_at(numbers, model(), tuple(jnp.asarray(x) for x in (low, sd, sd)))
    found = calibrate(model(), SETTINGS, Sampling(), fitted)
    return found, found.tests(20)


@pytest.mark.slow
def test_right_posterior_has_uniform_ranks():
    found, tests = calibrated()
    assert found.names == ("g", "z0", "log_likelihood")
    assert found.ranks.shape == (200, 3) and found.ranks.min() >= 0 and found.ranks.max() <= 99
    assert found.ess.min() > 99 and np.ptp(found.data[:, 0]) > 1.0
    for name, p in tests.items():
        assert min(p.values()) > 0.003, (name, p)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("wrong", "seen"),
    [({"sd": 0.28 / 8}, "g"), ({"low": 0.06}, "g"), ({"sd": 2.8e4}, "log_likelihood")],
    ids=["error too small", "another prior", "data ignored"],
)
def test_wrong_posteriors_are_caught(wrong, seen):
    """Data without weight leave the prior, which is right on average: only their likelihood gives it away."""
    _, tests = calibrated(**wrong)
    assert max(tests[seen].values()) < 1e-4, tests
    if seen == "log_likelihood":
        assert min(min(p.values()) for name, p in tests.items() if name != seen) > 0.003


def test_config_is_reduced():
    spec = load_config("rs_lmutau", ("calibration.ranges.mass=[0.1, 2.5]", "calibration.fixed.c_L_mu=0.53"))
    small = reduce_spec(spec)
    assert (small.params["mass"].prior.min, small.params["mass"].prior.max) == (0.1, 2.5)
    assert small.params["c_L_mu"].value == 0.53 and small.params["c_L_mu"].prior is None
    assert small.params["g"] == spec.params["g"] and small.sampler.edge is None and spec.sampler.edge == "g"
    spec = load_config("smeft", ("calibration.ranges.ll_2222=[1e-6, 1.0]", "calibration.fixed.nothing=1.5"))
    with pytest.raises(InputError) as caught:
        reduce_spec(spec)
    assert list(caught.value.faults) == [
        "calibration.fixed.nothing: not a sampled parameter; sampled are ll_2222, le_2222",
        "calibration.ranges.ll_2222 = [1e-06, 1.0] leaves the prior [-2e-05, 4e-05]",
    ]
    with pytest.raises(InputError, match=r"calibration = .*bins = 7 must divide draws \+ 1 = 100"):
        load_config("zprime_ccfr", ("calibration.bins=7",))


# --- packaged configs ----------------------------------------------------------------------------------------


@pytest.mark.timeout(1800)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["zprime_ccfr", "contact_plane", "smeft"])
def test_packaged_configs_are_calibrated(name):
    """200 replications: thrown with the kernels, fitted with expanded responses, every nuisance live."""
    spec = load_config(name)
    exact = make_model(reduce_spec(spec))
    settings, sampler = settings_of(CalibrationSettings, spec.calibration), settings_of(Sampling, spec.sampler)
    found = calibrate(exact, settings, sampler, expand_model(exact))
    tests = found.tests(20)
    print(name, {key: {k: round(x, 4) for k, x in p.items()} for key, p in tests.items()}, found.divergences.sum())
    assert np.mean(found.ess < found.draws) < 0.05
    assert min(min(p.values()) for p in tests.values()) > 0.01 / (2 * len(tests))


PLANES = {
    "contact_plane": (("delta_g_V", "delta_g_A"), ()),
    "smeft": (("ll_2222", "le_2222"), ()),
    "rs_lmutau": (("mass", "g"), tuple(f"params.{name}={{value: {value}, unit: {unit}}}" for name, value, unit in (
        ("Lambda_IR", 2700.0, "GeV"), ("c_L_mu", 0.57, "'1'"), ("c_R_mu", 0.52, "'1'")))),
}  # fmt: skip


@pytest.mark.timeout(2400)
@pytest.mark.slow
@pytest.mark.parametrize("name", PLANES)
def test_chains_against_grids_and_seeds(name):
    """Beside L_mu - L_tau (test_posterior): three seeds agree with each other and with the grid."""
    names, fixed = PLANES[name]
    settings = ("sampler.draws=2000", "sampler.max_draws=4000")
    spec = load_config(name, (*fixed, *settings))
    built = make_model(spec)
    sampler = settings_of(Sampling, spec.sampler)
    runs = [sample_posterior(built, sampler._replace(seed=seed)).parameters for seed in (3, 14, 15)]
    for parameter, agreed in across_seeds(runs).items():
        assert agreed.p_value > 1e-4 and agreed.r_hat < 1.01, (parameter, agreed)
    fine, coarse = grid_posterior(built, names), grid_posterior(built, names, (60, 80), 64)
    draws = {key: np.concatenate([run[key] for run in equal_lengths(runs)]) for key in names}
    rows = against_grid(draws, fine, coarse)
    print(name, [(row.parameter, row.q, round(row.pull, 2), round(row.error, 4)) for row in rows])
    assert max(abs(row.pull) for row in rows) < 4.0
