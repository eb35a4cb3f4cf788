"""Rows of a contour: one boundary point each, with its bracket and its statement."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.inference.limits.rays import Plane, tracks
from tridentjax.inference.limits.region import Region


class Row(NamedTuple):
    """One point of a boundary, with a point that is allowed and one that is excluded on its two sides.

    `line` numbers connected pieces; `excluded` says on which side of the ray the region ends ('above' is larger
    y, or farther from the origin of the rays); `status` is 'bracketed', 'toys' (brackets of two standard errors)
    or 'no solution' (the theory ends there).
    """

    statistic: str
    experiments: str
    line: int
    x: float
    y: float
    x_allowed: float
    y_allowed: float
    x_excluded: float
    y_excluded: float
    excluded: str
    status: str
    rate_ratios: tuple[float, ...]


def make_rows(region: Region) -> list[Row]:
    """All boundaries of a region, line by line, with the rate ratios at nominal nuisances."""
    plane, names, key = region.plane, "+".join(region.experiments), region.statement.key
    lines = tracks(region.rays, plane.origin is not None)
    found = [(number, boundary) for number, line in enumerate(lines) for boundary in line]
    if not found:
        return []
    at, allowed, excluded = (
        _points(plane, [boundary.position for _, boundary in found], [getattr(boundary, end) for _, boundary in found])
        for end in ("t", "t_allowed", "t_excluded")
    )
    responses = region.model.responses({})
    ratios = np.asarray(jax.jit(jax.vmap(lambda point: region.model.rate_ratios(point, responses)))(at))
    x_y = np.stack(
        [np.asarray(point[name]) for point in (at, allowed, excluded) for name in (plane.x, plane.y)], axis=1
    )
    rows = []
    for (number, boundary), numbers, R in zip(found, x_y, ratios, strict=True):
        certified = "bracketed" if np.isfinite(boundary.excess_excluded) else "no solution"
        status, side = "toys" if key == "cls_toys" else certified, "above" if boundary.above else "below"
        places = ("x", "y", "x_allowed", "y_allowed", "x_excluded", "y_excluded")
        own = dict(zip(places, map(float, numbers), strict=True))
        rows.append(
            Row(statistic=key, experiments=names, line=number, excluded=side, status=status,
                rate_ratios=tuple(map(float, R)), **own)
        )  # fmt: skip
    return rows


def _points(plane: Plane, position: list[float], t: list[float]) -> dict[str, Float[Array, " boundary"]]:
    """Physical parameters at many places, the fixed ones repeated."""
    points = plane.point(jnp.asarray(position), jnp.asarray(t))
    return {name: jnp.broadcast_to(value, (len(t),)) for name, value in points.items()}


def open_ends(region: Region) -> dict[str, Any]:
    """How many rays are allowed up to their ends, where the region goes on outside the ranges."""
    low, high = (sum(getattr(ray, f"open_{end}") for ray in region.rays) for end in ("low", "high"))
    return {"rays": len(region.rays), "allowed_at_start": low, "allowed_at_end": high}
