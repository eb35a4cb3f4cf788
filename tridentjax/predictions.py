"""Predictions on the command line: cross sections, rates and couplings."""

import json
import math
import re
from typing import Any

import jax.numpy as jnp

from tridentjax import theories
from tridentjax.constants import SIN2_THETA_W
from tridentjax.cross_section import Estimate, total_cross_section
from tridentjax.currents import FLAVOURS, Channel, LeptonCurrent
from tridentjax.experiment import load_experiment
from tridentjax.faults import InputError, unknown
from tridentjax.flux import SPECIES
from tridentjax.kernel import SMALLEST_MEDIATOR_MASS
from tridentjax.nuclei import NUCLEON_FORM_FACTORS, load_nucleus, nucleus_names
from tridentjax.phase_space import threshold_energy
from tridentjax.rates import component_ratios, fold, prepare, signal
from tridentjax.targets import REGIMES, Regime, nucleon_regime, nucleus_regimes


def emit(content: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the JSON object or the text on standard output."""
    print(json.dumps(content, allow_nan=False) if as_json else text)


def parse_settings(items: list[str], place: str) -> dict[str, float]:
    """`name=number` options as a dictionary.

    Raises
    ------
    InputError : an item without '=', a repeated name, or a value that is no number; all at once.
    """
    values: dict[str, float] = {}
    faults = []
    for item in items:
        name, separator, text = item.partition("=")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not separator or not name or not math.isfinite(number):
            faults.append(f"{place} {item!r}: expected name=number")
        elif name in values:
            faults.append(f"{place} {name} is given twice")
        else:
            values[name] = number
    if faults:
        raise InputError(faults)
    return values


def parse_channel(neutrino: str, leptons: str) -> Channel:
    """Channel from CLI names, e.g. 'antinumu' and 'mu-e+'."""
    faults = [] if neutrino in SPECIES else [unknown("neutrino", neutrino, SPECIES, "--neutrino")]
    match = re.fullmatch(r"(\w+)-(\w+)\+", leptons)
    if not match or not set(match.groups()) <= set(FLAVOURS):
        faults.append(
            f"--leptons {leptons!r}; allowed: negative then positive lepton of {', '.join(FLAVOURS)}, e.g. mu-e+"
        )
    if faults or match is None:
        raise InputError(faults)
    flavour = neutrino.removeprefix("anti").removeprefix("nu")
    return Channel(flavour, match[1], match[2], neutrino.startswith("anti"))


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
    seed: int,
    as_json: bool,
) -> None:
    """Total cross sections of every regime of a target at fixed energies."""
    faults: list[str] = []
    channel = _keep(faults, parse_channel, neutrino, leptons)
    parameters = _keep(faults, parse_settings, settings, "--set") or {}
    if sin2_theta_w is not None:
        parameters["sin2_theta_w"] = sin2_theta_w
    faults += _theory_faults(theory, parameters)
    faults += _number_faults(theory, gv, ga, energies, rtol, p_fermi)
    regimes = _keep(faults, _regimes, target, form_factor, ff, nucleon_form_factor, pauli, p_fermi)
    if faults:
        raise InputError(faults)

    function = theories.THEORIES[theory].function
    if gv is not None and ga is not None:
        function, parameters = _constant, {"g_V": gv, "g_A": ga}
    reference = function({k: jnp.asarray(v) for k, v in parameters.items()}, channel, jnp.zeros(1) + 1e-12)
    results, notes = [], []
    for E_nu in energies:
        entry: dict[str, Any] = {"energy": E_nu} | dict.fromkeys(REGIMES)
        for regime in regimes:
            if E_nu <= threshold_energy(channel, regime.mass):
                notes.append(f"{E_nu} GeV is below the {regime.name} threshold of {channel.name}: exactly 0")
            estimate = total_cross_section(
                channel, regime, E_nu, theory=function, parameters=parameters, rtol=rtol, seed=seed
            )
            entry[regime.name] = _estimate_entry(estimate)
        present = [entry[regime.name] for regime in regimes]
        entry["total"] = {key: sum(part[key] for part in present) for key in ("VV", "AA", "VA", "sigma")}
        entry["total"]["error"] = math.sqrt(sum(part["error"] ** 2 for part in present))
        results.append(entry)
    if not channel.outgoing_neutrinos:
        notes.append(f"{channel.name} is forbidden at tree level for every outgoing neutrino: exactly 0")
    content = {
        "channel": channel.name,
        "target": target,
        "unit": "cm^2",
        "results": results,
        "g_V": [float(g[0]) for g in reference.g_V],
        "g_A": [float(g[0]) for g in reference.g_A],
        "sin2_theta_w": parameters.get("sin2_theta_w", SIN2_THETA_W),
        "notes": notes,
    }
    lines = [f"{channel.name} on {target}, cm^2"]
    for entry in results:
        for name in (*REGIMES, "total"):
            if entry[name] is not None:
                e = entry[name]
                structures = f"VV {e['VV']:.4e}  AA {e['AA']:.4e}  VA {e['VA']:+.1e}"
                total = f"sigma = {e['sigma']:.4e} +- {e['error']:.1e}"
                lines.append(f"E = {entry['energy']:g} GeV  {name:20} {total}   {structures}")
    emit(content, as_json, "\n".join([*lines, *notes]))


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


def _estimate_entry(estimate: Estimate) -> dict[str, float]:
    VV, AA, VA = (float(x) for x in estimate.value)
    return {"VV": VV, "AA": AA, "VA": VA, "sigma": float(estimate.sigma), "error": float(estimate.sigma_error)}


def _regimes(
    target: str, form_factor: str, ff: list[str], nucleon_form_factor: str, pauli: bool, p_fermi: float | None
) -> tuple[Regime, ...]:
    faults = []
    if nucleon_form_factor not in NUCLEON_FORM_FACTORS:
        faults.append(unknown("nucleon form factor", nucleon_form_factor, NUCLEON_FORM_FACTORS))
    parameters = _keep(faults, parse_settings, ff, "--ff") or {}
    if target in ("proton", "neutron"):
        if faults:
            raise InputError(faults)
        return (nucleon_regime(target, 1, p_fermi or 0.0, nucleon_form_factor),)
    if target not in nucleus_names():
        faults.append(unknown("target", target, (*nucleus_names(), "proton", "neutron"), "--target"))
        raise InputError(faults)
    nucleus = _keep(faults, load_nucleus, target, form_factor, parameters, p_fermi)
    if faults:
        raise InputError(faults)
    return nucleus_regimes(nucleus, nucleon_form_factor, pauli)


def _keep(faults: list[str], function: Any, *arguments: Any) -> Any:
    """Result of a call whose faults are collected instead of raised."""
    try:
        return function(*arguments)
    except InputError as error:
        faults += error.faults
        return None


def _theory_faults(theory: str, parameters: dict[str, float]) -> list[str]:
    faults = theories.theory_faults(theory, parameters, "--theory/--set")
    mass = parameters.get("mass")
    if mass is not None and 0.0 < mass < SMALLEST_MEDIATOR_MASS:
        faults.append(f"mass = {mass} GeV; integrals resolve propagators down to {SMALLEST_MEDIATOR_MASS} GeV")
    return faults


def rate(experiment: str, theory: str, settings: list[str], as_json: bool) -> None:
    """Flux-averaged prediction of one experiment."""
    faults: list[str] = []
    parameters = _keep(faults, parse_settings, settings, "--set") or {}
    faults += _theory_faults(theory, parameters)
    loaded = _keep(faults, load_experiment, experiment)
    if faults:
        raise InputError(faults)
    function = theories.THEORIES[theory].function
    values = {name: jnp.asarray(value) for name, value in parameters.items()}
    response = fold(prepare(loaded))
    shares, ratios = component_ratios(response, function, values)
    electroweak = {name: value for name, value in values.items() if name == "sin2_theta_w"}
    sm_rate = float(signal(response, theories.sm, electroweak).sum())
    rate_ratio = float(signal(response, function, values).sum()) / sm_rate
    components = [
        {
            "flux": f"{c.species} ({c.flux})",
            "nucleus": c.nucleus,
            "regime": c.regime,
            "share": float(s),
            "rate_ratio": float(r),
        }
        for c, s, r in zip(response.components, shares, ratios, strict=True)
    ]
    content = {
        "experiment": loaded.name,
        "theory": theory,
        "parameters": parameters,
        "rate_ratio": rate_ratio,
        "components": components,
        "sigma_flux_averaged_cm2": {"sm": sm_rate, "theory": sm_rate * rate_ratio},
        "flux_integral": float(response.flux_integral) if loaded.fluxes[0].absolute else None,
        "events": None,
    }
    lines = [
        f"{loaded.title}: rate ratio R = N/N_SM = {rate_ratio:.6f}",
        f"flux-averaged cross section per nucleus: SM {sm_rate:.4e} cm^2, {theory} {sm_rate * rate_ratio:.4e} cm^2",
        *(
            f"  {c['flux']:24} {c['nucleus']:6} {c['regime']:20} share {c['share']:.4f}  R {c['rate_ratio']:.5f}"
            for c in components
        ),
    ]
    emit(content, as_json, "\n".join(lines))


def couplings(theory: str, settings: list[str], K2: list[float], neutrino: str, leptons: str, as_json: bool) -> None:
    """Couplings of the lepton current at given K2."""
    faults: list[str] = []
    parameters = _keep(faults, parse_settings, settings, "--set") or {}
    faults += _theory_faults(theory, parameters)
    channel = _keep(faults, parse_channel, neutrino, leptons)
    faults += [f"--K2 {x}; allowed: finite and >= 0 [GeV^2]" for x in K2 if not 0.0 <= x < math.inf]
    if faults:
        raise InputError(faults)
    values = {name: jnp.asarray(value) for name, value in parameters.items()}
    nodes = jnp.asarray(K2, dtype=float)
    reference = theories.sm({k: v for k, v in values.items() if k == "sin2_theta_w"}, channel, nodes)
    current = theories.THEORIES[theory].function(values, channel, nodes)
    results = [
        {
            "K2": K2[j],
            "neutrino_out": flavour,
            "g_V": float(current.g_V[i, j]),
            "g_A": float(current.g_A[i, j]),
            "delta_g_V": float(current.g_V[i, j] - reference.g_V[i, j]),
            "delta_g_A": float(current.g_A[i, j] - reference.g_A[i, j]),
        }
        for i, flavour in enumerate(channel.outgoing_neutrinos)
        for j in range(len(K2))
    ]
    inputs = {
        "scheme": "tree level",
        "sin2_theta_w": parameters.get("sin2_theta_w", SIN2_THETA_W),
        "parameters": parameters,
        "channel": channel.name,
    }
    lines = [f"{theory}: {channel.name}, sin^2 theta_W = {inputs['sin2_theta_w']}"]
    lines += [
        f"K2 = {r['K2']:<10g} nu_{r['neutrino_out']}  g_V = {r['g_V']:.6f}  g_A = {r['g_A']:.6f}  "
        f"delta {r['delta_g_V']:+.3e} {r['delta_g_A']:+.3e}"
        for r in results
    ]
    if not results:
        lines.append("forbidden at tree level: no outgoing neutrino")
    emit({"theory": theory, "results": results, "inputs": inputs}, as_json, "\n".join(lines))
