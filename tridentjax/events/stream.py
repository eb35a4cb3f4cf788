"""Trials of one event component: an adapted grid, stratified cells with their own maxima, accept-reject.

Unweighted events are a Poisson process in luminosity L: a cell of volume V and largest weight M is tried
Poisson(V M L) times and a trial of weight w accepted with probability w/M, so that events come at the rate
w whatever M is. A trial keeps its w/r, r uniform: when M rises, the accepted events with w/r <= M fall out
and Poisson(V (M' - M) L) trials are added, which is exactly the process for the larger M. No event is ever
overweight, and cells, components and batches of any size add up.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from tridentjax.events.energies import sample_energies
from tridentjax.events.importance import ImportanceGrid, map_through, refine, uniform_grid
from tridentjax.events.source import OPEN, EventComponent
from tridentjax.process.cuts import Cuts
from tridentjax.process.matrix_element import ALL_STRUCTURES, STRUCTURES
from tridentjax.process.phase_space import DIMENSION
from tridentjax.process.weighted_points import contract, map_constants, weigh
from tridentjax.quadrature import Rule
from tridentjax.theory.theories import TheoryFunction

BATCH = 2**13
_BINS = 64
_SPLIT = np.array([2, 2, 2, 2, 2, 2, 1, 1])  # cells an axis: energy, then Q2, s_hat, m2_ll, K2, cos, phi, azimuth
_STRIDE = np.concatenate([[1], np.cumprod(_SPLIT)[:-1]])
_CELLS = int(_SPLIT.prod())
_REFINEMENTS, _PILOT_BATCHES = 4, 1
_ENOUGH, MOST_PILOTS = 200, 64  # points with a weight to learn from, and batches to look for them
_POWER, _DAMPING = 4.0, 0.7  # towards a small maximum: power 2 halves the efficiency
_SMALLEST_MAXIMUM = 0.02  # of a cell, relative to the mean weight: every cell is tried now and then
_COUNTS, _PILOT, _TRIALS = range(3)  # independent random streams of a component


class Trials(NamedTuple):
    """Evaluated points: cube coordinates, energy, K2, structures and weight, all per unit cube volume."""

    u: Float[np.ndarray, "point dim"]
    E_nu: Float[np.ndarray, " point"]
    K2: Float[np.ndarray, " point"]
    structures: Float[np.ndarray, "point structure"]
    weight: Float[np.ndarray, " point"]
    ratio: Float[np.ndarray, " point"]
    cell: np.ndarray


class EventStream:
    """Mutable generator of the events of one component; a pure function of the seed and what is asked.

    Weights are in cm^2 per average nucleus, averaged over the flux of all beams: their mean over uniform
    trials is the cross section of the component.
    """

    def __init__(
        self,
        component: EventComponent,
        scale: float,
        seed: int,
        index: int,
        theory: TheoryFunction,
        parameters: dict[str, Any],
        cuts: Cuts,
        scalar: bool = False,
    ) -> None:
        self.component, self.scale = component, scale
        self.theory, self.parameters, self.cuts, self.scalar = theory, parameters, cuts, scalar
        self._seed, self._index, self._batches = seed, index, 0
        self._counts = self._random(_COUNTS)
        self.grid: ImportanceGrid = uniform_grid(DIMENSION + 1, _BINS)
        self.tries = np.zeros(_CELLS)
        self._sum, self._squares = np.zeros(_CELLS), np.zeros(_CELLS)
        self._expected, self._owed = np.zeros(_CELLS), np.zeros(_CELLS, dtype=int)
        self._kept: list[Trials] = []
        self.maxima = np.zeros(_CELLS)
        self._pilot_tries, self._accept = 0, True
        self._adapt()

    def _random(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=(self._index, *key)))

    def _evaluate(self, v: Float[np.ndarray, "point dim"], cell: np.ndarray) -> Trials:
        """Weights of exactly BATCH points, so that one compilation serves all."""
        component, regime = self.component, self.component.regime
        u, volume = map_through(self.grid, v)
        E_nu, flux = sample_energies(component.flux, u[:, 0], component.rough_cross_section())
        open_channel = component.threshold * OPEN < E_nu
        safe = jnp.asarray(np.where(open_channel, E_nu, 2.0 * component.threshold))
        rule = Rule(jnp.asarray(u[:, 1:]), jnp.ones(u.shape[0]))
        points = weigh(component.channel, safe, map_constants(regime), rule, self.cuts, scalar=self.scalar)
        structures, sigma = contract(component.channel, regime, self.theory, self.parameters, points)
        factor = np.where(open_channel, flux * volume * self.scale, 0.0)
        weight = np.maximum(np.asarray(sigma) * factor, 0.0)
        if not np.isfinite(weight).all():
            raise RuntimeError(f"{component.name}: {(~np.isfinite(weight)).sum()} trial weights are not finite")
        return Trials(
            u[:, 1:],
            E_nu,
            np.asarray(points.K2),
            np.asarray(structures).T * factor[:, None],
            weight,
            0.0 * weight,
            cell,
        )

    def _adapt(self) -> None:
        """Learn the grid, then the maxima; they stay zero where no point has a weight."""
        for turn in range(_REFINEMENTS + 1):
            v, weight = self._pilot(turn)
            if not weight.any():
                return
            if turn < _REFINEMENTS:
                self.grid = refine(self.grid, v, weight, _POWER, _DAMPING)
        cell = _cell(v)
        self._record(cell, weight)
        self._pilot_tries = weight.size
        np.maximum.at(self.maxima, cell, weight)
        self.maxima = np.maximum(self.maxima, _SMALLEST_MAXIMUM * weight.mean())

    def _pilot(self, turn: int) -> tuple[Float[np.ndarray, "point dim"], Float[np.ndarray, " point"]]:
        """Uniform points of the present grid, more of them where a selection leaves few with a weight."""
        rng = self._random(_PILOT, turn)
        v: list[np.ndarray] = []
        weight: list[np.ndarray] = []
        found = 0
        while len(v) < _PILOT_BATCHES or (found < _ENOUGH and len(v) < MOST_PILOTS):
            v.append(rng.random((BATCH, DIMENSION + 1)))
            weight.append(self._evaluate(v[-1], _cell(v[-1])).weight)
            found += int((weight[-1] > 0.0).sum())
        return np.concatenate(v), np.concatenate(weight)

    def _record(self, cell: np.ndarray, weight: Float[np.ndarray, " point"]) -> None:
        self.tries += np.bincount(cell, minlength=_CELLS)
        self._sum += np.bincount(cell, weight, minlength=_CELLS)
        self._squares += np.bincount(cell, weight**2, minlength=_CELLS)

    @property
    def cross_section(self) -> tuple[float, float]:
        """Mean weight of the component [cm^2] and its standard error, from all trials on the final grid."""
        tries = np.maximum(self.tries, 1.0)
        mean = self._sum / tries
        variance = np.maximum(self._squares / tries - mean**2, 0.0) / np.maximum(tries - 1.0, 1.0)
        return float(mean.mean()), float(np.sqrt(variance.sum()) / _CELLS)

    @property
    def trials(self) -> int:
        """Points tried after the grid was learnt."""
        return int(self.tries.sum()) - self._pilot_tries

    def unweighted(self, luminosity: float, tick: Callable[[int], None]) -> int:
        """Try until `luminosity` [1/cm^2] is reached in every cell; returns the number of events so far.

        `tick` hears it after every batch, before a risen maximum is applied.
        """
        while True:
            expected = np.maximum(self._expected, self.maxima * luminosity / _CELLS)
            self._owed += self._counts.poisson(expected - self._expected)
            self._expected = expected
            if not self._owed.any():
                return self.events().weight.size
            while self._owed.any():
                self._run(accept=True)
                tick(sum(part.weight.size for part in self._kept))

    def weighted(self, count: int, tick: Callable[[int], None]) -> int:
        """Try `count` points in all, the same number in every cell; returns how many have a weight."""
        already = int(self._expected[0])
        self._owed += max(-(-count // _CELLS) - already, 0)
        self._expected += self._owed
        while self._owed.any():
            self._run(accept=False)
            tick(sum(part.weight.size for part in self._kept))
        return self.events().weight.size

    def _run(self, accept: bool) -> None:
        before = np.cumsum(self._owed) - self._owed
        take = np.clip(BATCH - before, 0, self._owed)
        self._owed -= take
        cell = np.repeat(np.arange(_CELLS), take)
        rng = self._random(_TRIALS, self._batches)
        self._batches += 1
        v, r = rng.random((BATCH, DIMENSION + 1)), 1.0 - rng.random(BATCH)
        padded = np.concatenate([cell, np.zeros(BATCH - cell.size, dtype=int)])
        v = (v + padded[:, None] // _STRIDE % _SPLIT) / _SPLIT
        trials = self._evaluate(v, padded)
        trials = trials._replace(ratio=trials.weight / r)
        trials = Trials(*(x[: cell.size] for x in trials))
        self._record(cell, trials.weight)
        if accept:
            np.maximum.at(self.maxima, cell, trials.weight)
        kept = trials.ratio > (self.maxima[cell] if accept else 0.0)
        self._kept.append(Trials(*(x[kept] for x in trials)))
        self._accept = accept

    def events(self) -> Trials:
        """Accepted trials at the present maxima (all with a weight in weighted mode)."""
        if not self._kept:
            dimension = (0, DIMENSION)
            zero = np.zeros(0)
            structures = np.zeros((0, len(ALL_STRUCTURES if self.scalar else STRUCTURES)))
            return Trials(np.zeros(dimension), zero, zero, structures, zero, zero, np.zeros(0, dtype=int))
        every = Trials(*(np.concatenate(parts) for parts in zip(*self._kept, strict=True)))
        kept = every.ratio > self.maxima[every.cell] if self._accept else every.weight > 0.0
        every = Trials(*(x[kept] for x in every))
        self._kept = [every]
        return every


def _cell(v: Float[np.ndarray, "point dim"]) -> np.ndarray:
    """Number of the cell that holds each point of the uniform cube."""
    return (v * _SPLIT).astype(int) @ _STRIDE
