"""What events are made from: beams on targets, split into components with particle codes.

A component is one beam species on one nucleus in one regime. Incoherent components scatter on a single
nucleon at rest, which is target and recoil: no Fermi motion, no binding energy, no final-state interaction;
Pauli blocking only through the weight. The remnant nucleus is not written.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from tridentjax.currents import Channel
from tridentjax.experiment.flux import SPECIES, Flux, load_flux, read_flux_table, table_species
from tridentjax.experiment.load import Experiment
from tridentjax.faults import InputError, collect, unknown
from tridentjax.nucleus.materials import load_material
from tridentjax.nucleus.regimes import Coherent, Regime, nucleon_regime, nucleus_regimes
from tridentjax.process.phase_space import threshold_energy

NEUTRINO_CODE = {"e": 12, "mu": 14, "tau": 16}
LEPTON_CODE = {"e": 11, "mu": 13, "tau": 15}
PROTON_CODE, NEUTRON_CODE = 2212, 2112
OPEN = 1.0 + 1e-10  # within rounding of threshold the kinematic limits cross


def nucleus_code(Z: int, A: int) -> int:
    """PDG code of a nucleus in its ground state, 10LZZZAAAI; a free proton is 2212."""
    return PROTON_CODE if (Z, A) == (1, 1) else 1_000_000_000 + 10_000 * Z + 10 * A


class EventComponent(NamedTuple):
    """One beam species on one target in one regime; `fraction` of all nuclei are this target."""

    flux: Flux
    channel: Channel
    target: str
    regime: Regime
    fraction: float
    target_code: int

    @property
    def threshold(self) -> float:
        """Lowest neutrino energy [GeV] that makes the pair."""
        return threshold_energy(self.channel, self.regime.mass)

    @property
    def highest_energy(self) -> float:
        """Upper end of the spectrum [GeV]."""
        flux = self.flux
        return float(np.max(np.asarray(flux.energy if flux.intervals is None else flux.intervals)))

    @property
    def name(self) -> str:
        """Readable name, e.g. 'numu (DUNE_ND_FHC), Ar40, coherent'."""
        return f"{self.flux.species} ({self.flux.name}), {self.target}, {self.regime.name}"

    def rough_cross_section(self) -> Callable[[np.ndarray], np.ndarray]:
        """Its energy dependence to within a factor of ten, E (1 - E_threshold/E)^3: where to draw energies."""
        threshold = self.threshold * OPEN

        def shape(E_nu: np.ndarray) -> np.ndarray:
            return E_nu * (1.0 - threshold / np.maximum(E_nu, threshold)) ** 3

        return shape


class EventSource(NamedTuple):
    """Components of a sample and the integrated flux of all its beams, in the unit of the tables."""

    name: str
    components: tuple[EventComponent, ...]
    flux_integral: float
    flux_unit: str


def particle_codes(channel: Channel, neutrino_out: str, target_code: int) -> tuple[int, ...]:
    """PDG codes of (nu, target, nu', l-, l+, recoil); the recoil is the target."""
    sign = -1 if channel.antineutrino else 1
    return (
        sign * NEUTRINO_CODE[channel.neutrino],
        target_code,
        sign * NEUTRINO_CODE[neutrino_out],
        LEPTON_CODE[channel.lepton_minus],
        -LEPTON_CODE[channel.lepton_plus],
        target_code,
    )


def experiment_source(experiment: Experiment) -> EventSource:
    """All beams of an experiment on all its nuclei."""
    targets = [
        (nucleus.name, nucleus_code(nucleus.Z, nucleus.A), fraction, regime)
        for nucleus, fraction in zip(experiment.nuclei, experiment.number_fractions, strict=True)
        for regime in nucleus_regimes(nucleus, experiment.nucleon_form_factor)
    ]
    return _source(experiment.name, experiment.fluxes, [experiment.channel(f) for f in experiment.fluxes], targets)


def beam_source(beam: str | float, channel: Channel, target: str) -> EventSource:
    """One neutrino species of a flux table, or of one energy, on one target.

    Parameters
    ----------
    beam : name or path of a flux table, or an energy [GeV].
    channel : process; its neutrino is the species of the beam.
    target : nuclide, element, material or composition (see `load_material`); 'proton' or 'neutron' for a free
        nucleon.

    Raises
    ------
    InputError : unknown table or target, a species that the table does not hold, an energy that is not
        positive; all at once.
    """
    faults: list[str] = []
    flux = collect(faults, _beam, beam, channel.species)
    targets = collect(faults, _targets, target)
    if faults:
        raise InputError(faults)
    return _source(f"{flux.name} on {target}", [flux], [channel], targets)


def _beam(beam: str | float, species: str) -> Flux:
    if isinstance(beam, str):
        held = table_species(read_flux_table(beam))
        if species in SPECIES and species not in held:
            raise InputError([unknown("species", species, held, f"flux {Path(beam).stem}")])
        return load_flux(beam, species)
    if not (np.isfinite(beam) and beam > 0.0):
        raise InputError([f"--energy {beam}; allowed: positive and finite [GeV]"])
    return Flux(jnp.asarray([float(beam)]), jnp.ones(1), float(beam), species, "1/GeV", f"{beam:g} GeV")


def _targets(target: str) -> list[tuple[str, int, float, Regime]]:
    if target in ("proton", "neutron"):
        return [(target, PROTON_CODE if target == "proton" else NEUTRON_CODE, 1.0, nucleon_regime(target))]
    material = load_material(target)
    return [
        (nucleus.name, nucleus_code(nucleus.Z, nucleus.A), fraction, regime)
        for nucleus, fraction in zip(material.nuclei, material.number_fractions, strict=True)
        for regime in nucleus_regimes(nucleus)
    ]


def _source(
    name: str,
    fluxes: Sequence[Flux],
    channels: Sequence[Channel],
    targets: Sequence[tuple[str, int, float, Regime]],
) -> EventSource:
    components = []
    for target, code, fraction, regime in targets:
        if not isinstance(regime, Coherent):
            code = PROTON_CODE if regime.name == "incoherent_proton" else NEUTRON_CODE  # noqa: PLW2901
        components += [
            EventComponent(flux, channel, target, regime, fraction, code)
            for flux, channel in zip(fluxes, channels, strict=True)
        ]
    integral = sum(float(flux.weight.sum()) for flux in fluxes)
    return EventSource(name, tuple(components), integral, fluxes[0].unit)
