"""Effective field theories of the neutrino-lepton current: WCxf names of both, and LEFT (JMS basis) -> (g_V, g_A).

    L = sum_hermitian C O + sum_other (C O + h.c.),  C in GeV^-2, on top of the Standard Model with the measured G_F
    VnueLL_prst = (nubar_p g^a P_L nu_r)(ebar_s g_a P_L e_t),  VnueLR_prst the same with P_R for the charged leptons
    delta g_X = -C/(2 sqrt2 G_F) = -v^2 C/2,  X = L, R,  v^2 = 1/(sqrt2 G_F)                               (1)
    nu_a -> nu_b l_i^- l_j^+ : prst = b a i j;    antinu_a -> antinu_b l_i^- l_j^+ : prst = a b i j        (2)

Conventions: WCxf (Aebischer et al., Comput. Phys. Commun. 232 (2018) 71); basis and tree-level matching: Jenkins,
Manohar, Stoffer, JHEP 03 (2018) 016 (1709.04486); "not redundant": of the names that symmetry and hermitian
conjugation relate, the one with the smallest index is used, and it multiplies its operator once.

A complex coefficient is two parameters, NAME and NAME_Im. The Standard Model is real, so Re(g_V g_A^*) and |g|^2 are
what further rows of a `LeptonCurrent` that hold the imaginary parts give. T-odd terms, Im(g_V g_A^*), are left out:
no observable of this library contains them. Everything is strictly linear in C, at tree level and without running;
`smeft` matches the Warsaw basis to this.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax.constants import G_F
from tridentjax.currents import FLAVOURS, Channel, LeptonCurrent, from_chiral, to_chiral
from tridentjax.faults import InputError, unknown

V2 = 1.0 / (2.0**0.5 * G_F)  # (1), [GeV^2]

_FAMILIES = {
    "left": {"VnueLL": 4, "VnueLR": 4},
    "smeft": {"ll": 4, "le": 4, "phil1": 2, "phil3": 2, "phie": 2, "phiD": 0, "phiWB": 0},
}  # number of flavour indices
Term = tuple[Any, str, float]  # weight, name of the coefficient, sign of its imaginary part


def _twins(family: str, index: str) -> tuple[set[str], set[str]]:
    """Indices whose coefficient equals the one at `index`, and those whose coefficient is its conjugate."""
    if len(index) == 2:
        return {index}, {index[::-1]}
    p, r, s, t = tuple(index)
    same, conjugate = {index}, {r + p + t + s}
    if family == "ll":  # two equal doublet currents may change places
        same, conjugate = same | {s + t + p + r}, conjugate | {t + s + r + p}
    return same, conjugate


def coefficient(family: str, index: str, weight: Any = 1.0) -> Term:
    """Matrix element of a coefficient in terms of its name that is not redundant."""
    same, conjugate = _twins(family, index)
    smallest = min(same | conjugate)
    return weight, f"{family}_{smallest}", 1.0 if smallest in same else -1.0


def _names(theory: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of a theory that are not redundant, and those of them that are complex."""
    names, hermitian = [], set()
    for family, rank in _FAMILIES[theory].items():
        for index in map("".join, product("123", repeat=rank)):
            name = f"{family}_{index}" if rank else family
            if rank and name != coefficient(family, index)[1]:
                continue
            names.append(name)
            if not rank or index in _twins(family, index)[1]:
                hermitian.add(name)
    return tuple(names), frozenset(names) - hermitian


LEFT_NAMES, LEFT_COMPLEX = _names("left")
WARSAW_NAMES, WARSAW_COMPLEX = _names("smeft")
NAMES = {"left": LEFT_NAMES, "smeft": WARSAW_NAMES}
COMPLEX_NAMES = LEFT_COMPLEX | WARSAW_COMPLEX  # these have a parameter NAME_Im as well
_ALLOWED = {
    theory: frozenset(names) | {f"{name}_Im" for name in names if name in COMPLEX_NAMES}
    for theory, names in NAMES.items()
}


def in_sector(theory: str, name: str) -> bool:
    """Whether a name is that of a family this module reads, right or wrong in case, index and suffix."""
    return name.split("_", maxsplit=1)[0].lower() in {family.lower() for family in _FAMILIES[theory]}


def name_fault(theory: str, name: str, place: str) -> str | None:
    """Sentence for a name that is not a parameter of "left" or "smeft"; None for one that is."""
    if name in _ALLOWED[theory]:
        return None
    stem = name.removesuffix("_Im")
    if stem in NAMES[theory]:
        return f"{place}: {name} does not exist, {stem} is hermitian and has no imaginary part; allowed: {stem}"
    found = re.fullmatch(r"(\w+)_([123]+)", stem)
    if found and _FAMILIES[theory].get(found[1]) == len(found[2]):
        _, smallest, sign = coefficient(found[1], found[2])
        relation = "the same coefficient" if sign > 0 else "its complex conjugate"
        return f"{place}: {name} is redundant; use {smallest}, {relation}"
    return unknown(f"{theory} coefficient", name, _ALLOWED[theory], place)


