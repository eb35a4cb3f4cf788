"""`tridentjax sigma`: total cross sections of a target at fixed energies."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from tridentjax.cli.commands.arguments import emit, parse_channel, parse_cuts, parse_settings, parse_theory
from tridentjax.constants import SIN2_THETA_W
from tridentjax.currents import Channel, LeptonCurrent
from tridentjax.faults import InputError, collect, unknown
from tridentjax.nucleus.nuclei import NUCLEON_FORM_FACTORS
from tridentjax.nucleus.regimes import REGIMES, Regime, target_regimes
from tridentjax.process.cuts import NO_CUTS
from tridentjax.process.matrix_element import ALL_STRUCTURES, SCALAR_STRUCTURES
from tridentjax.process.model_spread import ModelSpread, model_spread, summed
from tridentjax.process.phase_space import threshold_energy
from tridentjax.process.totals import TotalCrossSections
from tridentjax.theory import theories
from tridentjax.theory.binding import refuse_undefined, shown_rows
from tridentjax.theory.theories import is_open

# [GeV]; the gauge-invariant tree with W and Z propagators changes dimuons on a proton by +0.4 % there, +3.1 % at
# 3 TeV and +19 % at 5 TeV, where the W is real; coherent rates by less than 0.1 %
_CONTACT_LIMIT = 1000.0


def sigma(
    *,
    target: str,
    energies: list[float],
    neutrino: str,
    leptons: str,
    form_factor: str,
    ff: list[str],
    nucleon_form_factor: str,
    pauli: bool,
    p_fermi: float | None,
    rtol: float,
    sin2_theta_w: float | None,
    gv: float | None,
    ga: float | None,
    theory: str,
    settings: list[str],
    cuts: list[str],
    spread: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Total cross sections of every regime of a target at fixed energies."""
    faults: list[str] = []
    channel = collect(faults, parse_channel, neutrino, leptons)
    bound = collect(
        faults, parse_theory, theory, settings, {} if sin2_theta_w is None else {"sin2_theta_w": sin2_theta_w}
    )
    faults += _number_faults(theory, gv, ga, energies, rtol, p_fermi)
    selection = collect(faults, parse_cuts, cuts) if cuts else NO_CUTS
    regimes = collect(faults, _regimes, target, form_factor, ff, nucleon_form_factor, pauli, p_fermi)
    if faults:
        raise InputError(faults)
    refuse_undefined(theory, bound, channel)
    function, parameters = bound.function, bound.values
    if gv is not None and ga is not None:
        function, parameters = _constant, {"g_V": gv, "g_A": ga}
    options = {"theory": function, "parameters": parameters, "rtol": rtol, "seed": seed}
    totals = summed(channel, regimes, energies, cuts=selection, **options)
    extra: dict[str, Any] = {}
    if selection.active:
        reference = summed(channel, regimes, energies, **options)
        _refuse_empty(energies, totals, reference)
        extra["acceptance"] = [_ratio(totals, reference, i) for i in range(len(energies))]
    if spread:
        found = model_spread(channel, target, energies, nucleon_form_factor, function, parameters, rtol)
        extra["model_spread"] = {name: _spread_entry(value) for name, value in found.items()}
    derived, derived_lines = bound.described()
    notes = [*_notes(channel, regimes, energies, is_open(function, parameters, channel)), *bound.notes]
    content = {
        "channel": channel.name,
        "target": target,
        "unit": "cm^2 per nucleus (average nucleus of a mixture)",
        "results": [_entry(E_nu, totals, i) for i, E_nu in enumerate(energies)],
        "details": [_details(E_nu, totals, i) for i, E_nu in enumerate(energies)],
        **_couplings(function, parameters, channel),
        "sin2_theta_w": float(parameters.get("sin2_theta_w", SIN2_THETA_W)),
        "derived": derived,
        "notes": notes,
        **extra,
    }
    title = f"{channel.name} on {target}, cm^2"
    emit(content, as_json, "\n".join([title, *_lines(content["results"], extra), *derived_lines, *notes]))


