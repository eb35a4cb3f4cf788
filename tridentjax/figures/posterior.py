"""Figures of what a posterior says about a theory: its parameters, its currents, its new particles."""

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from tridentjax.faults import require
from tridentjax.figures.style import ACCENT, DARK, LIGHT, MIDDLE, pyplot
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.diagnostics import QUANTILES
from tridentjax.inference.grid_posterior import GridPosterior

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MASSES = (0.68, 0.95)
_NOTHING_LEARNT = 0.1  # [bit]


def plot_corner(
    draws: dict[str, np.ndarray],
    labels: dict[str, str],
    priors: dict[str, Prior],
    title: str = "",
    gains: dict[str, float] | None = None,
) -> "Figure":
    """Every pair of parameters (68 % and 95 % credible regions) and every marginal with its prior.

    Regions are highest-density regions smoothed over 1.8 of 16 bins. Where the data say nothing their shape would
    be noise: with the information gains [bit] of the marginals, a pair in which both stay below 0.1 shows draws.

    Raises
    ------
    InputError : corner is not installed.
    """
    require("the corner plot", "corner", remedy="install the extra `viz` or set output.figures=false")
    import corner

    plt = pyplot()
    names = list(draws)
    table = np.stack([draws[name].ravel() for name in names], axis=1)
    scales = ["log" if priors[name].kind == "loguniform" else "linear" for name in names]
    bins, flat = 16, [np.log(x) if scale == "log" else x for x, scale in zip(table.T, scales, strict=True)]
    ranges = [_view(priors[name], x) for name, x in zip(names, flat, strict=True)]
    shown = [tuple(np.exp(ends)) if scale == "log" else ends for ends, scale in zip(ranges, scales, strict=True)]
    figure = plt.figure(figsize=(2.1 * len(names) + 1.0, 2.1 * len(names) + 1.0))
    corner.corner(
        table, bins=bins, labels=[labels[name] for name in names], axes_scale=scales, levels=_MASSES,
        smooth=1.8, range=shown, fig=figure, plot_datapoints=False, color=DARK, fill_contours=True,
        label_kwargs={"fontsize": 9}, contourf_kwargs={"colors": ["white", LIGHT, MIDDLE]},
    )  # fmt: skip
    panels = np.asarray(figure.axes).reshape(len(names), len(names))
    for i, name in enumerate(names):
        low, high = ranges[i]
        line = _prior_line(priors[name], np.linspace(low, high, 100), (high - low) / bins * table.shape[0])
        if gains is not None:
            panels[i, i].set_title(f"gain {gains[name]:.2f} bit", fontsize=8)
        panels[i, i].plot(*line, color=ACCENT, linestyle="--")
        for panel in (*panels[i, : i + 1], *panels[i:, i]):
            panel.tick_params(labelsize=7)
    flat_names = [] if gains is None else [name for name in names if gains[name] < _NOTHING_LEARNT]
    for j, i in combinations([names.index(name) for name in flat_names], 2):
        for artist in list(panels[i, j].collections):
            artist.remove()
        some = table[:: max(1, table.shape[0] // 500)]
        panels[i, j].plot(some[:, j], some[:, i], ".", color="0.25", markersize=1.5)
    handles = [
        plt.Line2D([], [], color=DARK, label="marginal posterior"),
        plt.Line2D([], [], color=ACCENT, linestyle="--", label="prior"),
    ]
    if len(flat_names) < len(names):
        regions = ((MIDDLE, "68 % credible region"), (LIGHT, "95 % credible region"))
        handles += [plt.Rectangle((0, 0), 1, 1, color=colour, label=text) for colour, text in regions]
    if len(flat_names) > 1:
        text = f"draws (both gains below {_NOTHING_LEARNT} bit)"
        handles.append(plt.Line2D([], [], color="0.25", marker=".", linestyle="", markersize=3, label=text))
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(0.97, 0.93), fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure


def _view(prior: Prior, x: np.ndarray) -> tuple[float, float]:
    """Range of the draws with a margin, inside the prior, in the flat coordinate."""
    margin = 0.06 * (x.max() - x.min())
    low, high = (float(end) for end in prior.flat_range()) if prior.kind != "normal" else (-np.inf, np.inf)
    return max(low, float(x.min() - margin)), min(high, float(x.max() + margin))


def _prior_line(prior: Prior, grid: np.ndarray, area: float) -> tuple[np.ndarray, np.ndarray]:
    """Prior density times `area`, on a grid in the flat coordinate."""
    if prior.kind == "normal":
        density = np.exp(-0.5 * ((grid - prior.low) / prior.high) ** 2) / (np.sqrt(2.0 * np.pi) * prior.high)
    else:
        low, high = (float(end) for end in prior.flat_range())
        density = np.full_like(grid, 1.0 / (high - low))
    return np.exp(grid) if prior.kind == "loguniform" else grid, area * density


def plot_couplings(
    delta_g_V: np.ndarray, delta_g_A: np.ndarray, title: str = "", axes: "Axes | None" = None
) -> "Axes | Any":
    """Posterior of the shift of the lepton current from the Standard Model, at K2 = 0; returns the figure.

    Regions are highest-density regions of the draws, in the plane shown, smoothed over 1.2 of 60 bins; the view
    holds the central 98 % of each. An axis whose draws span more than two orders is logarithmic away from zero.
    """
    from scipy.ndimage import gaussian_filter

    plt = pyplot()
    axes = axes or plt.subplots(figsize=(6.0, 4.8), layout="constrained")[1]
    x, y = delta_g_V.ravel(), delta_g_A.ravel()
    widths = [_linear_width(values) for values in (x, y)]
    flat = [np.arcsinh(values / width) for values, width in zip((x, y), widths, strict=True)]
    window = [(*np.quantile(values, [0.01, 0.99]),) for values in flat]
    window = [(min(low, 0.0) - 0.15 * (high - low), max(high, 0.0) + 0.15 * (high - low)) for low, high in window]
    counts, x_edges, y_edges = np.histogram2d(flat[0], flat[1], bins=60, range=window)
    density = gaussian_filter(counts, 1.2)
    density /= max(x.size, 1)  # of all draws, also those outside the view
    ordered = np.sort(density.ravel())[::-1]
    cumulative = np.cumsum(ordered)[:-1]
    levels = [float(ordered[np.searchsorted(cumulative, mass)]) for mass in reversed(_MASSES)]
    centres = [
        width * np.sinh((edges[1:] + edges[:-1]) / 2) for edges, width in zip((x_edges, y_edges), widths, strict=True)
    ]
    axes.contourf(*centres, density.T, levels=[*levels, max(density.max(), levels[-1] * 1.001)], colors=[LIGHT, MIDDLE])
    step = max(1, x.size // 1500)
    axes.plot(x[::step], y[::step], ".", color="0.25", markersize=1.5, alpha=0.5)
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=MIDDLE, label="68 % credible region"),
        plt.Rectangle((0, 0), 1, 1, color=LIGHT, label="95 % credible region"),
        plt.Line2D([], [], color="0.25", marker=".", linestyle="", markersize=3, label="draws"),
        plt.Line2D([], [], color=ACCENT, marker="*", linestyle="", markersize=11, label="Standard Model"),
    ]
    axes.plot(0.0, 0.0, "*", color=ACCENT, markersize=11)
    for axis, width, view in zip("xy", widths, window, strict=True):
        if np.ptp(view) > 1.0:
            getattr(axes, f"set_{axis}scale")("asinh", linear_width=width)
        getattr(axes, f"set_{axis}lim")(width * np.sinh(view))
    axes.set(xlabel=r"$\delta g_V$ at $K^2 = 0$", ylabel=r"$\delta g_A$ at $K^2 = 0$")
    axes.legend(handles=handles, fontsize=8)
    axes.set_title(title, fontsize=10)
    return axes.get_figure(root=True)


def _linear_width(values: np.ndarray) -> float:
    """Below this an axis is linear, beyond it logarithmic: all of it, unless the draws span many orders."""
    size = np.abs(values)
    typical, largest = float(np.quantile(size, 0.5)), float(np.quantile(size, 0.99))
    if largest < 100.0 * typical:
        return 10.0 * largest
    return max(typical, 1e-4 * largest)


def plot_masses(masses: dict[str, np.ndarray], title: str = "") -> "Figure":
    """Posterior of the masses that follow from the parameters, with 5 and 95 % quantiles."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(6.0, 4.0), layout="constrained")
    for (name, values), style, colour in zip(
        masses.items(), ("-", "--", ":", "-."), (DARK, ACCENT, MIDDLE, "0.3"), strict=False
    ):
        x = np.log10(values.ravel())
        edges = np.linspace(x.min(), x.max() + 1e-9, 41)
        density, _ = np.histogram(x, edges, density=True)
        axes.stairs(density, 10**edges, color=colour, linestyle=style, label=name.replace("_", " "))
        low, high = 10 ** np.quantile(x, [0.05, 0.95])
        axes.plot([low, high], [0.0, 0.0], "|", color=colour, markersize=14, clip_on=False)
    axes.plot([], [], "|", color="0.3", markersize=10, label="5 %, 95 %")
    axes.set(xscale="log", xlabel="mass [GeV]", ylabel="posterior density per decade")
    axes.legend(fontsize=8)
    axes.set_title(title, fontsize=10)
    return figure


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
