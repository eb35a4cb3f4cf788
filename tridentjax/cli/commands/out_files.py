"""Files that a command writes beside its answer: a table, or a figure with its table."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tridentjax._version import __version__
from tridentjax.faults import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIGURES = (".png", ".pdf", ".svg")


def output_files(out: Path | None, force: bool) -> list[Path]:
    """The table of `--out` and, where that is a figure, the figure.

    Raises
    ------
    InputError : another ending, a folder that does not exist, existing files without `force`; all at once.
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
    if faults:
        raise InputError(faults)
    return files


def write_table(path: Path, comments: Sequence[str], columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV under comment lines (#), through a temporary name; an entry of None is left empty.

    Parameters
    ----------
    path : file.
    comments : what the table is and rests on; the version is added to the first.
    columns : keys of the rows, and the header line.
    rows : numbers, in full precision, and words.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as stream:
        first, *others = comments
        stream.writelines(f"# {line}\n" for line in (f"{first}; tridentjax {__version__}", *others))
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_cell(row[column]) for column in columns])
    os.replace(temporary, path)


def write_figure(path: Path, figure: "Figure") -> None:
    """Save a figure in the format of the file name, through a temporary name."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    os.replace(temporary, path)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