def _couplings(function: theories.TheoryFunction, parameters: theories.Parameters, channel: Channel) -> dict[str, Any]:
    """Couplings at K2 -> 0 of every outgoing neutrino that is shown; g_S and g_P where the theory has them."""
    current = function({k: jnp.asarray(v) for k, v in parameters.items()}, channel, jnp.zeros(1) + 1e-12)
    rows = shown_rows(channel, current)
    scalar = {"g_S": current.g_S, "g_P": current.g_P}
    return {
        "g_V": [float(current.g_V[i, 0]) for i, _, _ in rows],
        "g_A": [float(current.g_A[i, 0]) for i, _, _ in rows],
        "neutrino_out": [flavour for _, flavour, _ in rows],
        **{name: [float(x[0]) for x in g] for name, g in scalar.items() if g is not None},
    }


def _entry(E_nu: float, totals: dict[str, TotalCrossSections], i: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"energy": E_nu} | dict.fromkeys(REGIMES)
    for name, result in totals.items():
        sigma, error = float(result.sigma[i]), float(result.sigma_error[i])
        entry[name] = _by_structure(result.value[i]) | {"sigma": sigma, "error": error}
    present = [entry[name] for name in totals]
    # linear: what is common to the regimes of a table does not average out
    entry["total"] = {key: sum(part[key] for part in present) for key in present[0]}
    return entry


def _by_structure(values: Float[np.ndarray, " structure"]) -> dict[str, float]:
    """VV, AA, VA and, where there are five of them, SS, PP."""
    return dict(zip(ALL_STRUCTURES, map(float, values), strict=False))


def _details(E_nu: float, totals: dict[str, TotalCrossSections], i: int) -> dict[str, Any]:
    """How each number was found, and the errors of its structures."""
    return {"energy": E_nu} | {
        name: {
            "method": "events" if result.sampled[i] else "table",
            "errors": _by_structure(result.error[i]),
        }
        for name, result in totals.items()
    }


def _refuse_empty(
    energies: list[float], totals: dict[str, TotalCrossSections], reference: dict[str, TotalCrossSections]
) -> None:
    """A selection that leaves nothing of a process that happens is a mistake, unlike an energy below threshold."""
    kept, everything = (sum(part.value[:, :2].sum(1) for part in parts.values()) for parts in (totals, reference))
    empty = [E_nu for E_nu, a, b in zip(energies, kept, everything, strict=True) if a <= 0.0 < b]
    if empty:
        raise InputError([f"--cut: no event passes at {E_nu:g} GeV; open the windows" for E_nu in empty])


def _ratio(totals: dict[str, TotalCrossSections], reference: dict[str, TotalCrossSections], i: int) -> dict[str, Any]:
    """Sigma over the reference per regime and in total; null where the reference is zero."""
    pairs = {name: (float(totals[name].sigma[i]), float(reference[name].sigma[i])) for name in totals}
    pairs["total"] = (sum(a for a, _ in pairs.values()), sum(b for _, b in pairs.values()))
    return {name: a / b if b > 0.0 else None for name, (a, b) in pairs.items()}


def _spread_entry(spread: ModelSpread) -> dict[str, Any]:
    models = {model: [float(x) for x in values] for model, values in spread.sigma.items()}
    return {"sigma": models, "half_range": [float(x) for x in spread.half_range]}


