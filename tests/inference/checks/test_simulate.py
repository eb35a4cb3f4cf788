"""Truths and data of a simulation: from the likelihood, or refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import analytic_model
from scipy import stats

from tridentjax import InputError
from tridentjax.inference.checks.calibration import CalibrationSettings, calibrate
from tridentjax.inference.checks.simulate import throw_truths
from tridentjax.inference.coordinates import Edge, Prior
from tridentjax.inference.data import with_data
from tridentjax.inference.posterior import Sampling

SETTINGS = CalibrationSettings(replications=200, draws=99, warmup=200, block=100, max_draws=1500, batch=200, seed=4)


def model(high=3.0):
    """One rate ratio, g with a loguniform prior, a nuisance."""
    built = analytic_model("ccfr", nuisances=1)
    return dataclasses.replace(built, priors={"g": Prior(0.2, high, "loguniform")})


@pytest.mark.slow
def test_data_are_thrown_from_the_likelihood():
    """A ratio and a count, with nuisances and background from their priors."""
    both = dataclasses.replace(analytic_model("ccfr", "nutev_1998"), priors={"g": Prior(0.2, 3.0, "loguniform")})
    truth = throw_truths(both, 3000, jax.random.PRNGKey(3))
    assert stats.kstest(np.log(truth.values["g"]), stats.uniform(np.log(0.2), np.log(15)).cdf).pvalue > 1e-3
    assert stats.kstest(truth.values["background_nutev_1998"], stats.norm(9.8, 2.9).cdf).pvalue > 1e-3
    pull = 0.11 * truth.values["z0"] + 0.04 * truth.values["z1"]
    residual = (truth.data[:, 0] - (1 + truth.values["g"]) * np.exp(pull)) / 0.28
    assert stats.kstest(np.asarray(residual), "norm").pvalue > 1e-3
    R = (1 + 0.8 * truth.values["g"]) * np.exp(0.15 * truth.values["z0"] + 0.08 * truth.values["z1"])
    mean = np.maximum(10.8 * R + truth.values["background_nutev_1998"], 1e-9)
    assert np.mean((truth.data[:, 1] - mean) ** 2 / mean) == pytest.approx(1.0, abs=0.1)  # Poisson
    assert (np.asarray(truth.data[:, 1]) % 1 == 0).all()


def test_data_are_leaves():
    changed = with_data(model(), jnp.asarray([1.7]))
    assert [float(c.experiment.measurement.value) for c in changed.chains] == [1.7]
    assert [c.experiment.measurement.value for c in model().chains] == [0.82]


def test_what_cannot_be_thrown_is_refused():
    limit = analytic_model("nova", "nutev_1998", nuisances=1)
    profiled = dataclasses.replace(limit, nuisances={"z0": limit.nuisances["z0"]}, names=("g", "z0"))
    bent = dataclasses.replace(profiled, edge=Edge(jnp.zeros(3), jnp.asarray(0.3), "g", "g"))
    with pytest.raises(InputError) as caught:
        throw_truths(bent, 20, jax.random.PRNGKey(0))
    text = " | ".join(caught.value.faults)
    assert len(caught.value.faults) == 3 and "is an upper limit" in text
    assert "the background of nutev_1998 is profiled" in text and "sampler.edge is fitted to one data set" in text


@pytest.mark.slow
def test_needles_are_refused():
    """A prior that reaches rates of 1e6 makes no calibration."""
    wide = model(high=1e9)
    with pytest.raises(
        InputError, match=r"\d\d % of the simulated data lie more than 1000 errors .*calibration\.ranges"
    ):
        calibrate(wide, SETTINGS, Sampling())
