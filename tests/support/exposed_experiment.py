"""An experiment of one's own with an exposure, as a file."""

import numpy as np

OWN = """name: own
title: own
reference: none
channel: {lepton_minus: mu, lepton_plus: mu}
flux: [{species: numu, table: beam.csv}, {species: antinumu, table: beam.csv}]
target: [{nucleus: H1, mass_fraction: 0.2}, {nucleus: Pb208, mass_fraction: 0.8}]
exposure:
  target_mass: {value: 2300, unit: kg, status: invented}
  amount: {value: 7.0e22, unit: POT, status: invented}
  duration: {value: 73.05, unit: day}
measurement: {observable: counts, distribution: poisson, unit: events, observed: asimov, background: 1.7,
  background_uncertainty: 0.6, signal_sm: flux, includes_theory_error: false, status: invented}
nuisances:
  flux_stretch: {log_sd: 0.11}
  flux_tilt: {sd: 0.27}
  coherent_normalisation: {log_sd: 0.06}
  incoherent_normalisation: {log_sd: 0.30}
"""
SM = [(0.5 + 2 * 0.23122) ** 2, 0.25]  # g_V^2, g_A^2
ANTI = ", {species: antinumu, table: beam.csv}"
BEAM = "# unit: 1/GeV/m^2/POT\n# energy_unit: GeV\nE_lo,E_hi,numu,antinumu\n5,9,3e-6,1e-6\n9,21,5e-7,2e-7\n"


def write(folder, text=OWN, beam=BEAM):
    (folder / "beam.csv").write_text(beam)
    (folder / "own.yaml").write_text(text)
    return folder / "own.yaml"


def slopes(function, x, step=1e-5):
    moves = step * np.eye(len(x))
    return np.array([float(function(x + move) - function(x - move)) / 2 / step for move in moves])
