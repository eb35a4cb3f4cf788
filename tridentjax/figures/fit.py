"""The figure of a fit: profile likelihood curves with the levels of their intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import chi2

from tridentjax.figures.style import ACCENT, DARK, LIGHT, pyplot
from tridentjax.inference.profile_curve import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 3
_STYLES = ("--", ":", "-.")


def plot_curves(curves: Sequence[Curve], labels: Sequence[str], log: Sequence[bool], title: str = "") -> "Figure":
    """Delta chi2 against each parameter, all others profiled.

    Parameters
    ----------
    curves : from `profile_likelihood`.
    labels : of the parameters, with units.
    log : logarithmic axes.
    title : above all panels.
    """
    plt = pyplot()
    columns = min(len(curves), _COLUMNS)
    rows = -(-len(curves) // columns)
    size = (max(5.6, 3.6 * columns), 3.2 * rows + 0.6)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for axes, curve, label, logarithmic in zip(grid.flat, curves, labels, log, strict=False):
        plot_curve(curve, label, logarithmic, axes)
    for axes in grid.flat[len(curves) :]:
        axes.set_visible(False)
    figure.suptitle(title, fontsize=10)
    return figure


def plot_curve(curve: Curve, label: str, log: bool, axes: "Axes | None" = None) -> "Axes":
    """One panel: the curve, the levels, and the values allowed at the highest of them shaded."""
    axes = axes or pyplot().subplots(figsize=(5.6, 3.8), layout="constrained")[1]
    levels = sorted(curve.intervals)
    highest = float(chi2.ppf(levels[-1], 1))
    axes.plot(curve.values, curve.delta_chi2, color=DARK, linewidth=1.8, label="profile likelihood", zorder=3)
    for style, level in zip(_STYLES, levels, strict=False):
        threshold = float(chi2.ppf(level, 1))
        text = rf"{100 * level:g} % CL, $\Delta\chi^2$ < {threshold:.2f}"
        axes.axhline(threshold, color=ACCENT, linestyle=style, linewidth=1.2, label=text)
    for number, interval in enumerate(curve.intervals[levels[-1]]):
        text = f"allowed, {100 * levels[-1]:g} % CL" if number == 0 else ""
        axes.axvspan(interval.low, interval.high, color=LIGHT, alpha=0.5, label=text, zorder=0)
    best = int(np.nanargmin(curve.delta_chi2))
    axes.plot(curve.values[best], 0.0, "o", color=DARK, markersize=5, clip_on=False, zorder=4)
    axes.set(xlabel=label, ylabel=r"$\Delta\chi^2 = -2\,\Delta\ln L$", ylim=(0.0, 2.0 * highest))
    if log:
        axes.set_xscale("log")
    axes.set_xlim(float(curve.values[0]), float(curve.values[-1]))
    axes.legend(fontsize=6.5, loc="upper center")
    return axes
