"""Figures of the reach commands: couplings, and accuracies that would exclude them, against the mass."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tridentjax.figures.style import ACCENT, DARK, MIDDLE, pyplot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACCURACIES = (0.25, 0.40)  # of 1902.06765: abstract (improved) and body (baseline); which holds is not resolved
_SHADES = (DARK, ACCENT, MIDDLE, "0.4")
_MARKERS = ("o", "s", "^", "D")


def plot_reach(mass: np.ndarray, coupling: np.ndarray, axis: str, legend: str, title: str) -> "Figure":
    """Reach in a coupling against the mass [GeV]; NaN leaves a gap, or the end of the curve."""
    figure, axes = pyplot().subplots(figsize=(6.8, 4.8), layout="constrained")
    lone = "o" if np.isfinite(coupling).sum() == 1 else ""
    order = np.argsort(mass)
    axes.plot(mass[order], coupling[order], color=DARK, marker=lone, label=legend)
    if np.isfinite(coupling).any():
        axes.set(xscale="log", yscale="log")
    axes.set(xlabel="$m_{Z'}$ [GeV]", ylabel=axis, xlim=(mass.min() / 1.05, mass.max() * 1.05))
    axes.set_title(title.replace("e+ e- -> gamma Z' (invisible)", r"$e^+e^-\to\gamma Z'$ (invisible)"), fontsize=9)
    axes.legend(fontsize=8)
    return figure


def plot_accuracy(
    curve: list[dict[str, Any]], confidence_level: float, statistics: dict[str, Any] | None, title: str
) -> "Figure":
    """Required accuracy against the mass, one shade a coupling: full line without nuisances, dashed with them."""
    figure, axes = pyplot().subplots(figsize=(7.2, 5.2), layout="constrained")
    for number, g in enumerate(dict.fromkeys(point["g"] for point in curve)):
        own = sorted((point for point in curve if point["g"] == g), key=lambda point: point["mass"])
        x = [point["mass"] for point in own]
        for key, style, text in (
            ("accuracy", "-", f"$g' = {_power(g)}$"),
            ("accuracy_with_nuisances", "--", ""),
        ):
            y = np.asarray([math.nan if point[key] is None else point[key] for point in own])
            alone = np.isfinite(y).sum() == 1
            marker = _MARKERS[number % len(_MARKERS)] if key == "accuracy" or alone else ""  # the shades alike in grey
            axes.plot(x, y, color=_SHADES[number % len(_SHADES)], linestyle=style, marker=marker, markersize=4,
                      markevery=max(1, len(x) // 8), linewidth=1.0 + number // len(_SHADES), label=text)  # fmt: skip
    axes.plot(
        [], [], color="black", linestyle="--", label="with nuisances (dashed; ends where\nthe theory error hides)"
    )
    for accuracy in ACCURACIES:
        axes.axhline(accuracy, color="0.45", linewidth=0.9, linestyle=(0, (6, 2)))
        axes.annotate(f"{100 * accuracy:g} %", (0.995, accuracy), xycoords=("axes fraction", "data"), fontsize=8,
                      ha="right", va="bottom", color="0.3")  # fmt: skip
    if statistics is not None:
        text = f"statistics alone, {100 * statistics['accuracy']:.2g} %, efficiency {statistics['efficiency']:g}"
        axes.axhline(statistics["accuracy"], color="0.45", linewidth=0.9, linestyle=":")
        axes.annotate(text, (0.995, statistics["accuracy"]), xycoords=("axes fraction", "data"), fontsize=8,
                      ha="right", va="bottom", color="0.3",
                      bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1})  # fmt: skip
    axes.set(xscale="log", yscale="log", ylim=(5e-3, 10.0), xlabel="$m_{Z'}$ [GeV]")
    axes.set_ylabel(f"accuracy $\\delta$ of $R = 1 \\pm \\delta$ that excludes at {100 * confidence_level:g} % CL")
    axes.set_title(title.replace("(m, g')", "$(m_{Z'}, g')$"), fontsize=9)
    axes.legend(fontsize=8, loc="lower left")
    return figure


def _power(x: float) -> str:
    """A number for a mathematical label."""
    mantissa, exponent = f"{x:.3e}".split("e")
    digits = mantissa.rstrip("0").rstrip(".")
    return f"10^{{{int(exponent)}}}" if digits == "1" else f"{digits} \\times 10^{{{int(exponent)}}}"
