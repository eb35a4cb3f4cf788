"""A user's table of points, CSV or Parquet, read block by block."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tridentjax.faults import InputError, unknown
from tridentjax.schema.scan import RowsSpec

_TO_GEV = {"MeV": 1e-3, "GeV": 1.0, "TeV": 1e3}


class RowTable(NamedTuple):
    """A table that has been read once: its path, the columns to use with their factors, size and checksum."""

    path: Path
    columns: tuple[str, ...]
    factors: tuple[float, ...]
    size: int
    sha256: str

    def blocks(self, length: int) -> Iterator[np.ndarray]:
        """Consecutive blocks (point, parameter) of `length` rows; an empty entry is NaN."""
        waiting: list[np.ndarray] = []
        held = 0
        for batch in _batches(self.path, self.columns):
            waiting.append(np.stack([_floats(batch[name]) for name in self.columns], 1) * np.asarray(self.factors))
            held += len(waiting[-1])
            while held >= length:
                rows = np.concatenate(waiting)
                yield rows[:length]
                waiting, held = [rows[length:]], held - length
        if held:
            yield np.concatenate(waiting)


def open_rows(spec: RowsSpec, folder: Path, units: dict[str, str]) -> RowTable:
    """Find the parameters of a config in a table, and read it once to check that all entries are numbers.

    Parameters
    ----------
    spec : the block `rows`.
    folder : of the config, where relative paths start.
    units : of the parameters that can be columns; those without a column are left to the caller.

    Raises
    ------
    InputError : no such file, another format, no column for any parameter, columns or units of parameters that do
        not exist, entries that are no numbers, a column with another unit than declared; all at once.
    """
    path = folder / spec.file
    if not path.is_file():
        raise InputError([f"scan.rows.file: {spec.file!r} does not exist (looked in {folder})"])
    if path.suffix not in (".csv", ".parquet"):
        raise InputError([f"scan.rows.file: {spec.file!r}; allowed: a table .csv (with a header line) or .parquet"])
    try:
        import pyarrow as pa
    except ImportError:
        raise InputError(["scan.rows needs pyarrow; install it with: pip install 'tridentjax[scan]'"]) from None
    try:
        present, stored = _header(path)
        faults = _faults(spec, units, present)
        columns = {name: spec.columns.get(name, name) for name in units if spec.columns.get(name, name) in present}
        for name, column in columns.items():
            declared = spec.units.get(name, units[name])
            if column in stored and stored[column] != declared:
                faults.append(
                    f"scan.rows: column {column!r} says unit {stored[column]!r} and the config {declared!r}; set "
                    f"scan.rows.units.{name}, or convert the table"
                )
        if faults:
            raise InputError(faults)
        size = sum(len(batch) for batch in _batches(path, tuple(columns.values())))
    except pa.ArrowException as error:
        raise InputError([f"scan.rows.file {spec.file!r}: {str(error).splitlines()[0]}"]) from None
    if not size:
        raise InputError([f"scan.rows.file {spec.file!r} has no rows"])
    factors = tuple(_TO_GEV[spec.units[name]] if name in spec.units else 1.0 for name in columns)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return RowTable(path, tuple(columns.values()), factors, size, digest)


def row_parameters(spec: RowsSpec, table: RowTable, units: dict[str, str]) -> tuple[str, ...]:
    """Parameters of the columns of a table, in their order."""
    by_column = {spec.columns.get(name, name): name for name in units}
    return tuple(by_column[column] for column in table.columns)


def _faults(spec: RowsSpec, units: dict[str, str], present: list[str]) -> list[str]:
    faults = [unknown("parameter", name, units, "scan.rows.columns") for name in spec.columns if name not in units]
    faults += [unknown("parameter", name, units, "scan.rows.units") for name in spec.units if name not in units]
    faults += [
        f"scan.rows.units.{name} = {unit!r}; the parameter has unit {units[name]!r}, not an energy"
        for name, unit in spec.units.items()
        if name in units and units[name] != "GeV"
    ]
    faults += [
        f"scan.rows.columns.{name}: {unknown('column', column, present, spec.file)}"
        for name, column in spec.columns.items()
        if column not in present
    ]
    if not any(spec.columns.get(name, name) in present for name in units):
        faults.append(f"scan.rows.file {spec.file!r} has columns {', '.join(present)}; needed: {', '.join(units)}")
    return faults


def _header(path: Path) -> tuple[list[str], dict[str, str]]:
    """Names of the columns, and the units that a Parquet file declares."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        schema = pq.read_schema(path)
        declared = {f.name: f.metadata[b"unit"].decode() for f in schema if f.metadata and b"unit" in f.metadata}
        return list(schema.names), declared
    from pyarrow import csv

    with csv.open_csv(path, read_options=csv.ReadOptions(skip_rows=_comments(path))) as reader:
        return list(reader.schema.names), {}


def _comments(path: Path) -> int:
    """Lines that start with '#' above the header."""
    count = 0
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            if not line.startswith("#"):
                break
            count += 1
    return count


def _batches(path: Path, columns: tuple[str, ...]) -> Iterator[Any]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=list(columns))
        return
    import pyarrow as pa
    from pyarrow import csv

    options = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.float64()), include_columns=list(columns), null_values=["", "nan", "NaN"]
    )
    with csv.open_csv(path, read_options=csv.ReadOptions(skip_rows=_comments(path)), convert_options=options) as reader:
        yield from reader


def _floats(column: Any) -> np.ndarray:
    """Numbers of a column; what is missing is NaN.

    Raises
    ------
    InputError : words.
    """
    import pyarrow as pa

    try:
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=float)
    except pa.ArrowException:
        raise InputError([f"scan.rows: a column holds {column.type}, not numbers"]) from None
