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
# # Scan and optimize
#
# How large can the trident rate be in DUNE, given what CCFR has measured? First by brute force, a million $Z'$
# points with gradients; then the same as files, on several devices, on a cluster; then by following the gradient.
# At the end trident enters somebody else's scan.

# %%
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np

import tridentjax as tj

tj.enable_x64()
import equinox as eqx
import jax
import jax.numpy as jnp
import pyarrow.parquet as pq
import xarray as xr
from distributed import LocalCluster
from scipy.stats import chi2

from tridentjax.figures.style import ACCENT, DARK, MIDDLE
from tridentjax.inference.build import make_model
from tridentjax.inference.folded_model import fold_model, in_float32
from tridentjax.runs.config import config_path, load_config
from tridentjax.runs.scan import scan_run
from tridentjax.scan.evaluator import make_evaluator, nominal_outputs, single_precision_error, with_delta_chi2
from tridentjax.scan.parts import read_part
from tridentjax.scan.points import Grid

print("tridentjax", tj.__version__, "jax", jax.__version__)

# %% [markdown]
# ## A million points in memory
#
# At fixed nuisances flux, nuclei and phase space are numbers. They are folded once; a point is then a short product.
# DUNE's near detector is predicted here and not used: its projected error is made so large that it says nothing.
# The likelihood of every point is compared with the Standard Model's, which $L_\mu - L_\tau$ cannot improve on here.

# %%
config = load_config("zprime_plane", ("experiments=[ccfr, dune_0p40]",))
model = make_model(config)
dune = model.chains[1].experiment.measurement
silent = eqx.tree_at(lambda m: (m.uncertainty_low, m.uncertainty_high), dune, (1e6, 1e6))
model = eqx.tree_at(lambda m: m.chains[1].experiment.measurement, model, silent)
folded = fold_model(model)
reference = float(folded.log_likelihood({"mass": jnp.ones(()), "g": jnp.zeros(())}))
threshold = chi2.ppf(0.95, 2)
print(f"ln L of the Standard Model: {reference:.4f}; allowed: delta chi2 < {threshold:.4f}")

# %%
mass, g = np.geomspace(1e-3, 1e3, 1024), np.geomspace(1e-5, 3.0, 1024)
points = Grid((mass, g))(0, 1024**2)
evaluate = make_evaluator(
    with_delta_chi2(nominal_outputs(folded), reference, threshold),
    ("mass", "g"),
    ("rate_ratio_ccfr", "rate_ratio_dune_0p40", "delta_chi2", "allowed"),
    gradients=("delta_chi2",),
    size=len(points),
    batch=256,
)
for label in ("compiling", "compiled"):
    start = time.perf_counter()
    found = jax.block_until_ready(evaluate(points))
    seconds = time.perf_counter() - start
    print(f"{label}: {len(points)} points with gradients in {seconds:.2f} s, {len(points) / seconds:.3g} points/s")
scan = {name: np.asarray(x).reshape(1024, 1024) for name, x in found.items()}

# %% [markdown]
# The map, with the direction in which the fit gets worse fastest, in decades of both parameters. Above the line
# CCFR excludes; below some 10 MeV only $g'$ matters, far above 10 GeV only $m_{Z'}/g'$.

# %%
labels = {"xlabel": "$m_{Z'}$ [GeV]", "ylabel": "$g'$", "xscale": "log", "yscale": "log"}
figure, axes = plt.subplots(figsize=(6.6, 4.8), layout="constrained")
levels = [0.0, 1.0, threshold, 25.0, 1e2, 1e3, 1e4]
few = slice(None, None, 2)
greys = [str(x) for x in np.linspace(1.0, 0.3, 7)]
drawn = np.clip(scan["delta_chi2"][few, few].T, 0.0, None)
shades = axes.contourf(mass[few], g[few], drawn, levels, colors=greys, extend="max")
axes.contour(mass[few], g[few], drawn, [threshold], colors=ACCENT, linewidths=2)
near = np.argwhere(np.abs(np.diff(scan["allowed"].astype(int), axis=1)))[40::70]
steepest = [(mass[i] * scan["d_delta_chi2_d_mass"][i, j], g[j] * scan["d_delta_chi2_d_g"][i, j]) for i, j in near]
arrows = np.array(steepest) / np.linalg.norm(steepest, axis=1, keepdims=True)
axes.quiver(mass[near[:, 0]], g[near[:, 1]], *arrows.T, color=DARK, scale=14, width=0.005)
axes.plot([], [], color=ACCENT, linewidth=2, label=f"95 % CL, 2 parameters: $\\Delta\\chi^2$ = {threshold:.2f}")
axes.plot([], [], color=DARK, marker=r"$\rightarrow$", markersize=12, linestyle="", label="steepest ascent")
figure.colorbar(shades, label="$\\Delta\\chi^2$ to the Standard Model", format="%.3g")
axes.set(xlim=(1e-3, 30.0), ylim=(2e-4, 0.2), title="CCFR 1991, $L_\\mu - L_\\tau$, nominal nuisances", **labels)
axes.legend(loc="upper left", fontsize=8)
plt.show()

