"""The grid posterior against direct evaluation and against chains."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ccfr_model import model
from numpyro.diagnostics import effective_sample_size
from scipy import stats

from tridentjax.inference.grid_posterior import grid_posterior
from tridentjax.inference.posterior import Sampling, sample_posterior


@functools.cache
def grid(nuisances):
    return grid_posterior(model(nuisances), ("mass", "g"))


@pytest.mark.slow
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


@pytest.mark.slow
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
