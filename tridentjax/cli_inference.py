"""Commands of `cli` that make statements about parameters: options in, exit codes out."""

from pathlib import Path
from typing import Annotated

import typer

from tridentjax import cli_support
from tridentjax.cli_support import Device, Json, Settings, guarded


@guarded
def sample(
    config: str,
    out: Annotated[Path | None, typer.Option(help="Run folder (default: runs/NAME).")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the config's.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the folder.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the run in the folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Build, print one log-likelihood, stop.")] = False,
    settings: Settings = [],  # noqa: B006
    json: Json = False,
    device: Device = "",
) -> None:
    """NUTS posterior of a config: posterior.nc, summary.json, run.resolved.yaml, figures.

    Example: tridentjax sample zprime_ccfr --out runs/first
    """
    cli_support.start_jax(device)
    from tridentjax import commands

    overrides = [*settings, *([f"sampler.seed={seed}"] if seed is not None else [])]
    converged = commands.sample(config, out, tuple(overrides), resume, force, dry_run, json)
    if not converged:
        raise typer.Exit(3)
