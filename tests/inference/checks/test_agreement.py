"""Chains against a grid and against chains of other seeds: pulls and p-values of known posteriors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from tridentjax.inference.build import make_model
from tridentjax.inference.checks.agreement import across_seeds, against_grid
from tridentjax.inference.grid_posterior import GridPosterior, grid_posterior
from tridentjax.runs.config import load_config


def plane(cells=200):
    """A known posterior: log mass ~ N(0.3, 0.5), g ~ N(1.2, 0.2), independent."""
    x, y = np.linspace(-4, 4, cells), np.linspace(-1, 3, cells)
    density = stats.norm(0.3, 0.5).pdf(x)[:, None] * stats.norm(1.2, 0.2).pdf(y)[None]
    return GridPosterior(("mass", "g"), np.exp(x), y, density / density.sum(), ("loguniform", "uniform"))


def test_quantiles_of_the_grid_in_both_coordinates():
    for q in (0.05, 0.31, 0.84):
        assert plane().quantile(0, q) == pytest.approx(stats.lognorm(0.5, scale=np.exp(0.3)).ppf(q), rel=1e-3)
        assert plane().quantile(1, q) == pytest.approx(stats.norm(1.2, 0.2).ppf(q), abs=1e-3)
        assert plane().below(0, plane().quantile(0, q)) == pytest.approx(q, abs=1e-12)
        assert plane().below(1, plane().quantile(1, q)) == pytest.approx(q, abs=1e-12)


def correlated(rng, phi, chains=4, draws=2000):
    """Autoregressive unit normals (chain, draw)."""
    x = rng.normal(size=(chains, draws))
    for i in range(1, draws):
        x[:, i] = phi * x[:, i - 1] + np.sqrt(1 - phi**2) * x[:, i]
    return x


def test_pulls_against_the_grid_are_normal():
    """Of correlated draws too; a shift of five errors is seen."""
    rng, pulls = np.random.default_rng(11), []
    for _ in range(60):
        parameters = {
            "mass": np.exp(0.3 + 0.5 * correlated(rng, 0.6, draws=800)),
            "g": 1.2 + 0.2 * rng.normal(size=(4, 800)),
        }
        pulls += [row.pull for row in against_grid(parameters, plane(), plane(100), (0.16, 0.5, 0.84))]
    assert np.std(pulls) == pytest.approx(1.0, abs=0.12) and abs(np.mean(pulls)) < 0.2
    parameters["g"] = parameters["g"] + 0.2 * 5 * 1.25 / np.sqrt(3200)
    worst = min(against_grid(parameters, plane(), plane(100)), key=lambda row: row.p_value)
    assert worst.parameter == "g" and worst.p_value < 1e-3


def test_seeds_agree_or_do_not():
    rng = np.random.default_rng(12)
    p = [across_seeds([{"x": correlated(rng, 0.5, draws=300)} for _ in range(4)])["x"].p_value for _ in range(80)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    runs = [{"x": correlated(rng, 0.5)} for _ in range(4)]
    agreed = across_seeds(runs)["x"]
    assert agreed.r_hat < 1.005 and agreed.means.shape == (4,) and agreed.p_value > 1e-3
    longer = [*runs[:3], {"x": np.concatenate([runs[3]["x"], correlated(rng, 0.5, draws=100)], axis=1)}]
    assert across_seeds(longer)["x"].p_value == agreed.p_value  # cut to the shortest run
    runs[2]["x"] = runs[2]["x"] + 0.4
    apart = across_seeds(runs)["x"]
    assert apart.p_value < 1e-10 and apart.r_hat > 1.01 and int(np.argmax(apart.means)) == 2


@pytest.mark.slow
def test_grid_of_uniform_priors():
    """Contact shifts without nuisances against direct sums over another grid."""
    contact = make_model(load_config("contact_plane", ("nuisances=false",)))
    grid = grid_posterior(contact, ("delta_g_V", "delta_g_A"), (60, 70))
    assert grid.kinds == ("uniform", "uniform")
    V, A = np.linspace(-3.0, 1.5, 181), np.linspace(-2.5, 2.0, 181)

    @jax.jit
    def ratios(V, A):
        at = lambda v, a: contact.rate_ratios({"delta_g_V": v, "delta_g_A": a})[0]  # noqa: E731
        return jax.vmap(lambda v: jax.vmap(lambda a: at(v, a))(A))(V)

    density = stats.norm(np.asarray(ratios(jnp.asarray(V), jnp.asarray(A))), 0.28).pdf(0.82)
    for axis, x in enumerate((V, A)):
        cumulative = np.concatenate([[0.0], np.cumsum(density.sum(1 - axis))])
        middle = np.concatenate([[x[0]], (x[1:] + x[:-1]) / 2, [x[-1]]])
        for q in (0.16, 0.5, 0.84):
            expected = np.interp(q, cumulative / cumulative[-1], middle)
            assert grid.quantile(axis, q) == pytest.approx(expected, abs=0.02)
