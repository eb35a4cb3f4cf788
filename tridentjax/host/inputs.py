"""What a flavour scan says about one model point, read without trusting it: numbers, words, or why not.

The payload `TridentInputs`, or any mapping or object with its names; and the older effective-coupling mappings, which
scans put under `lepton_mass_basis_couplings`. Imports no JAX.
"""

import dataclasses
from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple

from tridentjax.faults import collect, unknown
from tridentjax.host.points import Points, read_points
from tridentjax.theory.domain import point_faults

EXTRA = "neutrino_trident_inputs"
PROXY_EXTRA = "lepton_mass_basis_couplings"
MODEL_LABELS = ("minimal_rs", "custodial_rs_su2r", "custodial_rs_plr")


@dataclasses.dataclass(frozen=True)
class TridentInputs:
    """Payload of the extra `neutrino_trident_inputs`: one model point in the mass basis of charged leptons.

    Either a warped model, or shifts that were matched elsewhere, or neither; and perhaps a light mediator. None is
    "not given". c > 1/2 is near the UV brane, for doublets and singlets alike.

    Lambda_IR, k : [GeV] IR scale k e^(-pi k r_c) and curvature (default 1.2209e19).
    c_L, c_E : bulk masses of doublets and singlets: one number for all, or those of (e, mu, tau).
    kappa_uv, kappa_ir : brane kinetic terms times k.
    model_label : "minimal_rs", or "custodial_rs_su2r", "custodial_rs_plr", which need T_R3 (or embedding) as well.
    T_R3 : (T_R3 of l, T_R3 of e): (0, -1/2), (-1/2, -1) or (1/2, 0) in a custodial model.
    embedding : the same by name, as in theory `rs`.
    input_scheme, order : as `scheme` and `order` of theory `rs`.
    sin2_theta_w : default 0.23122.
    delta_g_v, delta_g_a : shifts of (g_V, g_A), half of those of the literature's (C_V, C_A).
    light_mediator : mapping or object with mass [GeV], g_nu, and g_L, g_R or g_V, g_A of the muon.
    """

    Lambda_IR: float | None = None
    k: float | None = None
    c_L: Any = None
    c_E: Any = None
    kappa_uv: float | None = None
    kappa_ir: float | None = None
    model_label: str | None = None
    T_R3: Any = None
    embedding: str | None = None
    input_scheme: str | None = None
    order: str | None = None
    sin2_theta_w: float | None = None
    delta_g_v: float | None = None
    delta_g_a: float | None = None
    light_mediator: Any = None


class Reading(NamedTuple):
    """What is missing, what is wrong, how far the model is matched here; and the point, where nothing is."""

    missing: tuple[str, ...]
    faults: tuple[str, ...]
    tag_class: str
    point: Points | None = None


_NAMES = tuple(field.name for field in dataclasses.fields(TridentInputs))
_MEDIATOR_NAMES = ("mass", "g_nu", "g_L", "g_R", "g_V", "g_A")
_RS_NAMES = ("Lambda_IR", "k", "c_L", "c_E", "kappa_uv", "kappa_ir", "T_R3", "embedding")
_OWN_NAME = {"kappa_uv": "kappa_UV", "kappa_ir": "kappa_IR", "delta_g_v": "delta_g_V", "delta_g_a": "delta_g_A"}


def read_inputs(point: Any) -> Reading:
    """Reading of a parameter point with `get_extra(key)`; never raises for what the extras hold."""
    payload = _extra(point, EXTRA)
    if payload is not None:
        return _read_payload(payload)
    proxy = _extra(point, PROXY_EXTRA)
    if isinstance(proxy, Mapping):
        return _read_proxy(proxy)
    return Reading((EXTRA,), (), "partial")  # another constraint's record, or nothing


def _extra(point: Any, key: str) -> Any:
    try:
        return point.get_extra(key)
    except KeyError:
        return None


