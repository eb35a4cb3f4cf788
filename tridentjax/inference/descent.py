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

_MEMORY = 10
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


class _State(NamedTuple):
    """A search on its way: where it is, the step it tries next as direction times length, and its memory."""

    x: Float[Array, " coordinate"]
    value: Float[Array, ""]
    in_u: Float[Array, " coordinate"]  # gradients
    in_x: Float[Array, " coordinate"]
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

    def u(self, x: Float[Array, " coordinate"]) -> Float[Array, " coordinate"]:
        return jnp.where(self.bounded, jnp.sin(x) ** 2, x)  # (1)

    def evaluate(self, u: Float[Array, " coordinate"]) -> tuple[Float[Array, ""], Float[Array, " coordinate"], Any]:
        value, gradient = jax.value_and_grad(self.function)(u)
        defined = jnp.isfinite(value) & jnp.isfinite(gradient).all()
        return jnp.where(defined, value, jnp.inf), jnp.where(defined, gradient, 0.0), defined

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

    def run(self, start: Float[Array, " coordinate"], free: Bool[Array, " coordinate"]) -> tuple[Any, ...]:
        lbfgs = optax.scale_by_lbfgs(_MEMORY)
        # a coordinate that is free must not begin on a bound, where its angle has no slope
        start = jnp.where(free & self.bounded, jnp.clip(start, 1e-3, 1.0 - 1e-3), start)
        x0 = jnp.where(self.bounded, jnp.arcsin(jnp.sqrt(jnp.clip(start, 0.0, 1.0))), start)

        def downhill(gradient: Float[Array, " coordinate"]) -> Float[Array, " coordinate"]:
            return -gradient * jnp.minimum(1.0, _FIRST / jnp.maximum(jnp.abs(gradient).max(), 1e-300))

        def next_state(s: _State) -> _State:
            x = jnp.where(s.snap, self.corner(s.x, s.in_u, free), s.x + s.length * s.direction)
            u = self.u(x)
            value, in_u, defined = self.evaluate(u)
            in_u = jnp.where(free, in_u, 0.0)
            in_x = in_u * jnp.where(self.bounded, jnp.sin(2.0 * x), 1.0)
            # the first pass evaluates the start; later ones must make the function fall, rounding aside
            first = s.passes == 0
            promised = jnp.where(s.snap, 0.0, _SUFFICIENT * s.length * (s.in_x @ s.direction))
            rounding = jnp.where(s.snap, 1e-14, 4e-16) * jnp.abs(s.value)
            good = defined & (first | (value <= s.value + promised + rounding))
            # curvature that is not positive would spoil the memory: start it anew
            bends = first | ((in_x - s.in_x) @ (x - s.x) > 0.0)
            memory = jax.tree.map(lambda old, new: jnp.where(bends, old, new), s.memory, lbfgs.init(x))
            ahead, memory = lbfgs.update(in_x, memory, x)
            direction = -jnp.asarray(ahead)
            descends = bends & (in_x @ direction < 0.0)
            direction = jnp.where(descends, direction, downhill(in_x))
            direction = direction * jnp.minimum(1.0, _LONGEST / jnp.maximum(jnp.abs(direction).max(), 1e-300))
            finished = self.finished(value, u, in_u)
            snap = finished & ~s.snap & (self.corner(x, in_u, free) != x).any()
            moved = _State(
                x, value, in_u, in_x, direction, jnp.ones(()), memory, ~descends | first, snap, s.passes + 1,
                s.snap | (finished & ~snap),
            )  # fmt: skip
            stuck = s.length * jnp.abs(s.direction).max() < _SHORTEST
            again = _State(
                s.x, s.value, s.in_u, s.in_x, jnp.where(stuck, downhill(s.in_x), s.direction),
                jnp.where(stuck, 1.0, _SHRINK * s.length), s.memory, s.steepest | stuck, s.snap, s.passes + 1,
                first | s.snap | (stuck & s.steepest),
            )  # fmt: skip
            return jax.tree.map(lambda a, b: jnp.where(good, a, b), moved, again)

        zero, off = jnp.zeros_like(x0), jnp.asarray(False)
        infinite = jnp.asarray(jnp.inf)
        s = _State(x0, infinite, zero, zero, zero, jnp.ones(()), lbfgs.init(x0), ~off, off, jnp.asarray(0), off)
        s = jax.lax.while_loop(lambda s: ~s.done & (s.passes < self.evaluations), next_state, s)
        u = self.u(s.x)
        return u, s.value, s.in_u, self.finished(s.value, u, s.in_u) & jnp.isfinite(s.value), s.passes

    def corner(
        self, x: Float[Array, " coordinate"], in_u: Float[Array, " coordinate"], free: Bool[Array, " coordinate"]
    ) -> Float[Array, " coordinate"]:
        """The angles, with coordinates near a bound on it if the function falls towards it."""
        u, inside = self.u(x), free & self.bounded
        low, high = inside & (u < _NEAR) & (in_u > 0.0), inside & (u > 1.0 - _NEAR) & (in_u < 0.0)
        return jnp.where(low, 0.0, jnp.where(high, jnp.pi / 2.0, x))
