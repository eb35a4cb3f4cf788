import functools
import itertools
import os
import signal
import subprocess
import sys
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from fixtures_statistics import compile_once
from numpyro.diagnostics import effective_sample_size
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import brentq

from tridentjax import InputError
from tridentjax.cache import save_arrays
from tridentjax.files import write_yaml
from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.coordinates import Edge, Prior, locate_edge
from tridentjax.inference.diagnostics import bulk_ess, r_hat, summarise
from tridentjax.inference.grid_posterior import grid_posterior
from tridentjax.inference.posterior import Sampling, _load_checkpoint, _save_checkpoint, sample_posterior
from tridentjax.runs.config import config_path, load_config, physics_hash, resolved
from tridentjax.runs.posterior_file import load_posterior
from tridentjax.runs.sample import sample_run

SMALL = (
    "sampler.chains=2", "sampler.warmup=100", "sampler.draws=100", "sampler.max_draws=100", "sampler.block=50",
    "sampler.ess=10", "sampler.seed=8",
)  # fmt: skip
NUISANCES = {
    "none": ("nuisances=false",),
    "two": tuple(
        f"nuisances.{name}=false"
        for name in ("flux_stretch", "flux_tilt", "nuclear_radius", "nuclear_diffuseness", "sin2_theta_w")
    ),
    "all": (),
}


@pytest.fixture(scope="module", autouse=True)
def compiled(tmp_path_factory):
    """Runs of the same model share their compiled code: tracing is new for each, compiling is not."""
    yield from compile_once(tmp_path_factory.mktemp("compiled"))


@functools.cache
def spec(nuisances="none"):
    return load_config("zprime_ccfr", SMALL + NUISANCES[nuisances])


@functools.cache
def model(nuisances="none"):
    return make_model(spec(nuisances))


def sampling(nuisances="none"):
    return settings_of(Sampling, spec(nuisances).sampler)


@functools.cache
def short_run(nuisances="none"):
    return sample_posterior(model(nuisances), sampling(nuisances))


# --- the model -----------------------------------------------------------------------------------------------


def test_names_and_nominal_point():
    assert model().names == ("mass", "g")
    assert model("two").names == ("mass", "g", "coherent_normalisation", "incoherent_normalisation")
    assert model("all").names[2:] == (
        "flux_stretch_ccfr", "flux_tilt_ccfr", "nuclear_radius", "nuclear_diffuseness", "coherent_normalisation",
        "incoherent_normalisation", "sin2_theta_w",
    )  # fmt: skip
    values, _ = model("all").parameters(jnp.zeros(9))
    assert float(values["mass"]) == pytest.approx(1.0)  # median of [1e-3, 1e3]
    for name in ("flux_stretch_ccfr", "nuclear_radius", "coherent_normalisation", "incoherent_normalisation"):
        assert float(values[name]) == 1.0
    assert float(values["flux_tilt_ccfr"]) == 0.0 and float(values["sin2_theta_w"]) == 0.23122


def test_nuisances_have_their_prior_widths():
    z = jnp.asarray([0.0, 0.0, 1.3, -0.7, 0.4, 2.0, -1.1, 0.9, 1.7])
    values, _ = model("all").parameters(z)
    expected = {
        "flux_stretch_ccfr": np.exp(0.12 * 1.3), "flux_tilt_ccfr": 0.3 * -0.7, "nuclear_radius": np.exp(0.01 * 0.4),
        "nuclear_diffuseness": np.exp(0.05 * 2.0), "coherent_normalisation": np.exp(0.06 * -1.1),
        "incoherent_normalisation": np.exp(0.30 * 0.9), "sin2_theta_w": 0.23122 + 0.004 * 1.7,
    }  # fmt: skip
    for name, value in expected.items():
        assert float(values[name]) == pytest.approx(value, rel=1e-12), name


def test_likelihood_at_a_point_is_that_of_the_measurement():
    values = {"mass": jnp.asarray(200.0), "g": jnp.asarray(200 / 551)}
    R = float(model().rate_ratios(values)[0])
    assert pytest.approx(1.361, rel=0.03) == R
    assert float(model().log_likelihood(values)) == pytest.approx(stats.norm(R, 0.28).logpdf(0.82), rel=1e-12)


