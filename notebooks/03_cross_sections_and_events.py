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
# # Cross sections and events
#
# Channels, targets, the spread of nuclear models, selection cuts, and an event sample against its
# differential cross section.

# %%
import matplotlib.pyplot as plt
import numpy as np

import tridentjax as tj

tj.enable_x64()
import jax

print("tridentjax", tj.__version__, "jax", jax.__version__)

# %% [markdown]
# ## Channels
# The couplings of a channel follow from which bosons can make it: W and Z for a pair of the neutrino's own
# flavour, Z alone for another flavour, W alone for two different leptons. The two leptons' masses set the
# threshold and the collinear logarithms. Totals come from a table of the pair (`cross_sections` chooses
# between table and events by the accuracy asked for), or, as for the electron and tau pairs here, from integrals
# over complete events (`total_cross_section`), which need no table.

# %%
argon = [regime for _, regime in tj.target_regimes("Ar40")]
energies = np.geomspace(0.5, 300.0, 25)
few = np.geomspace(1.0, 300.0, 3)
dimuon = tj.Channel("mu", "mu", "mu")
mixed = tj.Channel("mu", "mu", "e")
curves = {
    channel.name: (energies, sum(tj.tabulated_cross_section(channel, regime, energies).sigma for regime in argon))
    for channel in (dimuon, mixed)
}
for channel in (tj.Channel("mu", "e", "e"), tj.Channel("mu", "mu", "tau")):
    points = [
        sum(float(tj.total_cross_section(channel, regime, E, rtol=0.05, points=2**9).sigma) for regime in argon)
        for E in few
    ]
    curves[channel.name] = (few, np.asarray(points))

figure, axes = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
for (name, (E, sigma)), style in zip(curves.items(), ("-", "--", "o:", "s-."), strict=True):
    positive = sigma > 0.0
    axes.loglog(E[positive], sigma[positive] / E[positive], style, color="black", markersize=4, label=name)
axes.set(
    xlabel=r"$E_\nu$ [GeV]", ylabel=r"$\sigma/E_\nu$ [cm$^2$/GeV per $^{40}$Ar]", title="Standard Model, tree level"
)
axes.legend(fontsize=8)

# %% [markdown]
# ## Targets
# Coherent scattering grows like $Z^2$ and needs small $Q^2$; nucleons add up one by one. Hydrogen is one free
# proton, never Pauli-blocked. Per gram of material:

# %%
materials = {name: tj.load_material(name) for name in ("CH2", "water", "LAr", "steel", "tungsten")}
print(f"{'material':10} {'coherent':>12} {'proton':>12} {'neutron':>12}   cm^2/g at 20 GeV")
shares = {}
for name, material in materials.items():
    per_regime = {}
    for fraction, regime in tj.target_regimes(name):
        value = float(tj.tabulated_cross_section(dimuon, regime, [20.0]).sigma[0]) * fraction * material.nuclei_per_gram
        per_regime[regime.name] = per_regime.get(regime.name, 0.0) + value
    shares[name] = per_regime["coherent"] / sum(per_regime.values())
    columns = (per_regime.get(regime, 0.0) for regime in ("coherent", "incoherent_proton", "incoherent_neutron"))
    print(f"{name:10} " + " ".join(f"{value:12.4e}" for value in columns))

# %% [markdown]
# ## Spread of nuclear models
# Every form factor that the nucleus can take. Half the range over the models is a systematic to quote; below a
# few GeV, where $Q^2$ is large, it grows.

# %%
spread = tj.model_spread(dimuon, "Ar40", energies[8::8])
figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
styles = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
for (model, values), style in zip(spread["coherent"].sigma.items(), styles, strict=False):
    reference = spread["coherent"].sigma["default"]
    axes.semilogx(energies[8::8], values / reference, linestyle=style, color="black", label=model)
axes.set(
    xlabel=r"$E_\nu$ [GeV]",
    ylabel="coherent cross section / measured density",
    title=r"$\nu_\mu\to\nu_\mu\mu\mu$ on $^{40}$Ar",
)
axes.legend(fontsize=8)

# %% [markdown]
# ## Cuts
# A cut multiplies the weight of an event; smeared by a resolution it is differentiable in its threshold. The
# distribution in the energy of the negative muon with and without a smeared cut on the positive one:

