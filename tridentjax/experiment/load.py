"""Experiments: a YAML file becomes a record of beams, targets, a measurement and an exposure."""

from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from tridentjax.currents import Channel
from tridentjax.experiment.flux import Flux, load_flux, read_flux_table, table_flux, table_species
from tridentjax.experiment.measurement import Exposure, Measurement, Nuisance, read_exposure, read_measurement
from tridentjax.experiment.root_flux import read_root_flux
from tridentjax.faults import InputError, unknown
from tridentjax.files import data_folder, read_yaml
from tridentjax.nucleus.materials import Material, element_isotopes, load_material, mix
from tridentjax.nucleus.nuclei import Nucleus, nucleus_row
from tridentjax.process.cuts import CutRequest, Cuts, make_cuts
from tridentjax.process.phase_space import threshold_energy


class Experiment(eqx.Module):
    """Beams, targets (with the fraction of all nuclei that each is), a measurement and perhaps an exposure.

    Experiments of one `data_set` are variants of the same measurement: never use two of them together.
    """

    fluxes: tuple[Flux, ...]
    nuclei: tuple[Nucleus, ...]
    number_fractions: tuple[float, ...]
    measurement: Measurement
    nuisances: dict[str, Nuisance]
    cuts: Cuts
    exposure: Exposure | None
    lepton_minus: str = eqx.field(static=True)
    lepton_plus: str = eqx.field(static=True)
    nucleon_form_factor: str = eqx.field(static=True)
    name: str = eqx.field(static=True)
    title: str = eqx.field(static=True)
    reference: str = eqx.field(static=True)
    data_set: str = eqx.field(static=True)

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
    InputError : every fault of the file, its fluxes and its nuclei at once; also a flux that ends below the
        threshold on every target, and an exposure that does not fit the unit of the flux.
    """
    from tridentjax.schema.experiment import NUISANCES, SHARED, ExperimentSpec
    from tridentjax.schema.strict import validate

    path = experiment_path(name)
    spec = validate(ExperimentSpec, read_yaml(path), path.name)
    faults: list[str] = []
    fluxes = [_collect(faults, f"{path.name}: flux: ", _flux, path, entry) for entry in spec.flux]
    materials = [_collect(faults, f"{path.name}: target.{i}: ", _target, t) for i, t in enumerate(spec.target)]
    units = {flux.unit for flux in fluxes if flux is not None}
    if len(units) > 1:
        faults.append(f"{path.name}: flux tables have different units {sorted(units)}; they cannot be added")
    exposure = _collect(faults, "", read_exposure, spec.exposure, units, path.name)
    target: Any = None
    if all(material is not None for material in materials):
        shares = [entry.mass_fraction for entry in spec.target]
        target = _collect(faults, f"{path.name}: target: ", mix, spec.name, materials, shares)
    requests = [CutRequest(**cut.model_dump()) for cut in spec.cuts]
    cuts = _collect(faults, f"{path.name}: ", make_cuts, requests, spec.efficiency, "cuts")
    if target is not None:
        leptons = spec.channel.lepton_minus, spec.channel.lepton_plus
        faults += [
            f"{path.name}: {fault}"
            for flux in fluxes
            if flux is not None
            for fault in threshold_faults(flux, target.nuclei, *leptons)
        ]
    if faults:
        raise InputError(faults)
    nuisances = {
        key: Nuisance(width.width, NUISANCES[key] == "log_sd", width.status, width.shared or SHARED[key])
        for key, width in spec.nuisances.items()
    }
    return Experiment(
        fluxes=tuple(fluxes),
        nuclei=target.nuclei,
        number_fractions=target.number_fractions,
        measurement=read_measurement(spec.measurement),
        nuisances=nuisances,
        cuts=cuts,
        exposure=exposure,
        lepton_minus=spec.channel.lepton_minus,
        lepton_plus=spec.channel.lepton_plus,
        nucleon_form_factor=spec.nucleon_form_factor,
        name=spec.name,
        title=spec.title,
        reference=spec.reference,
        data_set=spec.data_set or spec.name,
    )


def load_beams(name: str | Path) -> tuple[Flux, ...]:
    """Every species of every flux table of an experiment file, also those that its own channel does not use.

    Raises
    ------
    InputError : as `load_experiment`.
    """
    from tridentjax.schema.experiment import ExperimentSpec
    from tridentjax.schema.strict import validate

    path = experiment_path(name)
    spec = validate(ExperimentSpec, read_yaml(path), path.name)
    found: dict[tuple[str, str], Flux] = {}
    for entry in spec.flux:
        found[entry.table, entry.species] = _flux(path, entry)
        if entry.histogram is None:
            table = read_flux_table(_table(path, entry.table))
            for species in table_species(table):
                if (entry.table, species) not in found and _filled(table, species):
                    found[entry.table, species] = table_flux(table, species, Path(entry.table).stem)
    return tuple(found.values())


def _filled(table: Any, species: str) -> bool:
    """Whether a table holds more than zeros for a species (GLoBES columns are there for all six)."""
    return "species" in table.columns or any(float(row[species]) != 0.0 for row in table.rows)


def threshold_faults(flux: Flux, nuclei: tuple[Nucleus, ...], lepton_minus: str, lepton_plus: str) -> list[str]:
    """Says so if a flux ends below the lowest threshold of a pair of leptons, that on the heaviest nucleus."""
    channel = Channel("mu", lepton_minus, lepton_plus)
    heaviest = max(nuclei, key=lambda nucleus: nucleus.mass)
    threshold = threshold_energy(channel, heaviest.mass)
    highest = float(np.max(np.asarray(flux.energy if flux.intervals is None else flux.intervals)))
    if highest > threshold:
        return []
    return [
        f"flux {flux.name} of {flux.species} ends at {highest:.4g} GeV, below the threshold of a "
        f"{lepton_minus}- {lepton_plus}+ pair, {threshold:.4g} GeV on {heaviest.name}: there are no events"
    ]


def _flux(path: Path, entry: Any) -> Flux:
    """One entry of the flux list, from a packaged table, a text table or a ROOT histogram beside the file."""
    table = _table(path, entry.table)
    if entry.histogram is None:
        return load_flux(table, entry.species)
    read = read_root_flux(Path(table), entry.histogram, entry.species, entry.unit, entry.energy_unit, entry.content)
    return table_flux(read, entry.species, Path(entry.table).stem)


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
