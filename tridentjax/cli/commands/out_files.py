"""Files that a command writes beside its answer: a table, or a figure with its table."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tridentjax.faults import InputError, collect
from tridentjax.figures.style import pyplot, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIGURES = (".png", ".pdf", ".svg")


def output_files(out: Path | None, force: bool) -> list[Path]:
    """The table of `--out` and, where that is a figure, the figure.

    Raises
    ------
    InputError : another ending, a folder that does not exist, existing files without `force`, a figure without
        Matplotlib; all at once.
    """
    if out is None:
        return []
    faults = []
    if out.suffix not in (".csv", *_FIGURES):
        faults.append(f"--out {out}; allowed: a table .csv, or a figure .png, .pdf, .svg with its table beside it")
    files = list(dict.fromkeys([out.with_suffix(".csv"), out])) if out.name else []
    if not out.parent.is_dir():
        faults.append(f"--out {out}: folder {out.parent} does not exist; make it")
    faults += [f"--out: {path} exists; add --force to replace it" for path in files if path.exists() and not force]
    if out.suffix in _FIGURES:
        collect(faults, pyplot)
    if faults:
        raise InputError(faults)
    return files


def write_outputs(files: Iterable[Path], table: Callable[[Path], None], draw: "Callable[[], Figure]") -> None:
    """Write what `output_files` has promised: `table` writes the table, `draw` makes the figure."""
    for path in files:
        if path.suffix == ".csv":
            table(path)
        else:
            figure = draw()
            write_figure(path, figure)
            pyplot().close(figure)
