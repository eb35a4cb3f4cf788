"""Reach of the DUNE near detector: the accuracy of a measured rate ratio that would exclude a point (m, g').

A projection, not data: the measured value is the Standard Model's, R = 1 (Asimov). With the accuracy delta,

    without nuisances:  delta = |R(m, g') - 1| / z,    z = sqrt2 erfinv(CL), two-sided                       (1)
    with nuisances:     min_nu { (R(m, g', nu) - 1)^2/delta^2 + |nu|^2 } = z^2,                              (2)

nu in units of their prior widths. The left side of (2) falls with delta, so its root lies below (1). As delta -> 0
it tends to the smallest |nu|^2 that undoes the change of the rate,

    nu_0^2 = min { |nu|^2 : R(m, g', nu) = 1 },                                                              (3)

and where that is at most z^2, the theory error alone hides the point: no accuracy is enough. delta is the
experimental error, so the normalisations count beside it (`includes_theory_error` false), whatever the file of the
experiment says about its own error.
"""

import dataclasses
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float
from scipy.stats import norm

from tridentjax._types import Scalar
from tridentjax.experiment.load import load_experiment
from tridentjax.faults import InputError
from tridentjax.inference.build import build_model
from tridentjax.inference.coordinates import Prior
from tridentjax.inference.data import deviances, observed
from tridentjax.inference.model import Model, expand_model
from tridentjax.inference.profile import Profile, profile
from tridentjax.rates.budget import TheoryBudget, theory_budget
from tridentjax.rates.chain import fold, prepare
from tridentjax.rates.exposure import expected_events
from tridentjax.roots import bisect
from tridentjax.theory.binding import Range, bind_theory

LABEL = "projection, not data"
BEAM_MODES = ("dune_fhc", "dune_rhc")
SMALLEST_COUPLING, LARGEST_COUPLING = 1e-7, 10.0
_SMALLEST_SHARE = 1e-3  # of the accuracy without nuisances, where the search for (2) begins
_HALVINGS = 30
_STEPS = 20
_LARGEST_PULL = 8.0
_TOLERANCE = 1e-6


class RequiredAccuracy(NamedTuple):
    """What `required_accuracy` finds at every point.

    `without` is Eq. (1), `with_nuisances` the root of Eq. (2), NaN without one. `theory_alone` is nu_0 of Eq. (3): by
    how many standard deviations the nuisances have to move to undo the change of the rate, at least that where more
    than 8. Points with z or less are hidden. `converged` is whether (2) holds at its root, true for hidden points.
    """

    rate_ratio: Float[Array, " point"]
    without: Float[Array, " point"]
    with_nuisances: Float[Array, " point"]
    theory_alone: Float[Array, " point"]
    converged: Bool[Array, " point"]


class StatisticalAccuracy(NamedTuple):
    """Relative error 1/sqrt(N) of a count without background, and the rates behind it by beam mode."""

    accuracy: float
    events: float
    events_per_tonne_year: dict[str, float]
    budgets: dict[str, TheoryBudget]
    status: dict[str, str]


def two_sided(confidence_level: float) -> float:
    """Standard deviations z of a two-sided confidence level.

    Raises
    ------
    InputError : a level outside (0, 1).
    """
    if not 0.0 < confidence_level < 1.0:
        raise InputError([f"confidence level {confidence_level:g}; allowed: between 0 and 1"])
    return float(norm.isf((1.0 - confidence_level) / 2.0))