def checked(theory: str, coefficients: Mapping[str, Any]) -> dict[str, Any]:
    """Coefficients of the theory; other parameters are passed over, misnamed coefficients refused."""
    sector = [name for name in coefficients if in_sector(theory, name)]
    if faults := [fault for name in sector if (fault := name_fault(theory, name, "coefficients"))]:
        raise InputError(faults)
    return {name: coefficients[name] for name in sector}


def combine(terms: Iterable[Term], coefficients: Mapping[str, Any]) -> tuple[Any, Any]:
    """Real and imaginary part of a linear combination; None where no coefficient of it was given."""
    real, imaginary = None, None
    for weight, name, sign in terms:
        if isinstance(weight, float) and weight == 0.0:
            continue
        if name in coefficients:
            real = weight * coefficients[name] + (0.0 if real is None else real)
        if f"{name}_Im" in coefficients:
            imaginary = sign * weight * coefficients[f"{name}_Im"] + (0.0 if imaginary is None else imaginary)
    return real, imaginary


def _left_terms(index: str) -> tuple[list[Term], list[Term]]:
    """Shifts of g_L and g_R over v^2, element prst."""
    return [coefficient("VnueLL", index, -0.5)], [coefficient("VnueLR", index, -0.5)]  # (1)


def current_of(elements: list[tuple[Any, Any, Any, Any]], shape: tuple[int, ...]) -> LeptonCurrent:
    """Rows of real parts, then, if any element has one, of imaginary parts."""
    L_re, L_im, R_re, R_im = zip(*elements, strict=True)
    complex_rows = any(part is not None for part in (*L_im, *R_im))
    rows_L, rows_R = (L_re + L_im, R_re + R_im) if complex_rows else (L_re, R_re)

    def stacked(rows: tuple[Any, ...]) -> Float[Array, "nu_out *K2"]:
        return jnp.stack([jnp.broadcast_to(0.0 if row is None else V2 * row, shape) for row in rows])

    return from_chiral(stacked(rows_L), stacked(rows_R))


def channel_indices(channel: Channel) -> list[str]:
    """Index prst of each outgoing neutrino e, mu, tau, Eq. (2)."""
    a, i, j = (str(1 + FLAVOURS.index(x)) for x in (channel.neutrino, channel.lepton_minus, channel.lepton_plus))
    return [(a + b if channel.antineutrino else b + a) + i + j for b in "123"]  # (2)


def left_shift(coefficients: Mapping[str, Any], channel: Channel) -> LeptonCurrent:
    """What LEFT coefficients [GeV^-2] add to (g_V, g_A), Eq. (1); one row for each outgoing neutrino e, mu, tau.

    Shape (3, *batch), or (6, *batch) with the imaginary parts last if one of them that the channel needs was
    given (which is decided from the names). Coefficients are numbers or arrays of one batch shape. Rows where the
    Standard Model vanishes (other outgoing neutrinos) do not interfere with it. Linear, hence differentiable.

    Raises
    ------
    InputError : a redundant name, or NAME_Im of a hermitian coefficient; names of other things are passed over.
    """
    given = checked("left", coefficients)
    shape = jnp.broadcast_shapes(*(jnp.shape(value) for value in given.values()))
    parts = [map(lambda terms: combine(terms, given), _left_terms(index)) for index in channel_indices(channel)]
    return current_of([(*L, *R) for L, R in parts], shape)


def to_left(shift: LeptonCurrent, channel: Channel) -> dict[str, Float[Array, "*batch"]]:
    """LEFT coefficients [GeV^-2] of a shift of the current: inverse of `left_shift` in its channel, Eq. (1).

    Rows as there: real parts for outgoing e, mu, tau, then imaginary parts if there are six. Where hermitian
    conjugation gives the coefficient another name, its imaginary part changes sign; the imaginary part of a
    hermitian coefficient does not exist, and one that is not zero is lost.
    """
    found: dict[str, Float[Array, "*batch"]] = {}
    for family, rows in zip(("VnueLL", "VnueLR"), to_chiral(shift), strict=True):
        for row, index in enumerate(channel_indices(channel)):
            _, name, sign = coefficient(family, index)
            found[name] = -2.0 / V2 * rows[row]
            if len(rows) > len(FLAVOURS) and name in COMPLEX_NAMES:
                found[f"{name}_Im"] = -2.0 / V2 * sign * rows[row + len(FLAVOURS)]
    return found