def _lines(results: list[dict[str, Any]], extra: dict[str, Any]) -> list[str]:
    lines = []
    for i, entry in enumerate(results):
        for name in (*REGIMES, "total"):
            if entry[name] is not None:
                e = entry[name]
                structures = f"VV {e['VV']:.4e}  AA {e['AA']:.4e}  VA {e['VA']:+.1e}"
                structures += "".join(f"  {key} {e[key]:.4e}" for key in SCALAR_STRUCTURES if key in e)
                value = f"sigma = {e['sigma']:.4e} +- {e['error']:.1e}"
                lines.append(f"E = {entry['energy']:g} GeV  {name:20} {value}   {structures}")
        for name, ratio in extra.get("acceptance", [{}] * len(results))[i].items():
            shown = "undefined (no rate)" if ratio is None else f"{ratio:.4f}"
            lines.append(f"E = {entry['energy']:g} GeV  {name:20} acceptance {shown}")
    for regime, entry in extra.get("model_spread", {}).items():
        for model, values in entry["sigma"].items():
            lines.append(f"{regime} with {model:16} " + " ".join(f"{value:.4e}" for value in values))
        half = " ".join(f"{100 * x:.1f} %" for x in entry["half_range"])
        lines.append(f"{regime}: half the range over the models {half} of the first one")
    return lines


def _notes(channel: Channel, regimes: list[tuple[float, Regime]], energies: list[float], opens: bool) -> list[str]:
    if not opens:
        return [
            f"{channel.name} is forbidden at tree level: Z exchange makes a same-flavour pair, W exchange turns the "
            "neutrino into its own lepton; no outgoing neutrino fits, so the cross section is exactly 0"
        ]
    thresholds = {regime.name: threshold_energy(channel, regime.mass) for _, regime in regimes}
    notes = [
        f"{E_nu} GeV is below the {name} threshold of {channel.name} ({threshold:.4f} GeV): exactly 0"
        for E_nu in energies
        for name, threshold in thresholds.items()
        if E_nu <= threshold
    ]
    if max(energies) > _CONTACT_LIMIT:
        notes.append(
            f"above {_CONTACT_LIMIT:g} GeV the contact limit of W and Z ends: their propagators, left out here, change "
            "dimuons on a proton by +0.4 % at 1 TeV, +3.1 % at 3 TeV and +19 % at 5 TeV"
        )
    return notes


def _number_faults(
    theory: str, gv: float | None, ga: float | None, energies: list[float], rtol: float, p_fermi: float | None
) -> list[str]:
    faults = []
    if (gv is None) != (ga is None):
        faults.append("--gv and --ga go together; give both")
    if gv is not None and theory != "sm":
        faults.append("--gv/--ga and --theory exclude each other; give one")
    for value in (gv, ga):
        if value is not None and not math.isfinite(value):
            faults.append(f"--gv/--ga {value}; allowed: finite")
    faults += [f"--energy {E}; allowed: positive and finite [GeV]" for E in energies if not (0.0 < E < math.inf)]
    if not 1e-5 <= rtol <= 0.1:
        faults.append(f"--rtol {rtol}; allowed: 1e-5 to 0.1")
    if p_fermi is not None and not 0.0 <= p_fermi < 1.0:
        faults.append(f"--p-fermi {p_fermi}; allowed: 0 to 1 GeV")
    return faults


def _constant(parameters: theories.Parameters, channel: Channel, K2: Any) -> LeptonCurrent:
    """Constant couplings given on the command line."""
    count = len(channel.outgoing_neutrinos)
    return LeptonCurrent(jnp.full((count, K2.size), parameters["g_V"]), jnp.full((count, K2.size), parameters["g_A"]))


def _regimes(
    target: str, form_factor: str, ff: list[str], nucleon_form_factor: str, pauli: bool, p_fermi: float | None
) -> list[tuple[float, Regime]]:
    faults: list[str] = []
    if nucleon_form_factor not in NUCLEON_FORM_FACTORS:
        faults.append(unknown("nucleon form factor", nucleon_form_factor, NUCLEON_FORM_FACTORS))
    parameters = collect(faults, parse_settings, ff, "--ff") or {}
    model = nucleon_form_factor if not faults else "kelly"
    regimes = collect(faults, target_regimes, target, form_factor, parameters, model, pauli, p_fermi)
    if faults:
        raise InputError(faults)
    return regimes
