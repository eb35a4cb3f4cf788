"""`tridentjax rate` and `tridentjax couplings`."""

import math
from typing import Any

import jax.numpy as jnp

from tridentjax import theories
from tridentjax.arguments import emit, keep, parse_channel, parse_settings, theory_faults
from tridentjax.constants import SIN2_THETA_W
from tridentjax.currents import one_loop_current, standard_model_current
from tridentjax.experiment import load_experiment
from tridentjax.faults import InputError
from tridentjax.rates import component_ratios, fold, prepare, signal, unselected


def rate(experiment: str, theory: str, settings: list[str], as_json: bool) -> None:
    """Flux-averaged prediction of one experiment."""
    faults: list[str] = []
    parameters = keep(faults, parse_settings, settings, "--set") or {}
    faults += theory_faults(theory, parameters)
    loaded = keep(faults, load_experiment, experiment)
    if faults:
        raise InputError(faults)
    function = theories.THEORIES[theory].function
    values = {name: jnp.asarray(value) for name, value in parameters.items()}
    chain = prepare(loaded)
    response = fold(chain)
    shares, ratios = component_ratios(response, function, values)
    electroweak = {name: value for name, value in values.items() if name in theories.ELECTROWEAK}
    sm_rate = float(signal(response, theories.sm, electroweak).sum())
    rate_ratio = float(signal(response, function, values).sum()) / sm_rate
    components: list[dict[str, Any]] = [
        {
            "flux": f"{c.species} ({c.flux})",
            "nucleus": c.nucleus,
            "regime": c.regime,
            "share": float(s),
            "rate_ratio": float(r),
        }
        for c, s, r in zip(response.components, shares, ratios, strict=True)
    ]
    if loaded.cuts.active:  # relative to the same component without cuts; depends on the theory
        whole = fold(unselected(chain))
        kept_sm, kept = (signal(response, f, v) for f, v in ((theories.sm, electroweak), (function, values)))
        all_sm, everything = (signal(whole, f, v) for f, v in ((theories.sm, electroweak), (function, values)))
        for i, component in enumerate(components):
            component["acceptance_sm"] = float(kept_sm[i] / all_sm[i])
            component["acceptance"] = float(kept[i] / everything[i])
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
            + (f"  acceptance {c['acceptance']:.4f} (SM {c['acceptance_sm']:.4f})" if "acceptance" in c else "")
            for c in components
        ),
    ]
    emit(content, as_json, "\n".join(lines))


def couplings(theory: str, settings: list[str], K2: list[float], neutrino: str, leptons: str, as_json: bool) -> None:
    """Couplings of the lepton current at given K2."""
    faults: list[str] = []
    parameters = keep(faults, parse_settings, settings, "--set") or {}
    faults += theory_faults(theory, parameters)
    channel = keep(faults, parse_channel, neutrino, leptons)
    faults += [f"--K2 {x}; allowed: finite and >= 0 [GeV^2]" for x in K2 if not 0.0 <= x < math.inf]
    if faults:
        raise InputError(faults)
    values = {name: jnp.asarray(value) for name, value in parameters.items()}
    nodes = jnp.asarray(K2, dtype=float)
    reference = theories.sm({k: v for k, v in values.items() if k in theories.ELECTROWEAK}, channel, nodes)
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
        "scheme": "tree level" if not parameters.get("one_loop") else f"one loop x {parameters['one_loop']:g}",
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
    one_loop = None
    if theory == "sm" and results:
        loop, tree = one_loop_current(channel), standard_model_current(channel, inputs["sin2_theta_w"])
        (V, A), (tree_V, tree_A) = ((float(c.g_V[0]), float(c.g_A[0])) for c in (loop, tree))
        one_loop = {"g_V": V, "g_A": A, "minus_tree_g_V": V - tree_V, "minus_tree_g_A": A - tree_A}
        lines.append(
            f"one loop (Hill, Tomalak 2020; --set one_loop=1): g_V = {V:.6f}  g_A = {A:.6f}  "
            f"minus tree {V - tree_V:+.3e} {A - tree_A:+.3e}"
        )
    content = {"theory": theory, "results": results, "inputs": inputs, "one_loop": one_loop}
    emit(content, as_json, "\n".join(lines))
