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
# # Limits and reach
#
# Which couplings do measured rate ratios exclude? The answer depends on the statistic, so every line below names
# one. Then: an experiment of your own, what DUNE could add, and Belle-II as an auxiliary reach.
#
# `tridentjax contour zprime_ccfr` makes the first figure with its table and HEPData files.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tridentjax as tj

tj.enable_x64()
import jax.numpy as jnp

from tridentjax.experiment.belle2 import LABEL, Belle2Assumptions
from tridentjax.figures.contour import plot_contours
from tridentjax.figures.overlays import Overlay
from tridentjax.figures.style import ACCENT, DARK, MIDDLE
from tridentjax.inference.build import make_model
from tridentjax.inference.limits.belle2_reach import expected_reach
from tridentjax.inference.limits.region import find_region, make_plane
from tridentjax.inference.limits.required_accuracy import projection_model, required_accuracy
from tridentjax.inference.limits.rows import make_rows
from tridentjax.runs.config import load_config
from tridentjax.theory.muon_moment import historical_band

print("tridentjax", tj.__version__)

# %% [markdown]
# ## One measurement, two statistics
#
# CCFR measured $R = 0.82 \pm 0.28$. Most of the literature excludes $|R - 0.82| > 1.96 \times 0.28$ with nominal
# fluxes and nuclei. The profile likelihood asks instead how much worse a coupling fits than the best one at the
# same mass, with all nuisances free; since $L_\mu - L_\tau$ cannot lower the rate, its best fit is $g' = 0$.

# %%
spec = load_config(
    "zprime_ccfr", ("contour.points=25", "contour.samples=32", "sampler.edge=null", "sampler.along=null")
)
model = make_model(spec)
plane = make_plane(model, spec.contour)
regions = [find_region(model, plane, key, spec.contour) for key in ("gaussian", "profile")]
rows = [row for region in regions for row in make_rows(region)]
masses = np.geomspace(1e-3, 1e3, 120)
band = Overlay("muon g-2 of 2021 at 2 sigma (historical)", masses, *historical_band(masses))
legend = {(region.statement.key, "ccfr"): region.statement.text for region in regions}
axes = plot_contours(
    rows, ("$m_{Z'}$ [GeV]", "$g'$"), legend, overlays=[band], title="$L_\\mu - L_\\tau$ against CCFR 1991",
    limits=((1e-3, 1e3), (1e-4, 3.0)),
)  # fmt: skip
plt.show()

# %% [markdown]
# Every point of a line comes with a certified bracket: one value that is allowed, one that is excluded, both
# tested with the full chain. In the contact region only $m/g'$ matters; the textbook formula has no muon mass.

# %%
heaviest = [
    max((row for row in rows if row.statistic == key), key=lambda row: row.x) for key in ("gaussian", "profile")
]
for row in heaviest:
    print(f"{row.statistic}: m/g' > {row.x / row.y:.1f} GeV, R = {row.rate_ratios[0]:.4f} at the bound")
print("bracket:", heaviest[0].y_allowed, "<", heaviest[0].y, "<", heaviest[0].y_excluded)

# %% [markdown]
# ## Contact interactions
#
# Shifts of $g_V$ and $g_A$ that stay constant in $K^2$: the allowed region is a ring around the point where the rate
# vanishes. Rays leave that point; both edges of the ring are found on each of them.

# %%
contact = load_config("contact_plane", ("contour.points=40",))
contact_model = make_model(contact)
ring = find_region(contact_model, make_plane(contact_model, contact.contour), "gaussian", contact.contour)
axes = plot_contours(
    make_rows(ring), ("$\\delta g_V$", "$\\delta g_A$"), {("gaussian", "ccfr"): ring.statement.text}, log=(False, False)
)
axes.plot(0.0, 0.0, "*", color=ACCENT, markersize=10, label="Standard Model")
axes.legend(fontsize=7)
plt.show()

# %% [markdown]
# ## Bring your own experiment
#
# One YAML file, one flux file. The unit of everything is asked for, never guessed; `examples/own_experiment` in the
# repository explains every key. This one has an absolute flux and an exposure, so it predicts numbers of events.

