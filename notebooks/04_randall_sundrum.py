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
# # Randall-Sundrum leptons: from 5D parameters to a posterior
#
# A warped extra dimension between a UV brane (scale $k$) and an IR brane (scale $\Lambda_{IR}$), gauge fields and
# leptons in the bulk, the Higgs on the IR brane. Five steps: geometry and Kaluza-Klein masses, what a lepton with
# bulk mass $c$ couples to, the shift of the lepton current, the rate ratio of an experiment, and what data say.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import tridentjax as tj

tj.enable_x64()
import jax
import jax.numpy as jnp

from tridentjax.figures.posterior import plot_corner, plot_couplings
from tridentjax.figures.style import ACCENT, DARK, MIDDLE, label
from tridentjax.inference.build import make_model
from tridentjax.inference.diagnostics import bulk_ess, information_gain
from tridentjax.inference.posterior import sample_posterior
from tridentjax.runs.config import load_config

print("tridentjax", tj.__version__, "jax", jax.__version__)

# %% [markdown]
# ## Geometry and Kaluza-Klein masses
# $\Lambda_{IR} = k e^{-\pi k r_c}$ is the parameter; masses follow. Without brane kinetic terms the first mode of
# a gauge field lies at $2.45\,\Lambda_{IR}$; an IR brane term pulls it down, so "$M_{KK}$" alone means little.

# %%
plain = tj.WarpedGeometry(Lambda_IR=1225.691031)
print(f"L = ln(k/Lambda_IR) = {float(plain.L):.3f}")
for kappa_UV, kappa_IR in ((0.0, 0.0), (5.0, 0.0), (0.0, 1.0)):
    geometry = tj.WarpedGeometry(1225.691031, kappa_UV=kappa_UV, kappa_IR=kappa_IR)
    masses = ", ".join(f"{mass:7.0f}" for mass in tj.kk_masses(geometry, 3))
    print(f"kappa_UV = {kappa_UV:g}, kappa_IR = {kappa_IR:g}: {masses} GeV")

# %%
kappas = jnp.linspace(0.0, 3.0, 61)
first = jax.vmap(lambda kappa: tj.first_kk_mass(tj.WarpedGeometry(1225.691031, kappa_IR=kappa)))(kappas)
figure, axes = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
axes.plot(kappas, first, color=DARK, label=r"$\Lambda_{IR} = 1226$ GeV, $\kappa_{UV} = 0$")
axes.set(xlabel=r"IR brane kinetic term $\kappa_{IR}$", ylabel="first Kaluza-Klein mass [GeV]", ylim=(0.0, None))
axes.legend()

# %% [markdown]
# ## What a lepton couples to
# A zero mode with $c > 1/2$ sits near the UV brane and sees every Kaluza-Klein gauge boson with the same small
# coupling; towards the IR brane the couplings grow. At $c = 1/2$ its profile is flat and orthogonality to the flat
# gauge zero mode makes them vanish.

# %%
c = np.linspace(0.3, 0.8, 51)
roots = tj.kk_roots(plain, 3)
omega = tj.kk_couplings(plain, roots, c)
figure, axes = plt.subplots(figsize=(5.6, 3.6), layout="constrained")
for n, style in enumerate(("-", "--", ":")):
    axes.plot(c, omega[n], style, color=(DARK, ACCENT, MIDDLE)[n], label=f"mode {n + 1}, $x = {roots[n]:.3f}$")
axes.axhline(0.0, color="0.7", linewidth=0.8)
axes.set(xlabel="bulk mass $c$", ylabel=r"$g_n(c)/g$")
axes.legend()

# %% [markdown]
# The sum over all modes, $\sum_n g_n(c)\,g_n(c')/x_n^2$, has a closed form, so no tower is ever truncated. Explicit
# modes converge to it:

# %%
p = tj.fermion(plain, 0.3)
closed = float(tj.tower_sum(plain, p, p))
many = tj.kk_roots(plain, 500)
couplings = tj.kk_couplings(plain, many, np.asarray([0.3]))[:, 0]
partial = np.cumsum(couplings**2 / many**2)
for n in (1, 10, 100, 500):
    print(f"{n:4} modes: {partial[n - 1]:.9f}   closed form {closed:.9f}")

# %% [markdown]
# ## The lepton current
# Kaluza-Klein exchange, the mixing of Z and W with the towers, and the shift of $G_F$ combine into
# $(\delta g_V, \delta g_A)$. The shift depends on what the weak mixing angle was measured from: scheme and order are
# part of the theory. Custodial symmetry removes the large $T$ parameter.

