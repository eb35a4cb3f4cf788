"""Commands of `tridentjax reach`: auxiliary and projected reach curves."""

from pathlib import Path
from typing import Annotated

import typer

from tridentjax.cli import options
from tridentjax.cli.options import Device, ForceFiles, Json, guarded

reach = typer.Typer(
    help="Auxiliary and projected reach curves.", no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None,
)  # fmt: skip


@reach.command("belle2")
@guarded
def reach_belle2(
    mixing: Annotated[str, typer.Option(help="loop: curve in g of L_mu - L_tau; tree: in eps with hypercharge.")] = (
        "loop"
    ),
    g: Annotated[
        float | None, typer.Option("--g", help="L_mu - L_tau coupling beside tree mixing (default: g >> e eps).")
    ] = None,
    mass: Annotated[list[float], typer.Option(help="Mass in GeV, repeatable, instead of a grid.")] = [],  # noqa: B006
    mass_min: Annotated[float | None, typer.Option(help="Lowest mass of a logarithmic grid [0.001 GeV].")] = None,
    mass_max: Annotated[float | None, typer.Option(help="Highest mass of the grid [10.5 GeV].")] = None,
    points: Annotated[int | None, typer.Option(help="Masses of the grid [101].")] = None,
    confidence_level: Annotated[float, typer.Option(help="Of the Poisson upper limit on the signal.")] = 0.9,
    statistic: Annotated[str, typer.Option(help="cls or classical; the same without background.")] = "cls",
    background: Annotated[float, typer.Option(help="Background events (0 is optimistic).")] = 0.0,
    efficiency: Annotated[float, typer.Option(help="Signal efficiency beyond the cuts (1 is optimistic).")] = 1.0,
    luminosity: Annotated[float, typer.Option(help="Integrated luminosity in ab^-1.")] = 50.0,
    min_energy: Annotated[float, typer.Option(help="Lowest photon energy in the laboratory, GeV.")] = 0.1,
    max_energy: Annotated[float | None, typer.Option(help="Highest photon energy in the laboratory, GeV.")] = None,
    min_angle: Annotated[float, typer.Option(help="Smallest photon angle to the electron beam, deg.")] = 15.0,
    max_angle: Annotated[float, typer.Option(help="Largest photon angle to the electron beam, deg.")] = 135.0,
    electron_energy: Annotated[float, typer.Option(help="Electron beam, GeV.")] = 7.0,
    positron_energy: Annotated[float, typer.Option(help="Positron beam, GeV.")] = 4.0,
    out: Annotated[Path | None, typer.Option(help="Table .csv, or figure .png, .pdf, .svg with its table.")] = None,
    force: ForceFiles = False,
    json: Json = False,
    device: Device = "",
) -> None:
    """Belle II, e+ e- -> gamma Z' with an invisible Z': auxiliary reach, not a trident measurement.

    Example: tridentjax reach belle2 --mixing loop --confidence-level 0.9 --out belle2.png
    """
    options.start_jax(device)
    from tridentjax.cli.commands import reach_belle2 as run

    assumptions = {
        "luminosity": luminosity, "efficiency": efficiency, "background": background, "statistic": statistic,
        "confidence_level": confidence_level, "min_energy": min_energy, "max_energy": max_energy,
        "min_angle": min_angle, "max_angle": max_angle, "electron_energy": electron_energy,
        "positron_energy": positron_energy,
    }  # fmt: skip
    run.reach_belle2(
        mixing=mixing, g=g, masses=mass, mass_min=mass_min, mass_max=mass_max, points=points,
        assumptions=assumptions, out=out, force=force, as_json=json,
    )  # fmt: skip


@reach.command("dune")
@guarded
def reach_dune(
    experiment: Annotated[str, typer.Option(help="Experiment of a rate ratio, name or file.")] = "dune_0p40",
    g: Annotated[
        list[float], typer.Option("--g", help="L_mu - L_tau coupling, repeatable [5e-4, 1e-3, 3e-3, 1e-2].")
    ] = [],  # noqa: B006
    mass: Annotated[list[float], typer.Option(help="Mass in GeV, repeatable, instead of a grid.")] = [],  # noqa: B006
    mass_min: Annotated[float | None, typer.Option(help="Lowest mass of a logarithmic grid [0.001 GeV].")] = None,
    mass_max: Annotated[float | None, typer.Option(help="Highest mass of the grid [100 GeV].")] = None,
    points: Annotated[int | None, typer.Option(help="Masses of the grid [41].")] = None,
    confidence_level: Annotated[float, typer.Option(help="Two-sided.")] = 0.95,
    years: Annotated[float, typer.Option(help="In each beam mode, for the statistical accuracy.")] = 3.0,
    mass_tonnes: Annotated[float, typer.Option(help="Argon in tonnes, for the statistical accuracy.")] = 147.0,
    efficiency: Annotated[float, typer.Option(help="Of the selection (1 is optimistic).")] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Table .csv, or figure .png, .pdf, .svg with its table.")] = None,
    force: ForceFiles = False,
    json: Json = False,
    device: Device = "",
) -> None:
    """DUNE near detector: accuracy that would exclude (m, g'), with and without nuisances; projection, not data.

    Example: tridentjax reach dune --g 1e-3 --efficiency 0.04 --out dune.png
    """
    options.start_jax(device)
    from tridentjax.cli.commands import reach_dune as run

    run.reach_dune(
        experiment=experiment, g=g, masses=mass, mass_min=mass_min, mass_max=mass_max, points=points,
        confidence_level=confidence_level, years=years, mass_tonnes=mass_tonnes, efficiency=efficiency, out=out,
        force=force, as_json=json,
    )  # fmt: skip