def test_log_weight_gradients():
    everything = model("all")  # built before anything is traced
    log_weight = lambda z: everything.log_weight(z)  # noqa: E731, PLW0108 - a bound method of a model has no hash
    function = jax.jit(log_weight)
    reverse, forward = jax.jit(jax.grad(log_weight)), jax.jit(jax.jacfwd(log_weight))
    rng = np.random.default_rng(3)
    for z in (jnp.asarray(x) for x in 0.8 * rng.normal(size=(3, 9))):
        np.testing.assert_allclose(forward(z), reverse(z), rtol=1e-8, atol=1e-10)
        central = [(function(z + 1e-4 * e) - function(z - 1e-4 * e)) / 2e-4 for e in np.eye(9)]
        np.testing.assert_allclose(reverse(z), central, rtol=1e-5, atol=1e-6)
    corners = np.array([[-6, -6], [-6, 5], [5, -6], [4, 4]])
    for corner in corners:
        assert np.isfinite(reverse(jnp.asarray([*corner, *np.zeros(7)], dtype=float))).all()


def test_counting_background_is_sampled_with_its_constraint():
    counting = make_model(load_config("zprime_ccfr", ("experiments=[nutev_1998]", *NUISANCES["none"])))
    assert counting.nuisances == {}
    counting = make_model(
        load_config(
            "zprime_ccfr",
            ("experiments=[nutev_1998]", *NUISANCES["two"], "nuisances.coherent_normalisation=false",
             "nuisances.incoherent_normalisation=false"),
        )
    )  # fmt: skip
    assert counting.names == ("mass", "g", "background_nutev_1998")
    values, _ = counting.parameters(jnp.asarray([0.0, 0.0, 0.6]))
    assert float(values["background_nutev_1998"]) == pytest.approx(9.8 + 0.6 * 2.9)
    # the constraint is the prior, so only the Poisson factor is left
    R = float(counting.rate_ratios(values)[0])
    expected = stats.poisson(10.8 * R + 9.8 + 0.6 * 2.9).logpmf(17)
    assert float(counting.log_likelihood(values)) == pytest.approx(expected, rel=1e-9)


# --- coordinates ---------------------------------------------------------------------------------------------


def test_priors_are_their_quantile_functions():
    z = jnp.asarray([-2.3, -0.4, 0.0, 1.1, 3.0])
    phi = stats.norm.cdf(z)
    np.testing.assert_allclose(
        Prior(1e-3, 1e3, "loguniform").from_normal(z), stats.loguniform(1e-3, 1e3).ppf(phi), rtol=1e-11
    )
    np.testing.assert_allclose(Prior(-2.0, 5.0, "uniform").from_normal(z), stats.uniform(-2, 7).ppf(phi), rtol=1e-11)
    np.testing.assert_allclose(Prior(0.7, 0.2, "normal").from_normal(z), 0.7 + 0.2 * np.asarray(z), rtol=1e-12)


LOW, HIGH = -11.5, 1.1
WALLS = {
    # wall, width: inside the range, near each end, just below the range, and far above it
    "inside, soft": (-3.0, 0.4),
    "inside, hard": (-6.2, 0.05),
    "near the top": (0.9, 0.05),
    "near the bottom": (-11.0, 0.6),
    "below": (-13.0, 0.9),
    "far above": (40.0, 0.05),
}


@pytest.mark.parametrize("name", WALLS)
def test_edge_map_reproduces_a_flat_prior(name):
    """int dz phi(z) exp(log Jacobian) f(t(z)) = int dt f(t)/(high - low), for any f that dies behind the wall.

    Beyond 20 widths behind the wall Phi(z) is 1 to rounding; an excluded region is what lies there.
    """
    wall, width = WALLS[name]
    edge = Edge(jnp.full(3, wall), jnp.asarray(width), "g", "mass")
    prior = Prior(LOW, HIGH, "uniform")

    @jax.jit
    def at(z):
        return jnp.stack(edge.from_normal(z, jnp.asarray(wall), prior))

    for f in (lambda t: 1.0, lambda t: t, lambda t: np.cos(1.3 * t + 0.2), lambda t: np.exp(0.3 * t)):
        excluded = lambda t: np.exp(-np.exp(np.minimum((t - wall - 3 * width) / width, 50)))  # noqa: E731
        weighted = lambda t: f(t) * excluded(t)  # noqa: B023, E731

        def integrand(z):
            t, log_jacobian = np.asarray(at(z))
            return weighted(t) * np.exp(log_jacobian) * stats.norm.pdf(z)  # noqa: B023

        points = np.linspace(-9, 8, 35)
        ours = sum(quad(integrand, a, b, epsabs=1e-9, limit=60)[0] for a, b in itertools.pairwise(points))
        cuts = sorted({LOW, HIGH, *np.clip([wall - 5 * width, wall, wall + 5 * width, wall + 9 * width], LOW, HIGH)})
        direct = sum(quad(weighted, a, b, epsabs=1e-11, limit=200)[0] for a, b in itertools.pairwise(cuts))
        assert ours == pytest.approx(direct / (HIGH - LOW), abs=1e-6, rel=1e-6)


