"""The theories that have a name: functions, parameters with units, choices, and where they come from.

Names joined by '+', e.g. `rs+rs_lmutau`, are one theory with the shifts of both.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from tridentjax._types import Scalar
from tridentjax.currents import FLAVOURS, Channel
from tridentjax.faults import InputError, unknown
from tridentjax.theory import domain, theories
from tridentjax.theory.left import COMPLEX_NAMES, NAMES, name_fault
from tridentjax.theory.rs.electroweak import EMBEDDINGS
from tridentjax.theory.rs.kk import first_kk_mass
from tridentjax.theory.rs.lmutau import SMALLEST_LAMBDA_IR, pole_mass
from tridentjax.theory.rs.matching import ORDERS
from tridentjax.theory.rs.operators import oblique
from tridentjax.theory.smeft import SCHEMES
from tridentjax.theory.theories import Parameters, TheoryFunction


class Derived(NamedTuple):
    """Quantity that follows from the parameters of a theory, with its unit and meaning."""

    function: Callable[[Parameters], Scalar]
    unit: str
    meaning: str


class Theory(NamedTuple):
    """A named theory.

    `parameters` maps names to units, `required` lists sets of which one must be given, `choices` maps names to
    allowed words (the first is the default), `limits` are the edges of its domain, `faults` finds what else is
    wrong with a set of numbers and choices, `derived` are quantities to report beside the parameters,
    `misnamed` explains a name that looks like one of the theory's and is not, `several` names parameters that may
    be a list (several mediators), `contact_limit` is the mass over coupling of a rate ratio in closed form.
    """

    function: TheoryFunction
    parameters: dict[str, str]
    required: tuple[frozenset[str], ...]
    source: str
    choices: Mapping[str, tuple[Any, ...]] = MappingProxyType({})
    limits: tuple[domain.Limit, ...] = domain.STANDARD_MODEL
    faults: Callable[[Parameters], list[str]] | None = None
    derived: Mapping[str, Derived] = MappingProxyType({})
    misnamed: Callable[[str, str], str | None] | None = None
    several: frozenset[str] = frozenset()
    contact_limit: Callable[[Parameters, Channel, float], float | None] | None = None


def _flavoured(*names: str) -> dict[str, str]:
    return {name: "1" for name in names} | {f"{name}_{flavour}": "1" for name in names for flavour in FLAVOURS}


def _mediator_faults(kind: str, given: Parameters) -> list[str]:
    """Mixed charges, loops without L_mu - L_tau, and towers of unequal length."""
    general = [name for name in given if name.startswith(("g_nu", "g_V", "g_A"))]
    faults = []
    if "g" in given and general:
        faults.append(f"give either g (L_mu - L_tau) or {', '.join(sorted(general))} (general charges), not both")
    if given.get("loop_mixing") and "g" not in given:
        faults.append("loop_mixing is that of L_mu - L_tau: give g, or set loop_mixing to false")
    lengths = {name: np.size(x) for name, x in given.items() if np.size(x) > 1}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        faults.append(f"{kind} mediators: received {listed}; allowed: one number, or the same count for each")
    return faults


def _custodial_faults(given: Parameters) -> list[str]:
    if given.get("embedding", "minimal") == "minimal" or "kappa_IR_U1" not in given:
        return []
    return ["kappa_IR_U1: a custodial model has one kappa_IR (else B and Z' mix on the brane); leave it out"]


def _coefficients(theory: str) -> dict[str, str]:
    """Wilson coefficients of a theory; complex ones have an imaginary part NAME_Im."""
    complex_names = [f"{name}_Im" for name in NAMES[theory] if name in COMPLEX_NAMES]
    return dict.fromkeys((*NAMES[theory], *complex_names), "GeV^-2")


_SPACE = {"Lambda_IR": "GeV", "k": "GeV", "kappa_UV": "1", "kappa_IR": "1"}
_BULK_MASSES = {f"c_{side}_{flavour}": "1" for side in "LR" for flavour in FLAVOURS}
_FIRST_MODE = Derived(
    lambda p: first_kk_mass(theories.warped_geometry(p)),
    "GeV",
    "first Kaluza-Klein mass of the gauge fields, x_1 Lambda_IR",
)
_KK_SCALE = {"first_KK_mass": _FIRST_MODE}

_LIGHT = (*domain.STANDARD_MODEL, *domain.MEDIATOR)
_RESOLVED_TOWER = domain.Limit(
    ("Lambda_IR",), lambda x: (x > 0) & (x < SMALLEST_LAMBDA_IR), f"{SMALLEST_LAMBDA_IR:g} GeV or more"
)

THEORIES: dict[str, Theory] = {
    "sm": Theory(theories.sm, {}, (frozenset(),), "Standard Model, tree level (Czyz, Sheppey, Walecka 1964)"),
    "contact": Theory(
        theories.contact,
        {"delta_g_V": "1", "delta_g_A": "1"},
        (frozenset({"delta_g_V", "delta_g_A"}),),
        "constant shifts of the lepton current",
    ),
    "zprime": Theory(
        theories.zprime,
        {"mass": "GeV", "g": "1", **_flavoured("g_nu", "g_V", "g_A"), "kinetic_mixing": "1"},
        (frozenset({"mass", "g"}), *(frozenset({"mass", name}) for name in _flavoured("g_nu"))),
        "Z' of L_mu - L_tau (He et al. 1991; Altmannshofer et al. 2014) or of general charges, kinetic mixing",
        {"loop_mixing": (False, True)},
        _LIGHT,
        partial(_mediator_faults, "vector"),
        several=frozenset({"mass", "g", *_flavoured("g_nu", "g_V", "g_A"), "kinetic_mixing"}),
        contact_limit=theories.zprime_contact_limit,
    ),
    "scalar": Theory(
        theories.scalar,
        {"mass": "GeV", **_flavoured("g_nu", "g_S", "g_P")},
        tuple(frozenset({"mass", name}) for name in _flavoured("g_nu")),
        "scalar or pseudoscalar that flips the neutrino's handedness: SS and PP, no interference",
        limits=_LIGHT,
        faults=partial(_mediator_faults, "scalar"),
        several=frozenset({"mass", *_flavoured("g_nu", "g_S", "g_P")}),
    ),
}
THEORIES |= {
    "left": Theory(
        theories.left,
        _coefficients("left"),
        (frozenset(),),
        "low-energy EFT, JMS basis, new physics at the GeV scale, no running (Jenkins, Manohar, Stoffer 2018; WCxf)",
        misnamed=partial(name_fault, "left"),
    ),
    "smeft": Theory(
        theories.smeft,
        _coefficients("smeft"),
        (frozenset(),),
        "SMEFT, Warsaw basis, at M_Z, linear, no running (Grzadkowski et al. 2010; matching 1709.04486; WCxf)",
        {"scheme": SCHEMES},
        misnamed=partial(name_fault, "smeft"),
    ),
    "rs": Theory(
        theories.rs,
        _SPACE | {"kappa_UV_U1": "1", "kappa_IR_U1": "1"} | _BULK_MASSES,
        (frozenset({"Lambda_IR", "c_L_e", "c_L_mu", "c_R_mu"}),),
        "Randall-Sundrum electroweak Kaluza-Klein exchange (Casagrande et al. 0807.4937; Agashe et al. hep-ph/0605341)",
        {"embedding": tuple(EMBEDDINGS), "scheme": SCHEMES, "order": ORDERS},
        (*domain.STANDARD_MODEL, *domain.SPACE, *domain.SPACE_U1),
        _custodial_faults,
        _KK_SCALE
        | {
            "S": Derived(lambda p: oblique(theories.electroweak_rs(p))[0], "1", "oblique parameter S, UV leptons"),
            "T": Derived(lambda p: oblique(theories.electroweak_rs(p))[1], "1", "oblique parameter T, UV leptons"),
        },
    ),
    "rs_lmutau": Theory(
        theories.rs_lmutau,
        _SPACE | {"g": "1", "mass": "GeV", "kinetic_mixing": "1"} | _BULK_MASSES,
        (frozenset({"Lambda_IR", "g", "mass", "c_L_mu", "c_R_mu"}),),
        "bulk L_mu - L_tau boson with its tower, broken on a brane (equations: pydoc tridentjax.theory.rs.lmutau)",
        {"breaking": ("uv", "ir"), "mixing_brane": ("uv", "ir")},
        (*_LIGHT, *domain.SPACE, _RESOLVED_TOWER),
        None,
        _KK_SCALE
        | {
            "pole_mass": Derived(
                lambda p: pole_mass(theories.bulk_lmutau(p)), "GeV", "mass of the lightest L_mu - L_tau state"
            )
        },
    ),
}


def find_theory(name: str, place: str = "theory") -> Theory:
    """Theory of a name, or of several joined by '+'.

    Raises
    ------
    InputError : unknown or repeated names, or two theories with a parameter of the same name.
    """
    names = name.split("+")
    faults = [unknown("theory", part, THEORIES, place) for part in dict.fromkeys(names) if part not in THEORIES]
    faults += [f"{place}: theory {part} is given twice" for part in dict.fromkeys(names) if names.count(part) > 1]
    if faults:
        raise InputError(faults)
    parts = [THEORIES[part] for part in names]
    if len(parts) == 1:
        return parts[0]
    merged: dict[str, Any] = {"parameters": {}, "choices": {}, "derived": {}}
    for theory in parts:
        for field, content in merged.items():
            own = getattr(theory, field)
            clash = sorted(key for key in own if key in content and not _one_meaning(key))
            faults += [f"{place}: theories {name} both have {key}; they cannot be combined" for key in clash]
            content.update(own)
    if faults:
        raise InputError(faults)

    def check(given: Parameters) -> list[str]:
        found = [fault for theory in parts if theory.faults for fault in theory.faults(own_parameters(theory, given))]
        return list(dict.fromkeys(found))

    required = [frozenset[str]()]
    for theory in parts:
        required = [before | own for before in required for own in theory.required]
    return Theory(
        theories.combined(*(theory.function for theory in parts)),
        merged["parameters"],
        tuple(required),
        " + ".join(theory.source for theory in parts),
        merged["choices"],
        tuple(dict.fromkeys(limit for theory in parts for limit in theory.limits)),
        check,
        merged["derived"],
        several=frozenset().union(*(theory.several for theory in parts)),
    )


def _one_meaning(key: str) -> bool:
    """The geometry, its first mode and the bulk masses belong to the space, not to a field in it."""
    return key in {**_SPACE, **_BULK_MASSES, **_KK_SCALE}


def own_parameters(theory: Theory, given: Parameters) -> Parameters:
    """Those of the given parameters and choices that belong to a theory."""
    return {key: x for key, x in given.items() if key in theory.parameters or key in theory.choices}