def _read_payload(payload: Any) -> Reading:
    faults: list[str] = []
    given = _fields(payload, _NAMES, EXTRA, faults)
    numbers: dict[str, float] = {}
    for name in ("Lambda_IR", "k", "kappa_uv", "kappa_ir", "sin2_theta_w", "delta_g_v", "delta_g_a"):
        if name in given:
            _keep_number(numbers, _OWN_NAME.get(name, name), given[name], f"{EXTRA}.{name}", faults)
    shifts = [name for name in ("delta_g_v", "delta_g_a") if name in given]
    warped = any(name in given for name in _RS_NAMES)
    if warped and shifts:
        received = ", ".join(name for name in given if name in (*_RS_NAMES, *shifts))
        faults.append(f"{EXTRA}: received {received}; allowed: a warped model or its shifts, not both")
    missing: list[str] = []
    words: dict[str, str] = {}
    if warped:
        missing += [f"{EXTRA}.{name}" for name in ("Lambda_IR", "c_L", "c_E") if name not in given]
        for name, places in (("c_L", {"c_L_e": 0, "c_L_mu": 1}), ("c_E", {"c_R_mu": 1})):
            _keep_bulk_masses(numbers, name, given.get(name), places, faults)
        _keep_embedding(words, given, missing, faults)
        words |= {
            key: str(given[name]) for name, key in (("input_scheme", "scheme"), ("order", "order")) if name in given
        }
    if (mediator := given.get("light_mediator")) is not None:
        before = len(faults)
        own = _fields(mediator, _MEDIATOR_NAMES, f"{EXTRA}.light_mediator", faults)
        if len(faults) == before:
            missing += [f"{EXTRA}.light_mediator.{name}" for name in ("mass", "g_nu") if name not in own]
        for name, value in own.items():
            _keep_number(numbers, name, value, f"{EXTRA}.light_mediator.{name}", faults)
    if not warped and not shifts and mediator is None and not faults:
        missing.append(f"{EXTRA}.Lambda_IR, delta_g_v or light_mediator")
    return _checked(numbers, words, missing, faults, "partial" if shifts else "rigorous")


def _read_proxy(proxy: Mapping[Any, Any]) -> Reading:
    """Effective couplings under the names that the older constraint read; C_V = 2 g_V.

    A mapping with none of the names is another constraint's. Its `kk_ew_mass_gev`, which replaced the mediator's mass
    whatever that was, is not looked at.
    """
    faults: list[str] = []
    numbers: dict[str, float] = {}
    inner = proxy.get("trident", proxy)
    if not isinstance(inner, Mapping):
        text = f"{PROXY_EXTRA}.trident = {_shown(inner)}; allowed: a mapping"
        return Reading((), (text,), "proxy")
    aliases = {
        "delta_g_V": ("trident_delta_c_vector", "delta_c_vector", "delta_cv"),
        "delta_g_A": ("trident_delta_c_axial", "delta_c_axial", "delta_ca"),
        "g_nu": ("g_nu_mu", "g_nu", "gprime_nu_mu"),
        "g_V": ("g_mu_vector", "g_mu_v"),
        "g_A": ("g_mu_axial", "g_mu_a"),
        "g_L": ("g_mu_left",),
        "g_R": ("g_mu_right",),
        "mass": ("mediator_mass_gev", "m_kk_gev", "M_KK"),
    }
    for name, theirs in aliases.items():
        found = next((key for key in theirs if inner.get(key) is not None), None)
        if found is not None:
            _keep_number(numbers, name, inner[found], f"{PROXY_EXTRA}.{found}", faults)
    if not numbers and not faults:
        return Reading((EXTRA,), (), "proxy")
    numbers |= {name: x / 2.0 for name, x in numbers.items() if name.startswith("delta")}
    return _checked(numbers, {}, [], faults, "proxy")


