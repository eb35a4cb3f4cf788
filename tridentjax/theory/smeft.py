"""SMEFT (Warsaw basis, WCxf names) -> LEFT -> (g_V, g_A) at tree level, in four electroweak input schemes."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.currents import Channel, LeptonCurrent
from tridentjax.faults import InputError, unknown
from tridentjax.theory.left import LEFT_NAMES, Term, channel_indices, checked, coefficient, combine, current_of

SCHEMES = ("alpha_mZ_GF", "alpha_mW_GF", "mW_mZ_GF", "fixed_s2")


def smeft_shift(
    coefficients: Mapping[str, Any], channel: Channel, scheme: str, sin2_theta_w: Scalar | Float[Array, "..."]
) -> LeptonCurrent:
    """What Warsaw coefficients [GeV^-2] at M_Z add to (g_V, g_A); rows and shapes as in `left_shift`.

    With everything in units of v^2 and index prst of Eq. (2), at tree level (matching appendix of 1709.04486),

        delta g_L = (delta_rs phil3_pt + delta_pt phil3_sr) - delta_rs delta_pt dG
                    + [2 Z_nu Z_eL (1 - phiD/2 - dG)]_linear - (ll_prst + ll_stpr)/2
        delta g_R = [2 Z_nu Z_eR (1 - phiD/2 - dG)]_linear - le_prst/2
        Z_nu = delta_pr/2 - (phil1 - phil3)_pr/2,  Z_eL = delta_st (s2 - 1/2 + ds2) - (phil1 + phil3)_st/2
        Z_eR = delta_st (s2 + ds2) - phie_st/2,    dG = phil3_11 + phil3_22 - ll_1221/2

    where ll_prst stands for the matrix element that the named coefficient fills, and ds2 follows from the input
    `scheme`, i.e. from what `sin2_theta_w` = s2 (strictly between 0 and 1/2) was computed from:

        alpha_mZ_GF  (s2 c2 (dG + phiD/2) + s c phiWB)/(c2 - s2)      alpha_mW_GF  s2 dG + s c phiWB
        mW_mZ_GF     -c2 phiD/2 - s c phiWB                           fixed_s2     0 (s2 is the effective angle)

    Raises
    ------
    InputError : as `left_shift`, and an unknown scheme.
    """
    given = checked("smeft", coefficients)
    if scheme not in SCHEMES:
        raise InputError([unknown("scheme", scheme, SCHEMES)])
    shape = jnp.broadcast_shapes(jnp.shape(sin2_theta_w), *(jnp.shape(value) for value in given.values()))
    elements = []
    for index in channel_indices(channel):
        left, right = _smeft_terms(index, scheme, sin2_theta_w)
        elements.append((*combine(left, given), *combine(right, given)))
    return current_of(elements, shape)


def warsaw_to_left(
    coefficients: Mapping[str, Any], scheme: str, sin2_theta_w: Scalar | Float[Array, "..."]
) -> dict[str, Any]:
    """LEFT coefficients [GeV^-2] at M_Z that Warsaw coefficients leave behind: the matching of `smeft_shift`.

    Holds every VnueLL, VnueLR name, and NAME_Im, to which a given coefficient contributes.

    Raises
    ------
    InputError : as `smeft_shift`.
    """
    given = checked("smeft", coefficients)
    if scheme not in SCHEMES:
        raise InputError([unknown("scheme", scheme, SCHEMES)])
    matched = {}
    for name in LEFT_NAMES:
        family, index = name.split("_")
        real, imaginary = combine(_smeft_terms(index, scheme, sin2_theta_w)[family == "VnueLR"], given)
        if real is not None:
            matched[name] = -2.0 * real  # (1)
        if imaginary is not None:
            matched[f"{name}_Im"] = -2.0 * imaginary
    return matched


def angle_terms(scheme: str, s2: Any) -> list[Term]:
    """Shift of sin^2(theta_W) over v^2: what is left of phiD, phiWB and delta G_F once the inputs are fixed."""
    c2 = 1.0 - s2
    if scheme == "alpha_mZ_GF":
        strength = s2 * c2 / (c2 - s2)
        weights = strength, strength / 2.0, (s2 * c2) ** 0.5 / (c2 - s2)
    elif scheme == "alpha_mW_GF":
        weights = s2, 0.0, (s2 * c2) ** 0.5
    elif scheme == "mW_mZ_GF":
        weights = 0.0, -c2 / 2.0, -((s2 * c2) ** 0.5)
    else:  # the effective angle is itself the input
        return []
    return [*fermi_terms(weights[0]), (weights[1], "phiD", 1.0), (weights[2], "phiWB", 1.0)]


def fermi_terms(weight: Any) -> list[Term]:
    """Shift of G_F, relative and over v^2: muon decay against 1/(sqrt2 v_T^2)."""
    return [(weight, "phil3_11", 1.0), (weight, "phil3_22", 1.0), (-weight / 2.0, "ll_1221", 1.0)]


def _smeft_terms(index: str, scheme: str, s2: Any) -> tuple[list[Term], list[Term]]:
    """Shifts of g_L and g_R over v^2, element prst: W exchange, Z exchange, contact."""
    p, r, s, t = tuple(index)
    left, right = [coefficient("ll", index, -1.0 if p + r == s + t else -0.5)], [coefficient("le", index, -0.5)]
    if r == s:  # W: nu_r -> e_s at one vertex, e_t -> nu_p at the other
        left.append(coefficient("phil3", p + t))
    if p == t:
        left.append(coefficient("phil3", s + r))
    if r == s and p == t:
        left += fermi_terms(-1.0)
    if p == r:  # Z: charged-lepton vertices
        left += [coefficient("phil1", s + t, -0.5), coefficient("phil3", s + t, -0.5)]
        right.append(coefficient("phie", s + t, -0.5))
    for terms, coupling in ((left, s2 - 0.5), (right, s2)):
        if s == t:  # Z: neutrino vertices
            terms += [coefficient("phil1", p + r, -coupling), coefficient("phil3", p + r, coupling)]
        if p == r and s == t:  # Z: strength and angle
            terms += [*angle_terms(scheme, s2), *fermi_terms(-coupling), (-coupling / 2.0, "phiD", 1.0)]
    return left, right
