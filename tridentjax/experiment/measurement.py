"""What an experiment has measured, how well, and with how much beam.

Only here, in the shape of the files and in the likelihood it matters whether a measurement is a ratio, a limit or a
count: everything else asks the record for what it expects, throws, or how far a datum lies from a prediction.
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.faults import InputError

_TONNES = {"kg": 1e-3, "tonne": 1.0}
_YEARS = {"year": 1.0, "day": 1.0 / 365.25}
Numbers = Float[Array, "..."] | float


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

    @property
    def is_ratio(self) -> bool:
        """Whether a rate ratio was measured."""
        return self.observable == "rate_ratio"

    @property
    def is_count(self) -> bool:
        """Whether events are counted."""
        return self.observable == "counts"

    @property
    def is_limit(self) -> bool:
        """Whether only an upper limit was published: no value, and no data that could be thrown."""
        return self.observable == "upper_limit"

    @property
    def uncertain_background(self) -> bool:
        """Whether it is a count over a background that is known with an error only."""
        return self.is_count and self.background_uncertainty > 0.0

    def as_ratio(self) -> tuple[float, float, float]:
        """Measured R with its lower and upper error.

        A count n over b +- sd_b with the Standard-Model signal s is (n - b)/s +- sqrt(n + sd_b^2)/s.
        """
        if not self.is_count:
            return self.value, self.uncertainty_low, self.uncertainty_high
        width = math.sqrt(self.value + self.background_uncertainty**2) / self.signal_sm
        return (self.value - self.background) / self.signal_sm, width, width

    def expected(self, ratio: Numbers, background: Numbers) -> Numbers:
        """Expected datum at a rate ratio: R itself, or the events of signal and background."""
        return self.signal_sm * ratio + background if self.is_count else ratio

    def distance(self, x: Numbers, expected: Numbers) -> Float[Array, "..."]:
        """|x - expected| in units of the error on the side of `expected`; of sqrt(expected) for a count."""
        upper, lower = (expected**0.5,) * 2 if self.is_count else (self.uncertainty_high, self.uncertainty_low)
        return jnp.abs(x - expected) / jnp.where(expected > x, upper, lower)

    def throw(self, ratio: Scalar, background: Scalar, key: Array) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """One toy about a truth: the datum, and the estimate of the background (0 without one)."""
        of_value, of_background = jax.random.split(key)
        if self.is_count:
            count = jax.random.poisson(of_value, self.expected(ratio, background)).astype(float)
            return count, background + self.background_uncertainty * jax.random.normal(of_background)
        error = _two_piece(jax.random.uniform(of_value), self.uncertainty_low, self.uncertainty_high)
        return ratio + error, jnp.zeros(())


def _two_piece(u: Float[Array, ""], low: float, high: float) -> Float[Array, ""]:
    """Measured minus true value at quantile u: the upper error applies when the truth lies above the measurement."""
    below = high / (low + high)
    x = jnp.where(u < below, u / (2.0 * below), 0.5 + (u - below) / (2.0 * (1.0 - below)))
    return jnp.where(u < below, high, low) * ndtri(jnp.clip(x, 1e-300, 1.0 - 1e-16))


class Nuisance(eqx.Module):
    """Prior width of a nuisance: of the logarithm of a factor (`log`) or of an additive shift from `centre`.

    `shared` names the experiments that it moves together: 'own' (none but its own), 'nucleus' (those that have
    a nucleus in common) or 'all'. `part` is what a live nuisance does in a chain ('flux_tilt', 'background', ...).
    """

    width: float
    log: bool = eqx.field(static=True)
    status: str = eqx.field(static=True)
    shared: str = eqx.field(static=True, default="own")
    part: str = eqx.field(static=True, default="")
    centre: float = 0.0

    @property
    def is_background(self) -> bool:
        """Whether it is the background of a counting experiment, which has a best value in closed form."""
        return self.part == "background"


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
    keys = ("observable", "distribution", "status", "unit", "includes_theory_error")
    known = {key: getattr(spec, key) for key in keys}
    if spec.observable == "counts":
        asimov, flux = spec.observed == "asimov", spec.signal_sm == "flux"
        record = Measurement(
            value=math.nan if asimov else float(spec.observed), uncertainty_low=0.0, uncertainty_high=0.0,
            background=spec.background, background_uncertainty=spec.background_uncertainty,
            signal_sm=math.nan if flux else float(spec.signal_sm), kind="projection" if asimov else "measurement",
            missing=("value",) * asimov + ("signal_sm",) * flux, **known,
        )  # fmt: skip
        return record if flux else with_signal(record, record.signal_sm)
    limit = spec.observable == "upper_limit"
    low, high = (
        (0.0, 0.0) if limit else (getattr(spec, f"uncertainty_{x}") or spec.uncertainty for x in ("low", "high"))
    )
    return Measurement(
        value=spec.value, uncertainty_low=low, uncertainty_high=high, background=0.0, background_uncertainty=0.0,
        signal_sm=0.0, kind="projection" if spec.projection else "measurement",
        confidence_level=spec.confidence_level if limit else 0.0, **known,
    )  # fmt: skip


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
