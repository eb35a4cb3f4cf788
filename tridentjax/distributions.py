"""Differential cross sections in one or two observables, histogrammed from weighted events.

    dsigma/dx = sum over events of (weight x couplings(K2) x acceptance) in the bin / bin width

Sixteen independent scrambles of the points give the errors, as in `cross_section`.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.cross_section import ERROR_SCALE, POINTS_PER_CHUNK, REPLICAS, differential_cross_section
from tridentjax.currents import Channel, quadratic_couplings
from tridentjax.cuts import NO_CUTS, Cuts, acceptance
from tridentjax.faults import InputError, unknown
from tridentjax.laboratory import OBSERVABLES, kinematics
from tridentjax.phase_space import DIMENSION, map_unit_cube, threshold_energy
from tridentjax.precision import require_float64
from tridentjax.quadrature import Rule, sobol_rule
from tridentjax.targets import Q2_scale, Regime
from tridentjax.theories import TheoryFunction, sm


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
    E_nu: float,
    edges: dict[str, Sequence[float]],
    *,
    theory: TheoryFunction = sm,
    parameters: dict[str, Any] | None = None,
    cuts: Cuts = NO_CUTS,
    points: int = 2**14,
    seed: int = 0,
) -> Distribution:
    """Differential cross section of a target at one energy.

    Parameters
    ----------
    channel : process.
    regimes : regimes of the target with their number fractions, from `target_regimes`.
    E_nu : laboratory energy [GeV].
    edges : bin edges of one or two observables of `OBSERVABLES`, in their units, increasing.
    theory, parameters : couplings, taken at the K2 of every event.
    cuts : selection; a smooth one weighs events that are then put in the bin of their true observable.
    points : events per scramble and regime; there are sixteen scrambles.

    Returns
    -------
    Distribution; exactly zero below threshold and for a forbidden channel.

    Raises
    ------
    InputError : unknown observables, none or more than two of them, edges that do not increase.
    RuntimeError : 32-bit floats.
    """
    require_float64("differential_distribution")
    _check(edges)
    names = tuple(edges)
    bins = tuple(np.asarray(edges[name], dtype=float) for name in names)
    shape = tuple(b.size + 1 for b in bins)  # one bin below and one above
    given = {name: jnp.asarray(x, dtype=float) for name, x in (parameters or {}).items()}
    sums = np.zeros((REPLICAS, int(np.prod(shape))))
    for number, (fraction, regime) in enumerate(regimes):
        if E_nu <= threshold_energy(channel, regime.mass) * (1.0 + 1e-10) or not channel.outgoing_neutrinos:
            continue
        for replica in range(REPLICAS):
            rule = sobol_rule(points, DIMENSION, (seed * len(regimes) + number) * REPLICAS + replica)
            for start in range(0, points, POINTS_PER_CHUNK):
                part = Rule(
                    rule.nodes[start : start + POINTS_PER_CHUNK], rule.weights[start : start + POINTS_PER_CHUNK]
                )
                weight, values = _events(channel, regime, jnp.asarray(E_nu), part, theory, given, cuts, names)
                index = np.ravel_multi_index(
                    tuple(np.searchsorted(b, np.asarray(x), side="right") for b, x in zip(bins, values, strict=True)),
                    shape,
                )
                sums[replica] += fraction * np.bincount(index, np.asarray(weight), sums.shape[1])
    inner = tuple(slice(1, -1) for _ in bins)
    mean = sums.mean(0).reshape(shape)
    error = (ERROR_SCALE * sums.std(0, ddof=1) / np.sqrt(REPLICAS)).reshape(shape)
    volumes = _volumes(bins)
    return Distribution(
        bins, mean[inner] / volumes, error[inner] / volumes, float(mean.sum() - mean[inner].sum()), names
    )


@eqx.filter_jit
def _events(
    channel: Channel,
    regime: Regime,
    E_nu: Scalar,
    rule: Rule,
    theory: TheoryFunction,
    parameters: dict[str, Any],
    cuts: Cuts,
    names: tuple[str, ...],
) -> tuple[Float[Array, " point"], list[Float[Array, " point"]]]:
    """Weight [cm^2] of every event with couplings and acceptance, and its observables."""
    points = map_unit_cube(channel, E_nu, regime.mass, Q2_scale(regime), regime.largest_Q2, rule)
    structures = differential_cross_section(channel, points, E_nu, regime.mass)[:, : regime.hadronic]
    structures = (structures * regime.structure(points.Q2)[None]).sum(1)
    weight = (structures * quadratic_couplings(theory(parameters, channel, points.K2))).sum(0) * rule.weights
    event = kinematics(channel, points, E_nu, regime.mass)
    if cuts.active:
        weight = weight * acceptance(cuts, event)
    return weight, [OBSERVABLES[name].function(event) for name in names]


def _volumes(edges: tuple[np.ndarray, ...]) -> np.ndarray:
    widths = [np.diff(b) for b in edges]
    return widths[0] if len(widths) == 1 else np.outer(*widths)


def _check(edges: dict[str, Sequence[float]]) -> None:
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
