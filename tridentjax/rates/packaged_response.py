"""Folded responses that come with the package: R of a packaged experiment without building kernels.

At nominal nuisances a response is two numbers at each K2 node for each beam species, summed over nuclei and regimes:

    N = sum_species sum_s sum_K2 W[species, s, K2] q_s(K2),    q = (g_V^2, g_A^2)

`data/responses/NAME.csv` holds W as columns `numu_VV`, `numu_AA`, ...; its header names the experiments it serves,
i.e. those with the same beams, targets and cuts. `write_response` makes the file, a test compares it with the chain.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from tridentjax._version import __version__
from tridentjax.currents import Channel
from tridentjax.experiment.load import load_experiment
from tridentjax.files import numbers, read_table
from tridentjax.rates.chain import fold, prepare
from tridentjax.rates.response import Component, Response


def response_columns(response: Response) -> dict[str, np.ndarray]:
    """K2 nodes [GeV^2] and, by `species_structure`, the weights [cm^2 per average nucleus] summed over components."""
    columns = {"K2": np.asarray(response.K2)}
    for species in dict.fromkeys(component.species for component in response.components):
        own = np.asarray([component.species == species for component in response.components])
        summed = np.asarray(response.weights)[own].sum(axis=0)
        columns |= {f"{species}_{name}": row for name, row in zip(response.structures, summed, strict=True)}
    return columns


def write_response(path: Path, *names: str) -> None:
    """Fold the first experiment at nominal nuisances (10 s, kernels cached) and write the table that serves all.

    Parameters
    ----------
    path : CSV file to write.
    names : packaged experiments that differ in the measurement only.

    Raises
    ------
    RuntimeError : 32-bit floats.
    """
    experiment = load_experiment(names[0])
    columns = response_columns(fold(prepare(experiment)))
    flux = ", ".join(f"{flux.species} of {flux.name} ({flux.unit})" for flux in experiment.fluxes)
    target = ", ".join(f"{nucleus.name} {share:.6g}" for nucleus, share in zip(
        experiment.nuclei, experiment.number_fractions, strict=True))  # fmt: skip
    header = [
        f"what: nu -> nu {experiment.lepton_minus}- {experiment.lepton_plus}+ of {experiment.title}, folded",
        f"experiments: {' '.join(names)}",
        f"leptons: {experiment.lepton_minus} {experiment.lepton_plus}",
        "unit: K2 = GeV^2, others = cm^2 per average target nucleus, before couplings g_V^2 (VV) and g_A^2 (AA)",
        f"source: flux {flux}; number fractions {target}; nucleon form factors {experiment.nucleon_form_factor}",
        f"made: tridentjax {__version__}, folded_data.write_response; nominal nuisances, regimes and nuclei summed",
        "status: computed here; as good as the flux tables it folds, whose grades stand in their headers",
    ]
    rows = [",".join(repr(float(x)) for x in row) for row in zip(*columns.values(), strict=True)]
    text = [f"# {line}" for line in header] + [",".join(columns), *rows]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")


def read_response(path: Path) -> Response:
    """Response of a table of `write_response`, one component for each beam species; its flux counts as 1.

    Raises
    ------
    InputError : the table cannot be read, or a cell is not a number.
    """
    table = read_table(path, required=("unit", "experiments", "leptons"))
    minus, plus = table.header["leptons"].split()
    species = tuple(dict.fromkeys(name.rsplit("_", 1)[0] for name in table.columns[1:]))
    structures = tuple(dict.fromkeys(name.rsplit("_", 1)[1] for name in table.columns[1:]))
    weights = [[numbers(table, f"{one}_{name}") for name in structures] for one in species]
    return Response(
        jnp.asarray(numbers(table, "K2")),
        jnp.asarray(weights),
        jnp.ones(len(species)),
        jnp.ones(()),
        tuple(Component("all", one, "all", "all") for one in species),
        tuple(Channel.of(one, minus, plus) for one in species),
        structures,
    )
