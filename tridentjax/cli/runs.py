"""Commands that work through a config into a run folder: sample, contour, fit, scan, validate."""

from json import dumps
from pathlib import Path
from typing import Annotated

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
    options.start_jax(device)
    from tridentjax.cli.commands import verbs as commands

    overrides = [*settings, *([f"sampler.seed={seed}"] if seed is not None else [])]
    converged = commands.sample(
        config, tuple(overrides), out=out, resume=resume, force=force, dry_run=dry_run, as_json=json, dask=dask
    )
    if not converged:
        raise typer.Exit(3)


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
    options.start_jax(device)
    from tridentjax.cli.commands import verbs as commands

    overrides = list(settings)
    overrides += [f"contour.statistics=[{', '.join(statistic)}]"] if statistic else []
    overrides += [f"contour.confidence_level={confidence_level}"] if confidence_level is not None else []
    commands.contour(config, tuple(overrides), out=out, force=force, dry_run=dry_run, as_json=json)


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
    options.start_jax(device)
    from tridentjax.cli.commands import verbs as commands

    overrides = list(settings)
    if extremum:
        parts = [item.partition(":") for item in extremum]
        wanted = ", ".join(f"{{sense: {dumps(sense)}, output: {dumps(output)}}}" for sense, _, output in parts)
        overrides.append(f"fit.extremum=[{wanted}]")
    if not commands.fit(config, tuple(overrides), out=out, force=force, dry_run=dry_run, as_json=json):
        raise typer.Exit(3)


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
    options.start_jax(device)
    from tridentjax.cli.commands import verbs as commands

    commands.scan(
        config, tuple(settings), out=out, resume=resume, force=force, allow_changes=allow_changes, batch=batch,
        devices=devices, dask=dask, dry_run=dry_run, as_json=json,
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
    options.start_jax(device)
    from tridentjax.cli.commands import verbs as commands

    overrides = [*settings, *([f"calibration.replications={replications}"] if replications is not None else [])]
    try:
        passed = commands.validate(config, out, tuple(overrides), force, dry_run, json)
    except KeyboardInterrupt:
        typer.echo("interrupted; a report is written at the end only, start again", err=True)
        raise typer.Exit(130) from None
    if not passed:
        raise typer.Exit(3)
