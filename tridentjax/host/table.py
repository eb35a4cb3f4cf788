"""Rate ratios for scans of 1e8 rows with few distinct values, and for grids given by their axes.

Of a lepton grid's parameters the trident rate sees Lambda_IR, c_L and c_E2 only, and each takes few values. Rows are
read in pieces; each distinct triple is computed once and copied to its rows. Imports no JAX.
"""

import math
from typing import Any

import numpy as np

from tridentjax.faults import InputError
from tridentjax.host.ratio import trident_ratio

_ROWS = 1 << 19  # rows of one piece: tens of MB of temporaries
_LARGEST_TABLE = 1 << 22  # distinct triples kept between pieces
_COLUMNS = ("Lambda_IR", "c_L", "c_E2")


def trident_ratio_grid(Lambda_IR: Any, c_L: Any, c_E2: Any, *, experiment: str = "ccfr", **settings: Any) -> np.ndarray:
    """R on the product of three axes, shape (Lambda_IR, c_L, c_E2).

    Parameters
    ----------
    Lambda_IR : IR scale [GeV], one-dimensional like the others.
    c_L : bulk mass of all doublets.
    c_E2 : bulk mass of the muon singlet.
    experiment : packaged experiment with a folded response.
    settings : anything else that `trident_ratio` takes, one value for the whole grid.

    Raises
    ------
    InputError, RuntimeError : as `trident_ratio`.
    """
    axes = dict(zip(_COLUMNS, np.ix_(*(np.atleast_1d(x) for x in (Lambda_IR, c_L, c_E2))), strict=True))
    return trident_ratio({**settings, **axes}, experiment)


def trident_ratio_table(
    Lambda_IR: Any, c_L: Any, c_E2: Any, *, experiment: str = "ccfr", out: np.ndarray | None = None, **settings: Any
) -> np.ndarray:
    """R for the rows of a scan, each distinct (Lambda_IR, c_L, c_E2) computed once.

    Parameters
    ----------
    Lambda_IR, c_L, c_E2 : columns of one length, as in `trident_ratio_grid`: real arrays or memory maps, rows in any
        order. A float32 column means its float32 numbers.
    experiment : packaged experiment with a folded response.
    out : where to write, e.g. a memory map; any float type. Default: a new float64 array.
    settings : anything else that `trident_ratio` takes, one value for all rows.

    Returns
    -------
    `out`; NaN for rows outside the domain. Memory beside input and output is constant: distinct values are collected
    piece by piece, and where they are too many to tabulate each piece is reduced to its own distinct triples.

    Raises
    ------
    InputError : columns that are not real, one-dimensional and of one length, or an `out` that does not fit; else as
        `trident_ratio`.
    RuntimeError : as `trident_ratio`.
    """
    columns = [np.asarray(x) for x in (Lambda_IR, c_L, c_E2)]
    count = columns[0].size
    faults = [
        f"{name}: shape {x.shape}, type {x.dtype}; allowed: one-dimensional, {count} real numbers like Lambda_IR"
        for name, x in zip(_COLUMNS, columns, strict=True)
        if x.shape != (count,) or x.dtype.kind not in "fiu"
    ]
    if out is not None and (out.shape != (count,) or out.dtype.kind != "f"):
        faults.append(f"out: shape {out.shape}, type {out.dtype}; allowed: ({count},), a float type")
    if faults:
        raise InputError(faults)
    ratio = np.empty(count) if out is None else out
    table = _Table(experiment, settings)
    for start in range(0, count, _ROWS):
        rows = slice(start, start + _ROWS)
        ratio[rows] = table.look_up([np.asarray(x[rows]) for x in columns])
    return ratio


class _Table:
    """Distinct values met so far along each column, and R of the triples that have been asked for."""

    def __init__(self, experiment: str, settings: dict[str, Any]) -> None:
        self.experiment, self.settings = experiment, settings
        self.axes = [np.empty(0)] * 3
        self.ratio: np.ndarray = np.empty((0, 0, 0))
        self.known: np.ndarray = np.zeros((0, 0, 0), dtype=bool)

    def look_up(self, columns: list[np.ndarray]) -> np.ndarray:
        """R of every row of a piece."""
        before = list(self.axes)
        codes = [self._codes(axis, column) for axis, column in enumerate(columns)]
        if math.prod(axis.size for axis in self.axes) > _LARGEST_TABLE:
            self.axes = before  # a continuous scan: nothing to remember
            return self._distinct_triples(columns)
        self._grow(before)
        index = (codes[0] * self.axes[1].size + codes[1]) * self.axes[2].size + codes[2]
        wanted = np.zeros(self.known.size, dtype=bool)
        wanted[index] = True
        new = np.flatnonzero(wanted & ~self.known.ravel())
        if new.size:
            values = np.unravel_index(new, self.known.shape)
            self.ratio.flat[new] = self._evaluate([axis[i] for axis, i in zip(self.axes, values, strict=True)])
            self.known.flat[new] = True
        return self.ratio.ravel()[index]

    def _codes(self, number: int, column: np.ndarray) -> np.ndarray:
        """Position of each row's value on its axis, which grows by the values not met before; NaN is one value."""
        axis = self.axes[number].astype(column.dtype)
        codes = np.searchsorted(axis, column)
        if axis.size:
            strange = axis[np.minimum(codes, axis.size - 1)] != column
            strange &= ~((column != column) & bool(np.isnan(axis[-1])))  # noqa: PLR0124 - NaN
            unseen = np.unique(column[strange])
        else:
            unseen = np.unique(column)
        if not unseen.size:
            return codes
        self.axes[number] = np.union1d(axis, unseen).astype(float)
        return np.searchsorted(self.axes[number].astype(column.dtype), column)

    def _grow(self, before: list[np.ndarray]) -> None:
        """Room for the new values between the old ones."""
        shape = tuple(axis.size for axis in self.axes)
        if shape != self.known.shape:
            ratio, known = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
            old = np.ix_(*(np.searchsorted(axis, own) for axis, own in zip(self.axes, before, strict=True)))
            ratio[old], known[old] = self.ratio, self.known
            self.ratio, self.known = ratio, known

    def _distinct_triples(self, columns: list[np.ndarray]) -> np.ndarray:
        triples, index = np.unique(np.stack([x.astype(float) for x in columns]), axis=1, return_inverse=True)
        return self._evaluate(list(triples))[index.ravel()]

    def _evaluate(self, triples: list[np.ndarray]) -> np.ndarray:
        return trident_ratio({**self.settings, **dict(zip(_COLUMNS, triples, strict=True))}, self.experiment)
