"""Covariance at the best fit of a model, with the directions that data leave open told apart.

With x = (u, z), u the theory parameters in prior ranges and z the nuisances in prior widths:

    I = (d^2F/dx^2)/2,    S = I_uu - I_uz I_zz^-1 I_zu,    cov(u) = S^-1                            (1)
    cov(z, u) = -I_zz^-1 I_zu S^-1,    cov(z) = I_zz^-1 + I_zz^-1 I_zu S^-1 I_uz I_zz^-1             (2)

carried to physical parameters with dx -> d(value). Trident data often leave directions of theta open: an
eigen-direction of S with a standard deviation above one prior range is flat, and parameters that it moves by more than
a tenth of their error have none. Nor has a parameter on a bound; the others are then those at that bound.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_MOVED = 0.1  # of its error, by a flat direction
_FLAT = 1.0  # standard deviation, in prior ranges


class Direction(NamedTuple):
    """A flat eigen-direction of S: its components in u by parameter, and its standard deviation in prior ranges.

    The standard deviation is inf where F does not rise along the direction at all.
    """

    components: dict[str, float]
    sd: float


class Covariance(NamedTuple):
    """Covariance and correlation of named parameters, NaN where there is none; `reasons` says why, by name."""

    names: tuple[str, ...]
    covariance: Float[np.ndarray, "parameter parameter"]
    correlation: Float[np.ndarray, "parameter parameter"]
    errors: dict[str, float | None]
    reasons: dict[str, str]
    flat: tuple[Direction, ...]


def reduced(information: Float[np.ndarray, "n n"], count: int) -> Float[np.ndarray, "theory theory"]:
    """S of Eq. (1): the information about the first `count` coordinates, the others profiled."""
    cross = information[:count, count:]
    return information[:count, :count] - cross @ np.linalg.solve(information[count:, count:], cross.T)  # (1)


def stiff_directions(S: Float[np.ndarray, "n n"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of S, and which are not flat."""
    eigenvalues, vectors = np.linalg.eigh(S)
    return eigenvalues, vectors, eigenvalues > _FLAT**-2


def make_covariance(
    names: tuple[str, ...],
    theory: int,
    information: Float[np.ndarray, "n n"],
    jacobian: Float[np.ndarray, "n n"],
    at_bound: Mapping[str, str],
) -> Covariance:
    """Covariance of physical parameters.

    Parameters
    ----------
    names : of the coordinates; the first `theory` are parameters of the theory, the others nuisances.
    information : I of Eq. (1).
    jacobian : d(value)/dx.
    at_bound : parameters on a bound and which one; they stay there.
    """
    free = [i for i, name in enumerate(names[:theory]) if name not in at_bound]
    inside = [*free, *range(theory, len(names))]
    own, count = information[np.ix_(inside, inside)], len(free)
    eigenvalues, vectors, stiff = stiff_directions(reduced(own, count))
    inverse = np.linalg.inv(own[count:, count:])
    follow = np.concatenate([np.eye(count), -inverse @ own[count:, :count]])  # nuisances that go with u
    kept = follow @ vectors[:, stiff]
    in_x = (kept / eigenvalues[stiff]) @ kept.T  # (1), (2)
    in_x[count:, count:] += inverse  # (2)
    moved = np.abs(follow @ vectors[:, ~stiff]).max(1, initial=0.0)
    reasons = {name: f"at the {side} end of its prior" for name, side in at_bound.items()}
    undetermined = moved > _MOVED * np.sqrt(np.diag(in_x))
    for position, i in enumerate(inside):
        if undetermined[position]:
            reasons[names[i]] = "a flat direction of the likelihood moves it"
    full = np.full(information.shape, np.nan)
    full[np.ix_(inside, inside)] = in_x
    # a parameter without an error must not make one for those that depend on it: put 0 in, take it out below
    physical = jacobian @ np.nan_to_num(full) @ jacobian.T
    lost = np.asarray([name in reasons for name in names])
    lost |= (np.abs(jacobian[:, lost]) > 0.0).any(1)
    for i in np.flatnonzero(lost):
        reasons.setdefault(names[i], "it depends on a nuisance that a flat direction moves")
    physical[lost], physical[:, lost] = np.nan, np.nan
    sd = np.sqrt(np.diag(physical))
    errors = {name: None if lost[i] else float(sd[i]) for i, name in enumerate(names)}
    flat = tuple(
        Direction(
            {names[i]: float(component) for i, component in zip(free, vectors[:, k], strict=True)},
            float(eigenvalues[k] ** -0.5) if eigenvalues[k] > 0.0 else float("inf"),
        )
        for k in np.flatnonzero(~stiff)
    )
    return Covariance(names, physical, physical / np.outer(sd, sd), errors, reasons, flat)
