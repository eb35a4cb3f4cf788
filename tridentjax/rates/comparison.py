"""Data over theory: every measurement against a prediction, with pulls, p-values and what they add up to.

For a ratio measured as x -sd_low +sd_high and predicted as R,

    pull = (x - R) / sqrt(sd^2 + (R e)^2),    sd = sd_high if R > x else sd_low,    p = 2 Phi(-|pull|)        (1)

with e the relative error of the prediction from its normalisations (`budget.theory_budget`), added only where the
quoted errors do not hold it already. For n counts over a background b_0 +- sd_b and a Standard-Model signal s,

    q(n, b_0) = -2 ln max_b [Pois(n; s R + b) N(b_0; b, sd_b)] / [Pois(n; n) N(b_0; b_0, sd_b)]                    (2)
    p = P(q >= q_obs) for n ~ Pois(s R + b_hat), b_0 ~ N(b_hat, sd_b), b_hat the background that fits best           (3)

summed exactly: q is convex in b_0, so for every n the values with q < q_obs are one interval. The pull of a count is
the normal quantile of (3) with the sign of n - b_0 - s R; the error of the prediction is neglected there.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.stats import chi2, norm, poisson

from tridentjax.experiment.likelihood import normal_log_density, poisson_log_probability, profiled_background
from tridentjax.experiment.measurement import Measurement
from tridentjax.rates.budget import theory_budget
from tridentjax.rates.chain import Chain, fold
from tridentjax.rates.response import rate_ratio
from tridentjax.roots import bisect
from tridentjax.theory.theories import Parameters, TheoryFunction

_HALVINGS = 60
_TAIL = 1e-12  # of the Poisson sum


class Comparison(NamedTuple):
    """One measurement and what a theory predicts for it; ratios to the Standard Model.

    `measured`, `low` and `high` are None for an upper limit, `limit` and `confidence_level` for everything else, and
    so are `pull` and `p_value` for a limit. `theory_error` is one standard deviation of `predicted`;
    `theory_error_counted` says whether it is in pull and p-value: 'in the quoted error', 'in quadrature',
    'neglected'.
    """

    name: str
    title: str
    kind: str
    observable: str
    data_set: str
    measured: float | None
    low: float | None
    high: float | None
    limit: float | None
    confidence_level: float | None
    predicted: float
    theory_error: float | None
    theory_error_counted: str
    pull: float | None
    p_value: float | None


class Combined(NamedTuple):
    """Sum of the squared pulls of independent measurements; `names` are those that count."""

    chi2: float
    degrees_of_freedom: int
    p_value: float
    names: tuple[str, ...]


def compare(chain: Chain, theory: TheoryFunction, parameters: Parameters) -> Comparison:
    """Measurement of an experiment against a theory at nominal nuisances, Eqs. (1) to (3).

    Parameters
    ----------
    chain : from `prepare`, its count completed by `exposure.complete`.
    theory, parameters : the prediction.

    Raises
    ------
    ValueError : the theory has scalar couplings and the chain was prepared without them.
    """
    experiment, response = chain.experiment, fold(chain)
    m = experiment.measurement
    predicted = float(rate_ratio(response, theory, parameters))
    relative = theory_budget(chain, response).theory
    error = None if relative is None else relative * predicted
    if m.is_limit:
        measured = low = high = pull = p = None
        counted = "in the quoted error" if m.includes_theory_error else "neglected"
    else:
        measured, low, high = m.as_ratio()
        counted, pull, p = _pull(m, predicted, error)
    limit, level = (m.value, m.confidence_level) if m.is_limit else (None, None)
    return Comparison(
        name=experiment.name, title=experiment.title, kind=m.kind, observable=m.observable,
        data_set=experiment.data_set, measured=measured, low=low, high=high, limit=limit, confidence_level=level,
        predicted=predicted, theory_error=error, theory_error_counted=counted, pull=pull, p_value=p,
    )  # fmt: skip


def _pull(m: Measurement, predicted: float, error: float | None) -> tuple[str, float, float]:
    """How the error of the prediction counts, the pull and its p-value, Eqs. (1) and (3)."""
    measured, low, high = m.as_ratio()
    if m.is_count:
        p = count_p_value(m, predicted)
        return "neglected", math.copysign(float(norm.isf(p / 2.0)), measured - predicted), p
    sd = high if predicted > measured else low
    if not m.includes_theory_error:
        sd = math.hypot(sd, error or 0.0)
    pull = (measured - predicted) / sd  # (1)
    counted = "in the quoted error" if m.includes_theory_error else "in quadrature"
    return counted, pull, 2.0 * float(norm.sf(abs(pull)))


def combine(rows: Sequence[Comparison]) -> Combined | None:
    """chi2 of all measurements that are data with a pull, the first of each data set; None if there are none.

    Errors that they share (nuclear models, normalisations) are neglected: the quoted errors of the past experiments
    are many times larger.
    """
    own: dict[str, Comparison] = {}
    for row in rows:
        if row.kind == "measurement" and row.pull is not None:
            own.setdefault(row.data_set, row)
    if not own:
        return None
    total = sum(row.pull**2 for row in own.values() if row.pull is not None)
    return Combined(total, len(own), float(chi2.sf(total, len(own))), tuple(row.name for row in own.values()))


def count_p_value(measurement: Measurement, ratio: float) -> float:
    """Two-sided p-value of a count at a predicted rate ratio, Eq. (3), exact but for a tail of 1e-12.

    Without background error it is the sum of the Poisson probabilities of all counts no more likely, relative to
    their own maximum, than the observed one. On the host, not differentiable.
    """
    m, signal = measurement, measurement.signal_sm * ratio
    at_data = jnp.asarray(m.value, dtype=float), jnp.asarray(m.background, dtype=float)
    sd = float(m.background_uncertainty)
    observed = float(_count_deviance(*at_data, signal, sd))
    best = float(profiled_background(at_data[0], signal, at_data[1], sd))
    counts = np.arange(int(poisson.isf(_TAIL, signal + best)) + 2, dtype=float)
    probability = poisson.pmf(counts, signal + best)
    at_least = observed - 1e-9 * max(observed, 1.0)  # counts as likely as the observed one belong to the tail
    if sd == 0.0:
        q = jax.vmap(lambda n: _count_deviance(n, at_data[1], signal, sd))(jnp.asarray(counts))
        return float(min(probability[np.asarray(q) >= at_least].sum(), 1.0))
    low, high = (np.asarray(x) for x in _interval(jnp.asarray(counts), signal, sd, at_least))
    inside = norm.cdf((high - best) / sd) - norm.cdf((low - best) / sd)
    return float(np.clip((probability * (1.0 - inside)).sum(), 0.0, 1.0))


def _count_deviance(n: Float[Array, ""], estimate: Float[Array, ""], signal: float, sd: float) -> Float[Array, ""]:
    """Deviance q of Eq. (2)."""
    background = profiled_background(n, signal, estimate, sd)
    pull = normal_log_density(estimate, background, sd) - normal_log_density(0.0, 0.0, sd) if sd > 0.0 else 0.0
    return -2.0 * (poisson_log_probability(n, signal + background) - poisson_log_probability(n, n) + pull)


def _interval(
    counts: Float[Array, " count"], signal: float, sd: float, level: float
) -> tuple[Float[Array, " count"], Float[Array, " count"]]:
    """Background estimates between which q < level, for every count; q = 0 at n - signal, at most 0 only there."""

    def edges(n: Float[Array, ""]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        # b >= 0: below n = signal q is smallest at b_0 = 0, and may exceed the level there
        middle = jnp.maximum(n - signal, 0.0)
        reach = (jnp.sqrt(level) + 1.0) * (jnp.sqrt(n + signal + 1.0) + sd) * 4.0 + level * 4.0

        def search(side: float) -> Float[Array, ""]:
            within = lambda b: _count_deviance(n, b, signal, sd) < level  # noqa: E731
            return bisect(within, middle, middle + side * reach, _HALVINGS)[0]

        empty = _count_deviance(n, middle, signal, sd) >= level
        return jnp.where(empty, middle, search(-1.0)), jnp.where(empty, middle, search(1.0))

    return jax.jit(jax.vmap(edges))(counts)
