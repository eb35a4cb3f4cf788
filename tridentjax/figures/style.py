"""Figures of a run. Every function draws on given or new axes and returns them; nothing is shown.

Matplotlib is imported inside the functions (extra `viz`). Lines differ by style as well as colour, so the
figures read in grey.
"""

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from tridentjax.faults import require
from tridentjax.inference.diagnostics import QUANTILES
from tridentjax.inference.grid_posterior import GridPosterior
from tridentjax.process.laboratory import OBSERVABLES
from tridentjax.rates.distributions import Distribution

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DARK, MIDDLE, LIGHT = "#08306b", "#4292c6", "#c6dbef"
ACCENT = "#d94801"


def pyplot() -> Any:
    """Matplotlib, without a window unless the session already draws (a notebook, MPLBACKEND, pyplot imported).

    Raises
    ------
    InputError : matplotlib is not installed.
    """
    require("a figure", "matplotlib", remedy="install the extra `viz` or set output.figures=false")
    import matplotlib

    if "MPLBACKEND" not in os.environ and "matplotlib.pyplot" not in sys.modules:
        matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def label(latex: str, unit: str) -> str:
    """Axis label with its unit."""
    text = f"${latex}$" if "\\" in latex or "_" in latex or "'" in latex or len(latex) == 1 else latex
    powers = re.sub(r"\^(-?\d+)", r"$^{\1}$", unit)  # GeV^-2
    return f"{text} [{powers}]" if unit != "1" else text


def plot_joint(
    first: np.ndarray,
    second: np.ndarray,
    labels: tuple[str, str],
    grid: GridPosterior | None = None,
    axes: "Axes | None" = None,
) -> "Axes":
    """Joint posterior of two parameters on log axes: draws, credible regions, grid contours over them.

    Regions are highest-density regions of 68 % and 95 % in the logarithms of both parameters; those of the
    draws are smoothed over 2.5 of 45 bins, since the density is nearly flat inside.
    """
    from scipy.ndimage import gaussian_filter

    plt = pyplot()
    axes = axes or plt.subplots(figsize=(6.4, 5.2), layout="constrained")[1]
    x, y = np.log10(first.ravel()), np.log10(second.ravel())
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=45)
    density = gaussian_filter(counts, 2.5, mode="reflect")
    density /= density.sum()
    ordered = np.sort(density.ravel())[::-1]
    levels = [ordered[np.searchsorted(np.cumsum(ordered), mass)] for mass in (0.95, 0.68)]
    x_centre, y_centre = (x_edges[1:] + x_edges[:-1]) / 2, (y_edges[1:] + y_edges[:-1]) / 2
    axes.contourf(10**x_centre, 10**y_centre, density.T, levels=[*levels, density.max()], colors=[LIGHT, MIDDLE])
    step = max(1, x.size // 1500)
    axes.plot(10 ** x[::step], 10 ** y[::step], ".", color="0.25", markersize=1.5, alpha=0.5)
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=MIDDLE, label="NUTS, 68 % credible region"),
        plt.Rectangle((0, 0), 1, 1, color=LIGHT, label="NUTS, 95 % credible region"),
        plt.Line2D([], [], color="0.25", marker=".", linestyle="", markersize=3, label="draws"),
    ]
    if grid is not None:
        for mass, style in ((0.68, "-"), (0.95, "--")):
            axes.contour(
                grid.first,
                grid.second,
                grid.probability.T,
                levels=[grid.credible_level(mass)],
                colors=ACCENT,
                linestyles=style,
            )
            handles.append(
                plt.Line2D([], [], color=ACCENT, linestyle=style, label=f"grid, {100 * mass:.0f} % credible region")
            )
    axes.set(xscale="log", yscale="log", xlabel=labels[0], ylabel=labels[1])
    axes.legend(handles=handles, loc="upper left", fontsize=8)
    return axes


def plot_marginals(
    draws: dict[str, np.ndarray], labels: dict[str, str], log: tuple[str, ...] = (), grid: GridPosterior | None = None
) -> "Figure":
    """Marginal posterior of every parameter with its 5, 16, 50, 84, 95 % quantiles; grid marginals over it."""
    plt = pyplot()
    columns = 3
    rows = -(-len(draws) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(3.6 * columns, 2.7 * rows), layout="constrained", squeeze=False
    )
    for panel, (name, values) in zip(panels.flat, draws.items(), strict=False):
        x = np.log10(values.ravel()) if name in log else values.ravel()
        edges = np.linspace(x.min(), x.max(), 41)
        shown = 10**edges if name in log else edges
        counts, _ = np.histogram(x, edges)
        panel.stairs(counts / x.size / np.diff(edges), shown, fill=True, color=LIGHT, label="NUTS")
        if grid is not None and name in grid.names:
            axis = grid.names.index(name)
            centre = np.log10((grid.first, grid.second)[axis])
            marginal = grid.probability.sum(1 - axis) / (centre[1] - centre[0])
            panel.plot(10**centre, marginal, color=ACCENT, label="grid")
        for q in QUANTILES:
            style = "-" if q == 0.5 else "--" if q in (0.16, 0.84) else ":"
            text = {0.5: "median", 0.16: "16, 84 %", 0.05: "5, 95 %"}.get(q)
            panel.axvline(np.quantile(values, q), color=DARK, linestyle=style, linewidth=1, label=text)
        if name in log:
            panel.set_xscale("log")
        panel.set(xlabel=labels[name], ylabel="density per decade" if name in log else "density")
    for panel in panels.flat[len(draws) :]:
        panel.set_visible(False)
    panels.flat[0].legend(fontsize=7)
    return figure


