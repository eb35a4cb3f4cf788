"""A beam species and the channel that it drives are one thing, said in one place."""

import dataclasses

import pytest

from tridentjax.currents import FLAVOURS, Channel
from tridentjax.experiment.flux import SPECIES
from tridentjax.experiment.load import load_experiment
from tridentjax.rates.exposure import prepare_for
from tridentjax.theory.theories import scalar, zprime


@pytest.mark.parametrize("species", SPECIES)
def test_a_species_and_its_channel(species):
    channel = Channel.of(species, "mu", "e")
    assert channel.species == species and channel.name == f"{species} -> mu- e+"
    assert channel.antineutrino == (species[:4] == "anti") and channel.neutrino in FLAVOURS
    assert channel == Channel(channel.neutrino, "mu", "e", channel.antineutrino)


@pytest.mark.parametrize("species", ["numux", "anti", "nuantimu"])
def test_what_is_no_species(species):
    with pytest.raises(ValueError, match=r"Channel\.neutrino = .*; allowed: e, mu, tau"):
        Channel.of(species, "mu", "mu")


def test_an_experiment_has_the_channel_of_its_first_beam():
    experiment = load_experiment("charm2")
    assert len(experiment.fluxes) > 1 and experiment.channel() == experiment.channel(experiment.fluxes[0])
    turned = dataclasses.replace(experiment, fluxes=experiment.fluxes[::-1])
    assert turned.channel().antineutrino != experiment.channel().antineutrino


@pytest.mark.parametrize(
    ("theory", "parameters", "structures"),
    [(zprime, {"mass": 0.1, "g": 1e-3}, ("VV", "AA")), (scalar, {"mass": 0.1, "g_nu": 1e-3}, ("VV", "AA", "SS", "PP"))],
)
def test_a_chain_has_the_structures_that_its_theory_needs(theory, parameters, structures):
    chain = prepare_for(load_experiment("ccfr"), theory, parameters)
    assert {kernel.structures for kernel in chain.kernels.values()} == {structures}
