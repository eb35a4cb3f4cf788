"""Simulation-based calibration and tests of uniformity; packaged configs under `slow`, also against grids and seeds.

Calibrated is a model with closed rate ratios, quick to compile; the packaged configs are calibrated under `slow`.
"""

import dataclasses
import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import analytic_model, compile_once
from scipy import stats

from tridentjax import InputError
from tridentjax.inference.build import make_model
from tridentjax.inference.checks.agreement import across_seeds, against_grid, equal_lengths
from tridentjax.inference.checks.calibration import calibrate
from tridentjax.inference.checks.simulate import throw_truths
from tridentjax.inference.checks.uniformity import chi2_p_value, counts_below, ecdf_band, ecdf_p_value
from tridentjax.inference.coordinates import Edge, Prior
from tridentjax.inference.data import with_data
from tridentjax.inference.grid_posterior import grid_posterior
from tridentjax.inference.model import expand_model
from tridentjax.inference.posterior import sample_posterior
from tridentjax.runs.config import load_config
from tridentjax.runs.validate import reduce_spec
from tridentjax.schema.calibration import CalibrationSpec
from tridentjax.schema.run import SamplerSpec

SETTINGS = CalibrationSpec(replications=200, draws=99, warmup=200, block=100, max_draws=1500, batch=200, seed=4)


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory):
    """Calibrations of one model share their compiled code: tracing is new for each, compiling is not."""
    yield from compile_once(tmp_path_factory.mktemp("compiled"))


# --- uniformity ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "draws"), [(3, 2), (5, 3)])
def test_ecdf_p_value_by_enumeration(count, draws):
    """Every possible sample of ranks, weighed alike: P(smallest tail <= the one seen)."""
    z = np.arange(1, draws + 1) / (draws + 1)

    def smallest_tail(ranks):
        k = counts_below(np.asarray(ranks), draws)
        return min(
            2 * min(stats.binom.cdf(a, count, b), stats.binom.sf(a - 1, count, b)) for a, b in zip(k, z, strict=True)
        )

    every = {ranks: smallest_tail(ranks) for ranks in itertools.product(range(draws + 1), repeat=count)}
    tails = np.asarray(list(every.values()))
    for ranks in (tuple([0] * count), tuple([draws] * (count - 1) + [1]), tuple(np.arange(count) % (draws + 1))):
        expected = np.mean(tails <= every[ranks] * (1 + 1e-12))
        assert ecdf_p_value(np.asarray(ranks), draws) == pytest.approx(expected, abs=1e-9)


def test_band_holds_its_share_of_uniform_samples():
    """Simultaneous coverage against simulation (Algorithm 1 of Säilynoja et al.); p-values are uniform."""
    rng = np.random.default_rng(5)
    samples = rng.integers(0, 20, (4000, 70))
    band = ecdf_band(70, 19, 0.9)
    below = np.stack([counts_below(row, 19) for row in samples])
    inside = ((below >= band.low[None]) & (below <= band.high[None])).all(1)
    error = np.sqrt(0.9 * 0.1 / 4000)
    assert 0.9 - 3 * error < inside.mean() < 0.925  # at least the level; counts are discrete
    p = np.asarray([ecdf_p_value(row, 19) for row in samples[:600]])
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    outside = np.asarray([ecdf_p_value(row, 19) < 0.1 for row in samples[:600]])
    assert np.mean(outside == ~inside[:600]) > 0.97  # two views of one test, but for ties at its edge


def test_chi2_against_scipy():
    ranks = np.random.default_rng(8).integers(0, 100, 230)
    expected = stats.chisquare(np.histogram(ranks, 20, (0, 100))[0]).pvalue
    assert chi2_p_value(ranks, 99, 20) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="100 ranks do not fill 30 equal bins"):
        chi2_p_value(ranks, 99, 30)


@pytest.mark.parametrize("shape", [(0.5, 0.5), (2.2, 2.2), (1.0, 1.4)])
def test_bent_ranks_are_seen(shape):
    """Posteriors too narrow, too wide, and shifted."""
    ranks = (100 * np.random.default_rng(2).beta(*shape, 400)).astype(int)
    assert ecdf_p_value(ranks, 99) < 1e-3
    assert chi2_p_value(ranks, 99, 10) < 1e-2


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
    found = calibrate(model(), SETTINGS, SamplerSpec(), fitted)
    return found, found.tests(20)


def test_right_posterior_has_uniform_ranks():
    found, tests = calibrated()
    assert found.names == ("g", "z0", "log_likelihood")
    assert found.ranks.shape == (200, 3) and found.ranks.min() >= 0 and found.ranks.max() <= 99
    assert found.ess.min() > 99 and np.ptp(found.data[:, 0]) > 1.0
    for name, p in tests.items():
        assert min(p.values()) > 0.003, (name, p)


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


def test_needles_are_refused():
    """A prior that reaches rates of 1e6 makes no calibration."""
    wide = model(high=1e9)
    with pytest.raises(
        InputError, match=r"\d\d % of the simulated data lie more than 1000 errors .*calibration\.ranges"
    ):
        calibrate(wide, SETTINGS, SamplerSpec())


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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["zprime_ccfr", "contact_plane", "smeft"])
def test_packaged_configs_are_calibrated(name):
    """200 replications: thrown with the kernels, fitted with expanded responses, every nuisance live."""
    spec = load_config(name)
    exact = make_model(reduce_spec(spec))
    found = calibrate(exact, spec.calibration, spec.sampler, expand_model(exact))
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


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANES)
def test_chains_against_grids_and_seeds(name):
    """Beside L_mu - L_tau (test_posterior): three seeds agree with each other and with the grid."""
    names, fixed = PLANES[name]
    settings = ("sampler.draws=2000", "sampler.max_draws=4000")
    spec = load_config(name, (*fixed, *settings))
    built = make_model(spec)
    runs = [sample_posterior(built, spec.sampler.model_copy(update={"seed": seed})).parameters for seed in (3, 14, 15)]
    for parameter, agreed in across_seeds(runs).items():
        assert agreed.p_value > 1e-4 and agreed.r_hat < 1.01, (parameter, agreed)
    fine, coarse = grid_posterior(built, names), grid_posterior(built, names, (60, 80), 64)
    draws = {key: np.concatenate([run[key] for run in equal_lengths(runs)]) for key in names}
    rows = against_grid(draws, fine, coarse)
    print(name, [(row.parameter, row.q, round(row.pull, 2), round(row.error, 4)) for row in rows])
    assert max(abs(row.pull) for row in rows) < 4.0