# %%
Path("my_flux.csv").write_text(
    "# unit: 1/GeV/m^2/POT\n# energy_unit: GeV\nE_lo,E_hi,numu\n1,3,1.1e-4\n3,6,6.0e-5\n6,12,9.0e-6\n12,25,1.0e-6\n"
)
Path("my_detector.yaml").write_text(
    """
name: my_detector
title: my detector
reference: invented
channel: {lepton_minus: mu, lepton_plus: mu}
flux: [{species: numu, table: my_flux.csv}]
target: [{nucleus: Ar40, mass_fraction: 1.0}]
exposure:
  target_mass: {value: 60, unit: tonne, status: invented}
  amount: {value: 1.0e21, unit: POT, status: invented}
measurement:
  {observable: counts, distribution: poisson, unit: events, observed: asimov, background: 30, background_uncertainty: 6,
   signal_sm: flux, includes_theory_error: false, status: invented}
nuisances:
  coherent_normalisation: {log_sd: 0.06, shared: all, status: as the packaged experiments}
  incoherent_normalisation: {log_sd: 0.30, shared: all, status: as the packaged experiments}
"""
)
mine = make_model(spec.model_copy(update={"experiments": ["my_detector.yaml"]}))
measurement = mine.chains[0].experiment.measurement
print(f"Standard Model: {measurement.signal_sm:.1f} dimuon events over {measurement.background} of background")
own = find_region(mine, make_plane(mine, spec.contour), "profile", spec.contour)
print(own.statement.text, "at 0.1 GeV:", np.interp(0.1, [r.x for r in make_rows(own)], [r.y for r in make_rows(own)]))

# %% [markdown]
# ## What DUNE could add
#
# A projection, not data. How well would the dimuon rate have to be measured to exclude a coupling? Without
# nuisances the answer is $|R - 1|/1.96$; with them part of the difference can be blamed on the theory, and small
# couplings are hidden however good the detector.

# %%
dune = projection_model("dune_0p40")
m = jnp.geomspace(1e-3, 10.0, 25)
figure, axes = plt.subplots(figsize=(6.6, 4.6), layout="constrained")
for g, colour in ((5e-4, DARK), (1e-3, MIDDLE)):
    needed = required_accuracy(dune, m, jnp.full(m.size, g))
    axes.plot(m, needed.without, color=colour, linestyle="--", label=f"$g'$ = {g:g}, nuisances nominal")
    axes.plot(m, needed.with_nuisances, color=colour, label=f"$g'$ = {g:g}, nuisances profiled")
for accuracy in (0.25, 0.40):
    axes.axhline(accuracy, color="0.5", linewidth=0.8)
    axes.annotate(f"{100 * accuracy:g} %", (9.0, accuracy), fontsize=8, va="bottom", ha="right")
axes.set(xscale="log", yscale="log", xlabel="$m_{Z'}$ [GeV]", ylabel="accuracy of $R$ that excludes, 95 % CL")
axes.set_title("DUNE near detector, Asimov data $R = 1$: a projection, not data", fontsize=10)
axes.legend(fontsize=8)
plt.show()

# %% [markdown]
# ## Belle-II
#
# $e^+e^- \to \gamma Z'$ with an invisible $Z'$, through muon and tau loops. An auxiliary reach in the same couplings,
# not a trident measurement; without background it is optimistic.

# %%
assumptions = Belle2Assumptions(confidence_level=0.9)
light = jnp.geomspace(1e-3, 10.0, 80)
reach = expected_reach("loop", light, assumptions)
figure, axes = plt.subplots(figsize=(6.6, 4.6), layout="constrained")
axes.plot(light, reach, color=DARK, label="Belle-II, 50 ab$^{-1}$, 90 % CL Poisson, no background, loop mixing")
line = [row for row in rows if row.statistic == "gaussian" and row.x < 12.0]
axes.plot(
    [r.x for r in line], [r.y for r in line], color=ACCENT, linestyle="--", label=f"CCFR, {regions[0].statement.text}"
)
axes.set(xscale="log", yscale="log", xlabel="$m_{Z'}$ [GeV]", ylabel="$g'$", title=LABEL)
axes.legend(fontsize=7)
plt.show()

# %%
R_bound = 0.82 + 1.959963984540054 * 0.28
assert np.allclose([row.rate_ratios[0] for row in rows if row.statistic == "gaussian"], R_bound, rtol=1e-6)
assert len(make_rows(ring)) == 2 * (40 + 1)  # both edges, closed
assert 500.0 < heaviest[0].x / heaviest[0].y < 560.0
