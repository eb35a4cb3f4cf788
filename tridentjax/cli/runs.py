"""Commands that work through a config into a run folder: sample, contour, fit, scan, validate."""

from importlib import import_module
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from tridentjax.cli import options
from tridentjax.cli.options import Device, DryRun, Force, Json, Settings, guarded


@guarded
def sample(
    config: str,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/NAME).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the config's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    dask: Annotated[str | None, typer.Option(help="Scheduler for `sampler.sets` sets of chains, or 'local'.")] = None,
    force: Force = False,
    dry_run: DryRun = False,
    settings: Settings = [],  # noqa: B006
    json: Json = False,
    device: Device = "",
) -> None:
    """NUTS posterior of a config: posterior.nc, summary.json, run.resolved.yaml, figures.

    Example: tridentjax sample zprime_ccfr --out runs/first
    """
    overrides = [*settings, *([f"sampler.seed={seed}"] if seed is not None else [])]
    _run(
        "sample", config, overrides, out=out, suffix="", needs="converged", dry_run=dry_run, json=json, device=device,
        force=force, resume=resume, dask=dask,
    )  # fmt: skip


@guarded
def contour(
    config: str,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/NAME_contour).")] = None,
    statistic: Annotated[
        list[str], typer.Option(help="gaussian, profile, cls, cls_toys or bayesian; repeatable.")
    ] = [],  # noqa: B006
    confidence_level: Annotated[float | None, typer.Option(help="Instead of the config's.")] = None,
    force: Force = False,
    dry_run: DryRun = False,
    settings: Settings = [],  # noqa: B006
    json: Json = False,
    device: Device = "",
) -> None:
    """Exclusion contour at a stated confidence level: CSV, figure, HEPData-style YAML.

    Example: tridentjax contour zprime_ccfr --statistic gaussian --statistic profile
    """
    overrides = list(settings)
    overrides += [f"contour.statistics=[{', '.join(statistic)}]"] if statistic else []
    overrides += [f"contour.confidence_level={confidence_level}"] if confidence_level is not None else []
    _run(
        "contour", config, overrides, out=out, suffix="_contour", dry_run=dry_run, json=json, device=device,
        force=force,
    )  # fmt: skip


@guarded
def fit(
    config: str,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/NAME_fit).")] = None,
    extremum: Annotated[
        list[str], typer.Option(help="max:OUTPUT or min:OUTPUT over the allowed region, repeatable.")
    ] = [],  # noqa: B006
    force: Force = False,
    dry_run: DryRun = False,
    settings: Settings = [],  # noqa: B006
    json: Json = False,
    device: Device = "",
) -> None:
    """Best fit from many starts, covariance, profile likelihood, and extrema of outputs over the allowed region.

    OUTPUT is a parameter, rate_ratio_EXPERIMENT, log_likelihood or a derived quantity. Exit code 3 when not converged.

    Example: tridentjax fit zprime_ccfr --extremum max:rate_ratio_ccfr --extremum max:g
    """
    overrides = list(settings)
    if extremum:
        parts = [item.partition(":") for item in extremum]
        wanted = ", ".join(f"{{sense: {dumps(sense)}, output: {dumps(output)}}}" for sense, _, output in parts)
        overrides.append(f"fit.extremum=[{wanted}]")
    _run(
        "fit", config, overrides, out=out, suffix="_fit", needs="converged", dry_run=dry_run, json=json, device=device,
        force=force,
    )  # fmt: skip


@guarded
def scan(
    config: str,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/NAME_scan).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Do the parts that are missing in the folder.")] = False,
    force: Force = False,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="With --resume: keep parts of a config that was another.")
    ] = False,
    batch: Annotated[
        int | None, typer.Option(help="Points of a chunk on a device [256; 65536 on a GPU].", min=1)
    ] = None,
    devices: Annotated[int | None, typer.Option(help="Local devices to use [all].", min=1)] = None,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, or 'local' for one process a core.")
    ] = None,
    dry_run: DryRun = False,
    settings: Settings = [],  # noqa: B006
    json: Json = False,
    device: Device = "",
) -> None:
    """Evaluate a grid, a random or Sobol sample, or the rows of a table: rate ratios, likelihoods, gradients.

    Example: tridentjax scan zprime_plane --set scan.points=1000000 --out runs/plane
    """
    _run(
        "scan", config, settings, out=out, suffix="_scan", dry_run=dry_run, json=json, device=device, force=force,
        resume=resume, allow_changes=allow_changes, batch=batch, devices=devices, dask=dask,
    )  # fmt: skip


@guarded
def validate(
    config: str,
    out: Annotated[Path | None, typer.Option(help="Folder of the report (default: runs/NAME_validation).")] = None,
    replications: Annotated[
        int | None, typer.Option(help="Of the simulation-based calibration, instead of the config's [200].")
    ] = None,
    force: Force = False,
    dry_run: DryRun = False,
    settings: Settings = [],  # noqa: B006
    json: Json = False,
    device: Device = "",
) -> None:
    """Check a posterior: simulation-based calibration, NUTS against a grid, seeds. Exit code 3 when a check fails.

    Example: tridentjax validate zprime_ccfr --replications 100 --out runs/trust
    """
    overrides = [*settings, *([f"calibration.replications={replications}"] if replications is not None else [])]
    _run(
        "validate", config, overrides, out=out, suffix="_validation", needs="passed", dry_run=dry_run, json=json,
        device=device, force=force,
    )  # fmt: skip


def _run(
    verb: str, config: str, overrides: list[str], *, out: Path | None, suffix: str, needs: str | None = None,
    dry_run: bool, json: bool, device: str, **arguments: Any,
) -> None:  # fmt: skip
    """The shell of every verb: run it in its folder and print the answer, or print what it would start from.

    The folder is `out`, or that of the config (`runs/NAME`) with the suffix; `arguments` are those of
    `runs.VERB.VERB_run`. Exit code 3 where the entry `needs` of the answer is false.
    """
    options.start_jax(device)
    from tridentjax.cli.commands.arguments import emit
    from tridentjax.runs.config import config_path, load_config

    spec = load_config(config, tuple(overrides))
    if dry_run:
        from tridentjax.runs.dry_run import dry_run_report

        content, text = dry_run_report(spec, verb)
        emit(content, json, text)
        return
    _require_cluster(arguments.get("dask"))
    folder = out or Path((spec.output.folder or f"runs/{spec.name}") + suffix)
    run = getattr(import_module(f"tridentjax.runs.{verb}"), f"{verb}_run")
    try:
        content, text = run(spec, folder, config=config_path(config), **arguments)
    except KeyboardInterrupt:
        if "resume" in arguments:
            raise
        typer.echo("interrupted; results are written at the end only, start again", err=True)
        raise typer.Exit(130) from None
    emit(content, json, text)
    if needs is not None and not content[needs]:
        raise typer.Exit(3)


def _require_cluster(scheduler: str | None) -> None:
    """Find out that a scheduler is not there before anything is computed or written."""
    if scheduler is None:
        return
    from tridentjax.faults import InputError

    if not all(map(find_spec, ("dask", "distributed"))):
        raise InputError(["--dask needs Dask; install it with: pip install 'tridentjax[cluster]'"])
    from tridentjax.scan.cluster import check_scheduler

    check_scheduler(scheduler)
