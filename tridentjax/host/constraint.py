"""Plug-in for flavour scans: neutrino trident as a constraint on points, arrays and tables of a model.

    trident_ratio        arrays of model points -> array of R
    trident_ratio_grid, trident_ratio_table    scans with few distinct values, 1e8 rows
    TridentConstraint    one point -> the record that the scan's protocol asks for

NumPy in, NumPy or plain Python out. Importing this starts no JAX; the first point does, in the process that evaluates
it, so that pools may be spawned or forked. A process forked from one in which JAX had started gets a RuntimeError
instead of waiting for ever. A point costs a dense contraction with a folded response (`packaged_response`): same
theories, same code as everywhere else, at nominal nuisances.
"""

import dataclasses
import enum
import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

from tridentjax.constants import SIN2_THETA_W
from tridentjax.faults import InputError, unknown
from tridentjax.files import data_folder, read_yaml
from tridentjax.host.inputs import EXTRA, read_inputs
from tridentjax.host.points import Points
from tridentjax.host.ratio import NO_NUMBER, evaluate, folded_experiments

GAUSSIAN_Z = NormalDist().inv_cdf(0.975)  # two-sided 95 %


class Severity(enum.Enum):
    """What a failure means: HARD vetoes the point, SOFT advises, INFO only reports."""

    HARD = "HARD"
    SOFT = "SOFT"
    INFO = "INFO"


@dataclasses.dataclass(frozen=True)
class TridentResult:
    """Default record of a verdict, with the fields of the host's own one."""

    process_id: str
    severity: Any
    passes: bool
    predicted: float
    sm_prediction: float
    experimental: float
    ratio: float
    budget: float
    notes: str
    diagnostics: Mapping[str, Any]


