"""Contours as tables: rows with certified brackets, CSV, and YAML in the layout of HEPData submissions."""

import csv
from io import StringIO
from pathlib import Path
from typing import Any

from tridentjax.files import write_text, write_yaml
from tridentjax.inference.limits.rows import Row


def write_csv(path: Path, rows: list[Row], names: tuple[str, str], units: tuple[str, str], header: list[str]) -> None:
    """Write rows as CSV under a `# key: value` header; columns are named after the parameters."""
    stream = StringIO()
    for line in header:
        stream.write(f"# {line}\n")
    for name, unit in zip(names, units, strict=True):
        stream.write(f"# unit of {name}: {unit}\n")
    writer = csv.writer(stream, lineterminator="\n")
    x, y = names
    columns = [x, y, f"{x}_allowed", f"{y}_allowed", f"{x}_excluded", f"{y}_excluded"]
    writer.writerow(["statistic", "experiments", "line", *columns, "excluded", "status", "rate_ratios"])
    for row in rows:
        numbers = [repr(getattr(row, f"{axis}{end}")) for end in ("", "_allowed", "_excluded") for axis in "xy"]
        ratios = " ".join(f"{R:.8g}" for R in row.rate_ratios)
        writer.writerow([row.statistic, row.experiments, row.line, *numbers, row.excluded, row.status, ratios])
    write_text(path, stream.getvalue())


def write_hepdata(
    folder: Path,
    rows: list[Row],
    names: tuple[str, str],
    units: tuple[str, str],
    statements: dict[tuple[str, str], str],
    title: str,
) -> list[str]:
    """Write `submission.yaml` and one table for each statistic and set of experiments; the file names."""
    documents: list[dict[str, Any]] = [{"comment": f"{title}. Computed with tridentjax; not data of an experiment."}]
    files = []
    for (statistic, experiments), statement in statements.items():
        own = [row for row in rows if (row.statistic, row.experiments) == (statistic, experiments)]
        name = f"contour_{statistic}_{experiments.replace('+', '_')}.yaml"
        shown = [None if unit == "1" else unit for unit in units]
        x_header, y_header = (
            {"name": n} | ({} if unit is None else {"units": unit}) for n, unit in zip(names, shown, strict=True)
        )
        qualifiers = [
            {"name": "statistic", "value": statement},
            {"name": "experiments", "value": experiments},
        ]
        values = [
            {
                "value": row.y,
                "errors": [
                    {
                        "label": "bracket",
                        "asymerror": {
                            "plus": max(row.y_allowed, row.y_excluded) - row.y,
                            "minus": min(row.y_allowed, row.y_excluded) - row.y,
                        },
                    }
                ],
            }
            for row in own
        ]
        table = {
            "independent_variables": [{"header": x_header, "values": [{"value": row.x} for row in own]}],
            "dependent_variables": [{"header": y_header, "qualifiers": qualifiers, "values": values}],
        }
        write_yaml(folder / name, table)
        documents.append(
            {
                "name": f"{statistic} {experiments}",
                "description": statement,
                "keywords": [{"name": "observables", "values": ["CLS" if "cls" in statistic else "R"]}],
                "data_file": name,
            }
        )
        files.append(name)
    write_yaml(folder / "submission.yaml", *documents)
    return [*files, "submission.yaml"]
