"""Differential cross sections in one or two observables, histogrammed from weighted events.

    dsigma/dx = sum over events of (weight x couplings(K2) x acceptance) in the bin / bin width

Sixteen independent scrambles of the points give the errors, as in `cross_section`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.currents import Channel
from tridentjax.experiment.flux import Flux
from tridentjax.faults import InputError, unknown
from tridentjax.nucleus.regimes import Regime
from tridentjax.precision import require_float64
from tridentjax.process.cuts import NO_CUTS, Cuts
from tridentjax.process.laboratory import OBSERVABLES
from tridentjax.process.phase_space import DIMENSION, threshold_energy
from tridentjax.process.weighted_points import ERROR_SCALE, POINTS_PER_CHUNK, REPLICAS, contract, map_constants, weigh
from tridentjax.quadrature import Rule, sobol_rule
from tridentjax.theory.theories import TheoryFunction, has_scalars, is_open, sm

Edges = Mapping[str, Sequence[float] | np.ndarray]


class Distribution(eqx.Module):
    """Differential cross section per bin [cm^2 per unit of each observable] with standard errors.

    `value` and `error` have one axis an observable; `outside` [cm^2] lies beyond the edges. Sums over bins
    times widths plus `outside` give the cross section that passes the cuts.
    """

    edges: tuple[np.ndarray, ...]
    value: np.ndarray
    error: np.ndarray
    outside: float
    observables: tuple[str, ...] = eqx.field(static=True)

    @property
    def total(self) -> float:
        """Cross section [cm^2] in all bins and outside of them."""
        return float((self.value * _volumes(self.edges)).sum() + self.outside)


def differential_distribution(
    channel: Channel,
    regimes: Sequence[tuple[float, Regime]],
    E_nu: float | Flux,
    edges: Edges,
    *,
    theory: TheoryFunction = sm,
    parameters: dict[str, Any] | None = None,
    cuts: Cuts = NO_CUTS,
    points: int = 2**14,
    seed: int = 0,
) -> Distribution:
    """Differential cross section of a target at one energy, or averaged over a flux.

    Parameters
    ----------
    channel : process.
    regimes : regimes of the target with their number fractions, from `target_regimes`.
    E_nu : laboratory energy [GeV], or a flux, over whose neutrinos the cross section is averaged.
    edges : bin edges of one or two observables of `OBSERVABLES`, in their units, increasing.
    theory, parameters : couplings, taken at the K2 of every event.
    cuts : selection; a smooth one weighs events that are then put in the bin of their true observable.
    points : events per scramble and regime; there are sixteen scrambles.

    Returns
    -------
    Distribution; exactly zero below threshold and for a forbidden channel.

    Raises
    ------
    InputError : unknown observables, none or more than two of them, edges that do not increase; cuts that no
        event passes.
    RuntimeError : 32-bit floats.
    """
    require_float64("differential_distribution")
    _check(edges)
    names = tuple(edges)
    bins = tuple(np.asarray(edges[name], dtype=float) for name in names)
    shape = tuple(b.size + 1 for b in bins)  # one bin below and one above
    given = {name: jnp.asarray(x, dtype=float) for name, x in (parameters or {}).items()}
    happens, scalar = False, has_scalars(theory, given, channel)
    sums = np.zeros((REPLICAS, int(np.prod(shape))))
    for number, (fraction, regime) in enumerate(regimes):
        energies, shares = _energies(E_nu, threshold_energy(channel, regime.mass))
        if not energies.size or not is_open(theory, given, channel):
            continue
        happens, constants = True, map_constants(regime)
        for replica in range(REPLICAS):
            rule = sobol_rule(points, DIMENSION + 1, (seed * len(regimes) + number) * REPLICAS + replica)
            energy, factor = _draw(energies, shares, np.asarray(rule.nodes[:, -1]))
            for start in range(0, points, POINTS_PER_CHUNK):
                chunk = slice(start, start + POINTS_PER_CHUNK)
                part = Rule(rule.nodes[chunk], rule.weights[chunk] * factor[chunk])
                events = weigh(channel, energy[chunk], constants, part, cuts, names, scalar)
                _, weight = contract(channel, regime, theory, given, events)
                index = np.ravel_multi_index(
                    tuple(
                        np.searchsorted(b, np.asarray(x), side="right")
                        for b, x in zip(bins, events.values, strict=True)
                    ),
                    shape,
                )
                sums[replica] += fraction * np.bincount(index, np.asarray(weight), sums.shape[1])
    if happens and cuts.active and not sums.any():
        raise InputError([f"{channel.name}: no event passes the cuts; open the windows"])
    inner = tuple(slice(1, -1) for _ in bins)
    mean = sums.mean(0).reshape(shape)
    error = (ERROR_SCALE * sums.std(0, ddof=1) / np.sqrt(REPLICAS)).reshape(shape)
    volumes = _volumes(bins)
    return Distribution(
        bins, mean[inner] / volumes, error[inner] / volumes, float(mean.sum() - mean[inner].sum()), names
    )


def _energies(E_nu: float | Flux, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Energies [GeV] above threshold and the share of the neutrinos that each stands for."""
    energy = np.asarray(E_nu.energy if isinstance(E_nu, Flux) else [E_nu], dtype=float)
    share = np.asarray(E_nu.weight / E_nu.weight.sum() if isinstance(E_nu, Flux) else [1.0])
    above = energy > threshold * (1.0 + 1e-10)
    return energy[above], share[above]


def _draw(
    energies: np.ndarray, shares: np.ndarray, u: np.ndarray
) -> tuple[Float[Array, " point"], Float[Array, " point"]]:
    """Energies drawn with probability share x E^1.5, roughly the rate, and the weights that make up for it."""
    probability = shares * energies**1.5
    probability = probability / probability.sum()
    index = np.minimum(np.searchsorted(np.cumsum(probability), u), energies.size - 1)
    return jnp.asarray(energies[index]), jnp.asarray(shares[index] / probability[index])


def _volumes(edges: tuple[np.ndarray, ...]) -> np.ndarray:
    widths = [np.diff(b) for b in edges]
    return widths[0] if len(widths) == 1 else np.outer(*widths)


def _check(edges: Edges) -> None:
    faults = []
    if len(edges) not in (1, 2):
        faults.append(f"{len(edges)} observables ({', '.join(edges) or 'none'}); allowed: one or two")
    for name, values in edges.items():
        if name not in OBSERVABLES:
            faults.append(unknown("observable", name, OBSERVABLES))
        array = np.asarray(values, dtype=float)
        if array.size < 2 or not np.isfinite(array).all() or (np.diff(array) <= 0.0).any():
            faults.append(f"edges of {name}: {list(values)[:5]}...; allowed: at least two finite, increasing numbers")
    if faults:
        raise InputError(faults)
