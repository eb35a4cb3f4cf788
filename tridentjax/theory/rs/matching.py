"""Randall-Sundrum leptons -> (g_V, g_A): gauge Kaluza-Klein exchange and Z, W mixing with a Higgs on the IR brane.

Zero-mode angle s2, c2 = 1 - s2; x = g_Z^2 v^2/(4 Lambda_IR^2) with the Lagrangian's v; Delta = m_Z^2/Lambda_IR^2;
G, Theta, G^-+ of `geometry`, G2 for SU(2) and G1 for U(1); rho = g_R^2/g_Z^2. All orders in x, tree, no momentum:

    2 sqrt2 G_F = (2/v^2)(1 + dG),  dG = c2 x Theta2(e, mu) + rho x M                                       (1)
    charged current  [1 + c2 x Theta2(a, b) + rho x M]/(1 + dG);   neutral  2 [g_nu g_f + x K_f]/(1 + dG)    (2)
    K_f = c2 T3 T3' G2(nu,f) + s2 Y Y' G1(nu,f) + rho^2/(rho - s2) Q Q' G^-+(nu,f)
          + g_nu g_f [c2 G2(1,1) + s2 G1(1,1) + (rho - s2) M] - g_nu j_f - g_f j_nu                          (3)
    j_f = c2 T3' G2(f,1) - s2 Y' G1(f,1) - rho Q' G^-+(f,1),  M = G^-+(1,1),  Q = T_R3 - (s2/rho) Y          (4)

g_f = T3 - s2 Q_em; T3, Y, Q of the neutrino and T3', Y', Q' of f. rho = M = G^-+ = 0 without SU(2)_R. The custodial
model, SU(2)_L x SU(2)_R x U(1)_X with a bidoublet Higgs, has (-,+) fields W_R and Z'. Higgs mass terms on a brane are
of rank one, so the measured m_Z^2 = q_Z Lambda_IR^2, m_W^2 = q_W Lambda_IR^2 fix x through sums F, M at that momentum:

    rho_Z = m_Z^2/(g_Z^2 v^2/4) = q_Z/x = 1 - q_Z [c2 F2 + s2 F1 + (rho - s2) M](q_Z)                         (5)
    rho_W = m_W^2/(g^2 v^2/4) = q_W/(c2 x) = 1 - q_W [F2 + (rho/c2) M](q_W)                                  (6)

(2)-(6) follow from the Sherman-Morrison formula; to first order and without brane terms the vertices are Casagrande et
al., 0807.4937, Eqs. (119), (121). Leptons: diagonal c, no fermion mixing. With unequal U(1) brane terms g_R is
normalised like g': g_R^2 Lhat_1 = g5R^2 k.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax.currents import FLAVOURS, Channel, LeptonCurrent, from_chiral, standard_model_current, to_chiral
from tridentjax.faults import InputError, unknown
from tridentjax.theory.left import V2
from tridentjax.theory.rs.brane_sums import resolved_ir_sum, resolved_minus_plus_ir_sum
from tridentjax.theory.rs.electroweak import T3_Y, ElectroweakRS, TowerSums, require_masses, right_handed, tower_sums
from tridentjax.theory.rs.operators import smeft_coefficients
from tridentjax.theory.smeft import SCHEMES, smeft_shift

ORDERS = ("linear", "exact")


class ElectroweakSolution(eqx.Module):
    """What the measured inputs fix to all orders: angle s2 = g'^2/g_Z^2, x and dG of Eq. (1)."""

    s2: Float[Array, ""]
    x: Float[Array, ""]
    dG: Float[Array, ""]


