"""Figures of a validation: ranks of a calibration, chains against a grid, seeds. Readable in grey."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

from tridentjax.figures.style import ACCENT, DARK, LIGHT, MIDDLE, pyplot
from tridentjax.inference.checks.agreement import Deviation, SeedAgreement
from tridentjax.inference.checks.calibration import Calibration
from tridentjax.inference.checks.uniformity import counts_below, ecdf_band, histogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 3


def plot_rank_histograms(found: Calibration, bins: int) -> "Figure":
    """Histogram of the ranks of every quantity, over the central 95 % of a bin of a uniform sample."""
    figure, panels = _panels(len(found.names))
    count = found.ranks.shape[0]
    low, high = binom.ppf([0.025, 0.975], count, 1.0 / bins)
    edges = np.linspace(0.0, 1.0, bins + 1)
    for i, (panel, name) in enumerate(zip(panels, found.names, strict=False)):
        panel.axhspan(low, high, color=LIGHT, label="uniform, 95 % of a bin")
        panel.axhline(count / bins, color=DARK, linestyle="--", linewidth=1, label="uniform, expected")
        panel.stairs(histogram(found.ranks[:, i], found.draws, bins), edges, color=ACCENT, label="ranks")
        panel.set(title=name.replace("_", " "), xlabel="rank of the truth / (L + 1)", ylabel="replications", ylim=0.0)
    panels[0].legend(fontsize=7)
    figure.suptitle(_title(found), fontsize=10)
    return figure


def plot_ecdf_differences(found: Calibration, level: float = 0.95) -> "Figure":
    """Empirical distribution function of the ranks less that of a uniform one, with its simultaneous band."""
    figure, panels = _panels(len(found.names))
    count = found.ranks.shape[0]
    band = ecdf_band(count, found.draws, level)
    for i, (panel, name) in enumerate(zip(panels, found.names, strict=False)):
        panel.fill_between(band.z, band.low / count - band.z, band.high / count - band.z, color=LIGHT, step="mid",
                           label=f"uniform, {100 * level:g} % at all points at once")  # fmt: skip
        difference = counts_below(found.ranks[:, i], found.draws) / count - band.z
        panel.plot(band.z, difference, color=ACCENT, drawstyle="steps-mid", label="ranks")
        panel.axhline(0.0, color=DARK, linestyle="--", linewidth=1)
        panel.set(title=name.replace("_", " "), xlabel="z", ylabel="ECDF(z) - z")
    panels[0].legend(fontsize=7)
    figure.suptitle(_title(found), fontsize=10)
    return figure


def plot_grid_deviations(rows: Sequence[Deviation]) -> "Figure":
    """Share of draws below quantiles of the grid, less the quantile, with errors of one standard deviation."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for i, (name, marker) in enumerate(zip(dict.fromkeys(row.parameter for row in rows), "os", strict=True)):
        own = [row for row in rows if row.parameter == name]
        x = [100.0 * row.q + 0.8 * i for row in own]
        y, error = ([100.0 * value for value in values] for values in zip(*((r.share - r.q, r.error) for r in own),
                                                                         strict=True))  # fmt: skip
        axes.errorbar(x, y, yerr=error, fmt=marker, color=(DARK, ACCENT)[i], capsize=3, label=name.replace("_", " "))
    axes.axhline(0.0, color="0.3", linestyle=":")
    axes.set(xlabel="quantile of the grid [%]", ylabel="share of draws below it - quantile [%]")
    axes.set_title("NUTS against the grid, one standard error", fontsize=10)
    axes.legend(fontsize=8)
    return figure


def plot_seeds(found: Mapping[str, SeedAgreement]) -> "Figure":
    """Mean of every parameter for every seed, in posterior standard deviations from the mean of all."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(6.4, 1.4 + 0.4 * len(found)), layout="constrained")
    for i, item in enumerate(found.values()):
        offsets = -i + np.linspace(0.25, -0.25, item.means.size)
        axes.errorbar(item.means, offsets, xerr=item.errors, fmt="o", color=DARK, markersize=4, capsize=2)
    for i in range(1, len(found)):
        axes.axhline(0.5 - i, color=MIDDLE, linewidth=0.5)
    axes.axvline(0.0, color="0.3", linestyle=":")
    axes.set_yticks([-i for i in range(len(found))])
    axes.set_yticklabels([name.replace("_", " ") for name in found], fontsize=8)
    axes.set(xlabel="mean of a seed [posterior standard deviations], one standard error")
    axes.set_title("each row: one parameter, seeds from top to bottom", fontsize=10)
    return figure


def _panels(count: int) -> tuple["Figure", list]:
    plt = pyplot()
    rows = -(-count // _COLUMNS)
    size = (3.7 * _COLUMNS, 2.7 * rows + 0.4)
    figure, panels = plt.subplots(rows, _COLUMNS, figsize=size, layout="constrained", squeeze=False)
    for panel in panels.flat[count:]:
        panel.set_visible(False)
    return figure, list(panels.flat)


def _title(found: Calibration) -> str:
    return f"simulation-based calibration: {found.ranks.shape[0]} replications, L = {found.draws} draws each"