def test_edge_jacobian_is_the_derivative_of_the_map():
    edge, prior = Edge(jnp.full(3, -3.0), jnp.asarray(0.3), "g", "mass"), Prior(LOW, HIGH, "uniform")
    t = lambda z: edge.from_normal(z, jnp.asarray(-3.0), prior)[0]  # noqa: E731
    for z in (-2.5, -0.3, 1.2, 3.0):
        slope = float(jax.grad(t)(jnp.asarray(z)))
        expected = np.log(slope / (HIGH - LOW) / stats.norm.pdf(z))
        assert float(edge.from_normal(jnp.asarray(z), jnp.asarray(-3.0), prior)[1]) == pytest.approx(expected, abs=1e-9)


def test_wall_interpolates_its_nodes():
    nodes = -np.cos((np.arange(12) + 0.5) * np.pi / 12)
    curve = lambda x: -3 + np.tanh(x) + 0.2 * x**2  # noqa: E731
    edge = Edge(jnp.asarray(curve(nodes)), jnp.asarray(0.1), "g", "mass")
    prior = Prior(1e-3, 1e3, "loguniform")
    for x in (-0.93, 0.11, 0.7):
        other = jnp.asarray(x * np.log(1e3))
        assert float(edge.wall(prior, other)) == pytest.approx(curve(x), abs=1e-5)


@pytest.mark.parametrize("rise", [1.0, 4.0, 9.0])
def test_locate_edge_against_brentq(rise):
    log_likelihood = lambda t: -0.5 * ((0.82 - 1 - 3.1e9 * np.e ** (4 * t)) / 0.28) ** 2  # noqa: E731
    prior = Prior(1e-5, 3.0, "loguniform")
    low, high = np.log(1e-5), np.log(3.0)
    expected = brentq(lambda t: 2 * (log_likelihood(low) - log_likelihood(t)) - rise, low, high, xtol=1e-13)
    assert float(locate_edge(log_likelihood, prior, rise)) == pytest.approx(expected, abs=1e-10)


def test_locate_edge_without_an_exclusion():
    assert float(locate_edge(lambda t: 0.0 * t, Prior(-1.0, 2.0, "uniform"), 4.0)) == pytest.approx(2.0)


def test_wall_of_the_model_follows_the_likelihood():
    """At the wall -2 log L has risen by 4."""
    edge, prior = model().edge, model().priors["mass"]
    low = {"g": jnp.asarray(1e-5)}
    rises = []
    for mass in (2e-3, 0.03, 0.7, 40.0):
        g = jnp.exp(edge.wall(prior, jnp.log(jnp.asarray(mass))))
        here = model().log_likelihood({"mass": jnp.asarray(mass), "g": g})
        rises.append(2 * float(model().log_likelihood({"mass": jnp.asarray(mass), **low}) - here))
    np.testing.assert_allclose(rises, 4.0, atol=0.3)


# --- diagnostics ---------------------------------------------------------------------------------------------


def test_white_noise_is_all_effective():
    draws = np.random.default_rng(1).normal(size=(4, 2000))
    assert bulk_ess(draws) == pytest.approx(8000, rel=0.1)
    assert r_hat(draws) < 1.003


@pytest.mark.parametrize("phi", [0.5, 0.85])
def test_ess_of_an_autoregressive_chain(phi):
    rng = np.random.default_rng(7)
    x = np.zeros((4, 20000))
    x[:, 0] = rng.normal(size=4)
    for i in range(1, x.shape[1]):
        x[:, i] = phi * x[:, i - 1] + np.sqrt(1 - phi**2) * rng.normal(size=4)
    expected = x.size * (1 - phi) / (1 + phi)
    assert bulk_ess(x) == pytest.approx(expected, rel=0.15)
    assert bulk_ess(np.exp(3 * x)) == pytest.approx(bulk_ess(x), rel=1e-9)  # ranks do not care


