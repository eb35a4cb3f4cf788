"""Flux histograms in ROOT files, read with uproot (extra `root`)."""

from pathlib import Path

import numpy as np

from tridentjax.faults import InputError, unknown
from tridentjax.files import Table

# factor to GeV
_ENERGY_UNITS = {"GeV": 1.0, "MeV": 1e-3}


def read_root_flux(path: Path, histogram: str, species: str, unit: str, energy_unit: str, content: str) -> Table:
    """A TH1 as a binned flux table of one species.

    A histogram carries no units, so they are arguments; under- and overflow are left out.

    Parameters
    ----------
    path, histogram : ROOT file and the histogram in it, e.g. 'numu_flux' or 'folder/numu_flux'.
    species : name of the flux column, e.g. 'numu'.
    unit, energy_unit : as in the header of a CSV table, e.g. '1/GeV/m^2/POT' and 'GeV' (of the axis).
    content : 'per_GeV' if a bin holds the flux, 'per_bin' if it holds the flux integrated over the bin.

    Raises
    ------
    InputError : uproot is not installed, the file cannot be read, no such histogram, not one-dimensional, unknown
        energy unit.
    """
    try:
        import uproot
    except ImportError:
        raise InputError(
            [f"{path.name}: reading ROOT files needs uproot; install the extra: tridentjax[root]"]
        ) from None
    if energy_unit not in _ENERGY_UNITS:
        raise InputError([unknown("energy unit", energy_unit, _ENERGY_UNITS, path.name)])
    try:
        with uproot.open(path) as file:
            held = [name.split(";")[0] for name, kind in file.classnames().items() if kind.startswith("TH1")]
            if histogram not in held:
                raise InputError([unknown("histogram", histogram, dict.fromkeys(held), path.name)])
            values, edges = file[histogram].to_numpy(flow=False)
    except InputError:
        raise
    except Exception as error:  # whatever uproot meets in a broken file
        raise InputError([f"cannot read ROOT file {str(path)!r}: {error}"]) from None
    flux = values / (np.diff(edges) * _ENERGY_UNITS[energy_unit]) if content == "per_bin" else values
    rows = [
        {"E_lo": repr(float(low)), "E_hi": repr(float(high)), species: repr(float(x))}
        for low, high, x in zip(edges[:-1], edges[1:], flux, strict=True)
    ]
    header = {"unit": unit, "energy_unit": energy_unit}
    return Table(f"{path.name}:{histogram}", header, ("E_lo", "E_hi", species), rows)
