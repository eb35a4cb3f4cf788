"""`tridentjax reach dune`: the accuracy that would exclude a coupling, against the mass."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from tridentjax.cli.commands.arguments import emit, mass_grid
from tridentjax.cli.commands.out_files import output_files, write_outputs
from tridentjax.experiment.load import load_experiment
from tridentjax.faults import InputError, collect
from tridentjax.figures.reach import ACCURACIES, plot_accuracy
from tridentjax.files import write_table
from tridentjax.inference.limits.required_accuracy import (
    BEAM_MODES,
    LABEL,
    LARGEST_COUPLING,
    SMALLEST_COUPLING,
    RequiredAccuracy,
    StatisticalAccuracy,
    excluded_coupling,
    projection_model,
    required_accuracy,
    statistical_accuracy,
    two_sided,
)
from tridentjax.inference.model import Model
from tridentjax.theory.domain import SMALLEST_MEDIATOR_MASS as lightest
from tridentjax.theory.domain import point_faults

_COUPLINGS = (5e-4, 1e-3, 3e-3, 1e-2)
_MOST_POINTS = 10_000
_COLUMNS = ("mass", "g", "rate_ratio", "accuracy", "accuracy_with_nuisances", "reason")


def reach_dune(
    *,
    experiment: str,
    g: list[float],
    masses: list[float],
    mass_min: float | None,
    mass_max: float | None,
    points: int | None,
    confidence_level: float,
    years: float,
    mass_tonnes: float,
    efficiency: float,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Accuracy of the measured rate ratio that would exclude (mass, g), with and without nuisances.

    Raises
    ------
    InputError : everything wrong with the options, at once.
    """
    model, mass, couplings, files = _read(
        experiment, g, lambda: _masses(masses, mass_min, mass_max, points), confidence_level,
        {"years": years, "mass-tonnes": mass_tonnes}, efficiency, out, force,
    )  # fmt: skip
    grid = np.repeat(couplings, mass.size), np.tile(mass, len(couplings))
    found = required_accuracy(model, jnp.asarray(grid[1]), jnp.asarray(grid[0]), confidence_level)
    content: dict[str, Any] = {
        "label": LABEL,
        "curve": _curve(grid[1], grid[0], found, two_sided(confidence_level)),
        "excluded_g": _excluded(model, mass, confidence_level),
        "statistical_accuracy": _statistics(model, years, mass_tonnes, efficiency),
        "assumptions": _stated(model, confidence_level),
        "files": [str(path) for path in files],
    }
    title = f"{model.chains[0].experiment.title}: accuracy that would exclude (m, g'), {LABEL}"
    text = [title, *(_assumption_line(name, item) for name, item in content["assumptions"].items())]
    text += _statistics_lines(content["statistical_accuracy"])
    excluded = _excluded_lines(content["excluded_g"])
    comments = [*text, *excluded, "mass = GeV, the others = 1; empty where there is none, reason says why"]
    write_outputs(
        files,
        lambda path: write_table(path, comments, _COLUMNS, content["curve"]),
        lambda: plot_accuracy(content["curve"], confidence_level, content["statistical_accuracy"], title),
    )
    text += [*(_line(point) for point in content["curve"]), *excluded, *(f"wrote {path}" for path in files)]
    emit(content, as_json, "\n".join(text))


def _masses(masses: list[float], low: float | None, high: float | None, points: int | None) -> np.ndarray:
    return mass_grid(
        masses, low, high, points, default=(lightest, 100.0, 41), allowed=lambda x: not point_faults({"mass": x}),
        text=f"{lightest:g} GeV or more, finite (integrals resolve no lighter propagator)", most=_MOST_POINTS,
    )  # fmt: skip


def _read(
    experiment: str, g: list[float], masses: Callable[[], np.ndarray], confidence_level: float,
    exposure: dict[str, float], efficiency: float, out: Path | None, force: bool,
) -> tuple[Model, np.ndarray, list[float], list[Path]]:  # fmt: skip
    """Model, masses, couplings and files of the options, or everything that is wrong with them."""
    couplings = list(g) or list(_COUPLINGS)
    faults = [
        f"--g {x:g}; allowed: {SMALLEST_COUPLING:g} to {LARGEST_COUPLING:g}"
        for x in couplings
        if not SMALLEST_COUPLING <= x <= LARGEST_COUPLING
    ]
    mass = collect(faults, masses)
    collect(faults, two_sided, confidence_level)
    faults += [
        f"--{name} {x:g}; allowed: positive and finite" for name, x in exposure.items() if not 0.0 < x < math.inf
    ]
    if not 0.0 < efficiency <= 1.0:
        faults.append(f"--efficiency {efficiency:g}; allowed: above 0, up to 1")
    files = collect(faults, output_files, out, force)
    if mass is not None and mass.size * len(couplings) > _MOST_POINTS:
        faults.append(f"{mass.size} masses x {len(couplings)} couplings; allowed: {_MOST_POINTS} points in all")
    model = collect(faults, load_experiment if faults else projection_model, experiment)
    if faults:
        raise InputError(faults)
    return model, mass, couplings, files


def _curve(mass: np.ndarray, g: np.ndarray, found: RequiredAccuracy, z: float) -> list[dict[str, Any]]:
    """One entry a point; null and a reason where no accuracy is enough."""
    curve = []
    for m, c, R, without, accuracy, alone, converged in zip(mass, g, *map(np.asarray, found), strict=True):
        reason = None
        if without == 0.0:
            reason = "the rate is that of the Standard Model to all digits"
        elif alone <= z:
            reason = (
                f"the theory error alone hides it: nuisances {alone:.3g} standard deviations away undo the change of "
                f"the rate, {z:.3g} are needed"
            )
        elif not converged:
            reason = "the fit of the nuisances did not converge"
        curve.append(
            {
                "mass": float(m),
                "g": float(c),
                "rate_ratio": float(R),
                "accuracy": float(without) or None,
                "accuracy_with_nuisances": float(accuracy) if reason is None else None,
                "reason": reason,
            }
        )
    return curve