# %% [markdown]
# ## The same as files
#
# `tridentjax scan zprime_plane --set 'experiments=[ccfr]' --out FOLDER`, from Python. A run is a folder of parts;
# each point is a function of the seed and its number. A part that is missing, after a kill or a full disk, is all
# that `resume` does again.

# %%
workspace = tempfile.TemporaryDirectory()
folder = Path(workspace.name)
path, small = config_path("zprime_plane"), ("experiments=[ccfr]", "scan.reference=standard_model")
sobol = load_config(path, (*small, "scan.points=131072", "scan.part=32768", "scan.gradients=[log_likelihood]"))
summary, text = scan_run(sobol, folder / "plane", config=path)
print(text)
lost = folder / "plane" / "parts" / "part-000002.parquet"
before = read_part(lost)
lost.unlink()
again, _ = scan_run(sobol, folder / "plane", config=path, resume=True)
print("evaluated again:", again["evaluated_now"], "points; the same:", set(before) == set(read_part(lost)))

# %% [markdown]
# Parquet for tables, with unit and meaning of every column in the file:

# %%
table = pq.read_table(folder / "plane" / "parts")
for field in table.schema:
    print(f"{field.name:28} [{field.metadata[b'unit'].decode()}] {field.metadata[b'meaning'].decode()[:70]}")

# %% [markdown]
# NetCDF for grids. A list gives the values of an axis, a number that many over the range of the prior:

# %%
axis = "{mass: [0.01, 0.1, 1.0, 10.0], g: 61}"
scan_run(load_config(path, (*small, "scan.points=null", f"scan.grid={axis}")), folder / "grid", config=path)
grid = xr.load_dataset(folder / "grid" / "scan.nc", engine="h5netcdf")
print(grid.sizes, "allowed below g' =", grid.g.where(grid.allowed == 1).max("g").values.round(5))

# %% [markdown]
# Or the rows of a table of yours, here with another unit and a hole. The hole is kept, as NaN with a reason code.

# %%
(folder / "mine.csv").write_text("m_MeV,coupling\n12,0.0007\n130,0.0021\n,0.001\n2500,0.0081\n")
columns = "columns: {mass: m_MeV, g: coupling}, units: {mass: MeV}"
rows = load_config(path, (*small, "scan.points=null", f"scan.rows={{file: {folder}/mine.csv, {columns}}}"))
summary, text = scan_run(rows, folder / "rows", config=path)
own = read_part(Path(summary["files"][0]), ("mass", "g", "rate_ratio_ccfr", "allowed", "status"))
print(text, *(f"{name:15} {x}" for name, x in own.items()), sep="\n")

# %% [markdown]
# ## Devices
#
# A block is shared by all local devices, and each maps over its share in batches. The batch sets the memory of the
# temporaries: a few hundred points stay in a processor's cache, a GPU wants 10,000 and more. Single precision is
# asked for, never assumed, and comes with its error, measured on the points themselves; its gain depends on the
# device.

# %%
print("devices:", jax.local_devices())
quarter = points[::4]
for batch, single in ((256, False), (16384, False), (256, True)):
    record = in_float32(folded) if single else folded
    settings = {"size": len(quarter), "batch": batch, "single": single}
    timed = make_evaluator(nominal_outputs(record), ("mass", "g"), ("rate_ratio_ccfr",), **settings)
    jax.block_until_ready(timed(quarter))
    start = time.perf_counter()
    jax.block_until_ready(timed(quarter))
    seconds = time.perf_counter() - start
    print(f"batch {batch:6}, {'float32' if single else 'float64'}: {len(quarter) / seconds:.3g} points/s")
error = single_precision_error(folded, ("mass", "g"), points[:: 2**9])
print("float32:", {name: f"{x:.1e}" for name, x in error.items()})

