"""Files: the reader of tables (CSV with a `# key: value` header) and YAML, and one atomic way to write."""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from tridentjax._version import __version__
from tridentjax.faults import InputError


class Table(NamedTuple):
    """A text table: header entries (repeated keys are joined by newlines), column names, rows of text."""

    place: str
    header: dict[str, str]
    columns: tuple[str, ...]
    rows: list[dict[str, str]]


def data_folder() -> Path:
    """Folder of the packaged data files."""
    return Path(__file__).parent / "data"


def read_table(path: Path, *, required: tuple[str, ...] = (), columns: tuple[str, ...] | None = None) -> Table:
    """Read a CSV table with its header; with `columns`, white-space separated text without a column line.

    Raises
    ------
    InputError : the file cannot be read, a required header entry is missing, or a row is ragged.
    """
    place = path.name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([f"cannot read table {str(path)!r}: {error}"]) from None
    header: dict[str, str] = {}
    for line in lines:
        if line.startswith("#") and ":" in line:
            key, value = line.lstrip("# ").split(":", 1)
            key, value = key.strip(), value.strip()
            header[key] = f"{header[key]}\n{value}" if key in header else value
    faults = [
        f"{place}: the header has no '# {key}: ...' line; add one (units are never guessed)"
        for key in required
        if key not in header
    ]
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    cells_of_rows = [line.split() for line in body] if columns else list(csv.reader(body, skipinitialspace=True))
    if columns is None:
        columns = tuple(cells_of_rows.pop(0)) if cells_of_rows else ()
    rows = []
    for number, cells in enumerate(cells_of_rows, start=1):
        if len(cells) != len(columns):
            faults.append(f"{place}: row {number} has {len(cells)} cells, needs {len(columns)}")
        rows.append(dict(zip(columns, cells, strict=False)))
    if not rows:
        faults.append(f"{place}: no data rows")
    if faults:
        raise InputError(faults)
    return Table(place, header, columns, rows)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML 1.2 mapping (safe loader, duplicate keys refused).

    Raises
    ------
    InputError : unreadable file, invalid YAML, or not a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([f"cannot read {str(path)!r}: {error}"]) from None
    except YAMLError as error:
        raise InputError([f"{path.name} is not valid YAML 1.2: {' '.join(str(error).split())}"]) from None
    if not isinstance(content, dict):
        raise InputError([f"{path.name}: expected a mapping of keys to values, received {type(content).__name__}"])
    return content


def numbers(table: Table, column: str, rows: list[dict[str, str]] | None = None) -> list[float]:
    """One column as floats.

    Raises
    ------
    InputError : the column is missing or a cell is not a number; every bad cell is named.
    """
    rows = table.rows if rows is None else rows
    if column not in table.columns:
        raise InputError([f"{table.place}: no column {column!r}; it has {', '.join(table.columns)}"])
    values, faults = [], []
    for number, row in enumerate(rows, start=1):
        try:
            values.append(float(row[column]))
        except ValueError:
            faults.append(f"{table.place}: row {number}, column {column!r} = {row[column]!r} is not a number")
    if faults:
        raise InputError(faults)
    return values


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place at the end: a reader sees the old file or the new one.

    When the body fails, the old file stays and nothing of the new one does.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file: the old content or the new, never half."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_yaml(path: Path, *documents: dict[str, Any]) -> None:
    """Write plain data as YAML 1.2, one document or several."""
    from ruamel.yaml import YAML

    stream = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump_all(documents, stream)
    write_text(path, stream.getvalue())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write plain data as JSON, refusing NaN."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_table(path: Path, comments: Sequence[str], columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as CSV under comment lines (#); an entry of None is left empty.

    Parameters
    ----------
    path : file.
    comments : what the table is and rests on; the version is added to the first.
    columns : keys of the rows, and the header line.
    rows : numbers, in full precision, and words.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        first, *others = comments
        stream.writelines(f"# {line}\n" for line in (f"{first}; tridentjax {__version__}", *others))
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_cell(row[column]) for column in columns])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)
