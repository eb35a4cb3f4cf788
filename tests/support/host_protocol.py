"""Protocol of a flavour scan's constraints, written from its description (host_interface.md section 1), not copied.

Frozen results that refuse anything but plain finite numbers, three severities, the rule that a HARD constraint with
malformed input fails closed, points with known extras only, isolation of exceptions, and tags.
"""

import enum
import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

KNOWN_EXTRA_KEYS = frozenset({
    "quark_mass_basis_couplings", "kk_gluon_mass_gev", "kk_ew_mass_gev", "lepton_mass_basis_couplings",
    "lepton_lmfv_parameters", "rs_ew_spectrum", "rs_ew_couplings", "rs_charged_current", "rs_higgs_yukawas",
    "rs_semileptonic_wilsons", "neutrino_trident_inputs",
})  # fmt: skip


class Severity(enum.Enum):
    HARD = "hard"
    SOFT = "soft"
    INFO = "info"


@dataclass(frozen=True)
class ConstraintResult:
    process_id: str
    severity: Severity
    passes: bool
    predicted: float | None
    sm_prediction: float | None
    experimental: float | None
    ratio: float | None
    budget: float | None
    notes: str = ""
    diagnostics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if type(self.passes) is not bool:
            raise TypeError(f"passes must be bool, not {type(self.passes)}")
        if not isinstance(self.severity, Severity):
            raise TypeError("severity must be a Severity")
        for name in ("predicted", "sm_prediction", "experimental", "ratio", "budget"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, numbers.Real):
                raise TypeError(f"{name} must be a real number, not {type(value)}")
            if not math.isfinite(value):
                raise ValueError(f"{name} must be finite")
        diagnostics = dict(self.diagnostics)
        missing = "missing_extra" in diagnostics or "missing_extras" in diagnostics
        if self.severity is Severity.HARD and "invalid_extra" in diagnostics and not missing:  # M-18
            object.__setattr__(self, "passes", False)
            diagnostics |= {"evaluated": True, "invalid_input_policy": "fail_closed_m18"}
        object.__setattr__(self, "diagnostics", diagnostics)


@dataclass(frozen=True)
class ParameterPoint:
    raw: Mapping[str, Any]
    extras: Mapping[str, Any]

    def __post_init__(self):
        object.__setattr__(self, "extras", MappingProxyType(dict(self.extras)))

    def get_extra(self, key, default=None):
        return self.extras.get(key, default)


def make_point(raw=(), **extras):
    if unknown := set(extras) - KNOWN_EXTRA_KEYS:
        raise KeyError(f"unknown extras {sorted(unknown)}")
    return ParameterPoint(dict(raw), extras)


@dataclass(frozen=True)
class RSLeptonMassBasisCouplings:
    """What the scan's builder puts under lepton_mass_basis_couplings for other constraints."""

    left: tuple = (0.1, 0.2, 0.3)
    right: tuple = (0.1, 0.2, 0.3)


def register(constraint_class):
    """Instantiate without arguments and check what a registry checks."""
    constraint = constraint_class()
    assert constraint_class.__name__ == "Constraint"
    assert re.fullmatch(r"[A-Z]+[0-9]+", constraint.process_id)
    assert isinstance(constraint.severity, Severity) and isinstance(constraint.observable, str)
    return constraint


def isolated(constraint, point):
    """Evaluate like the scan does: an exception is a failure with its text."""
    try:
        return constraint.evaluate(point)
    except Exception as error:
        diagnostics = {"exception_type": type(error).__name__, "exception": str(error)}
        return ConstraintResult(
            constraint.process_id, constraint.severity, False, None, None, None, None, None, "", diagnostics
        )


def tag(result):
    """'stub' (coverage gap), else the declared class."""
    d = result.diagnostics
    if "missing_extra" in d or "exception_type" in d or not d.get("evaluated", True):
        return "stub"
    assert d["tag_class"] in {"rigorous", "proxy", "partial"}
    return d["tag_class"]


def vetoes(result):
    return result.severity is Severity.HARD and not result.passes and tag(result) != "stub"
