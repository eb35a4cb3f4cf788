"""A small experiment on oxygen with cuts of one's choice, as a file."""

import functools

import pytest

from tridentjax import load_experiment

FLUX = """# name: small
# unit: 1/GeV
# energy_unit: GeV
# reference: test
species,E_nu,flux
numu,2.0,0.4
numu,7.0,1.3
numu,30.0,0.2
antinumu,3.0,0.9
antinumu,50.0,0.05
antinue,1.5,0.3
antinue,40.0,0.1
"""
EXPERIMENT = """name: small
title: small
reference: test
channel: {{lepton_minus: {minus}, lepton_plus: {plus}}}
flux: [{fluxes}]
target: [{{nucleus: O16, mass_fraction: 1.0}}]
cuts: [{cuts}]
efficiency: {efficiency}
measurement: {{observable: rate_ratio, distribution: normal, unit: "1", value: 1.0, uncertainty: 0.3,
  includes_theory_error: false, status: test}}
"""
ENERGY_CUT = "{observable: E_minus, unit: GeV, min: 2.1, resolution: 0.3}"  # charge-asymmetric


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("experiment")
    (path / "small.csv").write_text(FLUX)
    return path


@functools.cache
def experiment(folder, species=("numu",), pair=("mu", "mu"), cuts="", efficiency=1.0):
    fluxes = ", ".join(f"{{species: {s}, table: small.csv}}" for s in species)
    text = EXPERIMENT.format(minus=pair[0], plus=pair[1], fluxes=fluxes, cuts=cuts, efficiency=efficiency)
    name = f"e{abs(hash((species, pair, cuts, efficiency)))}.yaml"
    (folder / name).write_text(text)
    return load_experiment(folder / name)
