"""Points of a scan as a pure function of (seed, global index): any part, in any order, on any machine.

Random points come from a counter-based generator (Philox) set to the row; Sobol points from their linear
structure. In Gray-code order a scrambled Sobol point is an affine function over GF(2) of the bits n_j of its index,

    x_n = x_0 XOR sum_j n_j (x_{2^j} XOR x_0),                                                          (1)

so that log2(N) points of SciPy's sequence give all N of them, at any offset. Grids run through their axes in
row-major order.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import qmc

_BITS = 32  # of a Sobol coordinate; SciPy cannot wind a longer one forward


class Sobol(NamedTuple):
    """Scrambled Sobol points: x_0 and the differences of Eq. (1), as integers of 32 bits."""

    origin: np.ndarray
    differences: np.ndarray

    def __call__(self, start: int, stop: int) -> Float[np.ndarray, "row column"]:
        """Points start..stop-1 of the unit cube."""
        low = max(math.ceil(math.log2(max(stop - start, 2))), 1)
        block = np.zeros((1 << low, self.origin.size), dtype=np.uint32)
        for j, difference in enumerate(self.differences[:low]):  # (1), low bits by doubling
            np.bitwise_xor(block[: 1 << j], difference, out=block[1 << j : 2 << j])
        rows = []
        for number in range(start >> low, ((stop - 1) >> low) + 1):
            shift = self.origin.copy()
            for j in range(low, len(self.differences)):
                if (number << low) >> j & 1:
                    shift ^= self.differences[j]  # (1), high bits
            first, last = max(start - (number << low), 0), min(stop - (number << low), len(block))
            rows.append(block[first:last] ^ shift)
        # the middle of a cell: a coordinate is never 0 or 1
        return (np.concatenate(rows) + 0.5) * 2.0**-_BITS


class Random(NamedTuple):
    """Independent uniform points; row n starts at its own counter of the generator."""

    seed: int
    columns: int

    def __call__(self, start: int, stop: int) -> Float[np.ndarray, "row column"]:
        """Points start..stop-1 of the unit cube."""
        blocks = -(-self.columns // 4)  # Philox makes four numbers a count
        generator = np.random.Philox(key=self.seed)
        generator.advance(start * blocks)
        return np.random.Generator(generator).random((stop - start, 4 * blocks))[:, : self.columns]


class Grid(NamedTuple):
    """Product of axes of values, the last one running fastest."""

    axes: tuple[np.ndarray, ...]

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(len(axis) for axis in self.axes)

    def __call__(self, start: int, stop: int) -> Float[np.ndarray, "row column"]:
        """Points start..stop-1, as values."""
        place = np.unravel_index(np.arange(start, stop), tuple(len(axis) for axis in self.axes))
        return np.stack([axis[i] for axis, i in zip(self.axes, place, strict=True)], axis=1)


def sobol_points(count: int, columns: int, seed: int) -> Sobol:
    """The first `count` points, up to 2^32, of SciPy's scrambled Sobol sequence in `columns` dimensions.

    Costs about count/1e9 s: the sequence is wound to the powers of two once.
    """
    engine = qmc.Sobol(columns, scramble=True, bits=_BITS, rng=np.random.default_rng(seed))
    origin, position, differences = _integers(engine.random(1)), 1, []
    for j in range(max(math.ceil(math.log2(max(count, 2))), 1)):
        engine.fast_forward((1 << j) - position)
        differences.append(_integers(engine.random(1)) ^ origin)
        position = (1 << j) + 1
    return Sobol(origin, np.asarray(differences))


def _integers(points: Float[np.ndarray, "1 column"]) -> np.ndarray:
    return np.rint(points[0] * 2.0**_BITS).astype(np.uint32)
