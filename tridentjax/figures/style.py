"""Figures of a run. Every function draws on given or new axes and returns them; nothing is shown.

Matplotlib is imported inside the functions (extra `viz`). Lines differ by style as well as colour, so the
figures read in grey.
"""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tridentjax.faults import require
from tridentjax.files import replacing

if TYPE_CHECKING:
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


def write_figure(path: Path, figure: "Figure") -> None:
    """Save a figure in the format of the file name, whole or not at all."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