# %% [markdown]
# ## A cluster
#
# On one machine `tridentjax scan zprime_plane --dask local` starts a worker process for every core. On many, give the
# address of a scheduler: `dask scheduler` and `dask worker` by hand, or a batch system (package `dask-jobqueue`):
#
# ```python
# from dask_jobqueue import SLURMCluster  # or HTCondorCluster, with disk="1GB" and no walltime
# from tridentjax.cluster import ALLOCATOR
#
# memory = [f"export {name}={value}" for name, value in ALLOCATOR.items()]  # Dask's own setting slows XLA down
# cluster = SLURMCluster(cores=1, memory="2GB", walltime="01:00:00", job_script_prologue=memory)
# cluster.scale(64)
# cluster.wait_for_workers(1)
# scan_run(config, Path("/shared/plane"), config=path, dask=cluster.scheduler_address)
# ```
#
# Workers write their parts themselves, so that all nodes must see the folder. Here the workers are threads of this
# process, which start at once. All parts of the scan above are lost and made again: the rows are the same.

# %%
for part in (folder / "plane" / "parts").iterdir():
    part.unlink()
with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
    _, text = scan_run(sobol, folder / "plane", config=path, resume=True, dask=cluster.scheduler_address)
from_cluster = pq.read_table(folder / "plane" / "parts")
print(text, f"same rows: {from_cluster.equals(table)}", sep="\n")

# %% [markdown]
# ## By gradient
#
# The question of the beginning is an optimisation: largest $R_\mathrm{DUNE}$ where $\Delta\chi^2 \le c$. SLSQP with
# exact gradients needs a few hundred evaluations. A million points say the same, with the accuracy of their spacing;
# but the gradient also works where no grid does, in ten dimensions. The answer lies at the lightest mass: the lower
# the momentum transfer, the more a light mediator does, and DUNE's beam has far less energy than CCFR's.

# %%
region = tj.make_allowed(model, model, nuisances="nominal", parameters_of_interest=2)
largest = tj.find_extremum(region, "rate_ratio_dune_0p40", "max", starts=8)
by_scan = scan["rate_ratio_dune_0p40"][scan["allowed"]].max()
print(f"largest R in DUNE that CCFR allows: {largest.value:.4f}, by scan {by_scan:.4f}")
print("at", largest.parameters, "on a bound:", largest.at_bound, f"{largest.agreeing} of {largest.starts} starts agree")

# %% [markdown]
# And how far is a model from being tested? The boundary point nearest to it, in units of the prior ranges (of the
# logarithms, here):

# %%
popular = {"mass": 0.02, "g": 5e-4}  # for the muon's magnetic moment as of 2021
nearest = tj.nearest_boundary(region, popular)
u = np.stack(np.meshgrid(*(np.linspace(0.0, 1.0, 1024),) * 2, indexing="ij"))
start = [np.log(popular[name] / axis[0]) / np.log(axis[-1] / axis[0]) for name, axis in (("mass", mass), ("g", g))]
distance = np.hypot(u[0] - start[0], u[1] - start[1])[~scan["allowed"]].min()
print(f"distance {nearest.value:.5f}, by scan {distance:.5f}, to {nearest.parameters}")

# %%
figure, axes = plt.subplots(figsize=(6.6, 4.8), layout="constrained")
blues = plt.get_cmap("Blues")(np.linspace(0.05, 0.95, 6))
shown = scan["rate_ratio_dune_0p40"][few, few].T
shades = axes.contourf(mass[few], g[few], shown, [0.99, 1.1, 1.5, 2.0, 3.0, 4.5, 6.5], colors=blues)
axes.contourf(mass[few], g[few], drawn, [threshold, 1e99], colors="1")
axes.contour(mass[few], g[few], drawn, [threshold], colors=ACCENT, linewidths=2)
axes.plot(*largest.parameters.values(), "*", color=ACCENT, markersize=14, clip_on=False)
pair = [np.array([popular[name], nearest.parameters[name]]) for name in ("mass", "g")]
axes.plot(*pair, "o-", color="k", markersize=5)
axes.plot([], [], color=ACCENT, linewidth=2, label="CCFR: $\\Delta\\chi^2$, 95 % CL, 2 parameters")
axes.plot([], [], "*", color=ACCENT, markersize=12, linestyle="", label=f"largest $R$ allowed: {largest.value:.2f}")
axes.plot([], [], "o-", color="k", markersize=5, label="a model and the boundary point nearest to it")
figure.colorbar(shades, label="$R$ of the DUNE near detector, predicted")
axes.set(xlim=(1e-3, 30.0), ylim=(2e-4, 0.2), **labels)
axes.legend(loc="upper left", fontsize=8)
plt.show()

