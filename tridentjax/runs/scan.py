"""A scan from config to run folder: parts evaluated, written behind the computation, resumed by listing."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tridentjax.faults import InputError, require
from tridentjax.figures.scan import draw_scan
from tridentjax.figures.style import pyplot
from tridentjax.files import read_yaml
from tridentjax.inference.folded_model import Folded
from tridentjax.runs.config import require_same_run, resolved
from tridentjax.runs.folder import RunFolder
from tridentjax.scan.build import make_plan, open_scan
from tridentjax.scan.evaluator import STATUS, single_precision_error
from tridentjax.scan.grid_file import assemble_grid
from tridentjax.scan.parts import finished_parts, part_path
from tridentjax.scan.plan import Plan, Rows, make_runner
from tridentjax.scan.progress import Progress
from tridentjax.scan.user_table import RowTable
from tridentjax.schema.run import RunSpec

_SAMPLE = 4096  # points that the rounding of float32 is measured at
_WRITERS = 2  # parts in flight: one is computed while the one before is written


def scan_run(
    spec: RunSpec,
    folder: Path,
    *,
    config: Path,
    resume: bool = False,
    force: bool = False,
    allow_changes: bool = False,
    batch: int | None = None,
    devices: int | None = None,
    dask: str | None = None,
) -> tuple[dict[str, Any], str]:
    """Evaluate the points of a config into `folder` and return the summary as data and as text.

    `dask` is the address of a scheduler, or 'local' for one process a core of this machine.

    Raises
    ------
    InputError : bad config or table, an occupied or unwritable folder, too little disk, a changed config on
        resume, a scheduler that does not answer.
    """
    run = RunFolder(folder, config, resolved(spec), "scan", ("scan.nc", "parts"), log=True)
    if allow_changes and not resume:
        raise InputError(["--allow-changes belongs to --resume; add it or leave this out"])
    if devices is not None and devices > jax.local_device_count():
        raise InputError([f"--devices {devices}; allowed: 1 to {jax.local_device_count()}, the devices here"])
    _require_writers(spec)
    fresh = not folder.exists()
    run.open(resume=resume, force=force)
    try:
        names, table = open_scan(spec, config.parent)
        if table is not None:
            inputs = {"rows": table.size, "sha256": table.sha256}
            run = replace(run, settings=run.settings | {"inputs": inputs})
        if resume:
            require_same_run(folder, run.settings, run.block, allow_changes=allow_changes)
        stored = read_yaml(folder / "run.resolved.yaml").get("reference") if resume else None
        plan = make_plan(spec, names, table, folder, run.hash, stored)
    except InputError:
        if fresh:
            folder.rmdir()  # nothing has been written
        raise
    if force:
        run.clear()
    (folder / "parts").mkdir(exist_ok=True)
    run.record(reference={"log_likelihood": plan.best, "threshold": plan.threshold})
    for path in (folder / "parts").glob("*.tmp"):
        path.unlink()  # of a process that was killed
    complete = folder / "scan.nc"
    done = {} if complete.is_file() else finished_parts(folder, None if allow_changes else plan.identity)
    done = {n: d for n, d in done.items() if n < plan.parts and (d["start"], d["stop"]) == plan.span(n)}
    todo = [] if complete.is_file() else [number for number in range(plan.parts) if number not in done]
    setup = run.seconds
    progress = Progress(folder / "log.txt", plan.total, sum(d["stop"] - d["start"] for d in done.values()))
    progress.say(f"{plan.total} points, {len(todo)} of {plan.parts} parts to do; ready after {setup:.1f} s")
    with progress:
        if dask is not None:
            from tridentjax.scan.cluster import run_on_cluster

            found = run_on_cluster(plan, todo, _blocks(plan, table), dask, batch, progress)
        else:
            found = _run_here(plan, todo, _blocks(plan, table), batch, devices, progress)
    rounding = _rounding(plan, table) if plan.spec.precision == "float32" else None
    return _finish(spec, run, plan, done | found, progress, setup, rounding)


def _require_writers(spec: RunSpec) -> None:
    """What writes the results, before anything is computed."""
    if spec.output.figures:
        pyplot()
    if spec.scan is not None and spec.scan.grid is not None:
        require("scan.nc", "h5netcdf", "h5py", remedy="reinstall tridentjax with its dependencies")


def _run_here(
    plan: Plan, todo: list[int], blocks: Rows, batch: int | None, devices: int | None, progress: Progress
) -> dict[int, dict[str, Any]]:
    """All parts in this process, `_WRITERS` at a time."""
    run, found, waiting = make_runner(plan, batch, devices), {}, []  # type: ignore[var-annotated]

    def collect(future: Future[dict[str, Any]]) -> None:
        description = future.result()
        found[description["part"]] = description
        progress.advance(description["stop"] - description["start"])

    with ThreadPoolExecutor(_WRITERS) as pool:
        for number, rows in blocks(todo):
            waiting.append(pool.submit(run, number, rows))
            if len(waiting) >= _WRITERS:
                collect(waiting.pop(0))
        for future in waiting:
            collect(future)
    return found


def _blocks(plan: Plan, table: RowTable | None) -> Rows:
    """Function that gives the parts to do with their rows (None where a part makes its own points)."""

    def blocks(todo: list[int]) -> Iterator[tuple[int, np.ndarray | None]]:
        if table is None:
            yield from ((number, None) for number in todo)
            return
        wanted = set(todo)
        for number, rows in enumerate(table.blocks(plan.spec.part)):
            if number in wanted:
                yield number, rows

    return blocks


def _rounding(plan: Plan, table: RowTable | None) -> dict[str, float]:
    """What float32 costs at the first points of this scan."""
    rows = plan.points(0)[:_SAMPLE] if table is None else next(table.blocks(_SAMPLE))
    assert isinstance(plan.record, Folded)  # profiled nuisances are refused in float32
    return single_precision_error(plan.record, plan.names, rows[np.isfinite(rows).all(1)])


def _finish(
    spec: RunSpec,
    run: RunFolder,
    plan: Plan,
    parts: dict[int, dict[str, Any]],
    progress: Progress,
    setup: float,
    rounding: dict[str, float] | None,
) -> tuple[dict[str, Any], str]:
    folder, grid = run.path, run.path / "scan.nc"
    figures: list[str] = []
    if spec.output.figures and parts:
        latex = {name: parameter.latex for name, parameter in spec.params.items()}
        map_ = draw_scan(folder, plan, sorted(parts), latex, spec.title or spec.name)
        figures = run.save_figures({"delta_chi2": map_})
    if spec.scan is not None and spec.scan.grid is not None and not grid.is_file():
        assemble_grid(grid, plan, spec.name, parts)
    old = read_yaml(folder / "summary.json") if not parts and (folder / "summary.json").is_file() else None
    if old is not None:  # the grid was complete already
        return old, f"nothing to do: {grid} is complete"
    files = [grid] if grid.is_file() else [part_path(folder, number, plan.suffix) for number in sorted(parts)]
    status: dict[str, int] = {}
    for description in parts.values():
        for code, count in description["status"].items():
            status[code] = status.get(code, 0) + count
    allowed = [d["allowed"] for d in parts.values() if d["allowed"] is not None]
    content = {
        "points": plan.total,
        "kept": sum(d["kept"] for d in parts.values()),
        "allowed": sum(allowed) if allowed else None,
        "status": {code: {"points": n, "meaning": STATUS[int(code)]} for code, n in sorted(status.items())},
        "points_per_second": progress.rate,
        "seconds": {"setup": setup, "points": progress.seconds},
        "evaluated_now": progress.evaluated,
        "delta_chi2": f"-2 ln L + 2 x {plan.best:.9g} ({plan.spec.reference.replace('_', ' ')}); nuisances "
        f"{plan.spec.nuisances}; allowed: below {plan.threshold:.6g}",
        "precision": plan.spec.precision,
        "float32_error": rounding,
        "columns": {name: column._asdict() for name, column in plan.about.items()},
        "figures": [str(folder / name) for name in figures],
    }
    summary = run.finish(content, [str(path.relative_to(folder)) for path in files])
    text = [
        f"{plan.total} points, {summary['kept']} kept, in {progress.seconds:.1f} s after {setup:.1f} s of setup"
        + (f": {progress.rate:.3g} points/s" if progress.rate else "")
    ]
    text += [f"  {n['points']} points: {n['meaning']}" for code, n in summary["status"].items() if code != "0"]
    if rounding:
        text.append(
            f"  float32: good to {rounding['rate_ratio_relative']:.1e} of R and "
            f"{rounding['log_likelihood_absolute']:.1e} of ln L within 50 of its maximum"
        )
    if allowed:
        text.append(f"  {summary['allowed']} allowed: delta_chi2 = {summary['delta_chi2']}")
    listed = str(grid) if grid.is_file() else f"{len(files)} files in {folder / 'parts'}"
    progress.say("finished")
    return summary, "\n".join([*text, f"  {listed}"])
