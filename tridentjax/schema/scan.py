"""Shape of the block `scan` of a config: which points, which columns, how they are written."""

import math
import re
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import Field, FiniteFloat, PlainValidator, model_validator

from tridentjax.schema.strict import Number, Strict

Output = Literal["rate_ratio", "log_likelihood", "delta_chi2", "allowed", "derived"]
_CONDITION = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|==|<|>)\s*([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s*")


def _axis(value: Any) -> int | list[float]:
    """A number of points, or the values themselves."""
    values = value if isinstance(value, list) else [value]
    if any(isinstance(x, bool) or not isinstance(x, int | float) or not math.isfinite(x) for x in values) or not values:
        raise ValueError("allowed: a number of points, or a list of finite values")
    if isinstance(value, list):
        return [float(x) for x in value]
    if value != int(value) or value < 1:
        raise ValueError("allowed: a number of points from 1, or a list of values")
    return int(value)


Axis = Annotated[Any, PlainValidator(_axis)]


class Condition(NamedTuple):
    """One comparison of a `keep` filter."""

    column: str
    operator: str
    value: float


class RowsSpec(Strict):
    """Points of a user's table, CSV or Parquet, one row a point.

    `columns` names the columns of parameters that are called otherwise in the table, `units` says which of them
    are in another unit than the config's ('MeV' or 'TeV' for GeV).
    """

    file: str
    columns: dict[str, str] = {}
    units: dict[str, Literal["MeV", "GeV", "TeV"]] = {}


class ScanSpec(Strict):
    """What `scan` evaluates and writes.

    One of `points` (random or Sobol, distributed as the priors), `grid` (per parameter a number of points, equally
    spaced where its prior is flat, or a list of values) and `rows`. Sampled parameters without a place in a grid or
    a table are fixed `at` a value. `delta_chi2` is -2 ln L relative to the best fit in the prior ranges, or to the
    Standard Model; `allowed` compares it with the quantile of `parameters_of_interest` degrees of freedom.
    """

    points: Annotated[int, Field(ge=1, le=2**32)] | None = None
    sample: Literal["sobol", "random"] = "sobol"
    grid: dict[str, Axis] | None = None
    rows: RowsSpec | None = None
    at: dict[str, Number] = {}
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    nuisances: Literal["nominal", "profiled"] = "nominal"
    outputs: list[Output] = ["rate_ratio", "log_likelihood", "delta_chi2", "allowed"]
    gradients: list[str] = []
    keep: str = ""
    reference: Literal["best_fit", "standard_model"] = "best_fit"
    confidence_level: Annotated[FiniteFloat, Field(gt=0.0, lt=1.0)] = 0.95
    parameters_of_interest: Annotated[int, Field(ge=1, le=100)] = 2
    precision: Literal["float64", "float32"] = "float64"
    columns: Literal["float64", "float32"] = "float64"
    part: Annotated[int, Field(ge=1024, le=2**24)] = 2**20

    @model_validator(mode="after")
    def _one_source(self) -> "ScanSpec":
        given = [key for key in ("points", "grid", "rows") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of points, grid and rows; received {', '.join(given) or 'none'}")
        if self.grid is not None and not self.grid:
            raise ValueError("grid is empty; name its parameters, e.g. grid: {mass: 100, g: 100}")
        if self.grid is not None and self.keep:
            raise ValueError("keep leaves holes in a grid; filter the file afterwards, or use points")
        if self.precision == "float32" and self.nuisances == "profiled":
            raise ValueError("precision float32 needs nominal nuisances: a profile fit does not converge in it")
        if not self.outputs and not self.gradients:
            raise ValueError(f"outputs is empty; allowed: {', '.join(get_args(Output))}")
        parse_keep(self.keep)
        return self


def parse_keep(text: str) -> tuple[Condition, ...]:
    """Conditions of a `keep` filter, NAME < NUMBER, joined by 'and'; none for an empty text.

    Raises
    ------
    ValueError : anything else.
    """
    found = []
    for part in re.split(r"\band\b", text) if text.strip() else []:
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise ValueError(f"keep: {part.strip()!r} is no comparison; allowed: NAME < NUMBER (<=, >, >=, ==), 'and'")
        found.append(Condition(match[1], match[2], float(match[3])))
    return tuple(found)
