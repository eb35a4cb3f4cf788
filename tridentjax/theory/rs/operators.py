"""First order in Delta = m_Z^2/Lambda_IR^2: what the towers leave behind as dimension-six operators.

G2, G1: sums of the SU(2) and hypercharge towers, G^-+ those of SU(2)_R; rho = g_R^2/g_Z^2. Matched at tree level;
without brane terms the vertices are those of Casagrande et al., 0807.4937, Eqs. (119), (121).
"""

from jax import numpy as jnp
from jaxtyping import Array, Float

from tridentjax.currents import FLAVOURS
from tridentjax.faults import InputError, unknown
from tridentjax.theory.left import V2, combine
from tridentjax.theory.rs.electroweak import ElectroweakRS, TowerSums, require_masses, right_handed, tower_sums
from tridentjax.theory.smeft import SCHEMES, angle_terms, fermi_terms


def smeft_coefficients(model: ElectroweakRS) -> dict[str, Float[Array, ""]]:
    """Warsaw coefficients (WCxf names) times v^2 at tree level, for every flavour whose c is given.

    Dimension 6, i.e. first order in Delta, in the basis of the zero modes; divide by `left.V2` for GeV^-2. The
    operators that no lepton current sees (C_H, C_Hbox, Yukawa, quarks) are not listed.
    """
    return _coefficients(model, tower_sums(model))


def _coefficients(model: ElectroweakRS, sums: TowerSums) -> dict[str, Float[Array, ""]]:
    s2, Delta = model.sin2_theta_w, model.Delta
    c2, G1, G2, M = 1.0 - s2, sums.G1, sums.G2, sums.M
    rho, q_l, q_e, pair = right_handed(model, s2)
    Q_l, Q_e = (0.0, 0.0) if not model.custodial else (q_l / rho, q_e / rho)
    digit = {name: str(1 + FLAVOURS.index(name)) for name in FLAVOURS}
    values = {"phiD": -2.0 * s2 * G1("IR")}
    if model.custodial:
        values["phiD"] += 2.0 * s2 * M()
    for a in model.c_L:
        aa, L = 2 * digit[a], f"L{a}"
        values[f"phil1_{aa}"] = s2 * G1(L)
        values[f"phil3_{aa}"] = -c2 * G2(L)
        values[f"ll_{aa}{aa}"] = -0.5 * (c2 * G2(L, L) + s2 * G1(L, L))
        if model.custodial:
            values[f"phil1_{aa}"] += -2.0 * q_l * M(L)
            values[f"ll_{aa}{aa}"] += -2.0 * pair * Q_l**2 * M(L, L)
        for b in model.c_L:
            if digit[a] < digit[b]:
                name, other = f"ll_{aa}{2 * digit[b]}", f"L{b}"
                values[name] = c2 * G2(L, other) - s2 * G1(L, other)
                values[f"ll_{digit[a]}{2 * digit[b]}{digit[a]}"] = -2.0 * c2 * G2(L, other)
                if model.custodial:
                    values[name] += -4.0 * pair * Q_l**2 * M(L, other)
    for b in model.c_R:
        bb, R = 2 * digit[b], f"R{b}"
        values[f"phie_{bb}"] = 2.0 * s2 * G1(R)
        if model.custodial:
            values[f"phie_{bb}"] += -2.0 * q_e * M(R)
        for a in model.c_L:
            name, L = f"le_{2 * digit[a]}{bb}", f"L{a}"
            values[name] = -2.0 * s2 * G1(L, R)
            if model.custodial:
                values[name] += -4.0 * pair * Q_l * Q_e * M(L, R)
    return {name: Delta * value for name, value in values.items()}


def vertex_shifts(model: ElectroweakRS, scheme: str, flavour: str = "mu") -> dict[str, Float[Array, ""]]:
    """Linear shifts of the Z vertices of one flavour, of G_F (v fixed) and of the angle: dg_nu, dg_L, dg_R, dGF, ds2.

    Raises
    ------
    InputError : unknown scheme; a bulk mass is missing.
    """
    if scheme not in SCHEMES:
        raise InputError([unknown("scheme", scheme, SCHEMES)])
    require_masses(model, {"e", "mu", flavour}, {flavour})
    C, ii = smeft_coefficients(model), 2 * str(1 + FLAVOURS.index(flavour))
    dGF, _ = combine(fermi_terms(1.0), C)
    ds2, _ = combine(angle_terms(scheme, model.sin2_theta_w), C)
    return {
        "dg_nu": -0.5 * (C[f"phil1_{ii}"] - C[f"phil3_{ii}"]),
        "dg_L": -0.5 * (C[f"phil1_{ii}"] + C[f"phil3_{ii}"]),
        "dg_R": -0.5 * C[f"phie_{ii}"],
        "dGF": dGF,
        "ds2": jnp.zeros_like(dGF) if ds2 is None else ds2,
    }


def oblique(model: ElectroweakRS) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Peskin-Takeuchi (S, T) for fermions on the UV brane; U = 0 (Casagrande et al., 0807.4937, Eqs. (147), (153)).

    S = -4 pi (v/Lambda_IR)^2 [G1 + G2](UV,1),  T = pi (v/Lambda_IR)^2/c2 [G1(1,1) - M - 2 G1(UV,1)].
    """
    sums = tower_sums(model)
    ratio = V2 * model.Delta / model.m_Z**2  # (v/Lambda_IR)^2
    S = -4.0 * jnp.pi * ratio * (sums.G1("UV") + sums.G2("UV"))
    mixing = sums.G1("IR") - (sums.M() if model.custodial else 0.0)
    return S, jnp.pi * ratio / (1.0 - model.sin2_theta_w) * (mixing - 2.0 * sums.G1("UV"))
