"""Parts of a scan: one file each, written through a temporary name, self-describing, found again by listing.

Parquet with the extra `scan`, else NumPy's `.npz`. The schema of a Parquet part carries unit and meaning of every
column; both formats carry the same description of the part (points, counts, hash of the configuration).
"""

import json
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tridentjax.cache import save_arrays
from tridentjax.files import replacing

_KEY = b"tridentjax"


class Column(NamedTuple):
    """Unit and meaning of a column."""

    unit: str
    meaning: str


def part_suffix() -> str:
    """Format of new parts: Parquet where pyarrow is installed."""
    return ".parquet" if find_spec("pyarrow") is not None else ".npz"


def part_path(folder: Path, number: int, suffix: str) -> Path:
    """Path of a part."""
    return folder / "parts" / f"part-{number:06d}{suffix}"


def write_part(
    path: Path, columns: dict[str, np.ndarray], about: dict[str, Column], description: dict[str, Any]
) -> None:
    """Write columns of equal length: the whole part or nothing.

    Raises
    ------
    OSError : no space or permission; no temporary file stays behind.
    """
    text = json.dumps(description | {"columns": {name: about[name]._asdict() for name in columns}})
    if path.suffix == ".npz":
        save_arrays(path, columns | {"description": np.asarray(text)})
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [
        pa.field(
            name, pa.from_numpy_dtype(x.dtype), metadata={"unit": about[name].unit, "meaning": about[name].meaning}
        )
        for name, x in columns.items()
    ]
    table = pa.table(list(columns.values()), schema=pa.schema(fields, metadata={_KEY: text.encode()}))
    with replacing(path) as temporary:
        # numbers without repetition: a dictionary costs time and saves nothing
        pq.write_table(table, temporary, compression="zstd", compression_level=1, use_dictionary=False)


def read_description(path: Path) -> dict[str, Any] | None:
    """What a part says about itself; None if it is damaged or not one of ours."""
    try:
        if path.suffix == ".npz":
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                return json.loads(str(stored["description"]))
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return json.loads(pq.read_schema(path).metadata[_KEY])
        except pa.ArrowException:
            return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None


def read_part(path: Path, names: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """Columns of a part, all or those named."""
    if path.suffix == ".npz":
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            return {name: stored[name] for name in names or stored.files if name != "description"}
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=None if names is None else list(names))
    return {name: table[name].to_numpy() for name in table.column_names}


def finished_parts(folder: Path, identity: str | None) -> dict[int, dict[str, Any]]:
    """Descriptions of the parts that are there, by number; damaged ones and those of another hash are left out.

    `identity` None takes parts of any configuration.
    """
    found = {}
    for path in sorted((folder / "parts").glob("part-*")):
        if path.suffix not in (".parquet", ".npz"):
            continue
        description = read_description(path)
        if description is not None and identity in (None, description.get("hash")):
            found[int(description["part"])] = description
    return found