def solve_inputs(model: ElectroweakRS, scheme: str) -> ElectroweakSolution:
    """Angle, x and dG to all orders from what `scheme` measures; `model.sin2_theta_w` is its tree-level angle s0^2.

        alpha_mZ_GF  s2 c2 = s0^2 c0^2 (1 + dG) rho_Z       alpha_mW_GF  s2 = s0^2 (1 + dG) rho_W
        mW_mZ_GF     c2 = c0^2 rho_Z/rho_W                  fixed_s2     s2 = s0^2, x = Delta

    with m_W = c0 m_Z where it is an input. With g_R/g given rho_Z, rho_W dG, rho_Z dG are linear in c2, hence closed
    forms: nothing is iterated. NaN where no solution exists or a pole lies above the first Kaluza-Klein mass.
    """
    return _solve(model, scheme, tower_sums(model))


def _solve(model: ElectroweakRS, scheme: str, sums: TowerSums) -> ElectroweakSolution:
    if scheme not in SCHEMES:
        raise InputError([unknown("scheme", scheme, SCHEMES)])
    r = model.g_R_over_g**2 if model.custodial else 0.0  # rho = r c2
    static = sums.Theta2("Le", "Lmu") + (r * sums.M() if model.custodial else 0.0)  # dG = c2 x static
    s02, q_Z = model.sin2_theta_w, model.Delta
    c02 = 1.0 - s02
    if scheme == "fixed_s2":
        return _solution(s02, q_Z, c02 * q_Z * static)
    q_W = c02 * q_Z

    def at(q: Float[Array, ""]) -> tuple[Any, Any, Any]:
        F2 = resolved_ir_sum(model.su2, q)
        F1 = F2 if model.u1 is None else resolved_ir_sum(model.u1, q)
        return F2, F1, resolved_minus_plus_ir_sum(model.hypercharge, q) if model.custodial else 0.0

    F2, _, M = at(q_W)
    rho_W = 1.0 - q_W * (F2 + r * M)  # (6)
    if scheme == "alpha_mW_GF":
        dG = q_W * static / rho_W
        s2 = s02 * (1.0 + dG) * rho_W
        return _solution(s2, q_W / (rho_W * (1.0 - s2)), dG)
    F2, F1, M = at(q_Z)
    constant, slope = 1.0 - q_Z * (F1 - M), -q_Z * (F2 - F1 + (1.0 + r) * M)  # rho_Z = constant + slope c2, (5)
    if scheme == "mW_mZ_GF":
        c2 = c02 * constant / (rho_W - c02 * slope)
    else:  # c2 (1 - c2) = s02 c02 (constant + growth c2)
        growth, product = slope + q_Z * static, s02 * c02
        half = 0.5 * (1.0 - product * growth)
        c2 = half + jnp.sqrt(half**2 - product * constant)
    x = q_Z / (constant + slope * c2)
    return _solution(1.0 - c2, x, c2 * x * static)


def _solution(s2: Float[Array, ""], x: Float[Array, ""], dG: Float[Array, ""]) -> ElectroweakSolution:
    """The solution, or NaN where it is none: x is a square, s2 that of a sine."""
    allowed = (x > 0) & (s2 > 0) & (s2 < 1)
    return ElectroweakSolution(*(jnp.where(allowed, value, jnp.nan) for value in (s2, x, dG)))


