"""Experiments: a YAML file becomes a record of beams, targets, a measurement and an exposure."""

from itertools import combinations
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np

from tridentjax.currents import Channel
from tridentjax.experiment.flux import Flux, flux_path, read_flux_table, table_flux, table_species
from tridentjax.experiment.measurement import Exposure, Measurement, Nuisance, read_exposure, read_measurement
from tridentjax.experiment.root_flux import read_root_flux
from tridentjax.faults import InputError, collect, unknown
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

    def channel(self, flux: Flux | None = None) -> Channel:
        """The process that a beam species drives, the first one if left out."""
        species = self.fluxes[0].species if flux is None else flux.species
        return Channel.of(species, self.lepton_minus, self.lepton_plus)


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
    fluxes = [collect(faults, _flux, path, entry, spec.flux, prefix=f"{path.name}: flux: ") for entry in spec.flux]
    faults += [f"{path.name}: flux: {fault}" for fault in _repeated(fluxes)]
    materials = [collect(faults, _target, t, prefix=f"{path.name}: target.{i}: ") for i, t in enumerate(spec.target)]
    units = {flux.unit for flux in fluxes if flux is not None}
    if len(units) > 1:
        faults.append(f"{path.name}: flux tables have different units {sorted(units)}; they cannot be added")
    exposure = collect(faults, read_exposure, spec.exposure, units, path.name)
    target: Any = None
    if all(material is not None for material in materials):
        shares = [entry.mass_fraction for entry in spec.target]
        target = collect(faults, mix, spec.name, materials, shares, prefix=f"{path.name}: target: ")
    requests = [CutRequest(**cut.model_dump()) for cut in spec.cuts]
    cuts = collect(faults, make_cuts, requests, spec.efficiency, "cuts", prefix=f"{path.name}: ")
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
    beams: list[Flux] = []
    taken: set[tuple[Path, str]] = set()
    for entry in spec.flux:
        if entry.histogram is not None:
            beams.append(_flux(path, entry, spec.flux))
            continue
        source = flux_path(_table(path, entry.table)).resolve()
        table = read_flux_table(source)
        held = [species for species in table_species(table) if _filled(table, species)]
        own = [species for species in dict.fromkeys((entry.species, *held)) if (source, species) not in taken]
        beams += [table_flux(table, species, _label(entry, spec.flux)) for species in own]
        taken |= {(source, species) for species in own}
    return tuple(beams)


def _label(entry: Any, entries: list[Any]) -> str:
    """Name of a flux to show: that of its file, with all that the experiment says where others are called the same."""
    stem = Path(entry.table).stem
    alike = [other for other in entries if Path(other.table).stem == stem and other is not entry]
    if all(other.table == entry.table and other.species != entry.species for other in alike):
        return stem
    return entry.table if entry.histogram is None else f"{entry.table}:{entry.histogram}"


def _repeated(fluxes: list[Flux | None]) -> list[str]:
    """Entries that are the same spectrum, under one name or two: its neutrinos would be there twice."""
    return [
        f"entries {i + 1} and {j + 1} are the same spectrum of {one.species} ({one.name}, {other.name}), which would "
        "count twice; keep one"
        for (i, one), (j, other) in combinations(enumerate(fluxes), 2)
        if one is not None and other is not None and one.species == other.species
        and np.array_equal(one.energy, other.energy) and np.array_equal(one.weight, other.weight)
    ]  # fmt: skip


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


def _flux(path: Path, entry: Any, entries: list[Any]) -> Flux:
    """One entry of the flux list, from a packaged table, a text table or a ROOT histogram beside the file."""
    table, label = _table(path, entry.table), _label(entry, entries)
    if entry.histogram is None:
        return table_flux(read_flux_table(table), entry.species, label)
    read = read_root_flux(Path(table), entry.histogram, entry.species, entry.unit, entry.energy_unit, entry.content)
    return table_flux(read, entry.species, label)


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