def plot_rate_ratios(ratios: dict[str, np.ndarray], measured: dict[str, tuple[float, float, float]]) -> "Figure":
    """Posterior predictive of each experiment's rate ratio R = N/N_SM against its measurement (68 % error)."""
    plt = pyplot()
    figure, panels = plt.subplots(1, len(ratios), figsize=(4.8 * len(ratios), 3.6), layout="constrained", squeeze=False)
    for panel, (name, values) in zip(panels.flat, ratios.items(), strict=True):
        panel.hist(
            values.ravel(),
            bins=np.linspace(0.9, max(np.quantile(values, 0.999), 1.2), 50),
            density=True,
            color=LIGHT,
            label="posterior of predicted $R$",
        )
        panel.axvline(1.0, color="0.3", linestyle=":", label="Standard Model")
        panel.axvline(np.quantile(values, 0.95), color=DARK, linestyle="--", label="95 % quantile")
        if name in measured:
            value, low, high = measured[name]
            panel.errorbar(
                [value],
                [0.3],
                xerr=[[low], [high]],
                fmt="s",
                color=ACCENT,
                capsize=4,
                label="measured, 68 %",
            )
        panel.set(xlabel="rate ratio $R = N/N_{SM}$", ylabel="density", title=name)
        panel.set_xlim(left=0.0)
        panel.set_yscale("log")
        panel.legend(fontsize=8)
    return figure


def plot_distribution(found: Distribution, title: str = "") -> "Figure":
    """Differential cross section: a histogram with errors (one observable) or a map in grey (two)."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
    labels = [f"${OBSERVABLES[name].latex}$ [{OBSERVABLES[name].unit}]" for name in found.observables]
    units = r"\,".join(f"{{{OBSERVABLES[name].unit}}}^{{-1}}".replace("GeV^2", r"GeV^2") for name in found.observables)
    symbol = r"\,".join(rf"\mathrm{{d}}{OBSERVABLES[name].latex}" for name in found.observables)
    power = r"\mathrm{d}\sigma" if len(found.edges) == 1 else r"\mathrm{d}^2\sigma"
    quantity = rf"${power}/{symbol}$ [cm$^2$ $\mathrm{{{units}}}$]"
    if len(found.edges) == 1:
        (edges,) = found.edges
        axes.stairs(found.value, edges, color=DARK, label="prediction")
        middle = (edges[1:] + edges[:-1]) / 2.0
        axes.errorbar(middle, found.value, found.error, fmt="none", color=DARK, label="integration error, 68 %")
        axes.set(xlabel=labels[0], ylabel=quantity)
        axes.set_ylim(bottom=0.0)
        axes.legend(fontsize=8)
    else:
        x, y = found.edges
        mesh = axes.pcolormesh(x, y, np.ma.masked_less_equal(found.value.T, 0.0), cmap="Greys", norm="log")
        figure.colorbar(mesh, label=quantity)
        axes.set(xlabel=labels[0], ylabel=labels[1])
    for axis, edges in zip("xy", found.edges, strict=False):
        steps = np.diff(edges)
        if steps[-1] > 1.5 * steps[0]:  # bins that grow were made in the logarithm
            getattr(axes, f"set_{axis}scale")("log")
    axes.set_title(title, fontsize=9)
    return figure


def plot_traces(z: np.ndarray, names: tuple[str, ...]) -> "Figure":
    """Trace and rank histogram of every sampled coordinate (unit normal a priori), one line a chain."""
    from scipy.stats import rankdata

    plt = pyplot()
    chains, _, count = z.shape
    figure, panels = plt.subplots(count, 2, figsize=(9.0, 1.5 * count), layout="constrained", squeeze=False)
    styles = ["-", "--", ":", "-."]
    for i in range(count):
        ranks = rankdata(z[:, :, i]).reshape(z.shape[:2])
        edges = np.linspace(0, ranks.size, 21)
        for chain in range(chains):
            shade = str(0.65 * chain / max(chains - 1, 1))
            panels[i, 0].plot(z[chain, :, i], color=shade, linewidth=0.4)
            counts, _ = np.histogram(ranks[chain], edges)
            panels[i, 1].stairs(counts, edges, color=shade, linestyle=styles[chain % 4], label=f"chain {chain + 1}")
        panels[i, 1].axhline(ranks.shape[1] / 20, color=ACCENT, linewidth=0.8, label="uniform")
        panels[i, 0].set_ylabel(names[i].replace("_", " "), fontsize=7)
        panels[i, 1].set_ylabel("draws", fontsize=7)
    panels[-1, 0].set_xlabel("draw (after warm-up); vertical: coordinate $z$")
    panels[-1, 1].set_xlabel("rank among all draws")
    panels[0, 1].legend(fontsize=6, ncols=3)
    return figure
