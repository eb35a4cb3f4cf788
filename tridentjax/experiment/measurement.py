"""What an experiment has measured, how well, and with how much beam: records without behaviour."""

import dataclasses
import math
from typing import Any

import equinox as eqx

from tridentjax.faults import InputError

_TONNES = {"kg": 1e-3, "tonne": 1.0}
_YEARS = {"year": 1.0, "day": 1.0 / 365.25}


class Measurement(eqx.Module):
    """A rate ratio (`normal`, `split_normal`), an upper limit on it (`half_normal`) or a count (`poisson`).

    For a ratio: value and one-sigma errors below and above it. For a limit: the limit and its confidence level.
    For counts: observed events, background and its error, and the signal the Standard Model predicts. What a
    file leaves to the flux is named in `missing` ('value', 'signal_sm') and NaN until `with_signal` fills it in.

    `kind` is 'measurement' or 'projection'; a projection is not data and every output has to say so.
    `includes_theory_error` says whether the quoted errors hold that of the Standard-Model rate already. If not,
    it has to be added once: the theory normalisations act on the predicted rate and not on its reference.
    """

    value: float
    uncertainty_low: float
    uncertainty_high: float
    background: float
    background_uncertainty: float
    signal_sm: float
    observable: str = eqx.field(static=True)
    distribution: str = eqx.field(static=True)
    status: str = eqx.field(static=True)
    unit: str = eqx.field(static=True, default="1")
    kind: str = eqx.field(static=True, default="measurement")
    includes_theory_error: bool = eqx.field(static=True, default=True)
    confidence_level: float = eqx.field(static=True, default=0.0)
    missing: tuple[str, ...] = eqx.field(static=True, default=())

    @property
    def notice(self) -> str:
        """What to call it in an output: 'measurement' or 'projection, not data'."""
        return "projection, not data" if self.kind == "projection" else "measurement"


class Nuisance(eqx.Module):
    """Prior width of a nuisance: of the logarithm of a factor (`log`) or of an additive shift.

    `shared` names the experiments that it moves together: 'own' (none but its own), 'nucleus' (those that have
    a nucleus in common) or 'all'.
    """

    width: float
    log: bool = eqx.field(static=True)
    status: str = eqx.field(static=True)
    shared: str = eqx.field(static=True, default="own")


class Exposure(eqx.Module):
    """Target mass [tonne], protons on target or integrated luminosity [fb^-1], and the years that it takes."""

    target_mass: float
    amount: float
    years: float | None
    amount_unit: str = eqx.field(static=True)
    status: str = eqx.field(static=True)


def with_signal(measurement: Measurement, events: float) -> Measurement:
    """A count completed by the events that the Standard Model predicts.

    Parameters
    ----------
    measurement : any; only what its file leaves open is filled in.
    events : Standard-Model signal after cuts and efficiency, at nominal nuisances.

    Returns
    -------
    `signal_sm` is `events` where it was missing; an Asimov count is background + signal.
    """
    signal = events if "signal_sm" in measurement.missing else measurement.signal_sm
    value = measurement.background + signal if "value" in measurement.missing else measurement.value
    return dataclasses.replace(measurement, value=value, signal_sm=signal, missing=())


def read_measurement(spec: Any) -> Measurement:
    """Record of a checked `measurement` block of an experiment file."""
    if spec.observable == "counts":
        asimov = spec.observed == "asimov"
        flux = spec.signal_sm == "flux"
        record = Measurement(
            math.nan if asimov else float(spec.observed),
            0.0,
            0.0,
            spec.background,
            spec.background_uncertainty,
            math.nan if flux else float(spec.signal_sm),
            spec.observable,
            spec.distribution,
            spec.status,
            spec.unit,
            "projection" if asimov else "measurement",
            spec.includes_theory_error,
            missing=("value",) * asimov + ("signal_sm",) * flux,
        )
        return record if flux else with_signal(record, record.signal_sm)
    limit = spec.observable == "upper_limit"
    low, high = (
        (0.0, 0.0) if limit else (getattr(spec, f"uncertainty_{x}") or spec.uncertainty for x in ("low", "high"))
    )
    return Measurement(
        spec.value,
        low,
        high,
        0.0,
        0.0,
        0.0,
        spec.observable,
        spec.distribution,
        spec.status,
        spec.unit,
        "projection" if spec.projection else "measurement",
        spec.includes_theory_error,
        spec.confidence_level if limit else 0.0,
    )


def read_exposure(spec: Any, flux_units: set[str], place: str) -> Exposure | None:
    """Record of a checked `exposure` block, which must fit the unit of the fluxes.

    Raises
    ------
    InputError : a relative flux, or one per another exposure than the amount.
    """
    if spec is None:
        return None
    wrong = [unit for unit in sorted(flux_units) if not unit.endswith(f"/{spec.amount.unit}")]
    if wrong:
        raise InputError(
            [
                f"{place}: exposure.amount is in {spec.amount.unit}, the flux in {unit}; "
                + (
                    "a relative flux gives no events: leave the exposure out or use an absolute table"
                    if unit == "1/GeV"
                    else "give the amount in the unit of the flux"
                )
                for unit in wrong
            ]
        )
    parts = {"target mass": spec.target_mass, spec.amount.unit: spec.amount, "duration": spec.duration}
    return Exposure(
        spec.target_mass.value * _TONNES[spec.target_mass.unit],
        spec.amount.value,
        None if spec.duration is None else spec.duration.value * _YEARS[spec.duration.unit],
        spec.amount.unit,
        "; ".join(f"{name}: {part.status}" for name, part in parts.items() if part is not None and part.status),
    )
