"""Numbers of events: rates of an experiment times its exposure, and what the theory leaves uncertain in them.

    N = (number of nuclei) x (amount of beam) x (flux-averaged cross section) x (integrated flux)        (1)

with the number of nuclei of the target mass from mean atomic masses, the beam in protons on target or fb^-1 and
the flux per m^2 and per unit of it. Cuts and efficiency of the experiment are in the cross section already.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax.constants import MASS_PROTON
from tridentjax.currents import FLAVOURS, Channel
from tridentjax.experiment.flux import Flux
from tridentjax.experiment.load import Experiment, threshold_faults
from tridentjax.experiment.measurement import with_signal
from tridentjax.faults import InputError
from tridentjax.nucleus.materials import Material
from tridentjax.process.phase_space import threshold_energy
from tridentjax.rates.budget import TheoryBudget, theory_budget
from tridentjax.rates.chain import Chain, build_kernels, fold, prepare
from tridentjax.rates.response import Response, signal
from tridentjax.theory.theories import Parameters, TheoryFunction, has_scalars, sm

_GRAMS_PER_TONNE = 1e6
_M2_PER_CM2 = 1e-4


class ChannelRate(NamedTuple):
    """Standard-Model events of one beam species in one channel, with their budget."""

    channel: Channel
    flux: str
    events: float
    budget: TheoryBudget


def exposure_factor(experiment: Experiment) -> float:
    """Nuclei x beam x cm^2 per m^2: times a cross section [cm^2] and an integrated flux, a number of events.

    Raises
    ------
    InputError : the experiment has no exposure.
    """
    if experiment.exposure is None:
        raise InputError([f"{experiment.name} has no exposure; add exposure: {{target_mass, amount}} to its file"])
    target = Material(experiment.nuclei, experiment.number_fractions, experiment.name, "")
    nuclei = experiment.exposure.target_mass * _GRAMS_PER_TONNE * target.nuclei_per_gram
    return nuclei * experiment.exposure.amount * _M2_PER_CM2


def expected_events(
    response: Response,
    experiment: Experiment,
    theory: TheoryFunction = sm,
    parameters: Parameters | None = None,
) -> Float[Array, " component"]:
    """Number of events of every component in the exposure of the experiment, Eq. (1).

    Parameters
    ----------
    response : of the experiment, from `fold`; its nuisances act on the numbers.
    experiment : with an exposure.
    theory, parameters : couplings; the Standard Model if left out.

    Returns
    -------
    Events after cuts and efficiency, in the order of `response.components`; differentiable in the parameters and
    in the nuisances of the response.

    Raises
    ------
    InputError : the experiment has no exposure.
    ValueError : the theory has scalar couplings and the response was made without them.
    """
    sigma = signal(response, theory, {} if parameters is None else parameters)
    return sigma * response.flux_integral * exposure_factor(experiment)  # (1)


def prepare_for(experiment: Experiment, theory: TheoryFunction, parameters: Parameters) -> Chain:
    """Chain of an experiment with the structures that a theory needs, `complete`.

    Parameters
    ----------
    theory, parameters : couplings; only which of them there are matters, not their values.

    Raises
    ------
    InputError : as `complete`; cuts that no event passes.
    RuntimeError : 32-bit floats.
    """
    channels = [experiment.channel(flux) for flux in experiment.fluxes]
    scalar = any(has_scalars(theory, parameters, channel) for channel in channels)
    return complete(prepare(experiment, scalar=scalar))


def complete(chain: Chain) -> Chain:
    """The chain with the count of its measurement filled in where the file says `flux` or `asimov`.

    Call it once on what `prepare` returns, before `log_likelihood`; other measurements come back unchanged. The
    signal is that of the Standard Model at nominal nuisances, which a fit then compares with.

    Raises
    ------
    InputError : the count needs an exposure and there is none.
    """
    experiment = chain.experiment
    if not experiment.measurement.missing:
        return chain
    events = float(expected_events(fold(chain), experiment).sum())
    measured = dataclasses.replace(experiment, measurement=with_signal(experiment.measurement, events))
    return dataclasses.replace(chain, experiment=measured)


def lepton_pairs(species: str) -> list[tuple[str, str]]:
    """Pairs (l-, l+) that the Standard Model lets a neutrino species make."""
    pairs = [(minus, plus) for minus in FLAVOURS for plus in FLAVOURS]
    return [pair for pair in pairs if Channel.of(species, *pair).outgoing_neutrinos]


def channel_rates(
    experiment: Experiment, beams: Sequence[Flux], pairs: Sequence[tuple[str, str]] | None = None
) -> Iterator[ChannelRate]:
    """Standard-Model events of every beam species in every open channel, one after the other.

    The first pass over a pair of leptons makes its leptonic table (10 to 30 s on two cores, then cached). Against
    `totals.cross_sections` at every energy of the DUNE neutrino-mode flux on argon: e- e+ agrees to 4e-4 (coherent
    1e-7, protons 0.5 %, neutrons 1.2 %, next to their thresholds), mu- e+ to 1e-6.

    Parameters
    ----------
    experiment : its target, exposure, cuts and nuisances are used, its own channel and beams are not.
    beams : absolute fluxes, e.g. from `load_beams`.
    pairs : unordered pairs of charged leptons to look at, e.g. [("e", "mu")]; all if left out.

    Raises
    ------
    InputError : the experiment has no exposure.
    """
    exposure_factor(experiment)
    wanted = None if pairs is None else {frozenset(pair) for pair in pairs}
    unordered = [(light, heavy) for i, light in enumerate(FLAVOURS) for heavy in FLAVOURS[i:]]
    for pair in unordered:
        if wanted is not None and frozenset(pair) not in wanted:
            continue
        own = [
            (flux, ordered)
            for flux in beams
            for ordered in lepton_pairs(flux.species)
            if set(ordered) == set(pair) and not threshold_faults(flux, experiment.nuclei, *ordered)
        ]
        kernels = None
        for flux, (minus, plus) in own:
            fluxes = tuple(flux for flux, _ in own)  # one set of kernels reaches over all of them
            single = dataclasses.replace(experiment, fluxes=(flux,), lepton_minus=minus, lepton_plus=plus)
            if kernels is None:
                reach = _nucleon_reach(single.channel(flux), fluxes)
                kernels = build_kernels(dataclasses.replace(single, fluxes=(*fluxes, reach)))
            chain = prepare(single, kernels)
            response = fold(chain)
            events = float(expected_events(response, single).sum())
            yield ChannelRate(single.channel(flux), flux.name, events, theory_budget(chain, response))


def _nucleon_reach(channel: Channel, fluxes: Sequence[Flux]) -> Flux:
    """A line at the end of the beams or, if they only reach the threshold on nuclei, above that on nucleons.

    Kernels of nucleons cannot be built below it; a beam that gets there keeps the kernels that it has.
    """
    energy = max(1.5 * threshold_energy(channel, MASS_PROTON), *(flux.range[1] for flux in fluxes))
    return Flux(jnp.asarray([energy]), jnp.ones(1), energy, channel.species, "1/GeV", "threshold")
