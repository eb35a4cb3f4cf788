"""Map of a scan of two parameters: the lowest delta_chi2 in each cell, with the boundary of the allowed region."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tridentjax.figures.style import ACCENT, label, pyplot
from tridentjax.scan.parts import part_path, read_part
from tridentjax.scan.plan import Plan
from tridentjax.scan.points import Grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELLS = 96
_LARGEST = 5.0  # thresholds; the scale ends there


def draw_scan(folder: Path, plan: Plan, numbers: list[int], latex: dict[str, str], title: str) -> "Figure | None":
    """The map of the parts that are there, read one at a time; None if there is no plane.

    Cells without a point are white; the colour scale ends at five times the threshold.
    """
    if len(plan.names) != 2 or "delta_chi2" not in plan.about:
        return None
    edges = [_edges(plan, i) for i in range(2)]
    lowest = np.full([len(edge) - 1 for edge in edges], np.inf)
    for number in numbers:
        part = read_part(part_path(folder, number, plan.suffix), (*plan.names, "delta_chi2"))
        place = [np.searchsorted(edges[i], part[name], side="right") - 1 for i, name in enumerate(plan.names)]
        inside = np.isfinite(part["delta_chi2"])
        for i in range(2):
            inside &= (place[i] >= 0) & (place[i] < lowest.shape[i])
        np.minimum.at(lowest, (place[0][inside], place[1][inside]), part["delta_chi2"][inside])
    return plot_map(plan, edges, np.where(np.isfinite(lowest), lowest, np.nan), latex, title).get_figure(root=True)


def plot_map(plan: Plan, edges: list[np.ndarray], lowest: np.ndarray, latex: dict[str, str], title: str) -> "Axes":
    """Cells (first, second parameter) in grey, darker for lower delta_chi2, and where it passes the threshold."""
    figure, axes = pyplot().subplots(figsize=(6.4, 4.8), layout="constrained")
    ceiling = _LARGEST * plan.threshold
    mesh = axes.pcolormesh(*edges, np.minimum(lowest, ceiling).T, cmap="gray", vmin=0.0, vmax=ceiling, rasterized=True)
    figure.colorbar(mesh, ax=axes, extend="max", label=r"lowest $\Delta\chi^2$ in the cell")
    logarithmic = [plan.priors[name].kind == "loguniform" for name in plan.names]
    centres = [
        np.sqrt(e[1:] * e[:-1]) if log else (e[1:] + e[:-1]) / 2 for e, log in zip(edges, logarithmic, strict=True)
    ]
    if np.nanmin(lowest) < plan.threshold < np.nanmax(lowest):
        # delta_chi2 rises like a high power of a coupling: straight lines between cells are better in its logarithm
        level = np.log1p(plan.threshold)
        axes.contour(*centres, np.log1p(np.maximum(lowest, 0.0)).T, levels=[level], colors=ACCENT, linewidths=1.8)
    spec = plan.spec
    degrees = f"{spec.parameters_of_interest} parameter" + "s" * (spec.parameters_of_interest > 1)
    text = (
        f"$\\Delta\\chi^2$ = {plan.threshold:.3g}: {100 * spec.confidence_level:g} % CL, likelihood ratio to the "
        f"{spec.reference.replace('_', ' ')}, {degrees},\nnuisances {spec.nuisances}"
    )
    axes.plot([], [], color=ACCENT, label=text)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8, frameon=False, title=title, title_fontsize=9)
    for i, (name, log) in enumerate(zip(plan.names, logarithmic, strict=True)):
        (axes.set_xscale, axes.set_yscale)[i]("log" if log else "linear")
        (axes.set_xlabel, axes.set_ylabel)[i](label(latex.get(name) or name.replace("_", " "), plan.about[name].unit))
    return axes


def _edges(plan: Plan, i: int) -> np.ndarray:
    """Edges of the cells: around the values of a grid, else equal in the coordinate in which the prior is flat."""
    prior = plan.priors[plan.names[i]]
    low, high = (prior.low, prior.high) if prior.kind != "normal" else _wide(prior.low, prior.high)
    log = prior.kind == "loguniform"
    if isinstance(plan.source, Grid):
        axis = np.unique(plan.source.axes[i])
        log = log and bool(axis[0] > 0.0)
        flat = np.log(axis) if log else axis
        if flat.size > 1:
            flat = np.concatenate(
                [[1.5 * flat[0] - 0.5 * flat[1]], (flat[1:] + flat[:-1]) / 2, [1.5 * flat[-1] - 0.5 * flat[-2]]]
            )
            return np.exp(flat) if log else flat
    spaced = np.geomspace if log else np.linspace
    return spaced(low, high, _CELLS + 1)


def _wide(centre: float, sd: float) -> tuple[float, float]:
    return centre - 4.0 * sd, centre + 4.0 * sd