class TridentConstraint:
    """R = sigma(nu_mu -> nu_mu mu+ mu-)/sigma_SM of one experiment against its measurement, point by point.

    The verdict is two-sided Gaussian at 95 %: budget = 1.959964 x the error on the side of the prediction,
    ratio = abs(R - measured)/budget, passes = ratio <= 1. Errors of theory and nuisances are not added.

    Parameters
    ----------
    experiment : packaged experiment with a measured ratio and a folded response: ccfr, charm2 (1.58 +- 0.57),
        charm2_0p64 (+- 0.64), nutev.
    process_id : name of the constraint in the scan.
    severity : the host's enumerator, or ours; default HARD for ccfr and INFO for the others.
    result : callable that takes the fields of `TridentResult` by keyword, e.g. the host's own record.
    measurement : (value, error below, error above) instead of the packaged one, e.g. from the host's anchors.

    Raises
    ------
    InputError : the experiment is none of those, or the measurement is not finite with positive errors.
    """

    def __init__(
        self,
        experiment: str = "ccfr",
        *,
        process_id: str = "L023",
        severity: Any = None,
        result: Callable[..., Any] = TridentResult,
        measurement: tuple[float, float, float] | None = None,
    ) -> None:
        if experiment not in (known := folded_experiments()):
            raise InputError([unknown("experiment with a folded response", experiment, known)])
        content = read_yaml(data_folder() / "experiments" / f"{experiment}.yaml")
        if measurement is None:
            block = content["measurement"]
            low, high = (float(block.get(f"uncertainty_{side}", block.get("uncertainty"))) for side in ("low", "high"))
            measurement = float(block["value"]), low, high
        if not (all(map(math.isfinite, measurement)) and min(measurement[1:]) > 0.0):
            raise InputError([f"measurement = {measurement}; allowed: finite (value, error below, error above > 0)"])
        self.experiment = experiment
        self.process_id = process_id
        self.observable = f"sigma(nu_mu -> nu_mu mu+ mu-)/sigma_SM, {content['title']}"
        self.severity = severity if severity is not None else Severity.HARD if experiment == "ccfr" else Severity.INFO
        self.measured, self.error_low, self.error_high = map(float, measurement)
        self._result = result

    def evaluate(self, point: Any) -> Any:
        """Verdict on a parameter point, i.e. an object with `get_extra(key)`.

        Extra `neutrino_trident_inputs`: `TridentInputs` or a mapping or record with its names. Without it, a mapping of
        effective couplings under `lepton_mass_basis_couplings` is read as the older constraint did; anything else
        there belongs to other constraints.

        Returns
        -------
        The result record: plain Python numbers and words, finite, the same for the same point. Two kinds do not pass
        and repeat the Standard Model's prediction: `missing_extra` says what the point does not say (`evaluated` is
        False: a gap in coverage, no veto), `invalid_extra` what it says wrongly or outside the domain. All
        have in `diagnostics` the couplings in the literature's normalisation C = 2 g, averaged over K2 with the
        weights of the Standard Model's rate; the budget; `pull_to_active_measurement` in units of the budget; and
        `tag_class`: "rigorous" (matched here at tree level), "partial" (shifts from the caller), "proxy" (older
        mapping).

        Raises
        ------
        RuntimeError : the process was forked from one in which JAX had started. Never for numbers.
        """
        reading = read_inputs(point)
        if reading.missing:
            return self._unusable("missing_extra", reading.missing, False)
        if reading.faults:
            return self._unusable("invalid_extra", reading.faults, True)
        assert reading.point is not None  # nothing is missing or wrong
        found = self._evaluate(reading.point)
        if not all(map(math.isfinite, found)):
            return self._unusable("invalid_extra", (f"{EXTRA}: {NO_NUMBER}",), True)
        return self._verdict(reading.point, reading.tag_class, *found)

    def _evaluate(self, point: Points) -> list[float]:
        words = tuple((key, str(word)) for key, word in point.choices.items())
        _, block = next(point.blocks())
        return evaluate(self.experiment, point.theory, point.names, words, block)[:, 0].tolist()

    def _budget(self, predicted: float) -> float:
        return GAUSSIAN_Z * (self.error_high if predicted > self.measured else self.error_low)

    def _verdict(self, point: Points, tag_class: str, predicted: float, shift_V: float, shift_A: float) -> Any:
        s2 = dict(zip(point.names, map(float, point.numbers), strict=True)).get("sin2_theta_w", SIN2_THETA_W)
        choices = {key: str(word) for key, word in point.choices.items()}
        diagnostics = {
            "evaluated": True,
            "tag_class": tag_class,
            "embedding": choices.get("embedding", "none"),
            "input_scheme": choices.get("scheme", "none"),
            **self._figures(predicted, s2, shift_V, shift_A),
        }
        notes = f"R = {predicted:.6f} against {self.measured:g} (-{self.error_low:g}, +{self.error_high:g}), tree level"
        pull = diagnostics["pull_to_active_measurement"]
        return self._record(abs(pull) <= 1.0, predicted, notes, diagnostics)

    def _unusable(self, kind: str, reasons: tuple[str, ...], evaluated: bool) -> Any:
        text = "; ".join(reasons)
        diagnostics = {"evaluated": evaluated, kind: text} | ({"tag_class": "partial"} if evaluated else {})
        figures = self._figures(1.0, SIN2_THETA_W, 0.0, 0.0)
        return self._record(False, 1.0, f"{kind.replace('_', ' ')}: {text}", {**diagnostics, **figures})

    def _figures(self, predicted: float, s2: float, shift_V: float, shift_A: float) -> dict[str, Any]:
        """Couplings C = 2 g and the budget."""
        vector, axial = 1.0 + 4.0 * s2, 1.0
        return {
            "experiment": self.experiment,
            "sin2_theta_w": s2,
            "c_vector_sm": vector,
            "c_axial_sm": axial,
            "c_vector_total": vector + 2.0 * shift_V,
            "c_axial_total": axial + 2.0 * shift_A,
            "delta_c_vector": 2.0 * shift_V,
            "delta_c_axial": 2.0 * shift_A,
            "budget_gaussian_z": GAUSSIAN_Z,
            "budget_hard_veto_lower": self.measured - GAUSSIAN_Z * self.error_low,
            "budget_hard_veto_upper": self.measured + GAUSSIAN_Z * self.error_high,
            "pull_to_active_measurement": (predicted - self.measured) / self._budget(predicted),
        }

    def _record(self, passes: bool, predicted: float, notes: str, diagnostics: dict[str, Any]) -> Any:
        return self._result(
            process_id=self.process_id,
            severity=self.severity,
            passes=passes,
            predicted=predicted,
            sm_prediction=1.0,
            experimental=self.measured,
            ratio=abs(diagnostics["pull_to_active_measurement"]),
            budget=self._budget(predicted),
            notes=notes,
            diagnostics=diagnostics,
        )
