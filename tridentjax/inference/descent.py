"""Local minima of a function of bounded coordinates: L-BFGS from many starts at once.

Coordinates u in [0, 1] are searched through an angle,

    u = sin(x)^2,                                                                                  (1)

so that a minimum at a bound is an ordinary one in x; others are searched as they are. A pass of the loop costs one
value and gradient: a step that does not lower the function, or leads where it is not a number, is shortened. Gradients
are reported in u.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

_LBFGS = optax.scale_by_lbfgs(memory_size=10)
_LONGEST = 0.7  # step of any coordinate
_FIRST = 0.2
_SHORTEST = 1e-10
_SHRINK = 0.3
_SUFFICIENT = 1e-4  # Armijo
_NEAR = 1e-6  # of a bound: the parameter is put on it if the function falls towards it


class Endpoints(NamedTuple):
    """Where every start of a search ended. A start where the function is not a number has the value inf."""

    u: Float[Array, "start coordinate"]
    value: Float[Array, " start"]
    gradient: Float[Array, "start coordinate"]
    converged: Bool[Array, " start"]
    evaluations: Int[Array, " start"]


@eqx.filter_jit
def minimise(
    function: Callable[[Float[Array, " coordinate"]], Float[Array, ""]],
    starts: Float[Array, "start coordinate"],
    bounded: tuple[bool, ...],
    free: Bool[Array, "start coordinate"] | None = None,
    tolerance: float = 1e-6,
    evaluations: int = 400,
    batch_size: int | None = None,
) -> Endpoints:
    """Minimise a function of u from every start.

    Parameters
    ----------
    function : of u; a pytree (an `eqx.Module` with `__call__`) or a plain function.
    starts : first u.
    bounded : which coordinates stay in [0, 1].
    free : which coordinates of each start may move; all if None.
    tolerance, evaluations, batch_size : see `maximise`; the tolerance is relative to |function| above 1000.
    """
    free = jnp.ones(starts.shape, bool) if free is None else free
    one = _Descent(function, jnp.asarray(bounded), tolerance, evaluations)
    if batch_size is None:
        return Endpoints(*jax.vmap(one.run)(starts, free))
    return Endpoints(*jax.lax.map(lambda pair: one.run(*pair), (starts, free), batch_size=batch_size))


class _Place(NamedTuple):
    """Where a search is in x, and the function there with its gradients in u and in x."""

    x: Float[Array, " coordinate"]
    value: Float[Array, ""]
    in_u: Float[Array, " coordinate"]
    in_x: Float[Array, " coordinate"]


class _State(NamedTuple):
    """A search on its way: where it is, the step it tries next as direction times length, and its memory."""

    at: _Place
    direction: Float[Array, " coordinate"]
    length: Float[Array, ""]
    memory: Any
    steepest: Bool[Array, ""]
    snap: Bool[Array, ""]  # it tries the bounds next
    passes: Int[Array, ""]
    done: Bool[Array, ""]


class _Descent(eqx.Module):
    function: Callable[..., Any]
    bounded: Bool[Array, " coordinate"]
    tolerance: float
    evaluations: int

    def run(self, start: Float[Array, " coordinate"], free: Bool[Array, " coordinate"]) -> tuple[Any, ...]:
        s = jax.lax.while_loop(
            lambda s: ~s.done & (s.passes < self.evaluations),
            lambda s: self.next_state(s, free),
            self.first(start, free),
        )
        u, at = self.u(s.at.x), s.at
        return u, at.value, at.in_u, self.finished(at.value, u, at.in_u) & jnp.isfinite(at.value), s.passes

    def first(self, start: Float[Array, " coordinate"], free: Bool[Array, " coordinate"]) -> _State:
        """The start, where nothing is known yet: the first pass evaluates it."""
        # a coordinate that is free must not begin on a bound, where its angle has no slope
        start = jnp.where(free & self.bounded, jnp.clip(start, 1e-3, 1.0 - 1e-3), start)
        x = jnp.where(self.bounded, jnp.arcsin(jnp.sqrt(jnp.clip(start, 0.0, 1.0))), start)
        zero, off = jnp.zeros_like(x), jnp.asarray(False)
        return _State(
            at=_Place(x, jnp.asarray(jnp.inf), zero, zero), direction=zero, length=jnp.ones(()),
            memory=_LBFGS.init(x), steepest=~off, snap=off, passes=jnp.asarray(0), done=off,
        )  # fmt: skip

    def next_state(self, s: _State, free: Bool[Array, " coordinate"]) -> _State:
        x = jnp.where(s.snap, self.corner(s.at.x, s.at.in_u, free), s.at.x + s.length * s.direction)
        new, defined = self.place(x, free)
        good = defined & _falls(s, new)
        return jax.tree.map(lambda a, b: jnp.where(good, a, b), self.moved(s, new, free), _again(s))

    def place(self, x: Float[Array, " coordinate"], free: Bool[Array, " coordinate"]) -> tuple[_Place, Bool[Array, ""]]:
        """The function at x, and whether it is a number there."""
        value, gradient = jax.value_and_grad(self.function)(self.u(x))
        defined = jnp.isfinite(value) & jnp.isfinite(gradient).all()
        in_u = jnp.where(free & defined, gradient, 0.0)
        in_x = in_u * jnp.where(self.bounded, jnp.sin(2.0 * x), 1.0)
        return _Place(x, jnp.where(defined, value, jnp.inf), in_u, in_x), defined

    def moved(self, s: _State, new: _Place, free: Bool[Array, " coordinate"]) -> _State:
        """The search at a new place, with a step ahead from the memory."""
        first = s.passes == 0
        # curvature that is not positive would spoil the memory: start it anew
        bends = first | ((new.in_x - s.at.in_x) @ (new.x - s.at.x) > 0.0)
        memory = jax.tree.map(lambda old, new: jnp.where(bends, old, new), s.memory, _LBFGS.init(new.x))
        ahead, memory = _LBFGS.update(new.in_x, memory, new.x)
        direction = -jnp.asarray(ahead)
        descends = bends & (new.in_x @ direction < 0.0)
        direction = jnp.where(descends, direction, _downhill(new.in_x))
        direction = direction * jnp.minimum(1.0, _LONGEST / jnp.maximum(jnp.abs(direction).max(), 1e-300))
        finished = self.finished(new.value, self.u(new.x), new.in_u)
        snap = finished & ~s.snap & (self.corner(new.x, new.in_u, free) != new.x).any()
        return _State(
            at=new, direction=direction, length=jnp.ones(()), memory=memory, steepest=~descends | first, snap=snap,
            passes=s.passes + 1, done=s.snap | (finished & ~snap),
        )  # fmt: skip

    def u(self, x: Float[Array, " coordinate"]) -> Float[Array, " coordinate"]:
        return jnp.where(self.bounded, jnp.sin(x) ** 2, x)  # (1)

    def projected(
        self, u: Float[Array, " coordinate"], gradient: Float[Array, " coordinate"]
    ) -> Float[Array, " coordinate"]:
        """What of the gradient no bound takes up."""
        return jnp.where(self.bounded, u - jnp.clip(u - gradient, 0.0, 1.0), gradient)

    def finished(
        self, value: Float[Array, ""], u: Float[Array, " coordinate"], gradient: Float[Array, " coordinate"]
    ) -> Bool[Array, ""]:
        left = jnp.abs(self.projected(u, gradient)).max()
        return left <= self.tolerance * jnp.maximum(1.0, 1e-3 * jnp.abs(value))

    def corner(
        self, x: Float[Array, " coordinate"], in_u: Float[Array, " coordinate"], free: Bool[Array, " coordinate"]
    ) -> Float[Array, " coordinate"]:
        """The angles, with coordinates near a bound on it if the function falls towards it."""
        u, inside = self.u(x), free & self.bounded
        low, high = inside & (u < _NEAR) & (in_u > 0.0), inside & (u > 1.0 - _NEAR) & (in_u < 0.0)
        return jnp.where(low, 0.0, jnp.where(high, jnp.pi / 2.0, x))


def _falls(s: _State, new: _Place) -> Bool[Array, ""]:
    """Whether the function falls as it should, rounding aside; at the start there is nothing to compare with."""
    promised = jnp.where(s.snap, 0.0, _SUFFICIENT * s.length * (s.at.in_x @ s.direction))
    rounding = jnp.where(s.snap, 1e-14, 4e-16) * jnp.abs(s.at.value)
    return (s.passes == 0) | (new.value <= s.at.value + promised + rounding)


def _again(s: _State) -> _State:
    """The search where it was, with a shorter step, or downhill where the step is too short already."""
    stuck = s.length * jnp.abs(s.direction).max() < _SHORTEST
    return s._replace(
        direction=jnp.where(stuck, _downhill(s.at.in_x), s.direction),
        length=jnp.where(stuck, 1.0, _SHRINK * s.length),
        steepest=s.steepest | stuck,
        passes=s.passes + 1,
        done=(s.passes == 0) | s.snap | (stuck & s.steepest),
    )


def _downhill(gradient: Float[Array, " coordinate"]) -> Float[Array, " coordinate"]:
    return -gradient * jnp.minimum(1.0, _FIRST / jnp.maximum(jnp.abs(gradient).max(), 1e-300))