def test_r_hat_sees_shifted_and_spread_chains():
    rng = np.random.default_rng(2)
    shifted = rng.normal(size=(4, 500))
    shifted[3] += 1.5
    assert r_hat(shifted) > 1.1
    spread = rng.normal(size=(4, 500)) * np.array([1, 1, 1, 5])[:, None]
    assert r_hat(spread) > 1.1
    drift = rng.normal(size=(4, 500)) + np.linspace(0, 3, 500)
    assert r_hat(drift) > 1.1


def test_summary_has_named_quantiles():
    draws = np.random.default_rng(3).lognormal(size=(3, 4000))
    summary = summarise(draws)
    assert set(summary) == {"mean", "sd", "quantiles", "r_hat", "ess_bulk"}
    for name, q in {"5%": 0.05, "16%": 0.16, "50%": 0.5, "84%": 0.84, "95%": 0.95}.items():
        assert summary["quantiles"][name] == pytest.approx(stats.lognorm(1).ppf(q), rel=0.06)


# --- reproducible and resumable sampling ---------------------------------------------------------------------


@pytest.mark.slow
def test_same_seed_same_draws():
    again = sample_posterior(model(), sampling())
    np.testing.assert_array_equal(again.z, short_run().z)
    np.testing.assert_array_equal(again.parameters["g"], short_run().parameters["g"])
    assert not np.array_equal(again.z[0], again.z[1])


def test_draws_are_consistent():
    run = short_run("two")
    assert run.z.shape == (2, 100, 4) and run.statistics["diverging"].shape == (2, 100)
    for name, prior in model("two").priors.items():
        assert (run.parameters[name] >= prior.low).all() and (run.parameters[name] <= prior.high).all()
    np.testing.assert_allclose(run.parameters["coherent_normalisation"], np.exp(0.06 * run.z[:, :, 2]), rtol=1e-12)
    values = {name: jnp.asarray(x[1, 37]) for name, x in run.parameters.items()}
    np.testing.assert_allclose(run.rate_ratios["ccfr"][1, 37], model("two").rate_ratios(values)[0], rtol=1e-10)
    np.testing.assert_allclose(run.log_likelihood, stats.norm(run.rate_ratios["ccfr"], 0.28).logpdf(0.82), rtol=1e-10)
    assert not np.array_equal(run.z[0], run.z[1])


@pytest.mark.parametrize(("nuisances", "blocks"), [("none", 1), ("two", 3)])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, nuisances, blocks):
    """Blocks 1 and 2 are warm-up, block 3 and 4 are draws."""
    checkpoint = tmp_path / "checkpoint.npz"
    seen = []

    def stop(progress):
        seen.append(progress)
        if len(seen) == blocks:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_posterior(model(nuisances), sampling(nuisances), checkpoint=checkpoint, identity="a", report=stop)
    assert seen[-1].warmup == (blocks < 3) and "warm-up" in str(seen[0])
    settings = sampling(nuisances)
    resumed = sample_posterior(model(nuisances), settings, checkpoint=checkpoint, resume=True, identity="a")
    whole = short_run(nuisances)
    np.testing.assert_array_equal(resumed.z, whole.z)
    for name, values in whole.parameters.items():
        np.testing.assert_array_equal(resumed.parameters[name], values)
    for name, values in whole.statistics.items():
        np.testing.assert_array_equal(resumed.statistics[name], values)


@pytest.fixture
def checkpoint(tmp_path):
    """A finished checkpoint of two chains with three parameters, and the state it holds."""
    state = {"z": jnp.arange(6.0).reshape(2, 3), "key": jnp.asarray([1, 2], dtype=jnp.uint32)}
    draws = tuple(np.random.default_rng(i).random((2, 50)) for i in range(7))
    _save_checkpoint(tmp_path / "checkpoint.npz", state, [draws], 3, "a")
    return tmp_path / "checkpoint.npz", state, draws


def test_checkpoint_round_trip(checkpoint):
    path, state, draws = checkpoint
    restored, history, blocks = _load_checkpoint(path, jax.tree.map(jnp.zeros_like, state), "a")
    assert blocks == 3 and restored["key"].dtype == jnp.uint32
    np.testing.assert_array_equal(restored["z"], state["z"])
    np.testing.assert_array_equal(history[0], draws)


