"""Regions of small models at test settings."""

import functools

import jax
import numpy as np
from fixtures_statistics import OFF, statistical_model

from tridentjax.inference.limits.region import ContourSettings, find_region, make_plane


def settings(**changes):
    return ContourSettings(**({"x": "mass", "y": "g", "points": 7, "samples": 24, "refinements": 0} | changes))


@functools.cache
def region(key, interest=1):
    model = statistical_model(nuisances=OFF)
    spec = settings(parameters_of_interest=interest)
    return find_region(model, make_plane(model, spec), key, spec)


def ratios(found):
    """R at the boundary, at both ends of its bracket, for every ray."""
    responses = found.model.responses({})
    at = jax.jit(lambda point: found.model.rate_ratios(point, responses)[0])
    rows = []
    for ray in found.rays:
        for b in ray.boundaries:
            rows.append([float(at(found.point(b, t))) for t in (b.t, b.t_allowed, b.t_excluded)])
    return np.asarray(rows)
