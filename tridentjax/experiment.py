"""Experiments: a YAML file becomes a record of beams, targets and a measurement."""

from pathlib import Path
from typing import Any

import equinox as eqx

from tridentjax.currents import Channel
from tridentjax.cuts import CutRequest, Cuts, make_cuts
from tridentjax.faults import InputError, unknown
from tridentjax.flux import Flux, load_flux
from tridentjax.materials import Material, element_isotopes, load_material, mix
from tridentjax.nuclei import Nucleus, nucleus_row
from tridentjax.tables import data_folder, read_yaml


class Measurement(eqx.Module):
    """A measured rate ratio (`normal`, `split_normal`) or event count (`poisson`).

    For a ratio: value and one-sigma errors below and above it. For counts: observed events, background
    and its error, and the signal the Standard Model predicts.
    """

    value: float
    uncertainty_low: float
    uncertainty_high: float
    background: float
    background_uncertainty: float
    signal_sm: float
    observable: str = eqx.field(static=True)
    distribution: str = eqx.field(static=True)
    status: str = eqx.field(static=True)


class Nuisance(eqx.Module):
    """Prior width of a nuisance: of the logarithm of a factor (`log`) or of an additive shift."""

    width: float
    log: bool = eqx.field(static=True)
    status: str = eqx.field(static=True)


class Experiment(eqx.Module):
    """Beams, targets (with the fraction of all nuclei that each is) and a measurement."""

    fluxes: tuple[Flux, ...]
    nuclei: tuple[Nucleus, ...]
    number_fractions: tuple[float, ...]
    measurement: Measurement
    nuisances: dict[str, Nuisance]
    cuts: Cuts
    lepton_minus: str = eqx.field(static=True)
    lepton_plus: str = eqx.field(static=True)
    nucleon_form_factor: str = eqx.field(static=True)
    name: str = eqx.field(static=True)
    title: str = eqx.field(static=True)
    reference: str = eqx.field(static=True)

    def channel(self, flux: Flux) -> Channel:
        """The process that a beam species drives."""
        flavour = flux.species.removeprefix("anti").removeprefix("nu")
        return Channel(flavour, self.lepton_minus, self.lepton_plus, flux.species.startswith("anti"))


def experiment_names() -> tuple[str, ...]:
    """Names of the packaged experiments."""
    return tuple(sorted(path.stem for path in (data_folder() / "experiments").glob("*.yaml")))


def experiment_path(name: str | Path) -> Path:
    """Path of an experiment given by packaged name or file path.

    Raises
    ------
    InputError : neither exists, with the nearest packaged name.
    """
    packaged = data_folder() / "experiments" / f"{name}.yaml"
    if packaged.is_file():
        return packaged
    if Path(name).is_file():
        return Path(name)
    raise InputError([unknown("experiment", str(name), experiment_names()) + "; or give the path of a YAML file"])


def load_experiment(name: str | Path) -> Experiment:
    """Read an experiment by packaged name or path.

    Flux tables are looked up among the packaged ones, then relative to the file. Elements and materials are
    expanded into their nuclides, each of which appears once.

    Raises
    ------
    InputError : every fault of the file, its fluxes and its nuclei at once.
    """
    from tridentjax.schema import NUISANCES, ExperimentSpec, validate

    path = experiment_path(name)
    spec = validate(ExperimentSpec, read_yaml(path), path.name)
    faults: list[str] = []
    fluxes = [_collect(faults, f"{path.name}: flux: ", load_flux, _table(path, f.table), f.species) for f in spec.flux]
    materials = [_collect(faults, f"{path.name}: target.{i}: ", _target, t) for i, t in enumerate(spec.target)]
    units = {flux.unit for flux in fluxes if flux is not None}
    if len(units) > 1:
        faults.append(f"{path.name}: flux tables have different units {sorted(units)}; they cannot be added")
    target: Any = None
    if all(material is not None for material in materials):
        shares = [entry.mass_fraction for entry in spec.target]
        target = _collect(faults, f"{path.name}: target: ", mix, spec.name, materials, shares)
    requests = [CutRequest(**cut.model_dump()) for cut in spec.cuts]
    cuts = _collect(faults, f"{path.name}: ", make_cuts, requests, spec.efficiency, "cuts")
    if faults:
        raise InputError(faults)
    nuisances = {
        key: Nuisance(width.width, NUISANCES[key] == "log_sd", width.status) for key, width in spec.nuisances.items()
    }
    return Experiment(
        tuple(fluxes),
        target.nuclei,
        target.number_fractions,
        _measurement(spec.measurement),
        nuisances,
        cuts,
        spec.channel.lepton_minus,
        spec.channel.lepton_plus,
        spec.nucleon_form_factor,
        spec.name,
        spec.title,
        spec.reference,
    )


def _target(entry: Any) -> Material:
    """One entry of the target; a name under the wrong key is refused."""
    if entry.nucleus is not None:
        nucleus_row(entry.nucleus)
    if entry.element is not None:
        element_isotopes(entry.element)
    name = entry.nucleus or entry.element or entry.material
    return load_material(name, entry.form_factor, entry.form_factor_parameters, entry.p_fermi)


def _table(path: Path, table: str) -> str | Path:
    beside = path.parent / table
    return beside if beside.is_file() else table


def _collect(faults: list[str], place: str, load: Any, *arguments: Any) -> Any:
    try:
        return load(*arguments)
    except InputError as error:
        faults += [place + fault for fault in error.faults]
        return None


def _measurement(spec: Any) -> Measurement:
    if spec.observable == "counts":
        return Measurement(
            float(spec.observed),
            0.0,
            0.0,
            spec.background,
            spec.background_uncertainty,
            spec.signal_sm,
            spec.observable,
            spec.distribution,
            spec.status,
        )
    low = spec.uncertainty_low or spec.uncertainty
    high = spec.uncertainty_high or spec.uncertainty
    return Measurement(spec.value, low, high, 0.0, 0.0, 0.0, spec.observable, spec.distribution, spec.status)
