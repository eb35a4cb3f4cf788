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
from jaxtyping import Array, Bool, Float

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

    low, high = data.centre - _LARGEST_PULL, data.centre + _LARGEST_PULL

    def single(i: int) -> Callable[[Float[Array, ""]], Float[Array, ""]]:
        return lambda R: deviances(model, data, jnp.zeros(data.value.size).at[i].set(R))[i]

    slopes = [jax.grad(single(i)) for i in range(data.value.size)]
    curvatures = [jax.grad(slope) for slope in slopes]

    def step(state: tuple) -> tuple:
        z, count, *_ = state
        R, pull_back = jax.vjp(ratios, z)
        jacobian = jax.vmap(lambda row: pull_back(row)[0])(jnp.eye(R.size))
        first = jnp.stack([slope(R[i]) for i, slope in enumerate(slopes)])
        second = jnp.stack([curvature(R[i]) for i, curvature in enumerate(curvatures)])
        # ln(1 + R) is straighter in z than R: far from the data Gauss-Newton steps in R would crawl
        second = jnp.maximum(second + first / (1.0 + R), 0.0)
        gradient = first @ jacobian + 2.0 * (z - data.centre)
        # (2 + J^T D J)^-1 by the inversion lemma: one row for each experiment, and no overflow far from the data
        small = 2.0 * jnp.eye(R.size) + second[:, None] * (jacobian @ jacobian.T)
        newton = -0.5 * (gradient - jnp.linalg.solve(small, second * (jacobian @ gradient)) @ jacobian)
        decrement = -(gradient @ newton)
        target = jnp.clip(z + jnp.clip(newton, -_LARGEST_STEP, _LARGEST_STEP), low, high)
        now = deviances(model, data, R).sum() + ((z - data.centre) ** 2).sum()
        moved = shortened(z, target - z, now, -(gradient @ (target - z))) * (target - z)
        hopeless = (now > _HOPELESS_F) & (R.max() > _HOPELESS_R)
        return z + moved, count + 1, decrement, jnp.abs(moved).max(), hopeless

    def shortened(
        z: Float[Array, " nuisance"], move: Float[Array, " nuisance"], now: Float[Array, ""], gain: Float[Array, ""]
    ) -> Float[Array, ""]:
        """Half the step until F falls (Armijo); also where it is not a number."""

        def worse(state: tuple) -> Bool[Array, ""]:
            length, count = state
            trial = z + length * move
            value = deviances(model, data, ratios(trial)).sum() + ((trial - data.centre) ** 2).sum()
            return (count < _HALVINGS) & ~(value <= now - 1e-4 * length * gain + 1e-12 * jnp.abs(now))

        return jax.lax.while_loop(worse, lambda s: (s[0] / 2.0, s[1] + 1), (jnp.ones(()), 0))[0]

    def unfinished(state: tuple) -> Bool[Array, ""]:
        _, count, decrement, moved, hopeless = state
        return (count < _STEPS) & (decrement > _TOLERANCE) & (moved > _STANDSTILL) & ~hopeless

    infinite = jnp.asarray(jnp.inf)
    state = (jnp.clip(jax.lax.stop_gradient(start), low, high), 0, infinite, infinite, jnp.asarray(False))
    z, _, decrement, moved, hopeless = jax.lax.while_loop(unfinished, step, state)
    at_end = (jnp.abs(z - data.centre) >= _LARGEST_PULL).any()
    return z, ((decrement <= _TOLERANCE) | (at_end & (moved <= _STANDSTILL))) & ~hopeless