def _neutral(model: ElectroweakRS, sums: TowerSums, solution: ElectroweakSolution, nu: str, f: str) -> Float[Array, ""]:
    """g_nu g_f + x K_f of Eqs. (2)-(4); `nu` and `f` name profiles."""
    s2, x = solution.s2, solution.x
    c2 = 1.0 - s2
    rho, q_l, q_e, pair = right_handed(model, s2)

    def vertex(kind: str, profile: str, q: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
        T3, Y = T3_Y[kind]
        j = c2 * T3 * sums.G2(profile) - s2 * Y * sums.G1(profile)
        return c2 * T3 - s2 * Y, j - q * sums.M(profile) if model.custodial else j  # (4)

    kind = f[0]
    q_f = q_l if kind == "L" else q_e
    (g_nu, j_nu), (g_f, j_f) = vertex("nu", nu, q_l), vertex(kind, f, q_f)
    higgs = c2 * sums.G2("IR") + s2 * sums.G1("IR")
    (T3_nu, Y_nu), (T3_f, Y_f) = T3_Y["nu"], T3_Y[kind]
    K = c2 * T3_nu * T3_f * sums.G2(nu, f) + s2 * Y_nu * Y_f * sums.G1(nu, f)
    if model.custodial:
        higgs = higgs + (rho - s2) * sums.M()
        K = K + pair * (q_l / rho) * (q_f / rho) * sums.M(nu, f)
    return g_nu * g_f + x * (K + g_nu * g_f * higgs - g_nu * j_f - g_f * j_nu)  # (2), (3)


def rs_shift(model: ElectroweakRS, channel: Channel, scheme: str, order: str = "linear") -> LeptonCurrent:
    """What the warped model adds to (g_V, g_A) at zero momentum; rows: outgoing neutrino e, mu, tau, shape (3,).

    Parameters
    ----------
    scheme : electroweak inputs behind `model.sin2_theta_w`, one of `smeft.SCHEMES`.
    order : "linear" goes through `smeft_coefficients` and `smeft.smeft_shift`, first order in 1/Lambda_IR^2; "exact" is
        Eq. (2) with the solution of `solve_inputs`, minus the tree level at `model.sin2_theta_w`. Both are tree level.

    Bulk masses diagonal in flavour feed only the outgoing neutrino of the Standard Model; a forbidden channel gets
    zeros. Smooth in every field; NaN where the geometry is not allowed.

    Raises
    ------
    InputError : unknown scheme or order; a bulk mass that the channel needs is missing (nu_a -> nu_a l_b l_b: c_L of
        a, b, c_R of b; nu_a -> nu_b l l: c_L of a, b; both: c_L of e and mu).
    """
    faults = [unknown("scheme", scheme, SCHEMES)] if scheme not in SCHEMES else []
    faults += [unknown("order", order, ORDERS)] if order not in ORDERS else []
    if faults:
        raise InputError(faults)
    if not channel.outgoing_neutrinos:
        return LeptonCurrent(jnp.zeros(len(FLAVOURS)), jnp.zeros(len(FLAVOURS)))
    lepton, same = channel.lepton_minus, channel.lepton_minus == channel.lepton_plus
    require_masses(model, {"e", "mu", channel.neutrino, lepton, channel.lepton_plus}, {lepton} if same else set())
    if order == "linear":
        coefficients = {name: value / V2 for name, value in smeft_coefficients(model).items()}
        return smeft_shift(coefficients, channel, scheme, model.sin2_theta_w)
    sums = tower_sums(model)
    solution = _solve(model, scheme, sums)
    s2, x = solution.s2, solution.x
    g_L = g_R = jnp.zeros_like(x)
    if not same or lepton == channel.neutrino:
        mixing = right_handed(model, s2)[0] * sums.M() if model.custodial else 0.0
        charged = f"L{channel.lepton_minus}", f"L{channel.lepton_plus}"
        g_L = g_L + 1.0 + x * ((1.0 - s2) * sums.Theta2(*charged) + mixing)
    if same:
        g_L = g_L + 2.0 * _neutral(model, sums, solution, f"L{channel.neutrino}", f"L{lepton}")
        g_R = g_R + 2.0 * _neutral(model, sums, solution, f"L{channel.neutrino}", f"R{lepton}")
    tree_L, tree_R = to_chiral(standard_model_current(channel, model.sin2_theta_w))
    row = jnp.asarray([float(name in channel.outgoing_neutrinos) for name in FLAVOURS])
    shift_L, shift_R = g_L / (1.0 + solution.dG) - tree_L[0], g_R / (1.0 + solution.dG) - tree_R[0]
    return from_chiral(shift_L[None] * row, shift_R[None] * row)
