# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The main job: a posterior of an $L_\mu-L_\tau$ boson from CCFR, with live nuisances
#
# The same run as `tridentjax sample zprime_ccfr`, step by step, at smaller settings. The sampler sees the mass
# and coupling of the boson and seven nuisances that act inside the chain: flux stretch and tilt, nuclear radius
# and diffuseness, coherent and incoherent normalisation, and $\sin^2\theta_W$.

# %%
import os

import numpy as np

import tridentjax as tj

tj.enable_x64()
import jax
import jax.numpy as jnp

from tridentjax.figures.goodness import plot_rate_ratios
from tridentjax.figures.posterior import plot_joint, plot_marginals
from tridentjax.figures.style import label
from tridentjax.inference.build import make_model
from tridentjax.inference.diagnostics import summarise
from tridentjax.inference.grid_posterior import grid_posterior
from tridentjax.inference.posterior import sample_posterior
from tridentjax.runs.config import load_config

print("tridentjax", tj.__version__, "jax", jax.__version__)

# %% [markdown]
# ## The model
# A config is theory, experiments and priors; nuisances come with the experiment.

# %%
draws = os.environ.get("TRIDENTJAX_NOTEBOOK_DRAWS", "1000")
config = load_config("zprime_ccfr", (f"sampler.draws={draws}", f"sampler.max_draws={draws}", "sampler.warmup=400"))
model = make_model(config)
for name in model.names:
    print(f"{name:26} {'theory' if name in model.priors else model.nuisances[name].status}")

# %% [markdown]
# One value and one exact gradient of the whole chain, flux to likelihood, in all parameters:

# %%
value, gradient = jax.value_and_grad(model.log_weight)(jnp.full(len(model.names), 0.3))
print(float(value), dict(zip(model.names, np.round(np.asarray(gradient), 4), strict=True)))

# %% [markdown]
# ## Why these coordinates
# In $(\log m, \log g')$ the posterior is flat below a curved wall and zero above it. The sampler works in
# unit-normal coordinates in which the wall is pushed to infinity (see `tridentjax/inference/coordinates.py`).
# The map below was located from the likelihood at nominal nuisances:

# %%
wall = np.exp(np.asarray(model.edge.position))
print("wall of g' over the mass range:", np.array2string(wall[::6], precision=5))

# %%
posterior = sample_posterior(model, config.sampler, report=print)
for name, values in posterior.parameters.items():
    s = summarise(values)
    print(f"{name:26} median {s['quantiles']['50%']:.4g}  R-hat {s['r_hat']:.4f}  ESS {s['ess_bulk']:.0f}")
print("divergences:", posterior.divergences)

# %% [markdown]
# ## Against a grid
# No Markov chain: the likelihood on a grid, averaged over a quasi-random sample of the nuisances.

# %%
grid = grid_posterior(model, ("mass", "g"), cells=(80, 100), nuisance_points=64)
labels = {name: label(model.latex.get(name, name.replace("_", " ")), model.units[name]) for name in model.names}
axes = plot_joint(posterior.parameters["mass"], posterior.parameters["g"], (labels["mass"], labels["g"]), grid)

# %%
figure = plot_marginals(posterior.parameters, labels, ("mass", "g"), grid)

# %% [markdown]
# The nuisances hardly move: CCFR's 34 % measurement does not constrain them, and they enter numerator and
# denominator of the rate ratio alike.

# %%
figure = plot_rate_ratios(posterior.rate_ratios, {"ccfr": (0.82, 0.28, 0.28)})

# %%
medians = {
    name: (float(np.median(posterior.parameters[name])), grid.quantile(i, 0.5)) for i, name in enumerate(grid.names)
}
ess = {name: summarise(posterior.parameters[name])["ess_bulk"] for name in grid.names}
for name, (chain, exact) in medians.items():
    # error of a median: half the inverse square root of ESS in probability
    chance = (np.log(posterior.parameters[name]) < np.log(exact)).mean()
    print(f"{name}: chain {chain:.4g}, grid {exact:.4g}; {chance:.3f} of the draws lie below the grid median")
    assert abs(chance - 0.5) < 5 * 0.5 / np.sqrt(ess[name]) + 0.005
assert posterior.divergences == 0
