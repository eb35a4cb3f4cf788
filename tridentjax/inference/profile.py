"""Profile likelihood: the nuisances that fit best at a point of the theory.

With R_e the rate ratio that experiment e would quote and z the nuisances in units of their prior widths,

    F(theta) = min_z { -2 sum_e ln L_e(x_e | R_e(theta, z)) + |z - z_0|^2 }                       (1)

where x are the data and z_0 the centres of the constraints (0, except in toys, where both are thrown).
Backgrounds are profiled in closed form inside L_e. The minimum is found by damped Gauss-Newton steps: R is
nearly linear in z, so few are needed. z stays within 8 widths of z_0: points far outside any region would drive it
to where the response to a nuisance means nothing. By the envelope theorem the first derivative of F needs only that of
the bracket at fixed z; it is exact. Second derivatives of F are not available.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from tridentjax.inference.data import Data, deviances
from tridentjax.inference.model import Model

Ratios = Callable[[Any, Float[Array, " nuisance"]], Float[Array, " experiment"]]
_STEPS = 15
_HALVINGS = 8
# F and R where a point is given up: nuisances move rates by factors, so a precise measurement alone does not count
_HOPELESS_F, _HOPELESS_R = 1e4, 10.0
_LARGEST_STEP, _LARGEST_PULL = 3.0, 8.0
_STANDSTILL = 1e-9  # of z
_TOLERANCE = 1e-12  # of the Newton decrement, a bound on what is left of F


class Profile(NamedTuple):
    """F of Eq. (1), the nuisances at the minimum, and whether the minimum was reached."""

    deviance: Float[Array, ""]
    z: Float[Array, " nuisance"]
    converged: Bool[Array, ""]


def profile(
    model: Model,
    data: Data,
    ratios: Ratios,
    point: Any,
    start: Float[Array, " nuisance"] | None = None,
    search: Ratios | None = None,
) -> Profile:
    """Minimise Eq. (1) over the nuisances.

    Parameters
    ----------
    model : gives the measurements.
    data : observed, or a toy.
    ratios : R_e as a function of a point of the theory and of z, e.g. `Model.ratios_at`.
    point : first argument of `ratios`, any pytree.
    start : first z; the centres of the constraints if None.
    search : cheaper approximation of `ratios` to look for the minimum with. F is that of `ratios` there: too
        large by the square of the error of z only.

    Returns
    -------
    `deviance` has exact first derivatives with respect to `point`; z has none.
    """

    def total(z: Float[Array, " nuisance"]) -> Float[Array, ""]:
        return deviances(model, data, ratios(point, z)).sum() + ((z - data.centre) ** 2).sum()  # (1)

    # the search itself is not differentiated: its result does not matter to first order
    fixed = partial(ratios if search is None else search, jax.tree.map(jax.lax.stop_gradient, point))
    z, converged = _minimise(model, data, fixed, data.centre if start is None else start)
    return Profile(total(jax.lax.stop_gradient(z)), z, converged)


def _minimise(
    model: Model, data: Data, ratios: Callable[..., Any], start: Float[Array, " nuisance"]
) -> tuple[Float[Array, " nuisance"], Bool[Array, ""]]:
    if start.size == 0:
        return start, jnp.asarray(True)
    newton, infinite = _GaussNewton(model, data, ratios), jnp.asarray(jnp.inf)
    z = jnp.clip(jax.lax.stop_gradient(start), data.centre - _LARGEST_PULL, data.centre + _LARGEST_PULL)
    s = jax.lax.while_loop(_unfinished, newton.next_state, _State(z, 0, infinite, infinite, jnp.asarray(False)))
    at_end = (jnp.abs(s.z - data.centre) >= _LARGEST_PULL).any()
    return s.z, ((s.decrement <= _TOLERANCE) | (at_end & (s.moved <= _STANDSTILL))) & ~s.hopeless


class _State(NamedTuple):
    """A search on its way: z, steps taken, Newton decrement and length of the last one, and whether it is given up."""

    z: Float[Array, " nuisance"]
    steps: Int[Array, ""] | int
    decrement: Float[Array, ""]
    moved: Float[Array, ""]
    hopeless: Bool[Array, ""]


def _unfinished(s: _State) -> Bool[Array, ""]:
    return (s.steps < _STEPS) & (s.decrement > _TOLERANCE) & (s.moved > _STANDSTILL) & ~s.hopeless


class _GaussNewton(NamedTuple):
    model: Model
    data: Data
    ratios: Callable[..., Any]

    def total(self, z: Float[Array, " nuisance"], R: Float[Array, " experiment"]) -> Float[Array, ""]:
        return deviances(self.model, self.data, R).sum() + ((z - self.data.centre) ** 2).sum()  # (1)

    def next_state(self, s: _State) -> _State:
        z, centre = s.z, self.data.centre
        R, pull_back = jax.vjp(self.ratios, z)
        jacobian = jax.vmap(lambda row: pull_back(row)[0])(jnp.eye(R.size))
        first, second = self.derivatives(R)
        # ln(1 + R) is straighter in z than R: far from the data Gauss-Newton steps in R would crawl
        second = jnp.maximum(second + first / (1.0 + R), 0.0)
        gradient = first @ jacobian + 2.0 * (z - centre)
        # (2 + J^T D J)^-1 by the inversion lemma: one row for each experiment, and no overflow far from the data
        small = 2.0 * jnp.eye(R.size) + second[:, None] * (jacobian @ jacobian.T)
        newton = -0.5 * (gradient - jnp.linalg.solve(small, second * (jacobian @ gradient)) @ jacobian)
        ahead = z + jnp.clip(newton, -_LARGEST_STEP, _LARGEST_STEP)
        move = jnp.clip(ahead, centre - _LARGEST_PULL, centre + _LARGEST_PULL) - z
        now = self.total(z, R)
        moved = self.shortened(z, move, now, -(gradient @ move)) * move
        hopeless = (now > _HOPELESS_F) & (R.max() > _HOPELESS_R)
        return _State(z + moved, s.steps + 1, -(gradient @ newton), jnp.abs(moved).max(), hopeless)

    def derivatives(self, R: Float[Array, " experiment"]) -> tuple[Float[Array, " experiment"], ...]:
        """First and second derivatives of -2 ln L_e in R_e."""

        def single(i: int, x: Float[Array, ""]) -> Float[Array, ""]:
            return deviances(self.model, self.data, jnp.zeros(R.size).at[i].set(x))[i]

        slopes = [jax.grad(partial(single, i)) for i in range(R.size)]
        curvatures = [jax.grad(slope) for slope in slopes]
        return tuple(jnp.stack([f(R[i]) for i, f in enumerate(each)]) for each in (slopes, curvatures))

    def shortened(
        self,
        z: Float[Array, " nuisance"],
        move: Float[Array, " nuisance"],
        now: Float[Array, ""],
        gain: Float[Array, ""],
    ) -> Float[Array, ""]:
        """Half the step until F falls (Armijo); also where it is not a number."""

        def worse(state: tuple) -> Bool[Array, ""]:
            length, count = state
            trial = z + length * move
            value = self.total(trial, self.ratios(trial))
            return (count < _HALVINGS) & ~(value <= now - 1e-4 * length * gain + 1e-12 * jnp.abs(now))

        return jax.lax.while_loop(worse, lambda s: (s[0] / 2.0, s[1] + 1), (jnp.ones(()), 0))[0]
