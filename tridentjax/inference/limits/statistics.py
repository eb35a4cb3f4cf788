"""The statistics a contour can be drawn with: what is computed, where the boundary lies, and what to call it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import chi2, norm

from tridentjax.faults import InputError
from tridentjax.inference.data import Data, Point, observed
from tridentjax.inference.grid_posterior import integrate_nuisances, log_marginals, prior_axes
from tridentjax.inference.limits.cls import log_CLs, reference_fit
from tridentjax.inference.limits.rays import Samples
from tridentjax.inference.model import Model
from tridentjax.inference.profile import profile

STATISTICS = {
    "gaussian": "two-sided Gaussian interval of the measured rate ratio, nuisances nominal (as in the literature)",
    "profile": "profile likelihood ratio, nuisances profiled, chi2 asymptotics",
    "cls": "CLs against the Standard Model, ratio of profile likelihoods, asymptotic",
    "cls_toys": "CLs against the Standard Model, ratio of profile likelihoods, toys",
    "bayesian": "highest-density credible region, nuisances integrated out, flat prior",
}


class Statement(NamedTuple):
    """A region {F <= level}: `function` is F at a point, `levels` gives the level of every ray from its samples.

    `text` names statistic and confidence level. `relative` levels lie above the smallest F on the ray, or above
    that at the point `best` (position, t) of the plane.
    """

    key: str
    function: Callable[[Point], Float[Array, ""]]
    levels: Callable[[Samples], np.ndarray]
    text: str
    relative: bool = False
    best: tuple[float, float] | None = None


def constant(level: float) -> Callable[[Samples], np.ndarray]:
    """The same level on every ray."""
    return lambda samples: np.full(samples.positions.size, level)


def gaussian(model: Model, confidence_level: float) -> Statement:
    """|R - R_measured| < z sigma for one experiment: what most of the literature draws.

    sigma is the upper error where R lies above the measurement, the lower one below; counts enter as
    `Measurement.as_ratio`.

    Raises
    ------
    InputError : several experiments, or a published limit (which has no measured value).
    """
    if len(model.chains) != 1:
        raise InputError(["statistic gaussian is that of one experiment; set contour.combine to false"])
    m = model.chains[0].experiment.measurement
    if m.is_limit:
        raise InputError([f"statistic gaussian: {model.experiments[0]} is a published limit; choose profile"])
    value, low, high = m.as_ratio()
    responses = model.responses({})
    z = float(norm.ppf(0.5 + confidence_level / 2.0))

    def function(point: Point) -> Float[Array, ""]:
        R = model.rate_ratios(point, responses)[0]
        return ((R - value) / jnp.where(value < R, high, low)) ** 2

    text = f"{100 * confidence_level:g} % CL, two-sided Gaussian in R: |R - {value:g}| < {z:.5f} sigma"
    return Statement("gaussian", function, constant(z**2), text)


def profile_ratio(model: Model, confidence_level: float, best: tuple[float, float, float] | None = None) -> Statement:
    """-2 Delta ln L below the chi2 quantile of one or two parameters of interest.

    With one, the best fit is that on the same ray (y at fixed x). With two it is that of the whole plane, whose
    position, t and F are `best`.
    """
    data, interest = observed(model), 1 if best is None else 2
    threshold = float(chi2.ppf(confidence_level, interest))

    def levels(samples: Samples) -> np.ndarray:
        lowest = np.nanmin(samples.F, axis=1) if best is None else np.full(samples.positions.size, best[2])
        return lowest + threshold

    text = (
        f"{100 * confidence_level:g} % CL, profile likelihood, {interest} parameter{'s' * (interest > 1)} of interest: "
        f"-2 Delta ln L < {threshold:.3f}"
    )
    where = None if best is None else best[:2]
    return Statement("profile", partial(profiled_deviance, model, data), levels, text, True, where)


def profiled_deviance(model: Model, data: Data, point: Point, search: Model | None = None) -> Float[Array, ""]:
    """F of `profile` at a point, auxiliary term included; the nuisances may be sought with a cheaper model."""
    trident = profile(model, data, model.ratios_at, point, search=(search or model).ratios_at).deviance
    return trident - 2.0 * model.auxiliary_log_likelihood(point)


def CLs(model: Model, confidence_level: float, search: Model | None = None) -> Statement:
    """CLs > 1 - CL with asymptotic distributions; the nuisances may be sought with a cheaper model."""
    if model.auxiliary is not None:
        raise InputError(["statistic cls has no auxiliary terms; choose profile or bayesian, or leave auxiliary out"])
    reference = jax.jit(partial(reference_fit, model, search=search))()

    def function(point: Point) -> Float[Array, ""]:
        return -log_CLs(model, reference, point, search=search)

    text = f"{100 * confidence_level:g} % CL, CLs > {1 - confidence_level:g}, asymptotic"
    return Statement("cls", function, constant(-float(np.log1p(-confidence_level))), text)


def bayesian(
    model: Model, confidence_level: float, names: tuple[str, str], cells: tuple[int, int] = (100, 140), draws: int = 128
) -> Statement:
    """Highest-density region of the posterior in the flat coordinates of two parameters.

    Nuisances are integrated out over a Sobol sample of their priors; the density that bounds the region comes
    from a grid over the whole prior range.

    Raises
    ------
    InputError : a prior that is neither uniform nor loguniform, or other sampled parameters.
    """
    kinds = {name: prior.kind for name, prior in model.priors.items()}
    if set(model.priors) != set(names) or "normal" in kinds.values():
        raise InputError(
            [f"statistic bayesian needs two parameters with uniform or loguniform priors; the config has {kinds}"]
        )
    marginal = integrate_nuisances(model, draws)
    logs = log_marginals(marginal, names, prior_axes(model, names, cells)).ravel()
    ordered = np.sort(logs)[::-1]
    inside = np.cumsum(np.exp(ordered - ordered[0]))
    level = float(np.interp(confidence_level, inside / inside[-1], -2.0 * ordered))

    def function(point: Point) -> Float[Array, ""]:
        return -2.0 * marginal({name: point[name] for name in names})

    flat = {"loguniform": "log", "uniform": ""}
    prior = " and ".join(f"{flat[kind]} {name}".strip() for name, kind in kinds.items())
    text = f"{100 * confidence_level:g} % credible region (highest density), prior flat in {prior} over the range shown"
    return Statement("bayesian", function, constant(level), text)


def describe(statement: Statement) -> dict[str, Any]:
    """Name and definition for files and figures."""
    return {"statistic": statement.key, "definition": STATISTICS[statement.key], "statement": statement.text}