# %% [markdown]
# ## In a flavour scan
#
# `tridentjax.host` takes and gives NumPy and plain Python, and does not start JAX before the first point. A constraint
# reads its extra from a point of the scan and returns the record that the scan asks for. What a point does not say,
# here how muons are embedded in the custodial group, is a gap in coverage and no veto.

# %%
constraint = tj.TridentConstraint("ccfr")
warped = {"Lambda_IR": 3000.0, "c_L": 0.58, "c_E": (0.75, 0.60, 0.50)}
verdicts = {}
for name, payload in {
    "minimal RS": tj.TridentInputs(**warped, model_label="minimal_rs"),
    "with a light Z'": tj.TridentInputs(
        **warped, model_label="minimal_rs", light_mediator={"mass": 0.1, "g_nu": 2e-3, "g_V": 2e-3, "g_A": 0.0}
    ),
    "custodial, undeclared": tj.TridentInputs(**warped, model_label="custodial_rs_plr"),
}.items():
    point = SimpleNamespace(get_extra={"neutrino_trident_inputs": payload}.get)  # of the scan
    verdicts[name] = constraint.evaluate(point)
    print(f"{name:22} passes {verdicts[name].passes!s:6} {verdicts[name].notes}")

# %% [markdown]
# Arrays of points give arrays of $R$, with everything that contributes to the amplitude:

# %%
light = tj.trident_ratio({"mass": mass[few], "g_nu": 1e-3, "g_V": 1e-3, "g_A": 0.0})
both = tj.trident_ratio({"mass": mass[few], "g_nu": 1e-3, "g_V": 1e-3, "g_A": 0.0, **warped, "c_E": 0.60})
print(f"g' = 1e-3 at {mass[few][0]:g} GeV: R = {light[0]:.4f}, with the Kaluza-Klein tower {both[0]:.4f}")

# %% [markdown]
# A lepton grid of $10^8$ rows repeats few distinct $(\Lambda_{IR}, c_L, c_{E2})$; each is computed once. A slice of
# it, in no order:

# %%
axes_of_grid = np.linspace(3e3, 15e3, 13), np.linspace(0.3, 0.7, 81), np.array([0.50, 0.55, 0.60])
distinct = np.stack(np.meshgrid(*axes_of_grid, indexing="ij")).reshape(3, -1)
chosen = np.random.default_rng(1).integers(distinct.shape[1], size=1_000_000)
start = time.perf_counter()
R = tj.trident_ratio_table(*distinct[:, chosen])
print(f"{R.size} rows, {distinct.shape[1]} distinct, in {time.perf_counter() - start:.2f} s")

# %%
slice_of_grid = tj.trident_ratio_grid(*axes_of_grid)
figure, axes = plt.subplots(figsize=(6.6, 4.4), layout="constrained")
for i, colour, style in ((0, DARK, "-"), (2, MIDDLE, "--"), (12, "0.45", ":")):
    label = f"$\\Lambda_{{IR}}$ = {axes_of_grid[0][i] / 1e3:g} TeV"
    axes.plot(axes_of_grid[1], 100.0 * (slice_of_grid[i, :, 2] - 1.0), color=colour, linestyle=style, label=label)
axes.axhline(0.0, color="0.7", linewidth=0.8)
axes.set(xlabel="bulk mass $c_L$ of the doublets (UV brane to the right)", ylabel="$R_\\mathrm{CCFR} - 1$ [%]")
axes.set_title("Minimal RS, tree level, $(\\alpha, m_Z, G_F)$, $c_{E2}$ = 0.60; CCFR's error is 28 %", fontsize=10)
axes.legend(fontsize=8)
plt.show()

# %%
slope = np.gradient(scan["delta_chi2"], np.log(g), axis=1)
close = np.abs(scan["delta_chi2"] - threshold) < 2.0
np.testing.assert_allclose((g * scan["d_delta_chi2_d_g"])[close], slope[close], rtol=5e-3)
np.testing.assert_array_equal(read_part(lost)["rate_ratio_ccfr"], before["rate_ratio_ccfr"])
assert own["status"].tolist() == [0, 0, 1, 0] and own["mass"][1] == 0.13
assert error["rate_ratio_relative"] < 3e-6
assert from_cluster.equals(table)
assert largest.converged and 0.0 <= largest.value - by_scan < 0.05
assert nearest.converged and abs(nearest.value - distance) < 1.5 / 1023
assert verdicts["minimal RS"].passes and not verdicts["with a light Z'"].passes
assert not verdicts["custodial, undeclared"].diagnostics["evaluated"]
