"""Selection cuts as weights: hard windows, or windows smeared by a Gaussian resolution.

A cut never moves an integration node; it multiplies the weight of a point by

    hard:    1 for low <= x <= high, else 0
    smooth:  Phi((high - x)/w) - Phi((low - x)/w),   w^2 = resolution^2 + (relative_resolution x)^2   (1)

Phi is the normal distribution: (1) is the probability that the measured x lies in the window. A smooth cut
is differentiable in its thresholds, a hard one has no useful gradient.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.faults import InputError, unknown
from tridentjax.process.laboratory import OBSERVABLES, Kinematics

# to the unit of the observable; an angle may be given in degrees or milliradians
UNITS = {"GeV": 1.0, "MeV": 1e-3, "GeV^2": 1.0, "rad": 1.0, "mrad": 1e-3, "deg": 0.017453292519943295}
_KIND = {"GeV": "energy", "MeV": "energy", "GeV^2": "energy^2", "rad": "angle", "mrad": "angle", "deg": "angle"}
_LARGEST_ANGLE = 3.141592653589793


class Cut(eqx.Module):
    """Window of one observable in its own unit (GeV, GeV^2 or rad); an open side is -inf or inf."""

    low: Scalar
    high: Scalar
    resolution: Scalar
    relative_resolution: Scalar
    observable: str = eqx.field(static=True)
    smooth: bool = eqx.field(static=True)


class Cuts(eqx.Module):
    """Cuts that an event must all pass, and an overall efficiency."""

    cuts: tuple[Cut, ...] = ()
    efficiency: Scalar = 1.0

    @property
    def active(self) -> bool:
        """Whether anything is selected at all."""
        return bool(self.cuts) or not isinstance(self.efficiency, float) or self.efficiency != 1.0


NO_CUTS = Cuts()


class CutRequest(NamedTuple):
    """A cut as a user writes it, with its unit; a side that is None is open."""

    observable: str
    unit: str
    min: float | None = None
    max: float | None = None
    resolution: float = 0.0
    relative_resolution: float = 0.0


def make_cuts(requests: list[CutRequest], efficiency: float = 1.0, place: str = "cut") -> Cuts:
    """Cuts from user input.

    Raises
    ------
    InputError : every fault at once: unknown observable or unit, a unit of another kind, an empty or
        unphysical window (negative energy, angle beyond pi, no side at all), negative resolutions, an
        efficiency outside (0, 1].
    """
    faults = [] if 0.0 < efficiency <= 1.0 else [f"{place}: efficiency = {efficiency}; allowed: above 0, up to 1"]
    cuts = []
    for request in requests:
        here = f"{place} {request.observable}"
        if request.observable not in OBSERVABLES:
            faults.append(unknown("observable", request.observable, OBSERVABLES, place))
            continue
        own = OBSERVABLES[request.observable].unit
        if _KIND.get(request.unit) != _KIND[own]:
            allowed = ", ".join(unit for unit, kind in _KIND.items() if kind == _KIND[own])
            faults.append(f"{here}: unit {request.unit!r}; allowed: {allowed}")
            continue
        scale = UNITS[request.unit]
        low = -jnp.inf if request.min is None else request.min * scale
        high = jnp.inf if request.max is None else request.max * scale
        faults += _window_faults(here, request, low, high, own == "rad")
        widths = (request.resolution * scale, request.relative_resolution)
        # arrays: a new value needs no new compilation
        a, b, width, relative = (jnp.asarray(x, dtype=float) for x in (low, high, *widths))
        cuts.append(Cut(a, b, width, relative, request.observable, bool(max(widths) > 0.0)))
    if faults:
        raise InputError(faults)
    return Cuts(tuple(cuts), efficiency)


def _window_faults(here: str, request: CutRequest, low: float, high: float, angle: bool) -> list[str]:
    window = f"[{request.min}, {request.max}] {request.unit}"
    numbers = (request.min, request.max, request.resolution, request.relative_resolution)
    if any(value is not None and not jnp.isfinite(value) for value in numbers):
        return [f"{here}: {window} with a number that is not finite; leave an open side out"]
    faults = []
    if request.min is None and request.max is None:
        faults.append(f"{here}: neither min nor max; give at least one")
    elif not low < high:
        faults.append(f"{here}: window {window} is empty; min must be below max")
    if high <= 0.0 or (request.min is not None and low < 0.0):
        faults.append(f"{here}: window {window}; no such event: allowed from 0 upwards")
    if angle and low >= _LARGEST_ANGLE:
        faults.append(f"{here}: window {window}; angles end at pi")
    if min(request.resolution, request.relative_resolution) < 0.0:
        faults.append(f"{here}: resolution must not be negative; 0 or absent is a hard cut")
    return faults


def acceptance(cuts: Cuts, event: Kinematics) -> Float[Array, " point"]:
    """Probability in [0, 1] that each event is selected; differentiable in smooth thresholds and efficiency."""
    result = jnp.full_like(event.Q2, 1.0) * cuts.efficiency
    for cut in cuts.cuts:
        x = OBSERVABLES[cut.observable].function(event)
        if cut.smooth:
            width = jnp.sqrt(cut.resolution**2 + (cut.relative_resolution * x) ** 2)
            result = result * (ndtr((cut.high - x) / width) - ndtr((cut.low - x) / width))  # (1)
        else:
            result = jnp.where((x >= cut.low) & (x <= cut.high), result, 0.0)
    return result
