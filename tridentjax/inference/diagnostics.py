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
    """Mean, sd, quantiles (5, 16, 50, 84, 95 %), R-hat and bulk ESS of one parameter (chain, draw)."""
    return {
        "mean": float(draws.mean()),
        "sd": float(draws.std(ddof=1)),
        "quantiles": {f"{100 * q:g}%": float(np.quantile(draws, q)) for q in QUANTILES},
        "r_hat": r_hat(draws),
        "ess_bulk": bulk_ess(draws),
    }
