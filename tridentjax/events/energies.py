"""Continuous neutrino energies drawn from the spectrum of a flux table."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from tridentjax.experiment.flux import Flux
from tridentjax.quadrature import gauss_legendre

_CELLS = 12  # pieces of an interval in which energies are drawn uniformly


def sample_energies(
    flux: Flux, u: Float[np.ndarray, " point"], shape: Callable[[np.ndarray], np.ndarray]
) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"]]:
    """Energies [GeV] of a continuous spectrum and their weights, from numbers u in [0, 1).

    The density inside an interval is the polynomial through its nodes, so that averages over uniform u,
    <weight f(E)> = int flux(E) f(E) dE, are those of the quadrature. A flux without intervals gives its nodes.

    Parameters
    ----------
    flux : from `load_flux`, or a set of lines.
    u : position in the spectrum; E increases with it.
    shape : a rough f(E), in whose proportion energies are drawn; where it is zero at an energy and at all
        above it in the same twelfth of an interval, no energy is drawn.

    Raises
    ------
    ValueError : `shape` vanishes on the whole spectrum.
    """
    nodes, weights = np.asarray(flux.energy), np.asarray(flux.weight)
    if flux.intervals is None:
        cells = [weights * shape(nodes)]
    else:
        count = nodes.size // flux.intervals.shape[0]
        gauss, gauss_weight = gauss_legendre(count)
        low, high = np.asarray(flux.intervals).T
        if flux.logarithmic:
            low, high = np.log(low), np.log(high)
        # a polynomial of t in [0, 1] whose integral over an interval is the integral of the flux
        polynomial = weights.reshape(-1, count) / gauss_weight @ np.linalg.inv(np.vander(gauss, count)).T

        def energy_at(x: np.ndarray) -> np.ndarray:
            return np.exp(x) if flux.logarithmic else x

        edges = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, _CELLS + 1)
        middle = (np.arange(_CELLS) + 0.5) / _CELLS
        rough = np.maximum(shape(energy_at((edges[:, 1:] + edges[:, :-1]) / 2.0)), 0.3 * shape(energy_at(edges[:, 1:])))
        cells = np.maximum(polynomial @ np.vander(middle, count).T, 0.0) / _CELLS * rough
    probability = np.ravel(cells)
    if not probability.sum() > 0.0:
        raise ValueError(f"sample_energies: flux {flux.name} of {flux.species}: the shape is zero at all energies")
    upper = np.cumsum(probability) / probability.sum()
    cell = np.minimum(np.searchsorted(upper, u, side="right"), np.flatnonzero(probability)[-1])
    probability = probability / probability.sum()
    if flux.intervals is None:
        return nodes[cell], weights[cell] / probability[cell]
    inside = np.clip((u - (upper - probability)[cell]) / probability[cell], 0.0, 1.0)
    interval, t = cell // _CELLS, (cell % _CELLS + inside) / _CELLS
    density = (np.vander(t, count) * polynomial[interval]).sum(1)
    E_nu = energy_at(low[interval] + (high - low)[interval] * t)
    return E_nu, density / (_CELLS * probability[cell])