@pytest.mark.parametrize("damage", ["half", "tail", "empty", "text", "npy", "other npz"])
def test_damaged_or_foreign_checkpoint_is_refused(checkpoint, damage):
    path, state, _ = checkpoint
    whole = path.read_bytes()
    if damage == "other npz":
        save_arrays(path, {"x": np.arange(3)})
    elif damage == "npy":
        with path.open("wb") as stream:
            np.save(stream, np.arange(5.0))
    else:
        cut = {"half": whole[: len(whole) // 2], "tail": whole[:-10], "empty": b"", "text": b"not an archive"}
        path.write_bytes(cut[damage])
    with pytest.raises(InputError, match=r"damaged or not one of ours .*start again with --force"):
        _load_checkpoint(path, state, "a")


def test_checkpoint_of_another_run_is_refused(checkpoint):
    path, state, _ = checkpoint
    with pytest.raises(InputError, match=r"another configuration .*hash a, now b"):
        _load_checkpoint(path, state, "b")
    with pytest.raises(InputError, match="another configuration"):
        _load_checkpoint(path, state | {"z": jnp.zeros((4, 3))}, "a")
    with pytest.raises(InputError, match=r"nothing to resume: no checkpoint .*leave out --resume"):
        _load_checkpoint(path.with_name("none.npz"), state, "a")


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


# --- against a grid ------------------------------------------------------------------------------------------


@functools.cache
def grid(nuisances):
    return grid_posterior(model(nuisances), ("mass", "g"))


def test_grid_against_direct_evaluation():
    """Posterior of the grid without nuisances: likelihood from the rate ratio alone, summed by hand."""
    built = model()  # before anything is traced
    mass, g = np.exp(np.linspace(np.log(1e-3), np.log(1e3), 61)), np.exp(np.linspace(np.log(1e-5), np.log(3), 241))
    ratios = jax.jit(jax.vmap(lambda m: jax.vmap(lambda x: built.rate_ratios({"mass": m, "g": x})[0])(jnp.asarray(g))))(
        jnp.asarray(mass)
    )
    likelihood = stats.norm(np.asarray(ratios), 0.28).pdf(0.82)
    ends = np.ones(61)
    ends[[0, -1]] = 0.5
    marginal = ends @ likelihood
    cumulative = np.concatenate([[0], np.cumsum(marginal[1:] + marginal[:-1])])
    for q in (0.05, 0.16, 0.5, 0.84, 0.95):
        expected = np.interp(q, cumulative / cumulative[-1], np.log(g))
        assert np.log(grid("none").quantile(1, q)) == pytest.approx(expected, abs=0.03)
    np.testing.assert_allclose(grid("none").probability.sum(), 1.0, rtol=1e-12)
    level = grid("none").credible_level(0.68)
    inside = grid("none").probability[grid("none").probability >= level].sum()
    assert inside == pytest.approx(0.68, abs=2e-3)


def test_grid_refuses_other_parameters():
    with pytest.raises(
        ValueError, match=r"needs two uniform or loguniform parameters, .*the model has .*mass \(loguniform\)"
    ):
        grid_posterior(model(), ("mass", "g_V"))


@pytest.mark.slow
@pytest.mark.parametrize("nuisances", ["none", "all"])
def test_chain_marginals_against_the_grid(nuisances):
    """Share of draws below each grid quantile, within four Monte Carlo standard errors."""
    settings = Sampling(seed=5, draws=4000, max_draws=4000)
    run = sample_posterior(model(nuisances), settings)
    assert run.converged and run.divergences == 0
    for axis, name in enumerate(("mass", "g")):
        for q in (0.05, 0.16, 0.5, 0.84, 0.95):
            below = (run.parameters[name] < grid(nuisances).quantile(axis, q)).astype(float)
            error = np.sqrt(q * (1 - q) / effective_sample_size(below))
            pull = (below.mean() - q) / error
            print(f"{nuisances} {name} {q}: {below.mean():.4f} +- {error:.4f}, pull {pull:+.2f}")
            assert abs(pull) < 4, (name, q, below.mean(), error)


def test_models_are_records_of_arrays():
    arrays = jax.tree.leaves(eqx.filter(model("two"), eqx.is_array))
    assert arrays and all(np.isfinite(x).all() for x in arrays)