def _excluded(model: Model, mass: np.ndarray, confidence_level: float) -> list[dict[str, Any]]:
    """Smallest coupling that the two quoted accuracies exclude at every mass, without nuisances."""
    rows = []
    for accuracy in ACCURACIES:
        g = np.asarray(excluded_coupling(model, jnp.asarray(mass), accuracy, confidence_level))
        rows += [
            {"accuracy": accuracy, "mass": float(m), "g": float(c) if np.isfinite(c) else None}
            for m, c in zip(mass, g, strict=True)
        ]
    return rows


def _statistics(model: Model, years: float, mass_tonnes: float, efficiency: float) -> dict[str, Any] | None:
    """Events and 1/sqrt(N) of the two beam modes; null for an experiment with other beams."""
    if model.chains[0].experiment.data_set != load_experiment(BEAM_MODES[0]).data_set:
        return None
    found: StatisticalAccuracy = statistical_accuracy(years, mass_tonnes, efficiency)
    return {
        "accuracy": found.accuracy,
        "events": found.events,
        "events_per_tonne_year": found.events_per_tonne_year,
        "theory_budget": {mode: budget._asdict() for mode, budget in found.budgets.items()},
        "years_per_beam_mode": years,
        "mass_tonnes": mass_tonnes,
        "efficiency": efficiency,
        "exposure": found.status,
        "note": "1/sqrt(N) of Standard-Model dimuons, no background"
        + ("; optimistic: before any selection" if efficiency == 1.0 else ""),
    }


def _stated(model: Model, confidence_level: float) -> dict[str, dict[str, Any]]:
    """Everything the curve rests on, each with its unit and what it means."""
    experiment = model.chains[0].experiment
    flux = ", ".join(f"{flux.species} ({flux.name})" for flux in experiment.fluxes)
    common = "counted beside the accuracy (theory error)"
    rows: dict[str, tuple[Any, str, str]] = {
        "experiment": (experiment.name, "", f"{experiment.title}, {experiment.reference}"),
        "kind": ("projection", "", f"{LABEL}: the measured ratio is taken to be 1, the Standard Model (Asimov)"),
        "confidence_level": (confidence_level, "", f"two-sided, {two_sided(confidence_level):.5g} standard deviations"),
        "statistic": ("gaussian", "", "|R - 1| / delta without nuisances; profile likelihood of R with them"),
        "flux": (flux, "", "absolute" if experiment.fluxes[0].absolute else "spectrum alone, normalised"),
        "theory_error": (False, "", "the accuracy is the experimental error alone; the theory error is in nuisances"),
        "quoted_accuracy": (
            list(ACCURACIES),
            "",
            "abstract and body of 1902.06765; which of them holds is not resolved",
        ),
        "exposure": ("about 3 years per beam mode", "", "of the quoted accuracies; a required one is for any exposure"),
    }
    rows |= {
        f"nuisance {name}": (item.width, "log" if item.log else "shift", f"width; {item.status}; {common}")
        for name, item in model.nuisances.items()
    }
    return {name: {"value": value, "unit": unit, "note": note} for name, (value, unit, note) in rows.items()}


def _assumption_line(name: str, item: dict[str, Any]) -> str:
    return f"  {name} = {' '.join(filter(None, (str(item['value']), item['unit'])))} ({item['note']})"


def _statistics_lines(statistics: dict[str, Any] | None) -> list[str]:
    if statistics is None:
        return []
    rates = ", ".join(
        f"{mode} {rate:.3g} +- {100 * (statistics['theory_budget'][mode]['theory'] or 0.0):.2g} % (theory)"
        for mode, rate in statistics["events_per_tonne_year"].items()
    )
    return [
        f"dimuon events per tonne and year: {rates}",
        f"statistical accuracy {100 * statistics['accuracy']:.3g} % from {statistics['events']:.4g} events "
        f"({statistics['mass_tonnes']:g} t, {statistics['years_per_beam_mode']:g} years in each beam mode, efficiency "
        f"{statistics['efficiency']:g}; {statistics['note']})",
    ]


def _excluded_lines(rows: list[dict[str, Any]]) -> list[str]:
    """What the quoted accuracies exclude at the two ends of the masses."""
    lines = []
    for accuracy in ACCURACIES:
        own = sorted((row for row in rows if row["accuracy"] == accuracy), key=lambda row: row["mass"])
        ends = [own[0], own[-1]] if len(own) > 1 else own
        text = ", ".join(
            f"g' > {row['g']:.4g} at {row['mass']:g} GeV" if row["g"] else f"no coupling up to {LARGEST_COUPLING:g} at "
            f"{row['mass']:g} GeV" for row in ends
        )  # fmt: skip
        lines.append(f"{100 * accuracy:g} % would exclude, without nuisances: {text}")
    return lines


def _line(point: dict[str, Any]) -> str:
    shown = [
        "none" if point[key] is None else f"{100 * point[key]:.4g} %" for key in ("accuracy", "accuracy_with_nuisances")
    ]
    reason = f"  {point['reason']}" if point["reason"] else ""
    return (
        f"m = {point['mass']:<10.5g} GeV  g' = {point['g']:<9.4g} R = {point['rate_ratio']:<11.6g} "
        f"accuracy {shown[0]:>10}, with nuisances {shown[1]:>10}{reason}"
    )
