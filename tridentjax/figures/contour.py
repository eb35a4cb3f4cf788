"""The figure of a contour: lines of every statistic, the excluded side shaded, overlays of others."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tridentjax.figures.overlays import Overlay
from tridentjax.figures.style import ACCENT, DARK, MIDDLE, pyplot
from tridentjax.inference.limits.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (DARK, ACCENT, MIDDLE, "0.35", "black")
_STYLES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
_STROKE = 0.015  # of an axis
_GAP = 4.0  # in typical spacings: wider gaps of an overlay are not drawn over


def plot_contours(
    rows: Sequence[Row],
    labels: tuple[str, str],
    legend: dict[tuple[str, str], str],
    *,
    log: tuple[bool, bool] = (True, True),
    overlays: Sequence[Overlay] = (),
    title: str = "",
    limits: tuple[tuple[float, float], tuple[float, float]] | None = None,
    axes: "Axes | None" = None,
) -> "Axes":
    """Boundaries of allowed regions in a plane.

    Parameters
    ----------
    rows : from `make_rows`, of one or several regions.
    labels : of the two axes, with units.
    legend : text for each (statistic, experiments); names statistic and confidence level.
    log : logarithmic axes.
    overlays : curves and bands of others.
    limits : ranges of the axes.

    Returns
    -------
    The axes; nothing is shown.
    """
    plt = pyplot()
    axes = axes or plt.subplots(figsize=(7.2, 5.4), layout="constrained")[1]
    for number, (key, text) in enumerate(legend.items()):
        colour, style = _COLOURS[number % len(_COLOURS)], _STYLES[number % len(_STYLES)]
        own = [row for row in rows if (row.statistic, row.experiments) == key]
        for line in sorted({row.line for row in own}):
            part = [row for row in own if row.line == line]
            x, y = (np.asarray([getattr(row, axis) for row in part]) for axis in "xy")
            axes.plot(x, y, color=colour, linestyle=style, linewidth=1.8, label=text, zorder=3)
            text = ""  # noqa: PLW2901 - one entry in the legend
            if number == 0:
                _hatch(axes, part, log, _spans(rows, log, limits))
        if not own:
            axes.plot([], [], color=colour, linestyle=style, label=f"{text}: no boundary in the plane")
    shades = [str(s) for s in np.linspace(0.25, 0.65, max(len(overlays), 1))]
    for number, overlay in enumerate(overlays):
        _draw_overlay(axes, overlay, shades[number], _STYLES[(number + 1) % len(_STYLES)])
    axes.set(xlabel=labels[0], ylabel=labels[1], title=title)
    axes.title.set_fontsize(10)
    for axis, logarithmic in zip("xy", log, strict=True):
        if logarithmic:
            getattr(axes, f"set_{axis}scale")("log")
    if limits is not None:
        axes.set(xlim=limits[0], ylim=limits[1])
    axes.legend(fontsize=7, loc="best")
    return axes


def _hatch(axes: "Axes", part: Sequence[Row], log: tuple[bool, bool], spans: tuple[float, float]) -> None:
    """Short strokes towards the excluded side, of one length on the page: readable in grey."""
    for row in part[:: max(1, len(part) // 40)]:
        at = [_flat(getattr(row, axis), logarithmic) for axis, logarithmic in zip("xy", log, strict=True)]
        step = [
            (_flat(getattr(row, f"{axis}_excluded"), is_log) - _flat(getattr(row, f"{axis}_allowed"), is_log)) / span
            for axis, is_log, span in zip("xy", log, spans, strict=True)
        ]
        if (length := float(np.linalg.norm(step))) > 0.0:
            ends = [x + _STROKE * s / length * span for x, s, span in zip(at, step, spans, strict=True)]
            line = [
                [np.exp(v) if is_log else v for v in pair]
                for pair, is_log in zip(zip(at, ends, strict=True), log, strict=True)
            ]
            axes.plot(*line, color=DARK, linewidth=0.6, zorder=1)


def _flat(x: float, logarithmic: bool) -> float:
    return float(np.log(x)) if logarithmic else x


def _spans(
    rows: Sequence[Row], log: tuple[bool, bool], limits: tuple[tuple[float, float], tuple[float, float]] | None
) -> tuple[float, float]:
    """Lengths of the two axes, in the logarithm where they are logarithmic."""
    ends: Sequence[tuple[float, float]] = limits or [
        (min(getattr(row, axis) for row in rows), max(getattr(row, axis) for row in rows)) for axis in "xy"
    ]
    x, y = (_flat(high, is_log) - _flat(low, is_log) for (low, high), is_log in zip(ends, log, strict=True))
    return x or 1.0, y or 1.0


def _draw_overlay(axes: "Axes", overlay: Overlay, shade: str, style: Any) -> None:
    if overlay.upper is not None:
        axes.fill_between(overlay.x, overlay.y, overlay.upper, color="0.85", label=overlay.label, zorder=0)
        return
    order = np.argsort(overlay.x, kind="stable") if np.all(np.diff(np.sort(overlay.x)) > 0.0) else slice(None)
    x, y = overlay.x[order], overlay.y[order]
    steps = np.abs(np.diff(np.log(np.abs(x) + 1e-300), prepend=np.nan))[1:]
    breaks = np.flatnonzero(steps > _GAP * max(float(np.median(steps)), 1e-12)) + 1
    axes.plot(
        np.insert(x, breaks, np.nan), np.insert(y, breaks, np.nan),
        color=shade, linestyle=style, linewidth=1.0, marker=".", markersize=2, label=overlay.label, zorder=2,
    )  # fmt: skip
