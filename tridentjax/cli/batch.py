"""Commands of `cli` that evaluate by the thousand: options in, exit codes out."""

from pathlib import Path
from typing import Annotated

import typer

from tridentjax.cli import options as cli_support
from tridentjax.cli.options import Device, DryRun, Force, Json, Settings, guarded


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
    cli_support.start_jax(device)
    from tridentjax.cli.commands import listing as commands

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
    cli_support.start_jax(device)
    from tridentjax.runs import validate as validate_run

    overrides = [*settings, *([f"calibration.replications={replications}"] if replications is not None else [])]
    try:
        passed = validate_run.validate(config, out, tuple(overrides), force, dry_run, json)
    except KeyboardInterrupt:
        typer.echo("interrupted; a report is written at the end only, start again", err=True)
        raise typer.Exit(130) from None
    if not passed:
        raise typer.Exit(3)
