"""`tridentjax reach`: auxiliary and projected reach curves as a table and a figure."""

import math
from pathlib import Path
from typing import Any, get_args

import jax.numpy as jnp
import numpy as np

from tridentjax.cli.commands.arguments import emit, mass_grid
from tridentjax.cli.commands.out_files import output_files, write_outputs
from tridentjax.experiment.belle2 import LABEL, Belle2Assumptions, photon_cross_section
from tridentjax.faults import InputError, collect, unknown
from tridentjax.figures.reach import plot_reach
from tridentjax.files import write_table
from tridentjax.inference.limits.belle2_reach import LARGEST_COUPLING, Mixing, expected_reach, signal_upper_limit

_LARGEST_COUNT = 100_000
_COUPLING = {"loop": "g", "tree": "epsilon"}
_AXIS = {"loop": "$L_\\mu - L_\\tau$ coupling $g'$", "tree": "hypercharge mixing $\\epsilon$"}
_MIXING = {
    "loop": "mu and tau loops of L_mu - L_tau at q2 = mass^2; electron coupling e |chi|; the coupling is g'",
    "tree": "kinetic mixing eps with hypercharge; electron coupling e eps cos theta_W; the coupling is eps",
}


def reach_belle2(
    *,
    mixing: str,
    g: float | None,
    masses: list[float],
    mass_min: float | None,
    mass_max: float | None,
    points: int | None,
    assumptions: dict[str, Any],
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Reach of e+ e- -> gamma Z' with an invisible Z' against its mass.

    `assumptions` are fields of `Belle2Assumptions`.

    Raises
    ------
    InputError : everything wrong with the options, at once.
    """
    faults = [] if mixing in get_args(Mixing) else [unknown("mixing", mixing, get_args(Mixing), "--mixing")]
    if g is not None and mixing == "loop":
        faults.append(f"--g {g:g}: with --mixing loop the curve is in g itself; leave --g out")
    elif g is not None and not 0.0 < g <= LARGEST_COUPLING:
        faults.append(f"--g {g:g}; allowed: above 0, up to {LARGEST_COUPLING:g}")
    record = collect(faults, lambda: Belle2Assumptions(**assumptions))
    mass = collect(
        faults,
        lambda: mass_grid(
            masses, mass_min, mass_max, points, default=(1e-3, 10.5, 101), allowed=lambda x: 0.0 < x < math.inf,
            text="positive and finite [GeV]", most=_LARGEST_COUNT,
        ),
    )  # fmt: skip
    files = collect(faults, output_files, out, force)
    if faults:
        raise InputError(faults)
    limit = signal_upper_limit(record.confidence_level, record.background, statistic=record.statistic)
    kind: Mixing = "loop" if mixing == "loop" else "tree"
    coupling = np.asarray(expected_reach(kind, jnp.asarray(mass), record, g))
    curve = _curve(mass, coupling, limit, record)
    stated = _stated(mixing, g, record, limit)
    title = f"Belle II, e+ e- -> gamma Z' (invisible), {mixing} mixing: {LABEL}"
    write_outputs(
        files,
        lambda path: _write_csv(path, curve, title, _COUPLING[mixing], stated),
        lambda: plot_reach(mass, coupling, _AXIS[mixing], _legend(record, limit), title),
    )
    content = {
        "label": LABEL,
        "mixing": mixing,
        "coupling_name": _COUPLING[mixing],
        "curve": curve,
        "assumptions": stated,
        "files": [str(path) for path in files],
    }
    lines = [title, *(_assumption_line(name, item) for name, item in stated.items())]
    lines += [_line(point, _COUPLING[mixing]) for point in curve]
    emit(content, as_json, "\n".join([*lines, *(f"wrote {path}" for path in content["files"])]))


def _curve(mass: np.ndarray, coupling: np.ndarray, limit: float, record: Belle2Assumptions) -> list[dict[str, Any]]:
    """One entry a mass; null and a reason where no coupling is reached."""
    cross_section = np.asarray(photon_cross_section(jnp.asarray(mass), record))
    root_s = math.sqrt(record.s)
    curve = []
    for m, c, sigma in zip(map(float, mass), map(float, coupling), cross_section, strict=True):
        reason = None
        if m >= root_s:
            reason = f"mass at or above sqrt(s) = {root_s:.4f} GeV"
        elif sigma == 0.0:
            reason = "no photon inside the angles has an energy inside the cuts"
        elif math.isnan(c):
            reason = f"fewer than {limit:.4g} signal events at every coupling up to {LARGEST_COUPLING:g}"
        reached = reason is None
        curve.append(
            {
                "mass": m,
                "coupling": c if reached else None,
                "events_per_coupling2": limit / c**2 if reached else None,
                "reason": reason,
            }
        )
    return curve


def _stated(mixing: str, g: float | None, a: Belle2Assumptions, limit: float) -> dict[str, dict[str, Any]]:
    """Everything the curve rests on, each with its unit and what it means."""
    optimistic = "optimistic: multi-photon background is not in arXiv:1701.00156"
    median = "median of the limits expected from background alone"
    invisible = {"loop": "L_mu - L_tau with the loop", "tree": "L_mu - L_tau, g >> e eps"}[mixing]
    rows: dict[str, tuple[Any, str, str]] = {
        "mixing": (mixing, "", _MIXING[mixing]),
        "invisible_branching_ratio": ("model", "", f"{invisible}: neutrinos over neutrinos and leptons; no hadrons"),
        "luminosity": (a.luminosity, "ab^-1", "50 is the goal in arXiv:1701.00156"),
        "efficiency": (a.efficiency, "", "beyond the cuts" + ("; optimistic" if a.efficiency == 1.0 else "")),
        "background": (a.background, "events", "in the whole window" + ("" if a.background else f"; {optimistic}")),
        "confidence_level": (a.confidence_level, "", "of the upper limit on the signal count"),
        "statistic": (a.statistic, "", f"Poisson counts; {median}"),
        "signal_upper_limit": (limit, "events", "signal count at which the coupling is read off"),
        "electron_energy": (a.electron_energy, "GeV", "beam, laboratory"),
        "positron_energy": (a.positron_energy, "GeV", "beam, laboratory"),
        "min_energy": (a.min_energy, "GeV", "photon, laboratory"),
        "max_energy": (a.max_energy, "GeV", "photon, laboratory; null: open"),
        "min_angle": (a.min_angle, "deg", "photon to the electron beam, laboratory"),
        "max_angle": (a.max_angle, "deg", "photon to the electron beam, laboratory"),
    }
    if g is not None:
        rows["g"] = (g, "", "L_mu - L_tau coupling at which eps is read off")
        rows["invisible_branching_ratio"] = ("model", "", "L_mu - L_tau at the given g with eps; no hadrons")
    return {name: {"value": value, "unit": unit, "note": note} for name, (value, unit, note) in rows.items()}


def _legend(a: Belle2Assumptions, limit: float) -> str:
    name = {"cls": "CLs", "classical": "classical"}[a.statistic]
    return (
        f"expected {100.0 * a.confidence_level:g} % CL upper limit ({name}): {limit:.3g} events\n"
        f"{a.luminosity:g} ab$^{{-1}}$, background {a.background:g}, efficiency {a.efficiency:g}"
    )


def _write_csv(
    path: Path, curve: list[dict[str, Any]], title: str, coupling: str, stated: dict[str, dict[str, Any]]
) -> None:
    columns = ["mass", coupling, "events_per_coupling2", "reason"]
    comments = [title, *(_assumption_line(name, item).strip() for name, item in stated.items())]
    comments.append(f"mass = GeV, {coupling} = 1; empty where there is no reach, reason says why")
    rows = [dict(zip(columns, point.values(), strict=True)) for point in curve]
    write_table(path, comments, columns, rows)


def _assumption_line(name: str, item: dict[str, Any]) -> str:
    shown = "none" if item["value"] is None else item["value"]
    return f"  {name} = {' '.join(filter(None, (f'{shown}', item['unit'])))} ({item['note']})"


def _line(point: dict[str, Any], name: str) -> str:
    if point["coupling"] is None:
        return f"m = {point['mass']:<10.5g} GeV  no reach: {point['reason']}"
    return (
        f"m = {point['mass']:<10.5g} GeV  {name} = {point['coupling']:.4e}  "
        f"events/{name}^2 = {point['events_per_coupling2']:.4e}"
    )
