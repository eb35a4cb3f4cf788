"""`tridentjax couplings`: what a theory predicts for the lepton current."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from tridentjax.cli.commands.arguments import emit, parse_channel, parse_theory
from tridentjax.constants import SIN2_THETA_W
from tridentjax.currents import one_loop_current, standard_model_current
from tridentjax.faults import InputError, collect
from tridentjax.theory import theories
from tridentjax.theory.binding import refuse_undefined, shown_rows


def couplings(theory: str, settings: list[str], K2: list[float], neutrino: str, leptons: str, as_json: bool) -> None:
    """Couplings of the lepton current at given K2, and what follows from the theory's parameters."""
    faults: list[str] = []
    bound = collect(faults, parse_theory, theory, settings)
    channel = collect(faults, parse_channel, neutrino, leptons)
    faults += [f"--K2 {x}; allowed: finite and >= 0 [GeV^2]" for x in K2 if not 0.0 <= x < math.inf]
    if faults:
        raise InputError(faults)
    values = bound.values
    nodes = jnp.asarray(K2, dtype=float)
    current = bound.function(values, channel, nodes)
    reference = theories.align(theories.sm(bound.electroweak, channel, nodes), channel, current.g_V.shape[0])
    names = {"g_V": current.g_V, "g_A": current.g_A, "delta_g_V": current.g_V - reference.g_V}
    names |= {"delta_g_A": current.g_A - reference.g_A, "g_S": current.g_S, "g_P": current.g_P}
    shown = {name: np.asarray(x) + 0.0 for name, x in names.items() if x is not None}  # no -0.0
    results = [
        {"K2": K2[j], "neutrino_out": flavour, "part": part, **{name: float(x[i, j]) for name, x in shown.items()}}
        for i, flavour, part in shown_rows(channel, current)
        for j in range(len(K2))
    ]
    refuse_undefined(theory, bound, channel)
    derived, derived_lines = bound.described()
    tree = not float(values.get("one_loop", 0.0))
    inputs = {
        "scheme": bound.choices.get("scheme", "tree level" if tree else f"one loop x {float(values['one_loop']):g}"),
        "sin2_theta_w": float(values.get("sin2_theta_w", SIN2_THETA_W)),
        "parameters": bound.given,
        "channel": channel.name,
        "notes": list(bound.notes),
    }
    lines = [f"{theory}: {channel.name}, sin^2 theta_W = {inputs['sin2_theta_w']}"]
    lines += [f"{name} = {value}" for name, value in bound.choices.items()]
    lines += derived_lines
    lines += [_couplings_line(result) for result in results]
    lines += bound.notes
    if not results:
        lines.append("forbidden at tree level: no outgoing neutrino")
    one_loop = None
    if theory == "sm" and results:
        loop, at_tree = one_loop_current(channel), standard_model_current(channel, inputs["sin2_theta_w"])
        (V, A), (tree_V, tree_A) = ((float(c.g_V[0]), float(c.g_A[0])) for c in (loop, at_tree))
        one_loop = {"g_V": V, "g_A": A, "minus_tree_g_V": V - tree_V, "minus_tree_g_A": A - tree_A}
        lines.append(
            f"one loop (Hill, Tomalak 2020; --set one_loop=1): g_V = {V:.6f}  g_A = {A:.6f}  "
            f"minus tree {V - tree_V:+.3e} {A - tree_A:+.3e}"
        )
    content = {"theory": theory, "results": results, "derived": derived, "inputs": inputs, "one_loop": one_loop}
    emit(content, as_json, "\n".join(lines))


def _couplings_line(r: dict[str, Any]) -> str:
    imaginary = " (imaginary part)" if r["part"] == "imaginary" else ""
    scalars = f"  g_S = {r['g_S']:.4e}  g_P = {r['g_P']:.4e}" if "g_S" in r else ""
    return (
        f"K2 = {r['K2']:<10g} nu_{r['neutrino_out']:4}g_V = {r['g_V']:.6f}  g_A = {r['g_A']:.6f}  "
        f"delta {r['delta_g_V']:+.6e} {r['delta_g_A']:+.6e}{scalars}{imaginary}"
    )
