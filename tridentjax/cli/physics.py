"""Commands about physics: what is packaged, cross sections, events, rates, couplings, data over theory."""

from pathlib import Path
from typing import Annotated

import typer

from tridentjax.cli import options
from tridentjax.cli.options import CutOption, Device, ForceFiles, Json, Kind, Leptons, Neutrino, Settings, guarded


@guarded
def info(json: Json = False, device: Device = "") -> None:
    """Versions, devices, precision, cache folder, data provenance.

    Example: tridentjax info --json
    """
    options.start_jax(device)
    from tridentjax.cli.commands import listing

    listing.info(json)


@guarded
def list_(kind: Kind, json: Json = False) -> None:
    """What is available, with a one-line source each.

    Example: tridentjax list experiments
    """
    from tridentjax.cli.commands import listing

    listing.list_items(kind, json)


@guarded
def show(name: str, json: Json = False) -> None:
    """Print a packaged config, experiment or flux file to start from.

    Example: tridentjax show zprime_ccfr > my_run.yaml
    """
    from tridentjax.cli.commands import listing

    listing.show(name, json)


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
    spread: Annotated[bool, typer.Option("--spread", help="Also every nuclear and nucleon form factor.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the integration points.", min=0)] = 0,
    json: Json = False,
    device: Device = "",
) -> None:
    """Total cross section at fixed energies, in cm^2 (coherent per nucleus, incoherent times Z and N).

    Example: tridentjax sigma --target Ar40 --energy 10 --energy 20 --cut E_minus=0.5: --cut theta_minus=:0.3:0.01
    """
    options.start_jax(device)
    from tridentjax.cli.commands import sigma as run

    run.sigma(
        target=target, energies=energy, neutrino=neutrino, leptons=leptons, form_factor=form_factor, ff=ff,
        nucleon_form_factor=nucleon_form_factor, pauli=pauli, p_fermi=p_fermi, rtol=rtol, sin2_theta_w=sin2_theta_w,
        gv=gv, ga=ga, theory=theory, settings=settings, cuts=cut, spread=spread, seed=seed, as_json=json,
    )  # fmt: skip


@guarded
def distribution(
    observables: Annotated[list[str], typer.Argument(help="One or two of `tridentjax list observables`.")],
    target: Annotated[str, typer.Option(help="As in `sigma`.")],
    bins: Annotated[list[str], typer.Option(help="MIN:MAX:N or MIN:MAX:N:log, one for each observable.")],
    energy: Annotated[float | None, typer.Option(help="Neutrino energy in GeV.")] = None,
    flux: Annotated[str | None, typer.Option(help="Flux table to average over instead of one energy.")] = None,
    neutrino: Neutrino = "numu",
    leptons: Leptons = "mu-mu+",
    theory: Annotated[str, typer.Option(help="See `tridentjax list theories`.")] = "sm",
    settings: Settings = [],  # noqa: B006
    cut: CutOption = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(help="Table .csv, or figure .png, .pdf, .svg with its table.")] = None,
    force: ForceFiles = False,
    points: Annotated[int, typer.Option(help="Events per scramble and regime, a power of two.")] = 2**14,
    seed: Annotated[int, typer.Option(help="Seed of the integration points.", min=0)] = 0,
    json: Json = False,
    device: Device = "",
) -> None:
    """Differential cross section in one or two observables, with errors and a figure.

    Example: tridentjax distribution E_minus --bins 0:10:20 --target Ar40 --energy 10 --out E_minus.png
    """
    options.start_jax(device)
    from tridentjax.cli.commands import distribution as run

    run.distribution(
        observables=observables, target=target, energy=energy, flux=flux, neutrino=neutrino, leptons=leptons,
        theory=theory, settings=settings, cuts=cut, bins=bins, out=out, force=force, points=points, seed=seed,
        as_json=json,
    )  # fmt: skip


@guarded
def events(
    experiment: Annotated[
        str | None, typer.Argument(help="Experiment name or file; or leave it out and give --target.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", help="Number of events.")] = 10000,
    out: Annotated[Path, typer.Option(help="File: .hepmc3 or .hepmc (HepMC3 text), or .parquet.")] = Path(
        "events.hepmc3"
    ),
    flux: Annotated[str | None, typer.Option(help="Flux table, name or file, instead of an experiment.")] = None,
    energy: Annotated[float | None, typer.Option(help="Fixed neutrino energy in GeV, instead of a flux.")] = None,
    target: Annotated[str | None, typer.Option(help="Nuclide, element, material, proton or neutron.")] = None,
    neutrino: Neutrino = "numu",
    leptons: Leptons = "mu-mu+",
    theory: Annotated[str, typer.Option(help="See `tridentjax list theories`.")] = "sm",
    settings: Settings = [],  # noqa: B006
    reweight: Annotated[str | None, typer.Option(help="Theory to which Standard-Model events are reweighted.")] = None,
    cut: CutOption = [],  # noqa: B006
    weighted: Annotated[bool, typer.Option("--weighted", help="Weighted events instead of unweighted ones.")] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same events.", min=0)] = 0,
    force: ForceFiles = False,
    json: Json = False,
    device: Device = "",
) -> None:
    """Events in HepMC3 or Parquet: of an experiment, or of one beam on one target.

    Example: tridentjax events --flux DUNE_ND_FHC --target Ar40 -n 100000 --out events.hepmc3
    """
    options.start_jax(device)
    from tridentjax.cli.commands import events as run

    run.events(
        experiment=experiment, count=count, out=out, flux=flux, energy=energy, target=target, neutrino=neutrino,
        leptons=leptons, theory=theory, settings=settings, reweight=reweight, cuts=cut, weighted=weighted,
        seed=seed, force=force, as_json=json,
    )  # fmt: skip


@guarded
def rate(
    experiment: str,
    theory: Annotated[str, typer.Option(help="See `tridentjax list theories`.")] = "sm",
    settings: Settings = [],  # noqa: B006
    all_channels: Annotated[
        bool, typer.Option("--all-channels", help="Also every beam species into every open pair of leptons (SM).")
    ] = False,
    json: Json = False,
    device: Device = "",
) -> None:
    """Flux-averaged prediction of one experiment: rate ratio to the SM, shares, cross section, events.

    Example: tridentjax rate ccfr --theory zprime --set mass=0.1 --set g=1e-3
    """
    options.start_jax(device)
    from tridentjax.cli.commands import rate as run

    run.rate(experiment, theory, settings, all_channels, json)


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
    options.start_jax(device)
    from tridentjax.cli.commands import couplings as run

    run.couplings(theory, settings, K2, neutrino, leptons, json)


@guarded
def compare(
    experiments: Annotated[
        list[str] | None, typer.Argument(help="Names or files (default: all packaged measurements and projections).")
    ] = None,
    theory: Annotated[str, typer.Option(help="See `tridentjax list theories`.")] = "sm",
    settings: Settings = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option(help="Table .csv, or figure .png, .pdf, .svg with its table.")] = None,
    force: ForceFiles = False,
    json: Json = False,
    device: Device = "",
) -> None:
    """Data over theory for all measurements: pulls, p-values, chi2; projections apart.

    Example: tridentjax compare --theory zprime --set mass=0.1 --set g=1e-3 --out compare.png
    """
    options.start_jax(device)
    from tridentjax.cli.commands import compare as run

    run.compare_experiments(experiments or [], theory, settings, out, force, json)
