"""Two tests that N ranks are uniform on 0, 1, ..., L; nothing is simulated.

The histogram in B equal bins is compared with N/B by chi2. The empirical distribution function is compared with
its own expectation at z_i = i/(L + 1), i = 1 ... L. There N F(z_i) = #(rank < i) is binomial (N, z_i), with the
two-sided tail

    t_i(k) = 2 min(P(K <= k), P(K >= k)),                                                                (1)

and the simultaneous band of level 1 - alpha holds the k with t_i(k) >= gamma, where gamma is chosen such that a
uniform sample stays in the band at all z_i at once with probability 1 - alpha (Säilynoja, Bürkner, Vehtari,
Stat. Comput. 32 (2022) 32, arXiv:2103.10522, section 2). Their recursion over z_i is done here for independent Poisson
bins, conditioned on the total N, which is the same multinomial.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import binom, chi2, poisson


class Band(NamedTuple):
    """Simultaneous band of #(rank < i), i = 1 ... L: lowest and highest count that belong to it."""

    z: np.ndarray
    low: np.ndarray
    high: np.ndarray


def chi2_p_value(ranks: np.ndarray, draws: int, bins: int) -> float:
    """P-value of the histogram of ranks 0 ... `draws` in `bins` equal bins, chi2 with bins - 1 degrees of freedom.

    Raises
    ------
    ValueError : draws + 1 is no multiple of bins; the bins would not be equally likely.
    """
    if (draws + 1) % bins:
        raise ValueError(f"{draws + 1} ranks do not fill {bins} equal bins; take a divisor of {draws + 1}")
    counts, expected = histogram(ranks, draws, bins), ranks.size / bins
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), bins - 1))


def histogram(ranks: np.ndarray, draws: int, bins: int) -> np.ndarray:
    """Counts of the ranks in equal bins."""
    return np.bincount(ranks * bins // (draws + 1), minlength=bins)


def counts_below(ranks: np.ndarray, draws: int) -> np.ndarray:
    """#(rank < i) for i = 1 ... L."""
    return np.cumsum(np.bincount(ranks, minlength=draws + 1))[:-1]


def ecdf_p_value(ranks: np.ndarray, draws: int) -> float:
    """Probability that a uniform sample leaves its expectation somewhere as far as these ranks do, by Eq. (1)."""
    tails = _tails(ranks.size, draws)
    smallest = tails[np.arange(draws), counts_below(ranks, draws)].min()
    return float(np.clip(1.0 - _stay(tails > smallest * (1.0 + 1e-9)), 0.0, 1.0))


def ecdf_band(count: int, draws: int, level: float = 0.95) -> Band:
    """Narrowest band of Eq. (1) that a uniform sample of `count` ranks stays in with at least probability `level`."""
    tails = _tails(count, draws)
    low, high = np.log(1e-12), 0.0
    for _ in range(40):  # bisection on log gamma; the coverage falls with gamma
        middle = (low + high) / 2.0
        low, high = (middle, high) if _stay(tails >= np.exp(middle)) >= level else (low, middle)
    inside = tails >= np.exp(low)
    z = np.arange(1, draws + 1) / (draws + 1)
    return Band(z, inside.argmax(1), count - inside[:, ::-1].argmax(1))


def _tails(count: int, draws: int) -> np.ndarray:
    """Two-sided tail of every count at every z_i, shape (L, N + 1)."""
    z = (np.arange(1, draws + 1) / (draws + 1))[:, None]
    k = np.arange(count + 1)[None]
    return 2.0 * np.minimum(binom.cdf(k, count, z), binom.sf(k - 1, count, z))  # (1)


def _stay(inside: np.ndarray) -> float:
    """Probability that the counts of a uniform sample are `inside` (L, N + 1) at every z_i."""
    draws, size = inside.shape
    step = poisson.pmf(np.arange(size), (size - 1) / (draws + 1))
    state = step * inside[0]
    for allowed in inside[1:]:
        state = np.convolve(state, step)[:size] * allowed
    return float((state @ step[::-1]) / poisson.pmf(size - 1, size - 1))
