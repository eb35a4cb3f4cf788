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
# # The rate ratio: why VV is not AA, and what K² does
#
# A trident rate is quadratic in the couplings of the lepton current,
#
# $$\sigma = g_V^2\,\sigma_{VV} + g_A^2\,\sigma_{AA} + g_V g_A\,\sigma_{VA}.$$
#
# This notebook looks at the two facts that a hand-made ratio $[g_V^2+g_A^2]/[\dots]_{SM}$ misses: the muon
# mass makes $\sigma_{VV}\neq\sigma_{AA}$, and a mediator's propagator sees the neutrino momentum transfer $K^2$
# inside the integral.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tridentjax as tj

tj.enable_x64()
import jax
import jax.numpy as jnp

print("tridentjax", tj.__version__, "jax", jax.__version__)

# %% [markdown]
# ## VV against AA
# Cross sections on argon, folded with the measured charge density, from 1 to 300 GeV.

# %%
channel = tj.Channel("mu", "mu", "mu")
table = tj.load_leptonic_table(channel)
argon = tj.nucleus_regimes(tj.load_nucleus("Ar40"))[0]
kernel = tj.build_kernel(table, argon.mass, (0.5, 400.0), argon.hadronic, argon.largest_Q2)
energies = jnp.geomspace(1.0, 300.0, 40)
weights = tj.energy_weights(kernel, energies)
VV, AA = jnp.einsum("pe,sek->sp", weights, tj.fold_target(kernel, argon))

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.semilogx(energies, AA / VV, color="black", label=r"$\sigma_{AA}/\sigma_{VV}$, $^{40}$Ar coherent")
axes.axhline(1.0, color="0.5", linestyle=":", label="infinite-energy limit")
axes.set(xlabel=r"neutrino energy $E_\nu$ [GeV]", ylabel="ratio of structures")
axes.legend()

# %% [markdown]
# The ratio falls from almost 3 at 1 GeV to 1.1 at 160 GeV: the textbook formula is only the high-energy limit.
#
# ## What the mediator sees
# The density of the rate in $K^2$ on the CCFR flux. The vector current is conserved, so its density vanishes
# at small $K^2$; the axial one does not.

# %%
response = tj.fold(tj.prepare(tj.load_experiment("ccfr")))
density_VV, density_AA = response.weights.sum(0)

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.loglog(response.K2, density_VV / density_VV.sum(), color="black", label="VV")
axes.loglog(response.K2, density_AA / density_AA.sum(), color="black", linestyle="--", label="AA")
axes.set(xlabel=r"neutrino momentum transfer $K^2$ [GeV$^2$]", ylabel="share of the rate per node", ylim=(1e-9, 1))
axes.legend()

# %% [markdown]
# ## The rate ratio of an $L_\mu-L_\tau$ boson
# At fixed $g'/m$ a heavy boson is a contact interaction; once $m^2$ falls below the typical $K^2$ the effect
# saturates. Dashed: the hand-made ratio.

# %%
mass = jnp.geomspace(1e-3, 1e3, 61)
g_over_m = 1.0 / 545.0
full = jax.vmap(lambda m: tj.rate_ratio(response, tj.theories.zprime, {"mass": m, "g": g_over_m * m}))(mass)
s2, v = 0.23122, 246.22
textbook = (1 + (1 + 4 * s2 + 2 * (v * g_over_m) ** 2) ** 2) / (1 + (1 + 4 * s2) ** 2)

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.semilogx(mass, full, color="black", label="full chain, CCFR")
axes.axhline(textbook, color="0.5", linestyle="--", label=r"$[g_V^2+g_A^2]$ ratio")
axes.axhline(0.82 + 1.96 * 0.28, color="0.5", linestyle=":", label="CCFR 0.82 + 1.96 x 0.28 (95 %, two-sided)")
axes.set(xlabel=r"mediator mass $m_{Z'}$ [GeV]", ylabel=r"rate ratio at $g'/m_{Z'} = 1/545$ GeV$^{-1}$")
axes.legend()

# %%
heavy = float(full[-1])
contact = {"delta_g_V": g_over_m**2 / (np.sqrt(2.0) * 1.1663788e-5), "delta_g_A": 0.0}
limit = float(tj.rate_ratio(response, tj.theories.contact, contact))
print(f"full chain {heavy:.4f}, contact limit {limit:.4f}, textbook {textbook:.4f}")
assert abs(heavy / limit - 1.0) < 1e-4
assert float(AA[0] / VV[0]) > 2.0
assert 1.0 < float(AA[-1] / VV[-1]) < 1.2
assert 0.002 < 1.0 - heavy / textbook < 0.05
