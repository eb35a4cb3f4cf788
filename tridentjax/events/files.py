"""Event files: HepMC3 text and Parquet, written through a temporary name, never over an existing file.

Both hold the same events. In Parquet a row is an event, every column has its unit, and `weight` [cm^2] sums
to the cross section. In HepMC3 the weight `CV` is the same divided by its mean, hence exactly 1 for
unweighted events; VV, AA and VA are CV times the relative structures: sum_s q_s(K2) structure_s is the weight
in a theory with couplings q = (g_V^2, g_A^2, g_V g_A). Samples with scalar structures have SS, PP for g_S^2, g_P^2
as well. Momenta in GeV, lengths in mm, cross section in pb.
"""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tridentjax._version import __version__
from tridentjax.constants import LEPTON_MASS
from tridentjax.events.sample import PARTICLES, EventSample
from tridentjax.faults import InputError
from tridentjax.files import replacing
from tridentjax.process.matrix_element import ALL_STRUCTURES

FORMATS = {".hepmc": "pyhepmc", ".hepmc3": "pyhepmc", ".parquet": "pyarrow"}
BEAM, FINAL = 4, 1  # HepMC status codes
_CM2_TO_PB = 1e36
_COMPONENTS = ("E", "px", "py", "pz")


def check_event_file(path: Path, force: bool) -> list[str]:
    """Faults of an output path: format, missing package, existing file, folder that cannot be written."""
    if path.suffix not in FORMATS:
        return [f"--out {str(path)!r}: format {path.suffix or '(none)'!r}; allowed: {', '.join(FORMATS)}"]
    faults = []
    package = FORMATS[path.suffix]
    if find_spec(package) is None:
        faults.append(f"{path.suffix} files need {package}; install it with pip install 'tridentjax[events]'")
    if path.is_dir():
        faults.append(f"--out {str(path)!r} is a folder; give a file")
    elif path.exists() and not force:
        faults.append(f"--out {str(path)!r} exists; replace it with --force or choose another name")
    folder = path.absolute().parent
    if not folder.is_dir():
        faults.append(f"--out {str(path)!r}: folder {str(folder)!r} does not exist; create it or choose another")
    elif not os.access(folder, os.W_OK | os.X_OK):
        faults.append(f"--out {str(path)!r}: cannot write to folder {str(folder)!r}; choose another")
    return faults


def write_events(path: Path, sample: EventSample, force: bool = False) -> None:
    """Write a sample as HepMC3 (.hepmc, .hepmc3) or Parquet (.parquet).

    Raises
    ------
    InputError : another extension, an existing file without `force`, a folder that cannot be written, or the
        optional package missing; all at once.
    """
    if faults := check_event_file(path, force):
        raise InputError(faults)
    write = _write_parquet if path.suffix == ".parquet" else _write_hepmc
    with replacing(path) as temporary:
        write(temporary, sample)


def describe(sample: EventSample) -> dict[str, Any]:
    """Everything about a sample but its events, as plain data."""
    return {
        **sample.metadata,
        "events": int(sample.weight.size),
        "weighted": sample.weighted,
        "seed": sample.seed,
        "cross_section": sample.cross_section,
        "cross_section_error": sample.error,
        "efficiency": sample.efficiency,
        "components": [summary._asdict() for summary in sample.summaries],
    }


def _generated_masses(sample: EventSample) -> np.ndarray:
    """Mass [GeV] of every particle, as the momenta were made with."""
    of_component = np.asarray(
        [
            [0.0, mass, 0.0, LEPTON_MASS[channel.lepton_minus], LEPTON_MASS[channel.lepton_plus], mass]
            for channel, mass in zip(sample.channels, sample.masses, strict=True)
        ]
    )
    return of_component[sample.component]


def _write_hepmc(path: Path, sample: EventSample) -> None:
    import pyhepmc

    run = pyhepmc.GenRunInfo()
    run.tools = [("tridentjax", __version__, "neutrino trident production nu N -> nu l- l+ N")]
    run.weight_names = ["CV", *ALL_STRUCTURES[: sample.structures.shape[1]]]
    run.attributes = {"tridentjax": json.dumps(describe(sample), allow_nan=False)}
    status = np.asarray([BEAM, BEAM, FINAL, FINAL, FINAL, FINAL], dtype=np.int32)
    parents = np.asarray([[-1, -1]] * 2 + [[0, 1]] * 4, dtype=np.int32)
    relative = sample.weight / sample.weight.mean() if sample.weighted else np.ones(sample.weight.size)
    weights = np.concatenate([relative[:, None], relative[:, None] * sample.structures], axis=1).tolist()
    energy, p_x, p_y, p_z = np.moveaxis(np.ascontiguousarray(sample.momenta), 2, 0).copy()
    masses, codes = _generated_masses(sample), sample.codes.astype(np.int32)
    numbers = (sample.cross_section * _CM2_TO_PB, sample.error * _CM2_TO_PB, len(weights), sample.metadata["trials"])
    with pyhepmc.io.WriterAscii(str(path), run) as stream:
        for i, weight in enumerate(weights):
            event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
            event.run_info = run
            event.from_hepevt(
                i, p_x[i], p_y[i], p_z[i], energy[i], masses[i], codes[i], status, parents=parents, fortran=False
            )
            event.vertices[0].status = 1  # the primary interaction
            event.weights = weight
            cross_section = pyhepmc.GenCrossSection()
            cross_section.set_cross_section(*numbers)
            event.cross_section = cross_section
            stream.write(event)


def _write_parquet(path: Path, sample: EventSample) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: list[tuple[str, str, Any]] = []
    for i, particle in enumerate(PARTICLES):
        columns += [(f"{particle}_{c}", "GeV", sample.momenta[:, i, j].copy()) for j, c in enumerate(_COMPONENTS)]
    columns += [(f"{name}_pdg", "PDG code", sample.codes[:, i].astype(np.int32)) for i, name in enumerate(PARTICLES)]
    columns += [("E_nu", "GeV", sample.E_nu), ("Q2", "GeV^2", sample.Q2), ("K2", "GeV^2", sample.K2)]
    columns += [("weight", "cm^2", sample.weight)]
    structures = zip(ALL_STRUCTURES, sample.structures.T, strict=False)  # VV, AA, VA, or all of them
    columns += [(f"w_{name}", "1", values.copy()) for name, values in structures]
    names = pa.array([summary.name for summary in sample.summaries])
    component = pa.DictionaryArray.from_arrays(pa.array(sample.component.astype(np.int32)), names)
    arrays = [pa.array(values) for _, _, values in columns] + [component]
    fields = [
        pa.field(name, array.type, nullable=False, metadata={"unit": unit})
        for (name, unit, _), array in zip([*columns, ("component", "", None)], arrays, strict=True)
    ]
    schema = pa.schema(fields, metadata={"tridentjax": json.dumps(describe(sample), allow_nan=False)})
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
