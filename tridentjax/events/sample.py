"""A sample of events as a record of arrays, and its weights in another theory.

    heavier = reweight(sample, zprime, {"mass": 0.1, "g": 1e-3})

The weights of a sample add up to the cross section per average nucleus, averaged over the flux of all beams
[cm^2]; in an unweighted sample they are equal.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from tridentjax.currents import Channel, quadratic_couplings
from tridentjax.faults import InputError
from tridentjax.process.matrix_element import ALL_STRUCTURES
from tridentjax.theory.theories import TheoryFunction, has_scalars

PARTICLES = ("nu_in", "target", "nu_out", "l_minus", "l_plus", "recoil")


class ComponentSummary(NamedTuple):
    """What one component gave: cross section with standard error [cm^2], events, and accepted share of trials."""

    name: str
    cross_section: float
    error: float
    events: int
    trials: int
    efficiency: float


class EventSample(NamedTuple):
    """Events in the laboratory: target at rest, beam along +z; momenta (E, px, py, pz) [GeV].

    The second axis of `momenta` and of `codes` (PDG) follows `PARTICLES`. `weight` [cm^2] sums to
    `cross_section`. `efficiency` is the accepted share of the trials, for weighted events `effective_share`.
    `structures` (VV, AA, VA; SS, PP if asked for) are relative to the weight: sum_s q_s(K2) structures_s is 1
    for the couplings of the sample's own theory. Q2, K2 in GeV^2; `component` numbers `summaries`.
    """

    momenta: Float[np.ndarray, "event 6 4"]
    codes: Int[np.ndarray, "event 6"]
    E_nu: Float[np.ndarray, " event"]
    Q2: Float[np.ndarray, " event"]
    K2: Float[np.ndarray, " event"]
    weight: Float[np.ndarray, " event"]
    structures: Float[np.ndarray, "event structure"]
    component: Int[np.ndarray, " event"]
    cross_section: float
    error: float
    efficiency: float
    weighted: bool
    seed: int
    channels: tuple[Channel, ...]
    masses: tuple[float, ...]
    summaries: tuple[ComponentSummary, ...]
    metadata: dict[str, Any]


def theory_name(theory: TheoryFunction) -> str:
    """Name of a theory function, for the record."""
    return getattr(theory, "__name__", type(theory).__name__)


def effective_share(weight: Float[np.ndarray, " event"]) -> float:
    """(sum w)^2 / (n sum w^2): the share of unweighted events that would be as precise."""
    return float(weight.sum() ** 2 / (weight.size * (weight**2).sum()))


def reweight(sample: EventSample, theory: TheoryFunction, parameters: dict[str, Any]) -> Float[np.ndarray, " event"]:
    """Weights [cm^2] of the same events in another theory, exact event by event; their sum is its cross section.

    The sample's own theory must not vanish where the new one is large.

    Raises
    ------
    InputError : the theory has scalar couplings and the sample was made without their structures.
    """
    given = {name: jnp.asarray(x, dtype=float) for name, x in parameters.items()}
    scalar = sample.structures.shape[1] == len(ALL_STRUCTURES)
    if not scalar and any(has_scalars(theory, given, channel) for channel in sample.channels):
        raise InputError(
            [
                f"theory {theory_name(theory)} has scalar couplings and this sample no structures SS, PP; make it "
                "with generate_events(..., scalar=True)"
            ]
        )
    weight = sample.weight.copy()
    for name, channel in {channel.name: channel for channel in sample.channels}.items():
        numbers = [number for number, other in enumerate(sample.channels) if other.name == name]
        mine = np.isin(sample.component, numbers)
        couplings = quadratic_couplings(theory(given, channel, jnp.asarray(sample.K2[mine])), scalar)
        weight[mine] *= (sample.structures[mine] * np.asarray(couplings).T).sum(1)
    return weight


def reweighted(sample: EventSample, theory: TheoryFunction, parameters: dict[str, Any]) -> EventSample:
    """The sample with the weights, cross sections and relative structures of another theory.

    Raises
    ------
    InputError : the theory has no rate for these events.
    """
    weight = reweight(sample, theory, parameters)
    if not (np.isfinite(weight).all() and weight.sum() > 0.0):
        raise InputError([f"theory {theory_name(theory)} has no rate for these events; check its couplings"])
    ratio = weight / sample.weight
    summaries = []
    for number, summary in enumerate(sample.summaries):
        mine = sample.component == number
        mean, error = _shifted(summary.cross_section, summary.error, sample.weight[mine], ratio[mine])
        summaries.append(summary._replace(cross_section=mean, error=error))
    sigma, error = _shifted(sample.cross_section, sample.error, sample.weight, ratio)
    previous = {key: sample.metadata[key] for key in ("theory", "parameters")}
    given = {name: np.asarray(x).tolist() for name, x in parameters.items()}
    return sample._replace(
        weight=weight,
        structures=sample.structures / np.where(ratio > 0.0, ratio, 1.0)[:, None],
        cross_section=sigma,
        error=error,
        efficiency=effective_share(weight),
        weighted=True,
        summaries=tuple(summaries),
        metadata=sample.metadata | {"theory": theory_name(theory), "parameters": given, "reweighted_from": previous},
    )


def _shifted(
    sigma: float, error: float, weight: Float[np.ndarray, " event"], ratio: Float[np.ndarray, " event"]
) -> tuple[float, float]:
    """Cross section and error after multiplying weights by ratios, whose scatter adds to the error."""
    new = float((weight * ratio).sum())
    if not new > 0.0:
        return 0.0, 0.0
    scatter = float(np.sqrt(((weight * (ratio - new / weight.sum())) ** 2).sum())) / new
    return new, new * float(np.hypot(error / sigma, scatter))
