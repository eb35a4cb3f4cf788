"""Chains against a grid, and chains against chains of other seeds, in units of their Monte-Carlo errors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpyro.diagnostics import effective_sample_size
from scipy.stats import chi2, norm

from tridentjax.inference.diagnostics import QUANTILES, bulk_ess, r_hat, rank_normalise
from tridentjax.inference.grid_posterior import GridPosterior


class Deviation(NamedTuple):
    """Share of draws below a quantile of the grid, with its error, and the pull (share - q)/error."""

    parameter: str
    q: float
    value: float
    share: float
    error: float
    grid_error: float
    pull: float

    @property
    def p_value(self) -> float:
        """Two-sided, of a normal pull."""
        return float(2.0 * norm.sf(abs(self.pull)))


def equal_lengths(runs: Sequence[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """Runs cut to the draws of the shortest: a run goes on until it has converged."""
    shortest = min(values.shape[1] for run in runs for values in run.values())
    return [{name: values[:, :shortest] for name, values in run.items()} for run in runs]


def against_grid(
    parameters: dict[str, np.ndarray],
    grid: GridPosterior,
    coarse: GridPosterior,
    quantiles: Sequence[float] = QUANTILES,
) -> list[Deviation]:
    """Both marginals of a grid against draws (chain, draw).

    The error is sqrt(q (1 - q)/ESS), with the effective sample size of "below the quantile", and in quadrature what
    a `coarse` grid gives differently.
    """
    rows = []
    for axis, name in enumerate(grid.names):
        for q in quantiles:
            value = grid.quantile(axis, q)
            below = (parameters[name] < value).astype(float)
            share, grid_error = float(below.mean()), abs(coarse.below(axis, value) - q)
            mixed = 0.0 < share < 1.0  # chains that are all on one side have no spread to take an ESS from
            ess = float(effective_sample_size(below)) if mixed else float(below.shape[0])
            error = float(np.hypot(np.sqrt(q * (1.0 - q) / ess), grid_error))
            pull = (share - q) / error
            rows.append(
                Deviation(parameter=name, q=q, value=value, share=share, error=error, grid_error=grid_error, pull=pull)
            )
    return rows


class SeedAgreement(NamedTuple):
    """One parameter in runs of several seeds: means of its normal scores, errors, p-value of chi2, R-hat of seeds."""

    means: np.ndarray
    errors: np.ndarray
    p_value: float
    r_hat: float


def across_seeds(runs: Sequence[dict[str, np.ndarray]]) -> dict[str, SeedAgreement]:
    """Runs of one posterior with different seeds, each name -> (chain, draw); by name.

    Normal scores of the pooled ranks have a mean and a spread whatever the tails. chi2 = sum_s ((m_s - m)/e_s)^2
    with e_s = sd/sqrt(ESS) has one degree of freedom less than there are seeds. For R-hat each seed is one chain.
    """
    found = {}
    runs = equal_lengths(runs)
    for name in runs[0]:
        scores = rank_normalise(np.stack([run[name] for run in runs]))
        means = scores.mean((1, 2))
        errors = np.asarray([score.std(ddof=1) / np.sqrt(bulk_ess(score)) for score in scores])
        weights = errors**-2
        distance = ((means - (weights * means).sum() / weights.sum()) ** 2 * weights).sum()
        p_value = float(chi2.sf(distance, len(runs) - 1))
        found[name] = SeedAgreement(means, errors, p_value, r_hat(scores.reshape(len(runs), -1)))
    return found