def projection_model(experiment: str) -> Model:
    """L_mu - L_tau boson at one experiment that measures R = 1, responses expanded in the nuisances.

    Parameters
    ----------
    experiment : packaged name or file; of a rate ratio. Its value and error are replaced.

    Raises
    ------
    InputError : an experiment that does not exist or measures no rate ratio.
    """
    loaded = load_experiment(experiment)
    measured = loaded.measurement
    if not measured.is_ratio:
        raise InputError([f"{experiment} measures {measured.observable}; needed: an experiment with a rate_ratio"])
    asimov = dataclasses.replace(
        measured,
        value=1.0,
        uncertainty_low=1.0,
        uncertainty_high=1.0,
        distribution="normal",
        kind="projection",
        includes_theory_error=False,
    )
    ranges = {"mass": (1e-3, 1e3), "g": (SMALLEST_COUPLING, LARGEST_COUPLING)}  # only the names matter
    model = build_model(
        experiments=[dataclasses.replace(loaded, measurement=asimov)],
        theory=bind_theory("zprime", {name: Range(*ends) for name, ends in ranges.items()}),
        priors={name: Prior(*ends, "loguniform") for name, ends in ranges.items()},
    )
    return expand_model(model)


def with_accuracy(model: Model, accuracy: Scalar) -> Model:
    """The model of `projection_model` with an error of R, which may be traced."""
    return eqx.tree_at(_errors, model, (jnp.asarray(accuracy), jnp.asarray(accuracy)))


def _errors(model: Model) -> tuple[Any, Any]:
    m = model.chains[0].experiment.measurement
    return m.uncertainty_low, m.uncertainty_high


def required_accuracy(
    model: Model, mass: Float[Array, " point"], g: Float[Array, " point"], confidence_level: float = 0.95
) -> RequiredAccuracy:
    """Accuracy delta of R = 1 +- delta that excludes each point (mass, g), Eqs. (1) and (2).

    Parameters
    ----------
    model : from `projection_model`.
    mass : of the boson [GeV], 1 MeV or more.
    g : L_mu - L_tau coupling, positive.
    confidence_level : two-sided, in (0, 1).

    Returns
    -------
    Relative accuracies; (2) by bisection in ln delta, to rounding. Compiled once for all points. `rate_ratio` and
    `without` are differentiable in mass and g, `with_nuisances` is not.

    Raises
    ------
    InputError : a confidence level outside (0, 1).
    """
    z = two_sided(confidence_level)
    return _required(model, mass, g, jnp.asarray(z))


@eqx.filter_jit
def _required(
    model: Model, mass: Float[Array, " point"], g: Float[Array, " point"], z: Float[Array, ""]
) -> RequiredAccuracy:
    data, responses = observed(model), model.responses({})

    def one(mass: Float[Array, ""], g: Float[Array, ""]) -> RequiredAccuracy:
        values = {"mass": mass, "g": g}
        R = model.rate_ratios(values, responses)[0]
        without = jnp.abs(R - 1.0) / z  # (1)
        safe = jnp.where(without > 0.0, without, 1.0)

        def fit(accuracy: Float[Array, ""]) -> tuple[Float[Array, ""], Profile]:
            own = with_accuracy(model, accuracy)
            found = profile(own, data, own.ratios_at, values)
            return found.deviance - deviances(own, data, jnp.ones(1)).sum(), found  # (2) without its normalisation

        alone = _undone(model, values)
        exists = (alone > z) & (without > 0.0)
        low = jnp.where(exists, _SMALLEST_SHARE * safe, safe)  # fits at a tiny error are slow, and all points wait

        log_root = bisect(lambda u: fit(jnp.exp(u))[0] > z**2, jnp.log(low), jnp.log(safe), _HALVINGS)[1]
        at_root, found = fit(jnp.exp(log_root))
        solved = found.converged & (jnp.abs(at_root - z**2) < _TOLERANCE * z**2)
        root = jnp.where(exists & solved, jnp.exp(log_root), jnp.nan)
        return RequiredAccuracy(R, without, root, alone, solved | ~exists)

    return jax.vmap(one)(mass, g)


