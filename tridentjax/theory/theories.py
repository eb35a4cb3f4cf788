"""Theories: functions (parameters, channel, K2) -> LeptonCurrent. They never see an experiment.

A theory of your own is such a function; nothing needs to be registered to use it from Python. `catalogue`
lists the ones that the command line and config files know by name, with their parameters and choices.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.constants import G_F, PLANCK_MASS, SIN2_THETA_W
from tridentjax.currents import FLAVOURS, Channel, LeptonCurrent, one_loop_current, standard_model_current
from tridentjax.precision import as_float
from tridentjax.theory.left import left_shift
from tridentjax.theory.mediators import (
    ELECTRIC_CHARGE,
    L_MU_MINUS_L_TAU,
    ScalarMediator,
    VectorMediator,
    broadcast_tower,
    loop_mixing,
    mediator_shift,
    scalar_shift,
)
from tridentjax.theory.rs.electroweak import ElectroweakRS
from tridentjax.theory.rs.geometry import WarpedGeometry
from tridentjax.theory.rs.lmutau import LMuTau, lmutau_shift
from tridentjax.theory.rs.matching import ORDERS, rs_shift
from tridentjax.theory.smeft import SCHEMES, smeft_shift

Parameters = Mapping[str, Any]
TheoryFunction = Callable[[Parameters, Channel, Float[Array, " node"]], LeptonCurrent]

ELECTROWEAK = ("sin2_theta_w", "one_loop")  # parameters of the Standard Model itself, allowed in every theory


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
    return _everywhere(current, K2)


def contact(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus constant shifts `delta_g_V`, `delta_g_A` of every allowed outgoing neutrino."""
    current = sm(parameters, channel, K2)
    return LeptonCurrent(current.g_V + parameters["delta_g_V"], current.g_A + parameters["delta_g_A"])


