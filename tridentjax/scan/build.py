"""From the `scan` block of a config to a plan: names, columns and reference checked, everything wrong at once."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.stats import chi2

from tridentjax.faults import InputError, collect, unknown
from tridentjax.inference.build import make_model
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.folded_model import Folded, fold_model
from tridentjax.inference.limits.cls import reference_fit
from tridentjax.inference.model import Model
from tridentjax.inference.optimise import maximise
from tridentjax.scan.evaluator import STATUS, record_outputs
from tridentjax.scan.parts import Column, part_suffix
from tridentjax.scan.plan import Plan
from tridentjax.scan.points import Grid, Random, Sobol, sobol_points
from tridentjax.scan.user_table import RowTable, open_rows, row_parameters
from tridentjax.schema.run import RunSpec, SamplerSpec
from tridentjax.schema.scan import ScanSpec, parse_keep
from tridentjax.theory.binding import theory_faults
from tridentjax.theory.catalogue import find_theory

_PLAIN = ("rate_ratio", "log_likelihood", "delta_chi2", "allowed")


def open_scan(spec: RunSpec, folder: Path) -> tuple[tuple[str, ...], RowTable | None]:
    """Parameters of the columns, and the table of rows if there is one; `folder` is that of the config.

    Raises
    ------
    InputError : no scan block, parameters, outputs, gradients or filters that do not exist, sampled parameters
        without a place, bad tables; all at once.
    """
    scan = spec.scan
    if scan is None:
        raise InputError([f"config {spec.name} has no block `scan`; add e.g. scan: {{points: 100000}}"])
    fixed = {name: p.value for name, p in spec.params.items() if p.prior is None}
    faults = theory_faults(spec.theory, fixed, "params", partial=True)
    sampled = tuple(name for name, p in spec.params.items() if p.prior is not None)
    names, table = tuple(name for name in sampled if name not in scan.at), None
    faults += [unknown("sampled parameter", name, sampled, "scan.at") for name in scan.at if name not in sampled]
    if scan.grid is not None:
        faults += [
            unknown("sampled parameter", name, sampled, "scan.grid") for name in scan.grid if name not in sampled
        ]
        names = tuple(name for name in sampled if name in scan.grid)
        faults += _grid_faults(spec, scan)
    elif scan.rows is not None:
        units = {name: spec.params[name].unit for name in sampled}
        table = collect(faults, open_rows, scan.rows, folder, units)
        columns = None if table is None else collect(faults, row_parameters, scan.rows, table, units)
        names = sampled if columns is None else columns  # what is missing is said already
    both = [name for name in names if name in scan.at]
    faults += [f"scan.at.{name}: it is an axis or a column already" for name in both]
    lost = [name for name in sampled if name not in names and name not in scan.at]
    faults += [f"scan: parameter {name} is no {_place(scan)}; add it, or fix it with scan.at.{name}" for name in lost]
    if not names:
        faults.append("scan: no parameter varies; give one a prior and no place in scan.at")
    if not faults:
        known = tuple(_columns(spec, names))
        numbers = [name for name in known if name not in (*names, "allowed", "index", "status")]
        faults += [unknown("output", name, numbers, "scan.gradients") for name in scan.gradients if name not in numbers]
        written = _columns(spec, names, wanted=True)
        faults += [
            unknown("column", condition.column, written, "scan.keep")
            for condition in parse_keep(scan.keep)
            if condition.column not in written
        ]
    if faults:
        raise InputError(faults)
    return names, table


def make_plan(
    spec: RunSpec,
    names: tuple[str, ...],
    table: RowTable | None,
    folder: Path,
    identity: str,
    stored: dict[str, Any] | None,
) -> Plan:
    """Build the model of a scan and find what its delta_chi2 is relative to.

    `stored` is that reference from the run that is resumed.

    Raises
    ------
    InputError : faults of the model, too little space on the disk of `folder`.
    """
    scan = spec.scan
    assert scan is not None
    model = make_model(spec.model_copy(update={"sampler": SamplerSpec()}))
    at = {name: jnp.asarray(float(x)) for name, x in scan.at.items()}
    model = dataclasses.replace(
        model, fixed=model.fixed | at, priors={name: model.priors[name] for name in names}, names=_names(model, names)
    )
    source, total = _source(scan, names, model.priors, table)
    about = _about(spec, model, names)
    _require_space(folder, about, total, scan)
    record = model if scan.nuisances == "profiled" else fold_model(model)
    best = _reference(model, record, scan) if stored is None else float(stored["log_likelihood"])
    threshold = float(chi2.ppf(scan.confidence_level, scan.parameters_of_interest))
    return Plan(
        folder=str(folder.resolve()), identity=identity, theory=spec.theory, names=names, priors=model.priors,
        source=source, total=total, spec=scan, record=record, best=best, threshold=threshold, about=about,
        suffix=part_suffix(),
    )  # fmt: skip


def _place(scan: ScanSpec) -> str:
    return "axis of scan.grid" if scan.grid is not None else "column of scan.rows.file"


def _names(model: Model, names: tuple[str, ...]) -> tuple[str, ...]:
    return (*names, *(name for name in model.names if name in model.nuisances))


def _grid_faults(spec: RunSpec, scan: ScanSpec) -> list[str]:
    return [
        f"scan.grid.{name} = {axis}: its prior is normal and has no ends; give a list of values"
        for name, axis in (scan.grid or {}).items()
        if isinstance(axis, int) and (p := spec.params.get(name)) and p.prior and p.prior.dist == "normal"
    ]


def _source(
    scan: ScanSpec, names: tuple[str, ...], priors: dict[str, Prior], table: RowTable | None
) -> tuple[Sobol | Random | Grid | None, int]:
    if table is not None:
        return None, table.size
    if scan.grid is not None:
        grid = Grid(tuple(_axis(scan.grid[name], priors[name]) for name in names))
        return grid, grid.size
    assert scan.points is not None
    if scan.sample == "random":
        return Random(scan.seed, len(names)), scan.points
    return sobol_points(scan.points, len(names), scan.seed), scan.points


def _axis(axis: int | list[float], prior: Prior) -> np.ndarray:
    """Values of an axis; a number of points includes both ends of the prior."""
    if isinstance(axis, list):
        return np.asarray(axis, dtype=float)
    spaced = np.geomspace if prior.kind == "loguniform" else np.linspace
    return spaced(prior.low, prior.high, axis)


def _reference(model: Model, record: Folded | Model, scan: ScanSpec) -> float:
    """Log-likelihood of the best fit in the ranges of the priors, or of the Standard Model."""
    if scan.reference == "standard_model":
        bare = dataclasses.replace(model, nuisances={}, names=()) if isinstance(record, Folded) else model
        return -0.5 * float(reference_fit(bare).fit.deviance)
    outputs = record_outputs(record)
    return float(maximise(lambda point: outputs(point)["log_likelihood"], model.priors, seed=scan.seed).value)


def _columns(spec: RunSpec, names: tuple[str, ...], wanted: bool = False) -> list[str]:
    """Names of the columns that can be computed, or of those that are asked for."""
    scan = spec.scan
    assert scan is not None
    outputs: Sequence[str] = scan.outputs if wanted else (*_PLAIN, "derived")
    found: list[str] = [*names]
    for output in outputs:
        if output == "rate_ratio":
            found += [f"rate_ratio_{Path(name).stem}" for name in spec.experiments]
        elif output == "derived":
            found += [name for name in find_theory(spec.theory).derived if name not in names]
        else:
            found.append(output)
    return found


def _about(spec: RunSpec, model: Model, names: tuple[str, ...]) -> dict[str, Column]:
    """Unit and meaning of every column of the files, in their order."""
    scan = spec.scan
    assert scan is not None
    derived = find_theory(spec.theory).derived
    found = {"index": Column("1", "global index of the point")}
    found |= {name: Column(model.units[name], f"parameter of {spec.theory}") for name in names}
    against = scan.reference.replace("_", " ")
    for output in scan.outputs:
        if output == "rate_ratio":
            found |= {f"rate_ratio_{n}": Column("1", f"R = N/N_SM predicted for {n}") for n in model.experiments}
        elif output == "derived":
            found |= {n: Column(item.unit, item.meaning) for n, item in derived.items() if n not in names}
        else:
            meaning = {
                "log_likelihood": f"natural logarithm of the likelihood, nuisances {scan.nuisances}",
                "delta_chi2": f"-2 ln L relative to the {against}, nuisances {scan.nuisances}",
                "allowed": f"delta_chi2 below the {100 * scan.confidence_level:g} % quantile of chi2 with "
                f"{scan.parameters_of_interest} degrees of freedom",
            }[output]
            found[output] = Column("1", meaning)
    for differentiated in scan.gradients:
        for name in names:
            unit = "1" if model.units[name] == "1" else f"1/{model.units[name]}"
            found[f"d_{differentiated}_d_{name}"] = Column(unit, f"derivative of {differentiated}")
    reasons = ", ".join(f"{code}: {meaning}" for code, meaning in STATUS.items())
    return found | {"status": Column("1", f"reason code ({reasons})")}


def _require_space(folder: Path, about: dict[str, Column], total: int, scan: ScanSpec) -> None:
    """Refuse a scan whose files would not fit; with a filter nobody knows beforehand."""
    width = (4 if scan.columns == "float32" else 8) * (len(about) - 1) + 8
    needed = total * width * (2 if scan.grid is not None else 1)
    free = shutil.disk_usage(folder).free
    if not scan.keep and needed > free:
        raise InputError(
            [
                f"scan: {total} points of {len(about)} columns need up to {needed / 1e9:.3g} GB and {str(folder)!r} "
                f"has {free / 1e9:.3g} GB free; write fewer outputs, set scan.columns to float32 or scan.keep, or give "
                "another --out"
            ]
        )