def _undone(model: Model, values: dict[str, Float[Array, ""]]) -> Float[Array, ""]:
    """nu_0 of Eq. (3): Newton steps onto ln R = 0, each to the point of the linearised surface nearest to nu = 0."""

    def log_ratio(nu: Float[Array, " nuisance"]) -> Float[Array, ""]:
        return jnp.log(model.ratios_at(values, nu)[0])  # straighter in the nuisances than R

    def step(_: Any, nu: Float[Array, " nuisance"]) -> Float[Array, " nuisance"]:
        value, slope = jax.value_and_grad(log_ratio)(nu)
        square = slope @ slope
        ahead = slope * (slope @ nu - value) / jnp.where(square > 0.0, square, 1.0)
        return jnp.clip(ahead, -_LARGEST_PULL, _LARGEST_PULL)

    nu = jax.lax.fori_loop(0, _STEPS, step, jnp.zeros(len(model.profiled)))
    short = jnp.abs(log_ratio(nu)) > 1e-9  # the surface is out of reach
    square = nu @ nu
    length = jnp.where(square > 0.0, jnp.sqrt(jnp.where(square > 0.0, square, 1.0)), 0.0)
    return jnp.where(short, jnp.maximum(length, _LARGEST_PULL), length)  # (3)


def excluded_coupling(
    model: Model, mass: Float[Array, " mass"], accuracy: float, confidence_level: float = 0.95
) -> Float[Array, " mass"]:
    """Smallest coupling that an accuracy excludes without nuisances: R(m, g') - 1 = z delta.

    R rises with g' (L_mu - L_tau interferes constructively), so there is one root; NaN if it lies above 10. For
    statements with nuisances and for other theories draw a `contour`.

    Raises
    ------
    InputError : a confidence level outside (0, 1), an accuracy that is not positive.
    """
    if not 0.0 < accuracy < math.inf:
        raise InputError([f"accuracy {accuracy:g}; allowed: positive and finite"])
    return _excluded(model, mass, jnp.asarray(1.0 + two_sided(confidence_level) * accuracy))


@eqx.filter_jit
def _excluded(model: Model, mass: Float[Array, " mass"], largest: Float[Array, ""]) -> Float[Array, " mass"]:
    responses = model.responses({})
    at = jax.vmap(lambda m, u: model.rate_ratios({"mass": m, "g": jnp.exp(u)}, responses)[0])
    low, high = (jnp.full_like(mass, math.log(g)) for g in (SMALLEST_COUPLING, LARGEST_COUPLING))
    root = bisect(lambda u: at(mass, u) < largest, low, high, _HALVINGS)[1]
    return jnp.where(at(mass, high) > largest, jnp.exp(root), jnp.nan)


def statistical_accuracy(
    years: float, mass_tonnes: float, efficiency: float, modes: tuple[str, ...] = BEAM_MODES
) -> StatisticalAccuracy:
    """Relative statistical error of the Standard-Model dimuon count of all beam modes together, no background.

    N = efficiency x mass x years x (sum over modes of the events per tonne and year)                        (4)

    Parameters
    ----------
    years : in each beam mode.
    mass_tonnes : fiducial mass of argon [tonne].
    efficiency : of the selection, in (0, 1].
    modes : experiments with an exposure in years.

    Raises
    ------
    InputError : every number outside its range.
    """
    faults = [
        f"{name} = {value:g}; allowed: positive and finite"
        for name, value in (("years", years), ("mass in tonnes", mass_tonnes))
        if not 0.0 < value < math.inf
    ]
    if not 0.0 < efficiency <= 1.0:
        faults.append(f"efficiency = {efficiency:g}; allowed: above 0, up to 1")
    if faults:
        raise InputError(faults)
    per_tonne_year, budgets, status = {}, {}, {}
    for mode in modes:
        experiment = load_experiment(mode)
        chain = prepare(experiment)
        response = fold(chain)
        exposure = experiment.exposure
        if exposure is None or exposure.years is None:
            raise InputError([f"{mode} has no exposure in years; add exposure.duration to its file"])
        events = float(expected_events(response, experiment).sum())
        per_tonne_year[mode] = events / (exposure.target_mass * exposure.years)
        budgets[mode] = theory_budget(chain, response)
        status[mode] = exposure.status
    events = efficiency * mass_tonnes * years * sum(per_tonne_year.values())  # (4)
    return StatisticalAccuracy(1.0 / math.sqrt(events), events, per_tonne_year, budgets, status)
