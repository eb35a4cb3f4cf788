"""Coverage of profile-likelihood intervals and of CLs on toys with all nuisances, at generic points.

    python tests/benchmarks/coverage.py [--toys N] [--seed N]

A toy throws the measurement and the centres of all constraints about a truth; the true nuisances are generic too,
not nominal. With R the rate ratio at the truth:

    profile: F(g_true) - min_g F(g) below the chi2 quantile, g from 0 up, at the true mass (one parameter);
    CLs: the truth is not excluded (asymptotic formulas, everything profiled again in every toy).

The first five points lie far enough above R = 1, the smallest rate that L_mu - L_tau can give, for chi2 to hold.
At the last two the best fit of many toys is at that boundary: profile intervals then cover more than they say.
CLs covers more than it says by construction. Printed: covered share in per cent with its binomial error.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import chi2

from tridentjax.inference.build import make_model
from tridentjax.inference.data import asimov, observed, throw
from tridentjax.inference.limits.cls import expand, expanded_ratios, log_CLs, reference_fit
from tridentjax.inference.model import expand_model
from tridentjax.inference.profile import profile
from tridentjax.runs.config import load_config
from tridentjax.schema.run import SamplerSpec

POINTS = ((0.013, 1.45e-3), (0.17, 2.1e-3), (2.3, 7.1e-3), (31.0, 0.091), (420.0, 1.17), (0.17, 1.2e-3), (31.0, 0.05))
LEVELS = (0.68, 0.95)
COUPLINGS = 32


def coverage(model, mass, g, z_true, toys, seed):
    """R at the truth, and the covered shares {(statistic, level): share}."""
    truth = {"mass": jnp.asarray(mass), "g": jnp.asarray(g)}
    ratios = model.ratios_at(truth, z_true)
    expected = asimov(model, truth, z_true, observed(model))
    grid = g * jnp.append(jnp.linspace(0.0, 1.6, COUPLINGS) ** 0.75, 1.0)
    expansions = jax.jit(jax.vmap(lambda coupling: expand(model, {**truth, "g": coupling}, z_true)))(grid)

    def one(key):
        data = throw(model, ratios, z_true, expected.background, key)
        F = jax.vmap(lambda expansion: profile(model, data, expanded_ratios, expansion).deviance)(expansions)
        return F[-1] - _lowest(F[:-1]), log_CLs(model, reference_fit(model, data), truth, data)

    keys = jax.random.split(jax.random.PRNGKey(seed), toys)
    q, CLs = (np.asarray(x) for x in jax.jit(lambda k: jax.lax.map(one, k, batch_size=32))(keys))
    shares = {("profile", level): np.mean(q < chi2.ppf(level, 1)) for level in LEVELS}
    shares |= {("cls", level): np.mean(CLs > np.log1p(-level)) for level in LEVELS}
    return float(ratios[0]), shares


def _lowest(F):
    """Minimum of the parabola through the smallest value and its neighbours; at an end, the value there."""
    i = jnp.clip(jnp.argmin(F), 1, F.size - 2)
    a, b, c = F[i - 1], F[i], F[i + 1]
    bend = jnp.maximum(a - 2.0 * b + c, 1e-12)
    vertex = b - (a - c) ** 2 / (8.0 * bend)
    return jnp.where(b <= jnp.minimum(a, c), vertex, jnp.minimum(a, c))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--toys", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    spec = load_config("zprime_ccfr").model_copy(update={"sampler": SamplerSpec()})
    model = expand_model(make_model(spec))
    rng = np.random.default_rng(options.seed)
    print(f"{options.toys} toys a point, all {len(model.profiled)} nuisances live; covered share in %")
    print("| mass [GeV] | g | R | profile 68 % | profile 95 % | CLs 68 % | CLs 95 % |\n|---|---|---|---|---|---|---|")
    for number, (mass, g) in enumerate(POINTS):
        z_true = jnp.asarray(0.8 * rng.normal(size=len(model.profiled)))
        R, shares = coverage(model, mass, g, z_true, options.toys, options.seed + number)
        cells = [f"{100 * p:.1f}({100 * np.sqrt(p * (1 - p) / options.toys):.1f})" for p in shares.values()]
        print(f"| {mass:g} | {g:g} | {R:.2f} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