# %%
point = {"Lambda_IR": 1225.691031, "c_L_e": 0.58, "c_L_mu": 0.58, "c_R_mu": 0.60}
dimuon = tj.Channel("mu", "mu", "mu")
table = []
for embedding in ("minimal", "custodial_trivial"):
    for scheme in ("alpha_mZ_GF", "fixed_s2"):
        for order in ("linear", "exact"):
            bound = tj.bind_theory("rs", {**point, "embedding": embedding, "scheme": scheme, "order": order})
            current = bound.function(bound.values, dimuon, jnp.zeros(1))
            reference = tj.standard_model_current(dimuon)
            shift = float(current.g_V[0, 0] - reference.g_V[0]), float(current.g_A[0, 0] - reference.g_A[0])
            table.append(shift)
            print(f"{embedding:18} {scheme:12} {order:7} delta g_V = {shift[0]:+.4e}  delta g_A = {shift[1]:+.4e}")

# %% [markdown]
# Everything is differentiable, through $c = 1/2$ and through the exact solution for the electroweak inputs:

# %%
bound = tj.bind_theory("rs", {**point, "order": "exact"})
slopes = jax.grad(lambda values: bound.function(values, dimuon, jnp.zeros(1)).g_V[0, 0])(bound.values)
print({name: f"{float(slope):+.3e}" for name, slope in slopes.items()})

# %% [markdown]
# ## The rate ratio
# CCFR measured $R = 0.82 \pm 0.28$. A Kaluza-Klein scale of a few TeV moves it by a few per cent: unobservable.

# %%
ccfr = tj.prepare(tj.load_experiment("ccfr"))
response = tj.fold(ccfr)
scales = jnp.geomspace(600.0, 6000.0, 40)
figure, axes = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
for embedding, style, colour in (("minimal", "-", DARK), ("custodial_plr_mu", "--", ACCENT)):
    bound = tj.bind_theory("rs", {**point, "embedding": embedding})
    ratios = jax.vmap(lambda x: tj.rate_ratio(response, bound.function, {**bound.values, "Lambda_IR": x}))(scales)  # noqa: B023
    axes.plot(2.4476e-3 * scales, ratios - 1.0, style, color=colour, label=embedding.replace("_", " "))
axes.axhline(0.0, color="0.7", linewidth=0.8)
axes.set(xlabel="first Kaluza-Klein mass [TeV]", ylabel="$R - 1$ (CCFR)", xscale="log", ylim=(-0.2, 0.05))
axes.set_xticks([2, 3, 5, 10], labels=["2", "3", "5", "10"])
axes.set_xticks([], minor=True)
axes.legend(title="measured: $R - 1 = -0.18 \\pm 0.28$ (68 %)")

# %% [markdown]
# ## Posteriors
# `rs_minimal` samples scale, bulk masses and brane terms. The information gain from prior to posterior says how
# little this measurement knows about them: intervals of such a run are those of the prior.

# %%
draws = os.environ.get("TRIDENTJAX_NOTEBOOK_DRAWS", "600")
settings = (f"sampler.draws={draws}", f"sampler.max_draws={draws}", "sampler.warmup=300", "sampler.chains=2")
config = load_config("rs_minimal", (*settings, "nuisances=false"))
model = make_model(config)
posterior = sample_posterior(model, config.sampler, report=print)
labels = {name: label(model.latex[name], model.units[name]) for name in model.priors}
gains = {}
for name in model.priors:
    gains[name] = information_gain(posterior.prior_quantiles[name], bulk_ess(posterior.parameters[name]))
    print(f"{name:10} gain {gains[name]['bits']:+.3f} +- {gains[name]['error']:.3f} bit")
theory = {name: posterior.parameters[name] for name in model.priors}
bits = {name: gain["bits"] for name, gain in gains.items()}
figure = plot_corner(theory, labels, model.priors, "rs_minimal, CCFR 1991", bits)

# %%
figure = plot_couplings(posterior.derived["delta_g_V"], posterior.derived["delta_g_A"], "rs_minimal, CCFR 1991")

# %% [markdown]
# A light $L_\mu - L_\tau$ boson in the bulk is another matter: its zero mode is what trident production constrains.
# The tower adds $\delta g_A \neq 0$ only if left and right-handed muons sit at different places.

# %%
lmutau = tj.bind_theory(
    "rs_lmutau",
    {"Lambda_IR": 1225.691031, "g": 0.5, "mass": 300.0, "c_L_mu": 0.45, "c_R_mu": 0.60, "breaking": "ir"},
)
K2 = jnp.asarray([0.0, 0.01, 1.0])
current, reference = lmutau.function(lmutau.values, dimuon, K2), tj.theories.sm({}, dimuon, K2)
print("delta g_V", np.asarray(current.g_V - reference.g_V)[0], "delta g_A", np.asarray(current.g_A - reference.g_A)[0])
print({name: f"{float(x):.2f} GeV" for name, x in lmutau.derive(lmutau.values).items()})

# %% [markdown]
# The closed form agrees with the tower, the printed point with the reference table, and the data say next to nothing
# about the electroweak parameters:

# %%
assert abs(partial[-1] / closed - 1.0) < 1e-3
assert abs(table[0][0] + 1.468967e-02) < 5e-9 and abs(table[0][1] + 1.178429e-02) < 5e-9
assert all(gain["bits"] < 0.25 for gain in gains.values())