def _checked(
    numbers: dict[str, float], words: dict[str, str], missing: list[str], faults: list[str], tag_class: str
) -> Reading:
    """The reading, with the faults that only the whole shows."""
    faults = [*faults, *point_faults(numbers)]
    request = None if faults or missing else collect(faults, read_points, {**numbers, **words})
    return Reading(tuple(missing), tuple(faults), tag_class, request)


def _fields(payload: Any, names: tuple[str, ...], place: str, faults: list[str]) -> dict[str, Any]:
    """What is given, by name, of a mapping or of an object with attributes."""
    if isinstance(payload, Mapping):
        faults += [unknown("name", key, names, place) for key in payload if key not in names]
        found = {name: payload.get(name) for name in names}
    else:
        found = {name: getattr(payload, name, None) for name in names}
        if all(value is None for value in found.values()) and not hasattr(payload, names[0]):
            faults.append(f"{place} = {_shown(payload)}; allowed: a mapping or a record with {', '.join(names)}")
    return {name: value for name, value in found.items() if value is not None}


def _keep_number(numbers: dict[str, float], name: str, value: Any, place: str, faults: list[str]) -> None:
    """A real number as a float: Python's, NumPy's or a zero-dimensional array; never a bool or a word."""
    scalar = getattr(value, "shape", None) == () and getattr(getattr(value, "dtype", None), "kind", "") in ("f", "i")
    try:
        if isinstance(value, bool) or not (isinstance(value, Real) or scalar):
            raise TypeError
        numbers[name] = float(value)
    except (TypeError, ValueError, OverflowError):
        faults.append(f"{place} = {_shown(value)}; allowed: a finite number")


def _keep_bulk_masses(
    numbers: dict[str, float], name: str, value: Any, places: dict[str, int], faults: list[str]
) -> None:
    """One bulk mass for all flavours, or those of (e, mu, tau)."""
    if value is None:
        return
    several = isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 1
    if several and len(value) != 3:
        faults.append(f"{EXTRA}.{name} = {_shown(value)}; allowed: one number, or three for (e, mu, tau)")
        return
    for own, flavour in places.items():
        place = f"{EXTRA}.{name}[{flavour}]" if several else f"{EXTRA}.{name}"
        _keep_number(numbers, own, value[flavour] if several else value, place, faults)


def _keep_embedding(words: dict[str, str], given: Mapping[str, Any], missing: list[str], faults: list[str]) -> None:
    """The lepton embedding: declared by a label, by isospins or by name; never guessed."""
    from tridentjax.theory.rs.electroweak import EMBEDDINGS

    label, isospins, name = (given.get(key) for key in ("model_label", "T_R3", "embedding"))
    if label is not None and not (isinstance(label, str) and label in MODEL_LABELS):
        faults.append(unknown("model_label", _shown(label), MODEL_LABELS, EXTRA))
        return
    candidates = list(EMBEDDINGS)
    if label is not None:
        candidates = [key for key in candidates if (EMBEDDINGS[key].model == "minimal") == (label == "minimal_rs")]
    if isospins is not None:
        try:
            pair = tuple(float(x) for x in isospins)
        except (TypeError, ValueError, OverflowError):
            pair = ()
        fitting = [key for key in candidates if EMBEDDINGS[key][:2] == pair]
        if not fitting:
            allowed = ", ".join(f"{EMBEDDINGS[key][:2]} ({key})" for key in candidates)
            faults.append(f"{EXTRA}.T_R3 = {_shown(isospins)}; allowed: {allowed}")
            return
        candidates = fitting
    if name is not None:
        if not (isinstance(name, str) and name in candidates):
            faults.append(unknown("embedding", _shown(name), candidates, EXTRA))
            return
        candidates = [name]
    if len(candidates) > 1:
        missing.append(f"{EXTRA}.model_label" if label is None else f"{EXTRA}.T_R3")
    else:
        words["embedding"] = candidates[0]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
