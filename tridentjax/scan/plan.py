"""What a scan evaluates, as one record that any process can work through part by part."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from tridentjax.inference.coordinates import Prior
from tridentjax.inference.folded_model import Folded, in_float32
from tridentjax.inference.model import Model
from tridentjax.scan.evaluator import (
    OutputFunction,
    delta_chi2,
    finish,
    input_status,
    kept,
    make_evaluator,
    record_outputs,
    with_delta_chi2,
)
from tridentjax.scan.parts import Column, part_path, write_part
from tridentjax.scan.points import Grid, Random, Sobol
from tridentjax.schema.scan import ScanSpec, parse_keep
from tridentjax.theory.catalogue import find_theory

# of the parts to do: number of each, with the rows of a table if there is one
Rows = Callable[[list[int]], Iterator[tuple[int, np.ndarray | None]]]


class Plan(NamedTuple):
    """Everything that a part depends on; nothing that one part leaves for another.

    `source` gives points of the unit cube (Sobol, Random), values (Grid), or is None where rows of a table are
    handed in. `record` is folded at nominal nuisances, or the model whose nuisances are profiled.
    """

    folder: str
    identity: str
    theory: str
    names: tuple[str, ...]
    priors: dict[str, Prior]
    source: Sobol | Random | Grid | None
    total: int
    spec: ScanSpec
    record: Folded | Model
    best: float
    threshold: float
    about: dict[str, Column]
    suffix: str

    @property
    def parts(self) -> int:
        """Number of parts."""
        return -(-self.total // self.spec.part)

    @property
    def wanted(self) -> tuple[str, ...]:
        """Outputs to write, without gradients."""
        return tuple(name for name in self.about if name not in (*self.names, "index", "status") and name[:2] != "d_")

    def span(self, number: int) -> tuple[int, int]:
        """Global indices [start, stop) of a part."""
        start = number * self.spec.part
        return start, min(start + self.spec.part, self.total)

    def points(self, number: int) -> Float[np.ndarray, "point parameter"]:
        """Physical values of the points of a part."""
        assert self.source is not None  # rows are handed in
        found = self.source(*self.span(number))
        if isinstance(self.source, Grid):
            return found
        return np.stack([_from_unit(self.priors[name], found[:, j]) for j, name in enumerate(self.names)], axis=1)

    def outputs(self, single: bool) -> OutputFunction:
        """The function that is evaluated at every point."""
        record = in_float32(self.record) if single and isinstance(self.record, Folded) else self.record
        return with_delta_chi2(record_outputs(record, "derived" in self.spec.outputs), self.best, self.threshold)


def make_runner(
    plan: Plan, batch: int | None = None, devices: int | None = None
) -> Callable[[int, Float[np.ndarray, "point parameter"] | None], dict[str, Any]]:
    """Compile a plan; the result evaluates and writes one part and returns its description.

    `batch` defaults to what suits the platform. Rows are those of the part where the plan has no source.
    """
    # numbers of a record are arrays here as on a worker of a cluster: XLA treats constants differently in the last bit
    plan, spec = plan._replace(record=jax.tree.map(jnp.asarray, plan.record)), plan.spec
    single = spec.precision == "float32"
    default = 256 if jax.local_devices()[0].platform == "cpu" else 2**16
    evaluate = make_evaluator(
        plan.outputs(single),
        plan.names,
        {*plan.wanted, "log_likelihood"} - {"delta_chi2", "allowed"},
        spec.gradients,
        size=min(spec.part, plan.total),
        batch=min(batch or default, plan.total),
        devices=devices,
        single=single,
    )
    fixed = {name: np.asarray(x) for name, x in plan.record.fixed.items()}
    theory, conditions = find_theory(plan.theory), parse_keep(spec.keep)
    kind = np.float32 if spec.columns == "float32" else np.float64

    def run(number: int, rows: Float[np.ndarray, "point parameter"] | None = None) -> dict[str, Any]:
        rows = plan.points(number) if rows is None else rows
        start, stop = plan.span(number)
        found = evaluate(rows)  # dispatched: the device works on it
        status = input_status(rows, plan.names, theory, fixed)
        columns = {name: np.asarray(found.pop(name)) for name in tuple(found)}
        # by NumPy: in a fused kernel the last bit would depend on the number of devices
        columns["delta_chi2"] = delta_chi2(columns["log_likelihood"], plan.best)
        columns["allowed"] = columns["delta_chi2"] < plan.threshold
        columns, status = finish(columns, status, kind)
        codes, counts = np.unique(status, return_counts=True)
        allowed = int(columns["allowed"].sum()) if "allowed" in plan.about else None
        columns = (
            {"index": np.arange(start, stop)}
            | {name: np.ascontiguousarray(rows[:, j], dtype=kind) for j, name in enumerate(plan.names)}
            | {name: columns[name] for name in plan.about if name in columns}
            | {"status": status}
        )
        if conditions:
            mask = kept(columns, status, conditions, plan.source is None)
            columns = {name: x[mask] for name, x in columns.items()}
        description = {
            "hash": plan.identity,
            "part": number,
            "start": start,
            "stop": stop,
            "kept": len(columns["index"]),
            "allowed": allowed,
            "status": {str(code): int(n) for code, n in zip(codes, counts, strict=True)},
            "seed": spec.seed,
            "best_log_likelihood": plan.best,
            "threshold": plan.threshold,
            "keep": spec.keep,
        }
        write_part(part_path(Path(plan.folder), number, plan.suffix), columns, plan.about, description)
        return description

    return run


def _from_unit(prior: Prior, u: Float[np.ndarray, " point"]) -> Float[np.ndarray, " point"]:
    """Value at a quantile of a prior, in NumPy: the same on every machine and device."""
    if prior.kind == "normal":
        return prior.low + prior.high * ndtri(u)
    if prior.kind == "loguniform":
        low, high = np.log(prior.low), np.log(prior.high)
        return np.exp(low + (high - low) * u)
    return prior.low + (prior.high - prior.low) * u
