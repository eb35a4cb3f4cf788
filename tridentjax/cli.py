"""Command line: options in, exit codes out. The work is in `commands`, imported only when one runs.

Exit codes: 0 success, 2 bad input, 3 not converged, 130 interrupted (state saved), 1 anything else.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

app = typer.Typer(
    name="tridentjax",
    help="Differentiable likelihood for neutrino trident production, nu N -> nu l+ l- N.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, nothing else.")]
Device = Annotated[str, typer.Option("--device", help="cpu or gpu; default: what JAX finds.")]
Settings = Annotated[list[str], typer.Option("--set", help="name=value, repeatable.")]
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


@app.command()
@guarded
def info(json: Json = False, device: Device = "") -> None:
    """Versions, devices, precision, cache folder, data provenance.

    Example: tridentjax info --json
    """
    start_jax(device)
    from tridentjax import commands

    commands.info(json)


@app.command("list")
@guarded
def list_(kind: Kind, json: Json = False) -> None:
    """What is available, with a one-line source each.

    Example: tridentjax list experiments
    """
    from tridentjax import commands

    commands.list_items(kind, json)


@app.command()
@guarded
def show(name: str, json: Json = False) -> None:
    """Print a packaged config, experiment or flux file to start from.

    Example: tridentjax show zprime_ccfr > my_run.yaml
    """
    from tridentjax import commands

    commands.show(name, json)


@app.command()
@guarded
def sigma(
    target: Annotated[
        str, typer.Option(help="Ar40, Fe (natural), steel, water, 'O:0.53,Si:0.47' (by mass), proton or neutron.")
    ],
    energy: Annotated[list[float], typer.Option(help="Neutrino energy in GeV, repeatable.")],
    neutrino: Neutrino = "numu",
    leptons: Leptons = "mu-mu+",
    form_factor: Annotated[str, typer.Option(help="See `tridentjax list form-factors`.")] = "default",
    ff: Annotated[list[str], typer.Option(help="Form-factor parameter name=value in fm, repeatable.")] = [],  # noqa: B006
    nucleon_form_factor: Annotated[str, typer.Option(help="kelly, dipole or ye2018.")] = "kelly",
    pauli: Annotated[bool, typer.Option("--pauli/--no-pauli", help="Pauli blocking of bound nucleons.")] = True,
    p_fermi: Annotated[float | None, typer.Option(help="Fermi momentum in GeV instead of the table's.")] = None,
    rtol: Annotated[float, typer.Option(help="Relative accuracy of each regime.")] = 1e-3,
    sin2_theta_w: Annotated[float | None, typer.Option(help="sin^2 theta_W (default 0.23122, MSbar at M_Z).")] = None,
    gv: Annotated[float | None, typer.Option(help="Constant g_V instead of a theory's.")] = None,
    ga: Annotated[float | None, typer.Option(help="Constant g_A instead of a theory's.")] = None,
    theory: Annotated[str, typer.Option(help="See `tridentjax list theories`.")] = "sm",
    settings: Settings = [],  # noqa: B006
    cut: CutOption = [],  # noqa: B006
    boson_propagators: Annotated[
        bool, typer.Option("--boson-propagators", help="W and Z propagators in sigma, for energies above 1 TeV.")
    ] = False,
    spread: Annotated[bool, typer.Option("--spread", help="Also every nuclear and nucleon form factor.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the integration points.", min=0)] = 0,
    json: Json = False,
    device: Device = "",
) -> None:
    """Total cross section at fixed energies, in cm^2 (coherent per nucleus, incoherent times Z and N).

    Example: tridentjax sigma --target Ar40 --energy 10 --energy 20 --cut E_minus=0.5: --cut theta_minus=:0.3:0.01
    """
    start_jax(device)
    from tridentjax import sigma_command

    sigma_command.sigma(
        target=target, energies=energy, neutrino=neutrino, leptons=leptons, form_factor=form_factor, ff=ff,
        nucleon_form_factor=nucleon_form_factor, pauli=pauli, p_fermi=p_fermi, rtol=rtol, sin2_theta_w=sin2_theta_w,
        gv=gv, ga=ga, theory=theory, settings=settings, cuts=cut, boson_propagators=boson_propagators, spread=spread,
        seed=seed, as_json=json,
    )  # fmt: skip


@app.command()
@guarded
def rate(
    experiment: str,
    theory: Annotated[str, typer.Option(help="See `tridentjax list theories`.")] = "sm",
    settings: Settings = [],  # noqa: B006
    json: Json = False,
    device: Device = "",
) -> None:
    """Flux-averaged prediction of one experiment: rate ratio to the SM, shares, cross section.

    Example: tridentjax rate ccfr --theory zprime --set mass=0.1 --set g=1e-3
    """
    start_jax(device)
    from tridentjax import rate_command

    rate_command.rate(experiment, theory, settings, json)


@app.command()
@guarded
def couplings(
    theory: str,
    settings: Settings = [],  # noqa: B006
    K2: Annotated[
        list[float], typer.Option("--K2", help="Neutrino momentum transfer squared in GeV^2, repeatable.")
    ] = [0.0],  # noqa: B006
    neutrino: Neutrino = "numu",
    leptons: Leptons = "mu-mu+",
    json: Json = False,
    device: Device = "",
) -> None:
    """Lepton-current couplings (g_V, g_A) of a theory, before any experiment.

    Example: tridentjax couplings zprime --set mass=0.1 --set g=1e-3 --K2 0 --K2 0.01
    """
    start_jax(device)
    from tridentjax import rate_command

    rate_command.couplings(theory, settings, K2, neutrino, leptons, json)


@app.command()
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
    start_jax(device)
    from tridentjax import commands

    overrides = [*settings, *([f"sampler.seed={seed}"] if seed is not None else [])]
    converged = commands.sample(config, out, tuple(overrides), resume, force, dry_run, json)
    if not converged:
        raise typer.Exit(3)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
