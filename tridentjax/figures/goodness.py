"""Figures that ask whether a model fits: data over theory, replicated data, pulls and impacts. Readable in grey."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tridentjax.figures.style import ACCENT, DARK, LIGHT, MIDDLE, pyplot
from tridentjax.inference.checks.predictive import Replicated
from tridentjax.inference.limits.impacts import Impact, Pull
from tridentjax.rates.comparison import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_comparison(rows: Sequence[Comparison], theory: str, title: str) -> "Figure":
    """Measured rate ratios against the prediction, one line each; projections below, open; limits as arrows.

    The box is the prediction with its error of one standard deviation, the dotted line the Standard Model.
    """
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(7.6, 1.6 + 0.52 * len(rows)), layout="constrained")
    ordered = [row for kind in ("measurement", "projection") for row in rows if row.kind == kind]
    ends = [row.predicted + (row.theory_error or 0.0) for row in ordered] + [
        row.limit if row.measured is None else row.measured + (row.high or 0.0) for row in ordered
    ]
    right = 1.08 * max(1.5, *(end for end in ends if end is not None))
    for i, row in enumerate(ordered):
        y, error = -i, row.theory_error or 0.0
        axes.fill_betweenx([y - 0.3, y + 0.3], row.predicted - error, row.predicted + error, color=LIGHT, linewidth=0)
        axes.plot([row.predicted] * 2, [y - 0.3, y + 0.3], color=DARK, linewidth=1.6)
        projected = row.kind == "projection"
        if row.measured is None:
            axes.annotate("", xy=(0.0, y), xytext=(row.limit, y), arrowprops={"arrowstyle": "->", "color": ACCENT})
            axes.plot([row.limit] * 2, [y - 0.15, y + 0.15], color=ACCENT)
        else:
            axes.errorbar([row.measured], [y], xerr=[[row.low], [row.high]], fmt="o", color=ACCENT, capsize=4,
                          markerfacecolor="white" if projected else ACCENT)  # fmt: skip
        axes.text(1.01, y, _verdict(row), transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    measured = sum(row.kind == "measurement" for row in ordered)
    if 0 < measured < len(ordered):
        axes.axhline(0.5 - measured, color="0.5", linewidth=0.8)
    axes.axvline(1.0, color="0.3", linestyle=":", linewidth=1.0)
    axes.set_yticks([-i for i in range(len(ordered))])
    axes.set_yticklabels([_name(row) for row in ordered], fontsize=8)
    lowest = min(0.0, *(row.measured for row in ordered if row.measured is not None), 0.0)  # R < 0 is no rate
    axes.set(xlim=(lowest - 0.03 * right, right), ylim=(0.4 - len(ordered), 0.6))
    axes.set(xlabel="rate ratio $R = N/N_{SM}$")
    handles = [
        axes.errorbar([], [], xerr=[], fmt="o", color=ACCENT, capsize=4, label="measured, 68 %"),
        axes.errorbar([], [], xerr=[], fmt="o", color=ACCENT, capsize=4, markerfacecolor="white",
                      label="projection, not data"),
        plt.Rectangle((0, 0), 1, 1, color=LIGHT, label=f"predicted ({theory}) and theory error"),
        plt.Line2D([], [], color="0.3", linestyle=":", label="Standard Model"),
    ]  # fmt: skip
    figure.legend(handles=handles, fontsize=7, loc="outside lower center", ncols=4)
    axes.set_title(title, fontsize=9)
    return figure


def _name(row: Comparison) -> str:
    return f"{row.title}\n({'projection' if row.kind == 'projection' else row.observable.replace('_', ' ')})"


def _verdict(row: Comparison) -> str:
    if row.limit is not None and row.confidence_level is not None:
        return f"limit, {100 * row.confidence_level:g} % CL"
    return f"pull {row.pull:+.2f}\n$p$ = {row.p_value:.2g}"


def plot_predictive(replicated: Mapping[str, Replicated]) -> "Figure":
    """Replicated data of every experiment against what was measured, with the posterior predictive p-value."""
    plt = pyplot()
    figure, panels = plt.subplots(
        1, len(replicated), figsize=(4.6 * len(replicated), 3.6), layout="constrained", squeeze=False
    )
    for panel, (name, item) in zip(panels.flat, replicated.items(), strict=True):
        counts = item.unit == "events"
        values = item.replicas.ravel()
        if counts:
            low, high = values.min(), max(values.max(), item.observed)
            bins = np.arange(low, high + 2.0, max(1.0, np.ceil((high - low) / 60.0))) - 0.5
        else:
            bins = np.linspace(min(values.min(), item.observed), max(values.max(), item.observed), 61)
        panel.hist(values, bins=bins, density=True, color=LIGHT, label="replicated data")
        panel.hist(item.predicted.ravel(), bins=bins, density=True, histtype="step", color=DARK, linewidth=1.2,
                   linestyle="--", label="their expectation")  # fmt: skip
        panel.axvline(item.observed, color=ACCENT, linewidth=1.8, label="measured")
        panel.set_xlabel("counted events" if counts else "measured rate ratio $R$")
        panel.set_ylabel("density")
        what = "" if item.kind == "measurement" else " (projection, not data)"
        panel.set_title(f"{name}{what}: $p$ = {item.p_value:.3g}", fontsize=9)
        top = panel.hist(values, bins=bins, density=True, alpha=0.0)[0].max()
        panel.set_ylim(0.0, 1.6 * top)  # the expectation may be a spike
        panel.legend(fontsize=7)
    return figure


def plot_pulls(pulls: Sequence[Pull], title: str) -> "Figure":
    """Posterior mean and standard deviation of every nuisance in units of its prior width; band: the prior."""
    figure, axes = pyplot().subplots(figsize=(6.2, 1.3 + 0.34 * len(pulls)), layout="constrained")
    _draw_pulls(axes, pulls)
    axes.set_xlabel("(nuisance - prior centre) / prior width")
    axes.set_title(title, fontsize=9)
    figure.legend(fontsize=7, loc="outside lower center", ncols=2)
    return figure


def _draw_pulls(axes: "Axes", pulls: Sequence[Pull]) -> None:
    axes.axvspan(-1.0, 1.0, color="0.9", label="prior, 68 %")
    axes.axvline(0.0, color="0.5", linewidth=0.8)
    y = -np.arange(len(pulls))
    axes.errorbar(
        [p.pull for p in pulls], y, xerr=[p.sd for p in pulls], fmt="o", color=DARK, capsize=3, label="after the fit"
    )
    axes.set_yticks(y, [p.name.replace("_", " ") for p in pulls], fontsize=8)
    reach = max(2.0, *(abs(p.pull) + p.sd + 0.3 for p in pulls)) if pulls else 2.0
    axes.set(xlim=(-reach, reach), ylim=(0.4 - len(pulls), 0.6))


def plot_impacts(found: Sequence[Impact], coordinate: str, title: str) -> "Figure":
    """Pulls (left) and impacts on a boundary (right) of every nuisance, the largest impact on top.

    Parameters
    ----------
    found : from `impacts`.
    coordinate : label of the boundary coordinate, with its unit.
    title : names the statistic and the point.
    """
    ordered = sorted(found, key=lambda item: -item.size)
    figure, (left, right) = pyplot().subplots(
        1, 2, figsize=(9.0, 1.6 + 0.36 * len(ordered)), layout="constrained", sharey=True
    )
    _draw_pulls(left, [item.pull for item in ordered])
    left.set_xlabel("pull: (fitted - prior centre) / prior width")
    y = -np.arange(len(ordered))
    sides = ("relative_up", "relative_down")
    up, down = (np.asarray([100.0 * getattr(item, side) for item in ordered]) for side in sides)
    right.barh(
        y, up, height=0.6, color=MIDDLE, edgecolor="black", linewidth=0.6, label="nuisance $+1$ sd after the fit"
    )
    right.barh(y, down, height=0.6, color="white", edgecolor="black", hatch="////", linewidth=0.6,
               label="nuisance $-1$ sd after the fit")  # fmt: skip
    right.axvline(0.0, color="0.3", linewidth=0.8)
    reach = 1.25 * max(np.nanmax(np.abs([up, down]), initial=0.0), 1e-6)
    right.set(xlim=(-reach, reach))
    right.set_xlabel(f"shift of the boundary in {coordinate} [%]")
    figure.legend(fontsize=7, loc="outside lower center", ncols=4)
    figure.suptitle(title, fontsize=9)
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
