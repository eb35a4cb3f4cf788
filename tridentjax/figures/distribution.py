"""Figure of a differential cross section."""

from typing import TYPE_CHECKING

import numpy as np

from tridentjax.figures.style import DARK, pyplot
from tridentjax.process.laboratory import OBSERVABLES
from tridentjax.rates.distributions import Distribution

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
