"""Neutrino fluxes: tables in, integration measures out.

A `Flux` is a fixed set of energies with weights, int flux(E) f(E) dE = sum_i weight_i f(energy_i), built
once from the table, so that binned and smooth tables look alike downstream. A nuisance never moves the
nodes of a table: stretching the spectrum by s evaluates the *cross section* at s energy_i instead.
"""

from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.faults import InputError, unknown
from tridentjax.files import Table, data_folder, numbers, read_table
from tridentjax.quadrature import gauss_legendre

# the order is also that of the GLoBES columns
SPECIES = ("nue", "numu", "nutau", "antinue", "antinumu", "antinutau")
# factor to neutrinos/GeV/m^2/exposure; a relative flux has no absolute normalisation
_UNITS = {
    "1/GeV": 1.0,
    "1/GeV/m^2/POT": 1.0,
    "1/GeV/cm^2/POT": 1e4,
    "1/GeV/m^2/fb^-1": 1.0,
    "1/GeV/cm^2/fb^-1": 1e4,
}
_ENERGY_UNITS = {"GeV": 1.0, "MeV": 1e-3}
_NODES_PER_KNOT_INTERVAL = 6
_NODES_PER_BIN = 4


class Flux(eqx.Module):
    """Spectrum of one neutrino species as an integration measure.

    energy [GeV]; weight = flux x node width, in 1 (relative) or 1/m^2/POT (or per fb^-1); the unit names
    which. `pivot` [GeV] is the mean energy, about which a tilt nuisance turns the spectrum. `intervals`
    [GeV] are the bins or knot intervals that hold the nodes (`logarithmic`: nodes uniform in log E), for
    `spectrum.sample_energies`; without them the spectrum is a set of sharp lines.
    """

    energy: Float[Array, " node"]
    weight: Float[Array, " node"]
    pivot: float = eqx.field(static=True)
    species: str = eqx.field(static=True)
    unit: str = eqx.field(static=True)
    name: str = eqx.field(static=True)
    intervals: Float[Array, "interval 2"] | None = None
    logarithmic: bool = eqx.field(static=True, default=False)

    @property
    def absolute(self) -> bool:
        """Whether the flux counts neutrinos per area and exposure."""
        return self.unit != "1/GeV"

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest energy node [GeV]."""
        return float(self.energy[0]), float(self.energy[-1])


def flux_names() -> tuple[str, ...]:
    """Names of the packaged flux tables."""
    return tuple(sorted(path.stem for path in (data_folder() / "fluxes").glob("*.csv")))


def flux_path(name: str | Path) -> Path:
    """Path of a flux table given by packaged name or file path.

    Raises
    ------
    InputError : neither exists, with the nearest packaged name.
    """
    packaged = data_folder() / "fluxes" / f"{name}.csv"
    if packaged.is_file():
        return packaged
    if Path(name).is_file():
        return Path(name)
    raise InputError([unknown("flux", name, flux_names()) + "; or give the path of a table"])


def read_flux_table(name: str | Path) -> Table:
    """Read and check the header of a flux table (CSV, or GLoBES columns with `# format: globes`).

    The header must have `# unit:` (one of 1/GeV, 1/GeV/m^2/POT, 1/GeV/cm^2/POT, and per fb^-1) and
    `# energy_unit:` (GeV or MeV). Columns are species,E_nu,flux (knots), or E_lo,E_hi and one column a
    species (bins, flux averaged over the bin).

    Raises
    ------
    InputError : missing or unknown unit, missing columns; all at once.
    """
    path = flux_path(name)
    required = ("unit", "energy_unit")
    if "# format: globes" in path.read_text(encoding="utf-8", errors="replace"):
        table = read_table(path, required=required, columns=("E_mid", *SPECIES))
        _check_units(table)
        return _globes_bins(table)
    table = read_table(path, required=required)
    _check_units(table)
    return table


def load_flux(name: str | Path, species: str) -> Flux:
    """Spectrum of one species from a table.

    Knot tables are interpolated by a monotone cubic in log-log and are zero outside the knots; binned
    tables are constant inside each bin.

    Raises
    ------
    InputError : unknown flux or species, species not in the table, energies that do not increase, negative
        or non-finite numbers, a spectrum that is zero everywhere; all faults at once.
    """
    if species not in SPECIES:
        raise InputError([unknown("neutrino species", species, SPECIES)])
    return table_flux(read_flux_table(name), species, Path(name).stem)


def table_flux(table: Table, species: str, name: str) -> Flux:
    """Spectrum of one species from a table in memory; see `load_flux`, whose faults it raises."""
    _check_units(table)
    unit = table.header["unit"]
    if "species" in table.columns:
        energy, weight, intervals = _from_knots(table, species)
    else:
        energy, weight, intervals = _from_bins(table, species)
    energy = energy * _ENERGY_UNITS[table.header["energy_unit"]]
    intervals = intervals * _ENERGY_UNITS[table.header["energy_unit"]]
    weight = weight * _ENERGY_UNITS[table.header["energy_unit"]] * _UNITS[unit]
    pivot = float((energy * weight).sum() / weight.sum())
    unit = unit.replace("cm^2", "m^2")
    return Flux(
        jnp.asarray(energy),
        jnp.asarray(weight),
        pivot,
        species,
        unit,
        name,
        jnp.asarray(intervals),
        "species" in table.columns,
    )


def table_species(table: Table) -> tuple[str, ...]:
    """Species that a flux table holds."""
    if "species" in table.columns:
        return tuple(dict.fromkeys(row["species"] for row in table.rows))
    return tuple(column for column in table.columns if column in SPECIES)


def _check_units(table: Table) -> None:
    faults = []
    if table.header["unit"] not in _UNITS:
        faults.append(unknown("flux unit", table.header["unit"], _UNITS, table.place))
    if table.header["energy_unit"] not in _ENERGY_UNITS:
        faults.append(unknown("energy unit", table.header["energy_unit"], _ENERGY_UNITS, table.place))
    if faults:
        raise InputError(faults)


def _globes_bins(table: Table) -> Table:
    """Bin edges of a GLoBES table, whose first column holds bin centres."""
    centre = np.asarray(numbers(table, "E_mid"))
    faults = _check_increasing(table.place, "E_mid", centre)
    if len(centre) < 2:
        faults.append(f"{table.place}: a GLoBES flux needs at least two rows")
    if faults:
        raise InputError(faults)
    middle = (centre[1:] + centre[:-1]) / 2.0
    low = np.concatenate([[max(0.0, 2.0 * centre[0] - middle[0])], middle])
    high = np.concatenate([middle, [2.0 * centre[-1] - middle[-1]]])
    for row, lower, upper in zip(table.rows, low, high, strict=True):
        row["E_lo"], row["E_hi"] = repr(float(lower)), repr(float(upper))
    return table._replace(columns=(*table.columns, "E_lo", "E_hi"))


def _check_increasing(place: str, column: str, values: np.ndarray) -> list[str]:
    faults = [
        f"{place}: row {i + 1}, {column} = {value}; allowed: finite and >= 0"
        for i, value in enumerate(values)
        if not np.isfinite(value) or value < 0.0
    ]
    faults += [
        f"{place}: {column} does not increase at row {i + 2} ({values[i]} then {values[i + 1]}); sort the rows"
        for i in np.flatnonzero(np.diff(values) <= 0.0)
    ]
    return faults


def _check_flux(place: str, column: str, values: np.ndarray) -> list[str]:
    faults = [
        f"{place}: row {i + 1}, {column} = {value}; allowed: a finite flux >= 0"
        for i, value in enumerate(values)
        if not np.isfinite(value) or value < 0.0
    ]
    return faults or ([] if values.any() else [f"{place}: {column} is zero everywhere"])


def _from_knots(table: Table, species: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    from scipy.interpolate import PchipInterpolator

    rows = [row for row in table.rows if row["species"] == species]
    if not rows:
        raise InputError([unknown("species", species, table_species(table), table.place)])
    energy = np.asarray(numbers(table, "E_nu", rows))
    flux = np.asarray(numbers(table, "flux", rows))
    faults = _check_increasing(table.place, f"E_nu of {species}", energy)
    faults += _check_flux(table.place, f"flux of {species}", flux)
    faults += [
        f"{table.place}: {species} at {e} GeV has flux {f}, but a knot table is interpolated in log-log; "
        "end the table there or use a binned table"
        for e, f in zip(energy, flux, strict=True)
        if f == 0.0 or e == 0.0
    ]
    if len(rows) < 2:
        faults.append(f"{table.place}: {species} has {len(rows)} knot; at least two are needed")
    if faults:
        raise InputError(faults)
    log_E = np.log(energy)
    curve = PchipInterpolator(log_E, np.log(flux))
    node, weight = gauss_legendre(_NODES_PER_KNOT_INTERVAL)
    width = np.diff(log_E)[:, None]
    x = (log_E[:-1, None] + width * node).ravel()
    intervals = np.stack([energy[:-1], energy[1:]], axis=1)
    return np.exp(x), np.exp(x + curve(x)) * (width * weight).ravel(), intervals


def _from_bins(table: Table, species: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if species not in table.columns:
        raise InputError([unknown("species", species, table_species(table), table.place)])
    low, high = np.asarray(numbers(table, "E_lo")), np.asarray(numbers(table, "E_hi"))
    flux = np.asarray(numbers(table, species))
    faults = _check_increasing(table.place, "E_lo", low) + _check_increasing(table.place, "E_hi", high)
    faults += _check_flux(table.place, species, flux)
    faults += [
        f"{table.place}: bin {i + 1} is [{a}, {b}]; bins must have E_lo < E_hi and not overlap"
        for i, (a, b) in enumerate(zip(low, high, strict=True))
        if not a < b or (i + 1 < len(low) and low[i + 1] < b * (1.0 - 1e-9))
    ]
    if faults:
        raise InputError(faults)
    filled = flux > 0.0
    node, weight = gauss_legendre(_NODES_PER_BIN)
    width = (high - low)[filled, None]
    intervals = np.stack([low, high], axis=1)[filled]
    return (low[filled, None] + width * node).ravel(), (flux[filled, None] * width * weight).ravel(), intervals
