"""Convergence of chains: rank-normalised split R-hat, bulk ESS, and named quantiles."""

from typing import Any

import numpy as np
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from scipy.special import ndtri
from scipy.stats import rankdata

QUANTILES = (0.05, 0.16, 0.5, 0.84, 0.95)


def rank_normalise(draws: np.ndarray) -> np.ndarray:
    """Normal scores of the pooled ranks, shape (chain, draw); as in Vehtari et al. 2021."""
    ranks = rankdata(draws, method="average").reshape(draws.shape)
    return ndtri((ranks - 0.375) / (draws.size + 0.25))


def r_hat(draws: np.ndarray) -> float:
    """Rank-normalised split R-hat, the larger of bulk and folded (Vehtari et al. 2021)."""
    folded = np.abs(draws - np.median(draws))
    return float(max(split_gelman_rubin(rank_normalise(draws)), split_gelman_rubin(rank_normalise(folded))))


def bulk_ess(draws: np.ndarray) -> float:
    """Effective sample size of the rank-normalised split chains."""
    half = draws.shape[1] // 2
    split = np.concatenate([draws[:, :half], draws[:, -half:]])
    return float(effective_sample_size(rank_normalise(split)))


def summarise(draws: np.ndarray) -> dict[str, Any]:
    """Mean, sd, quantiles (5, 16, 50, 84, 95 %), R-hat and bulk ESS of one parameter (chain, draw).

    What is the same in every draw, e.g. a shift that a theory does not have, has converged.
    """
    constant = bool((draws == draws.flat[0]).all())
    return {
        "mean": float(draws.mean()),
        "sd": float(draws.std(ddof=1)),
        "quantiles": {f"{100 * q:g}%": float(np.quantile(draws, q)) for q in QUANTILES},
        "r_hat": 1.0 if constant else r_hat(draws),
        "ess_bulk": float(draws.size) if constant else bulk_ess(draws),
    }


def information_gain(prior_quantiles: np.ndarray, ess: float, bins: int = 20) -> dict[str, float]:
    """How much the data changed one parameter: D(posterior || prior) of its marginal, in bits, with its error.

    Kullback-Leibler divergence sum_i p_i log2(p_i bins) over equal-probability bins of the prior; the bias
    (bins - 1)/(2 ESS ln 2) of a finite sample is subtracted (Miller 1955), so that 0 is expected where the data
    say nothing. One bit halves the prior range. The error adds the spread of the logarithm and that of the bias.
    """
    counts, _ = np.histogram(prior_quantiles, bins, (0.0, 1.0))
    p = counts / counts.sum()
    logs = np.log2(np.where(p > 0.0, p, 1.0) * bins)
    bits = float((p * logs).sum())
    nat = np.log(2.0)
    bias = (bins - 1) / (2.0 * ess * nat)
    spread = float((p * logs**2).sum()) - bits**2 - (bins - 1) / (ess * nat**2)  # of the logarithm, without noise
    error = np.sqrt(max(spread, 0.0) / ess + 0.5 * (bins - 1) / (ess * nat) ** 2)
    return {"bits": bits - bias, "error": float(error)}