def zprime(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus a vector mediator of mass `mass` [GeV], with its propagator in K2.

    With `g`: the gauge boson of L_mu - L_tau, g_nu = g_V = g q with q = (0, 1, -1) for (e, mu, tau) and
    g_A = 0. With `g_nu`, `g_V`, `g_A` (missing ones are 0): any flavour-diagonal charges, applied to the
    channel as they are; `g_nu_mu`, `g_V_e`, ... give one flavour its own. It conserves flavour, so channels
    with two different leptons stay at the SM.

    `kinetic_mixing` chi, L = -(chi/2) F_mn X^mn, adds -chi e Q = +chi e to the vector coupling of every
    charged lepton (tree level; the part in the Z is suppressed by K2/m_Z^2 at spacelike K2, whatever the
    mass; O(chi^2) is left out). `loop_mixing` adds the mu and tau loops of L_mu - L_tau to chi,
    `mediators.loop_mixing`.

    Arrays as `mass` and couplings are several mediators at once: their amplitudes are summed.
    """
    current = sm(parameters, channel, K2)
    if channel.lepton_minus != channel.lepton_plus:
        return current
    neutrino, lepton = channel.neutrino, channel.lepton_minus
    if "g" in parameters:
        g = as_float(parameters["g"])
        g_nu, g_V, g_A = g * L_MU_MINUS_L_TAU[neutrino], g * L_MU_MINUS_L_TAU[lepton], jnp.zeros_like(g)
    else:
        g_nu = _flavoured(parameters, "g_nu", neutrino)
        g_V, g_A = _flavoured(parameters, "g_V", lepton), _flavoured(parameters, "g_A", lepton)
    g_V = g_V + ELECTRIC_CHARGE * as_float(parameters.get("kinetic_mixing", 0.0))
    shift_V, shift_A = mediator_shift(VectorMediator(*broadcast_tower(parameters["mass"], g_nu, g_V, g_A)), K2)
    if "g" in parameters:  # known to vanish, so that the axial rate is not computed again at every point of a scan
        shift_A = jnp.zeros_like(shift_V)
    if parameters.get("loop_mixing", False):
        through_photon = VectorMediator(*broadcast_tower(parameters["mass"], g_nu, parameters["g"], 0.0))
        shift_V = shift_V + ELECTRIC_CHARGE * loop_mixing(K2) * mediator_shift(through_photon, K2)[0]
    return LeptonCurrent(current.g_V + shift_V[None], current.g_A + shift_A[None])


def zprime_contact_limit(parameters: Parameters, channel: Channel, rate_ratio: float) -> float | None:
    """Mass over coupling [GeV] of a heavy L_mu - L_tau boson that makes a rate ratio where no lepton mass counts.

    At high energy VV and AA are equal, and the contact term shifts g_V alone (Altmannshofer et al., 1406.2332):
    R = [(g_V + v^2 g^2/m^2)^2 + g_A^2]/(g_V^2 + g_A^2) with v^2 = 1/(sqrt(2) G_F) and the Standard Model's couplings
    at the same parameters, g_V = 1/2 + 2 sin2_theta_w and g_A = 1/2 at tree level.

    None where that does not hold: other leptons than muons, mixing with the photon, and R <= 1, which is interference.
    """
    mixed = np.any(parameters.get("kinetic_mixing", 0.0)) or parameters.get("loop_mixing", False)
    muons = (channel.neutrino, channel.lepton_minus, channel.lepton_plus) == ("mu", "mu", "mu")
    if mixed or not muons or rate_ratio <= 1.0:
        return None
    current = sm(parameters, channel, jnp.zeros(1))
    g_V, g_A = float(current.g_V[0, 0]), float(current.g_A[0, 0])
    shift = np.sqrt(rate_ratio * (g_V**2 + g_A**2) - g_A**2) - g_V
    return float(1.0 / np.sqrt(np.sqrt(2.0) * G_F * shift))


def scalar(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus a scalar of mass `mass` [GeV] that flips the neutrino's handedness.

    `g_nu` is its coupling to the neutrino, `g_S` and `g_P` (missing ones are 0) those to the charged leptons;
    `g_nu_mu`, `g_S_e`, ... give one flavour its own. It does not interfere with the Standard Model, hence only
    adds to the rate. Flavour-conserving; arrays are several scalars, whose amplitudes are summed.
    """
    current = sm(parameters, channel, K2)
    if channel.lepton_minus != channel.lepton_plus:
        return current
    g_nu = _flavoured(parameters, "g_nu", channel.neutrino)
    g_S, g_P = (_flavoured(parameters, name, channel.lepton_minus) for name in ("g_S", "g_P"))
    mediator = ScalarMediator(*broadcast_tower(parameters["mass"], g_nu, g_S, g_P))
    scalar_S, scalar_P = scalar_shift(mediator, K2)
    return LeptonCurrent(current.g_V, current.g_A, scalar_S[None], scalar_P[None])


def left(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus LEFT coefficients [GeV^-2] by their WCxf names (basis JMS), see `left.left_shift`.

    New physics only, at the GeV scale of the process: nothing is run. Rows are the outgoing neutrinos e, mu, tau.
    """
    return _shifted(sm(parameters, channel, K2), left_shift(parameters, channel), channel)


def smeft(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus SMEFT coefficients [GeV^-2] by their WCxf names (Warsaw), see `smeft.smeft_shift`.

    Coefficients at M_Z, linear, matched at tree level and not run; `scheme` says which electroweak inputs are
    behind `sin2_theta_w`.
    """
    s2 = parameters.get("sin2_theta_w", SIN2_THETA_W)
    shift = smeft_shift(parameters, channel, parameters.get("scheme", SCHEMES[0]), s2)
    return _shifted(sm(parameters, channel, K2), shift, channel)


def rs(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus Kaluza-Klein exchange and Z, W mixing of a warped extra dimension, see `rs.matching`.

    `Lambda_IR` and `k` [GeV], bulk masses `c_L_e`, `c_L_mu`, `c_R_mu` (and those of other leptons that a channel
    meets), brane kinetic terms `kappa_UV`, `kappa_IR` (`kappa_UV_U1`, `kappa_IR_U1` where hypercharge has its
    own); choices `embedding`, `scheme`, `order`. At zero momentum transfer: constant in K2.
    """
    current = sm(parameters, channel, K2)
    if not channel.outgoing_neutrinos:
        return current
    model = electroweak_rs(parameters)
    scheme, order = parameters.get("scheme", SCHEMES[0]), parameters.get("order", ORDERS[0])
    shift = rs_shift(model, channel, scheme, order)
    own = jnp.asarray([FLAVOURS.index(name) for name in channel.outgoing_neutrinos])
    return LeptonCurrent(current.g_V + shift.g_V[own][:, None], current.g_A + shift.g_A[own][:, None])


def rs_lmutau(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
    """Standard Model plus a bulk L_mu - L_tau boson with its tower, see `rs.lmutau`.

    `Lambda_IR`, `k`, `mass` [GeV] (Lagrangian mass of the zero mode), its coupling `g`, bulk masses, brane
    kinetic terms, `kinetic_mixing` (photon form); choices `breaking` and `mixing_brane`. Propagators in K2.
    """
    return sm(parameters, channel, K2) + lmutau_shift(bulk_lmutau(parameters), channel, K2)


def warped_geometry(parameters: Parameters, suffix: str = "") -> WarpedGeometry:
    """Geometry and brane kinetic terms among the parameters; `suffix` picks those of one gauge group."""
    kappas = (parameters.get(f"{name}{suffix}", parameters.get(name, 0.0)) for name in ("kappa_UV", "kappa_IR"))
    return WarpedGeometry(parameters["Lambda_IR"], parameters.get("k", PLANCK_MASS), *kappas)


def electroweak_rs(parameters: Parameters) -> ElectroweakRS:
    """The record of `rs.matching` behind the parameters of `rs`."""
    own_U1 = "kappa_UV_U1" in parameters or "kappa_IR_U1" in parameters
    return ElectroweakRS(
        warped_geometry(parameters),
        *_bulk_masses(parameters),
        parameters.get("embedding", "minimal"),
        warped_geometry(parameters, "_U1") if own_U1 else None,
        parameters.get("sin2_theta_w", SIN2_THETA_W),
    )


def bulk_lmutau(parameters: Parameters) -> LMuTau:
    """The record of `rs.lmutau` behind the parameters of `rs_lmutau`."""
    choices = {name: parameters[name] for name in ("breaking", "mixing_brane") if name in parameters}
    mixing = parameters.get("kinetic_mixing", 0.0)
    return LMuTau(
        warped_geometry(parameters), parameters["g"], parameters["mass"], *_bulk_masses(parameters),
        kinetic_mixing=mixing, **choices,
    )  # fmt: skip


def combined(*functions: TheoryFunction) -> TheoryFunction:
    """Theory whose amplitude is the Standard Model plus the shifts of all `functions`."""

    def theory(parameters: Parameters, channel: Channel, K2: Float[Array, " node"]) -> LeptonCurrent:
        reference = sm(parameters, channel, K2)
        opposite = LeptonCurrent(-reference.g_V, -reference.g_A)
        parts = [function(parameters, channel, K2) for function in functions]
        parts += [opposite] * (len(functions) - 1)
        rows = max(part.g_V.shape[0] for part in parts)
        total, *others = (align(part, channel, rows) for part in parts)
        for other in others:
            total = total + other
        return total

    theory.__name__ = "+".join(function.__name__ for function in functions)
    return theory


def align(current: LeptonCurrent, channel: Channel, rows: int) -> LeptonCurrent:
    """The same current with `rows` rows: outgoing neutrinos (e, mu, tau), then imaginary parts (`left`).

    A current with the rows of the Standard Model puts them at their flavours; the new rows are zero.
    """
    own = current.g_V.shape[0]
    if own == rows:
        return current
    where = [FLAVOURS.index(name) for name in channel.outgoing_neutrinos] if own < len(FLAVOURS) else list(range(own))

    def place(x: Float[Array, "nu_out *K2"]) -> Float[Array, "row *K2"]:
        return jnp.zeros((rows, *x.shape[1:])).at[jnp.asarray(where, dtype=int)].set(x)

    scalars = (None if x is None else place(x) for x in (current.g_S, current.g_P))
    return LeptonCurrent(place(current.g_V), place(current.g_A), *scalars)


def _everywhere(current: LeptonCurrent, K2: Float[Array, " node"]) -> LeptonCurrent:
    shape = (current.g_V.shape[0], K2.size)
    return LeptonCurrent(jnp.broadcast_to(current.g_V[:, None], shape), jnp.broadcast_to(current.g_A[:, None], shape))


def _shifted(current: LeptonCurrent, shift: LeptonCurrent, channel: Channel) -> LeptonCurrent:
    aligned = align(current, channel, shift.g_V.shape[0])
    return LeptonCurrent(aligned.g_V + shift.g_V[:, None], aligned.g_A + shift.g_A[:, None])


def _bulk_masses(parameters: Parameters) -> tuple[dict[str, Any], dict[str, Any]]:
    """Bulk masses of doublets and singlets by flavour, as far as they are given."""
    both = ({name: f"c_{side}_{name}" for name in FLAVOURS} for side in "LR")
    left, right = ({name: parameters[key] for name, key in keys.items() if key in parameters} for keys in both)
    return left, right


def _flavoured(parameters: Parameters, name: str, flavour: str) -> Float[Array, "*tower"]:
    """Coupling of one flavour: its own if given, else the common one, else 0."""
    return as_float(parameters.get(f"{name}_{flavour}", parameters.get(name, 0.0)))


def has_scalars(theory: TheoryFunction, parameters: Parameters, channel: Channel) -> bool:
    """Whether a theory gives g_S or g_P in a channel, found by tracing it: what they are does not matter."""
    return bool(jax.eval_shape(lambda: theory(parameters, channel, jnp.ones(1))).has_scalars)


def is_open(theory: TheoryFunction, parameters: Parameters, channel: Channel) -> bool:
    """Whether a theory has an outgoing neutrino in a channel; flavour violation opens what the SM forbids."""
    return jax.eval_shape(lambda: theory(parameters, channel, jnp.ones(1))).g_V.shape[0] > 0


def electroweak_part(parameters: Parameters) -> Parameters:
    """What the Standard-Model reference of a rate ratio depends on."""
    return {name: parameters[name] for name in ELECTROWEAK if name in parameters}
