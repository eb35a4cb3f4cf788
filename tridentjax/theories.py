"""Theories: functions (parameters, channel, K2) -> LeptonCurrent. They never see an experiment.

A theory of your own is such a function; nothing needs to be registered to use it from Python. `THEORIES`
lists the ones that the command line and config files know by name.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax.constants import SIN2_THETA_W
from tridentjax.currents import Channel, LeptonCurrent, one_loop_current, standard_model_current
from tridentjax.faults import InputError, unknown
from tridentjax.mediators import VectorMediator, mediator_shift

Parameters = Mapping[str, Any]
TheoryFunction = Callable[[Parameters, Channel, Float[Array, " node"]], LeptonCurrent]

_L_MU_MINUS_L_TAU = {"e": 0.0, "mu": 1.0, "tau": -1.0}


def sm(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model at tree level; `sin2_theta_w` may be a parameter (default: MSbar at M_Z).

    `one_loop` in [0, 1] goes from tree level (0, default) to the couplings of `one_loop_current` (1, where
    `sin2_theta_w` no longer enters); a fraction interpolates, e.g. as a nuisance for what is missing.
    """
    current = standard_model_current(channel, parameters.get("sin2_theta_w", SIN2_THETA_W))
    if "one_loop" in parameters:
        tree, loop, share = current, one_loop_current(channel), jnp.asarray(parameters["one_loop"])
        current = LeptonCurrent(
            tree.g_V + share * (loop.g_V - tree.g_V),
            tree.g_A + share * (loop.g_A - tree.g_A),
        )
    shape = (current.g_V.shape[0], K2.size)
    return LeptonCurrent(jnp.broadcast_to(current.g_V[:, None], shape), jnp.broadcast_to(current.g_A[:, None], shape))


def contact(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus constant shifts `delta_g_V`, `delta_g_A` of every allowed outgoing neutrino."""
    current = sm(parameters, channel, K2)
    return LeptonCurrent(current.g_V + parameters["delta_g_V"], current.g_A + parameters["delta_g_A"])


def zprime(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus a vector mediator of mass `mass` [GeV], with its propagator in K2.

    With `g`: the gauge boson of L_mu - L_tau, g_nu = g_V = g Q with Q = (0, 1, -1) for (e, mu, tau) and
    g_A = 0. With `g_nu`, `g_V`, `g_A` (missing ones are 0): any flavour-diagonal charges, applied to the
    channel as they are. It conserves flavour, so channels with two different leptons stay at the SM.
    """
    current = sm(parameters, channel, K2)
    if channel.lepton_minus != channel.lepton_plus:
        return current
    if "g" in parameters:
        g = jnp.asarray(parameters["g"])
        g_nu = g * _L_MU_MINUS_L_TAU[channel.neutrino]
        g_V, g_A = g * _L_MU_MINUS_L_TAU[channel.lepton_minus], jnp.zeros_like(g)
    else:
        g_nu, g_V, g_A = (jnp.asarray(parameters.get(name, 0.0), dtype=float) for name in ("g_nu", "g_V", "g_A"))
    shift_V, shift_A = mediator_shift(VectorMediator(jnp.asarray(parameters["mass"]), g_nu, g_V, g_A), K2)
    return LeptonCurrent(current.g_V + shift_V[None], current.g_A + shift_A[None])


class Theory(NamedTuple):
    """A named theory: its function, parameters with units, and where it comes from."""

    function: TheoryFunction
    parameters: dict[str, str]
    required: tuple[frozenset[str], ...]
    source: str


THEORIES: dict[str, Theory] = {
    "sm": Theory(sm, {}, (frozenset(),), "Standard Model, tree level (physics.md section 2)"),
    "contact": Theory(
        contact,
        {"delta_g_V": "1", "delta_g_A": "1"},
        (frozenset({"delta_g_V", "delta_g_A"}),),
        "constant shifts of the lepton current",
    ),
    "zprime": Theory(
        zprime,
        {"mass": "GeV", "g": "1", "g_nu": "1", "g_V": "1", "g_A": "1"},
        (frozenset({"mass", "g"}), frozenset({"mass", "g_nu"})),
        "Z' of L_mu - L_tau (He et al. 1991; Altmannshofer et al. 2014) or of general charges",
    ),
}
ELECTROWEAK = ("sin2_theta_w", "one_loop")  # parameters of the Standard Model itself, allowed in every theory
_POSITIVE = ("mass", "sin2_theta_w")


def theory_faults(name: str, given: Mapping[str, float | None], place: str = "theory") -> list[str]:
    """Faults of a theory name and its parameters; a value of None stands for 'has a prior'."""
    if name not in THEORIES:
        return [unknown("theory", name, THEORIES, place)]
    theory = THEORIES[name]
    allowed = (*theory.parameters, *ELECTROWEAK)
    faults = [unknown(f"parameter of theory {name}", key, allowed, place) for key in given if key not in allowed]
    if not any(need <= set(given) for need in theory.required):
        needs = " or ".join("(" + ", ".join(sorted(need)) + ")" for need in theory.required)
        faults.append(f"{place}: theory {name} needs {needs}; received ({', '.join(given) or 'nothing'})")
    if "g" in given and {"g_nu", "g_V", "g_A"} & set(given):
        faults.append(f"{place}: give either g (L_mu - L_tau) or g_nu, g_V, g_A (general charges), not both")
    for key, value in given.items():
        if value is None:
            continue
        if not jnp.isfinite(value):
            faults.append(f"{place}: {key} = {value}; allowed: a finite number")
        elif key == "one_loop" and not 0.0 <= value <= 1.0:
            faults.append(f"{place}: one_loop = {value}; allowed: 0 (tree level) to 1 (one loop)")
        elif key in _POSITIVE and value <= 0.0:
            faults.append(f"{place}: {key} = {value}; allowed: positive")
    return faults


def named_theory(name: str, given: Mapping[str, float]) -> TheoryFunction:
    """Function of a named theory after its parameters were checked.

    Raises
    ------
    InputError : unknown theory or parameter, missing or unphysical value; all at once.
    """
    if faults := theory_faults(name, given):
        raise InputError(faults)
    return THEORIES[name].function
