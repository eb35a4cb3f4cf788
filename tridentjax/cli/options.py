"""What the commands of `cli` share: option types, exit codes, and setting JAX up before its first use."""

import functools
import os
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]
Device = Annotated[str, typer.Option("--device", help="cpu or gpu; default: what JAX finds.")]
Settings = Annotated[list[str], typer.Option("--set", help="name=value, repeatable.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is in the folder.")]
ForceFiles = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Build, print parameters and one log-likelihood, stop.")]
Neutrino = Annotated[str, typer.Option(help="nue, numu, nutau, antinue, antinumu or antinutau.")]
Leptons = Annotated[str, typer.Option(help="Negative then positive lepton: mu-mu+, e-e+, mu-e+, ...")]
CutOption = Annotated[
    list[str],
    typer.Option("--cut", help="OBSERVABLE=MIN:MAX[:RESOLUTION] in GeV or rad, repeatable; see `list observables`."),
]
Kind = Literal["configs", "experiments", "theories", "nuclei", "fluxes", "form-factors", "materials", "observables"]


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors into one clear message and the contract's exit code; never a traceback."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        from tridentjax.faults import InputError

        try:
            command(*arguments, **options)
        except InputError as error:
            for fault in error.faults:
                typer.echo(f"error: {fault}", err=True)
            raise typer.Exit(2) from None
        except typer.Exit:  # a RuntimeError to Python: let the exit code through
            raise
        except KeyboardInterrupt:
            typer.echo("interrupted; finished blocks are saved, continue with --resume", err=True)
            raise typer.Exit(130) from None
        except ValueError as error:  # refused by the library below the checks of the input
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None
        except (RuntimeError, OSError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None

    return run


def start_jax(device: str) -> None:
    """Set JAX up before its first use: 64 bits, platform, one CPU device a core, compilation cache."""
    from tridentjax.faults import InputError

    if device not in ("", "cpu", "gpu"):
        raise InputError([f"--device {device!r}; allowed: cpu, gpu"])
    os.environ["JAX_ENABLE_X64"] = "1"
    if device:
        os.environ["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[device]
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_num_cpu_devices", min(4, os.cpu_count() or 1))
    from tridentjax.cache import cache_folder, processor_hash

    folder = cache_folder() / "compiled" / f"{jax.__version__}-{processor_hash()}"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    try:
        jax.devices()
    except RuntimeError as error:
        raise InputError([f"--device {device!r}: no such device here ({error}); leave --device out"]) from None
