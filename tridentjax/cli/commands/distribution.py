"""`tridentjax distribution`: differential cross sections as a table and a figure."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from tridentjax.cli.commands.arguments import emit, parse_channel, parse_cuts, parse_theory
from tridentjax.cli.commands.out_files import output_files, write_outputs
from tridentjax.experiment.flux import Flux, load_flux
from tridentjax.faults import InputError, collect, unknown
from tridentjax.figures.distribution import plot_distribution
from tridentjax.files import write_table
from tridentjax.nucleus.regimes import target_regimes
from tridentjax.process.cuts import NO_CUTS
from tridentjax.process.laboratory import OBSERVABLES
from tridentjax.rates.distributions import Distribution, differential_distribution
from tridentjax.theory.binding import refuse_undefined


def distribution(
    *,
    observables: list[str],
    target: str,
    energy: float | None,
    flux: str | None,
    neutrino: str,
    leptons: str,
    theory: str,
    settings: list[str],
    cuts: list[str],
    bins: list[str],
    out: Path | None,
    force: bool,
    points: int,
    seed: int,
    as_json: bool,
) -> None:
    """Differential cross section in one or two observables."""
    faults: list[str] = []
    channel = collect(faults, parse_channel, neutrino, leptons)
    bound = collect(faults, parse_theory, theory, settings)
    selection = collect(faults, parse_cuts, cuts) if cuts else NO_CUTS
    regimes = collect(faults, target_regimes, target)
    beam = _beam(faults, energy, flux, neutrino)
    edges = collect(faults, _edges, observables, bins)
    if points < 2 or points & (points - 1):
        faults.append(f"--points {points}; allowed: a power of two")
    files = collect(faults, output_files, out, force)
    if faults:
        raise InputError(faults)
    refuse_undefined(theory, bound, channel)
    found = differential_distribution(
        channel,
        regimes,
        beam,
        edges,
        theory=bound.function,
        parameters=bound.values,
        cuts=selection,
        points=points,
        seed=seed,
    )
    where = f"{energy:g} GeV" if energy is not None else f"flux {flux}"
    title = f"{channel.name} on {target}, {where}, {theory}"
    write_outputs(files, lambda path: _write_csv(path, found, title), lambda: plot_distribution(found, title))
    content = {
        "channel": channel.name,
        "target": target,
        "beam": where,
        "unit": "cm^2 per " + " and ".join(OBSERVABLES[name].unit for name in observables),
        "observables": observables,
        "edges": [list(map(float, axis)) for axis in found.edges],
        "value": found.value.tolist(),
        "error": found.error.tolist(),
        "outside_cm2": found.outside,
        "total_cm2": found.total,
        "files": [str(path) for path in files],
    }
    emit(content, as_json, "\n".join([title, *_lines(found), *(f"wrote {path}" for path in content["files"])]))


def _beam(faults: list[str], energy: float | None, flux: str | None, neutrino: str) -> float | Flux:
    if (energy is None) == (flux is None):
        faults.append("give exactly one of --energy and --flux")
    elif energy is not None and not 0.0 < energy < math.inf:
        faults.append(f"--energy {energy}; allowed: positive and finite [GeV]")
    elif flux is not None:
        return collect(faults, load_flux, flux, neutrino)
    return energy or 0.0


def _edges(observables: list[str], bins: list[str]) -> dict[str, np.ndarray]:
    """Edges from MIN:MAX:N or MIN:MAX:N:log, one item an observable."""
    faults = [unknown("observable", name, OBSERVABLES) for name in observables if name not in OBSERVABLES]
    if len(observables) not in (1, 2) or len(bins) != len(observables):
        faults.append(
            f"{len(observables)} observables with {len(bins)} --bins; allowed: one or two, each with its own --bins"
        )
    edges = {}
    for name, item in zip(observables, bins, strict=False):
        parts = item.split(":")
        try:
            low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
            log = parts[3:] == ["log"]
            good = len(parts) == 3 + log and low < high and 1 <= count <= 1000 and (low > 0.0 or not log)
        except (ValueError, IndexError):
            good = False
        if not good:
            faults.append(
                f"--bins {item!r}: expected MIN:MAX:N or MIN:MAX:N:log, MIN < MAX (log: MIN > 0), N from 1 to 1000"
            )
            continue
        edges[name] = np.geomspace(low, high, count + 1) if log else np.linspace(low, high, count + 1)
    if faults:
        raise InputError(faults)
    return edges


def _write_csv(path: Path, found: Distribution, title: str) -> None:
    """One row a bin: lower and upper edge of each observable, value, error."""
    units = ", ".join(f"{name} = {OBSERVABLES[name].unit}" for name in found.observables)
    columns = [f"{name}_{side}" for name in found.observables for side in ("lo", "hi")] + ["value", "error"]
    rows = []
    for index in np.ndindex(found.value.shape):
        sides = [axis[i + k] for axis, i in zip(found.edges, index, strict=True) for k in (0, 1)]
        numbers = map(float, (*sides, found.value[index], found.error[index]))
        rows.append(dict(zip(columns, numbers, strict=True)))
    comments = (
        title,
        f"unit: {units}; value, error = cm^2 per nucleus per unit of each observable",
        f"outside: {found.outside!r} cm^2 lie beyond the edges",
    )
    write_table(path, comments, columns, rows)


def _lines(found: Distribution) -> list[str]:
    lines: list[Any] = [f"cross section {found.total:.4e} cm^2, of which {found.outside:.2e} beyond the edges"]
    for index in np.ndindex(found.value.shape):
        window = "  ".join(
            f"{name} {axis[i]:10.4g} .. {axis[i + 1]:<10.4g}"
            for name, axis, i in zip(found.observables, found.edges, index, strict=True)
        )
        lines.append(f"{window}  {found.value[index]:.4e} +- {found.error[index]:.1e}")
    return lines
