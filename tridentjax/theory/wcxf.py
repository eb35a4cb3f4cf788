"""Reader of Wilson coefficients in the exchange format WCxf (Aebischer et al., Comput. Phys. Commun. 232 (2018) 71).

A WCxf file is JSON or YAML with four keys:

    eft: WET            # or WET-4, WET-3 (basis JMS); SMEFT (basis Warsaw or Warsaw up: same leptons)
    basis: JMS
    scale: 4.8          # [GeV]
    values: {VnueLL_2222: 1.0e-8, VnueLR_1222: {Re: 2.0e-9, Im: -1.0e-9}}    # [GeV^-2]

Nothing is translated, matched or run to another scale here: programs for that exist (e.g. wilson).
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

from tridentjax.faults import InputError, unknown
from tridentjax.files import read_yaml
from tridentjax.theory.left import COMPLEX_NAMES, LEFT_NAMES, WARSAW_NAMES, in_sector, name_fault

BASES = {
    "WET": ("left", ("JMS",)),
    "WET-4": ("left", ("JMS",)),
    "WET-3": ("left", ("JMS",)),
    "SMEFT": ("smeft", ("Warsaw", "Warsaw up")),  # the two differ in the quark doublets only
}
KEYS = ("eft", "basis", "scale", "values")


class WilsonCoefficients(NamedTuple):
    """Content of a WCxf file.

    theory: "left" or "smeft"; parameters [GeV^-2]: NAME and, for a complex one, NAME_Im, as `left_shift` and
    `smeft_shift` take them; scale [GeV]; ignored: names of coefficients outside the neutrino-lepton sector.
    """

    theory: str
    parameters: dict[str, float]
    scale: float
    ignored: list[str]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _value_fault(name: str, value: Any, place: str) -> str | None:
    """Sentence for a value that is neither a number nor {Re, Im} of numbers, or too complex for its name."""
    allowed = "allowed: a finite number [GeV^-2] or {Re: number, Im: number}"
    if _number(value):
        return None
    if not isinstance(value, dict) or not value or set(value) - {"Re", "Im"} or not all(map(_number, value.values())):
        return f"{place}: {name} = {value!r}; {allowed}"
    if value.get("Im", 0.0) != 0.0 and name in LEFT_NAMES + WARSAW_NAMES and name not in COMPLEX_NAMES:
        return f"{place}: {name} has the imaginary part {value['Im']!r} but is hermitian; allowed: 0"
    return None


def _header(content: dict[str, Any], place: str) -> tuple[str, list[str]]:
    """Theory of a file, and the faults of its keys eft, basis, scale and values."""
    faults = [f"{place}: key {key!r} is missing; WCxf needs {', '.join(KEYS)}" for key in KEYS if key not in content]
    eft, basis, scale = (content.get(key) for key in ("eft", "basis", "scale"))
    theory, bases = BASES.get(str(eft), ("", ()))
    if "eft" in content and not theory:
        faults.append(unknown("eft", eft, BASES, place) + "; match or translate it with wilson first")
    if theory and "basis" in content and basis not in bases:
        faults.append(
            f"{place}: basis {basis!r} of {eft}; allowed: {' or '.join(bases)}; translate it to {bases[0]} with "
            "wilson first"
        )
    if "scale" in content and (scale is None or not _number(scale) or scale <= 0.0):
        faults.append(f"{place}: scale = {scale!r}; allowed: a positive number [GeV]")
    if not isinstance(content.get("values", {}), dict):
        faults.append(f"{place}: values = {content['values']!r}; allowed: a mapping of names to numbers")
    return theory, faults


def load_wcxf(path: str | Path) -> WilsonCoefficients:
    """Read a WCxf file of the weak effective theory (JMS basis) or of the SMEFT (Warsaw basis).

    A coefficient that has the name of another family cannot enter nu nu l l at tree level and is listed in
    `ignored`. The scale is handed on: `left_shift` and `smeft_shift` know of no running, so LEFT coefficients should
    be given near 1 GeV and SMEFT ones at M_Z (wilson runs them there).

    Raises
    ------
    InputError : unreadable file, missing key, another EFT or basis, a name that is redundant or does not exist, a
        value that is not a number, an imaginary part of a hermitian coefficient; all of them at once.
    """
    path = Path(path)
    place = path.name
    content = read_yaml(path)
    theory, faults = _header(content, place)
    values = content.get("values")
    parameters: dict[str, float] = {}
    ignored = []
    for key, value in values.items() if theory and isinstance(values, dict) else ():
        name = str(key)
        if not in_sector(theory, name):
            ignored.append(name)
            continue
        suffixed = name.endswith("_Im")  # our parameter name, not a WCxf one
        fault = name_fault(theory, name.removesuffix("_Im"), place)
        if fault is None and suffixed:
            fault = f"{place}: {name} is no WCxf name; allowed: {name[:-3]}: {{Re: number, Im: number}}"
        found = [text for text in (fault, _value_fault(name, value, place)) if text]
        faults += found
        if found:
            continue
        real, imaginary = (value.get("Re", 0.0), value.get("Im", 0.0)) if isinstance(value, dict) else (value, 0.0)
        parameters[name] = float(real)
        if imaginary:
            parameters[f"{name}_Im"] = float(imaginary)
    if faults:
        raise InputError(faults)
    return WilsonCoefficients(theory, parameters, float(content["scale"]), ignored)