# %%
cuts = tj.make_cuts(
    [
        tj.CutRequest("E_plus", "GeV", min=2.0, resolution=0.3),
        tj.CutRequest("theta_minus", "deg", max=12.0),
    ]
)
regimes = tj.target_regimes("Ar40")
edges = {"E_minus": np.linspace(0.0, 10.0, 21)}
everything = tj.differential_distribution(dimuon, regimes, 10.0, edges, points=2**12)
selected = tj.differential_distribution(dimuon, regimes, 10.0, edges, cuts=cuts, points=2**12)
figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
middle = (edges["E_minus"][1:] + edges["E_minus"][:-1]) / 2
for found, style, label in (
    (everything, "-", "no cut"),
    (selected, "--", r"$E_{\mu^+}>2$ GeV, $\theta_{\mu^-}<12^\circ$"),
):
    axes.stairs(found.value, edges["E_minus"], linestyle=style, color="black", label=label)
    axes.errorbar(middle, found.value, found.error, fmt="none", color="0.5")
axes.set(
    xlabel=r"$E_{\mu^-}$ [GeV]",
    ylabel=r"$d\sigma/dE_{\mu^-}$ [cm$^2$/GeV]",
    title=r"10 GeV $\nu_\mu$ on $^{40}$Ar, bars: integration error 68 %",
)
axes.legend(fontsize=8)
acceptance = selected.total / everything.total
print(f"acceptance {acceptance:.3f}")

# %% [markdown]
# The acceptance of another theory is not that of the Standard Model, and depends on the mass of its mediator: an
# L_mu - L_tau boson couples to the vector current, and a light one makes soft momentum transfers.

# %%
masses = [0.003, 0.3, 30.0]
relative = []
for mass in masses:
    parameters = {"mass": mass, "g": 2e-3 * np.hypot(mass, 0.2)}
    with_cuts, without = (
        tj.differential_distribution(
            dimuon, regimes, 10.0, edges, theory=tj.theories.zprime, parameters=parameters, cuts=c, points=2**10
        ).total
        for c in (cuts, tj.Cuts())
    )
    relative.append(with_cuts / without / acceptance)
print("acceptance / SM acceptance:", dict(zip(masses, np.round(relative, 3).tolist(), strict=True)))

# %% [markdown]
# ## Events
# Unweighted events of the DUNE near detector's neutrino flux on argon, against the differential cross section
# from an independent sample of weighted points.

# %%
source = tj.beam_source("DUNE_ND_FHC", dimuon, "Ar40")
sample = tj.generate_events(source, 20_000, seed=4)
muon_energy = sample.momenta[:, tj.PARTICLES.index("l_minus"), 0]
flux = tj.load_flux("DUNE_ND_FHC", "numu")
bins = {"E_minus": np.linspace(0.0, 12.0, 25)}
expected = tj.differential_distribution(dimuon, regimes, flux, bins, points=2**13)
width = np.diff(bins["E_minus"])
probability = expected.value * width / expected.total
counts, _ = np.histogram(muon_energy, bins["E_minus"])
figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
middle = (bins["E_minus"][1:] + bins["E_minus"][:-1]) / 2
axes.stairs(probability * muon_energy.size, bins["E_minus"], color="black", label="differential cross section")
axes.errorbar(middle, counts, np.sqrt(counts), fmt="o", color="0.45", markersize=3, label="20 000 events, 68 %")
axes.set(
    xlabel=r"$E_{\mu^-}$ [GeV]",
    ylabel="events per 0.5 GeV",
    title=r"$\nu_\mu\to\nu_\mu\mu\mu$, DUNE ND flux on $^{40}$Ar",
)
axes.legend(fontsize=8)
prediction = probability * muon_energy.size
variance = prediction + (expected.error * width / expected.total * muon_energy.size) ** 2
filled = prediction > 10
chi2 = float((((counts - prediction) ** 2 / variance)[filled]).sum())
print(f"chi2 = {chi2:.1f} for {filled.sum()} bins; efficiency {sample.efficiency:.3f}")

# %%
assert 0.2 < acceptance < 0.9 and max(relative) > 1.01
assert shares["tungsten"] > shares["LAr"] > shares["CH2"]
assert chi2 < filled.sum() + 4 * np.sqrt(2 * filled.sum())
