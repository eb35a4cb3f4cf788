"""Coordinates in which a posterior looks like a unit normal, so that NUTS needs few, long steps.

Every sampled parameter is a function of z ~ N(0, 1). A prior alone is its own quantile function,
x = Q(Phi(z)), which reproduces it exactly without a Jacobian.

An exclusion is harder: in (log mass, log g) the posterior is flat up to a curved wall, where it falls
like exp(-g^8), and stays flat towards g -> 0. In the prior's coordinates that wall has a width of a few
per cent of the range, and NUTS either crawls or diverges at it. So `g` is replaced by the soft minimum of
log g and the wall's position w(mass),

    S = -tau log(exp(-t/tau) + exp(-w/tau)),    t = log g,  U = (S - S_low)/(S_high(mass) - S_low) = Phi(z):

below the wall S is t itself; beyond it S saturates, which pushes the wall out to where Phi(z) -> 1 and
turns the flat, bounded region into a unit square. The wall w and its width tau come from the likelihood
at nominal nuisances; they only define the map, whose Jacobian is exact, so the posterior is unchanged.
"""

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jaxtyping import Array, Bool, Float

from tridentjax._types import Scalar
from tridentjax.quadrature import chebyshev_basis
from tridentjax.roots import bisect


class Prior(eqx.Module):
    """Prior of one parameter: `uniform` or `loguniform` on [low, high], or `normal` (low = mean, high = sd)."""

    low: float
    high: float
    kind: str = eqx.field(static=True)

    def flat_range(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Range of the coordinate in which the prior is flat (log for loguniform)."""
        low, high = jnp.asarray(self.low), jnp.asarray(self.high)
        return (jnp.log(low), jnp.log(high)) if self.kind == "loguniform" else (low, high)

    def from_flat(self, t: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Physical value at a flat coordinate."""
        return jnp.exp(t) if self.kind == "loguniform" else t

    def from_normal(self, z: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Physical value whose prior quantile is Phi(z)."""
        if self.kind == "normal":
            return self.low + self.high * z
        low, high = self.flat_range()
        return self.from_flat(low + (high - low) * ndtr(z))


class Edge(eqx.Module):
    """The soft wall of one parameter as a function of another, in their flat coordinates.

    `position` holds the wall at Chebyshev nodes over the range of the other parameter.
    """

    position: Float[Array, " node"]
    width: Float[Array, ""]
    parameter: str = eqx.field(static=True)
    along: str = eqx.field(static=True)

    def wall(self, prior: Prior, other: Float[Array, ""]) -> Float[Array, ""]:
        """Wall w at a flat coordinate of the other parameter, whose prior is given."""
        low, high = prior.flat_range()
        return chebyshev_basis(2.0 * (other - low) / (high - low) - 1.0, self.position.size) @ self.position

    def from_normal(
        self, z: Float[Array, ""], wall: Float[Array, ""], prior: Prior
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Flat coordinate t at z, and log of (prior density of t) |dt/dU|."""
        low, high = prior.flat_range()
        tau = self.width
        S_low, S_high = _soft_minimum(low, wall, tau), _soft_minimum(high, wall, tau)
        S = S_low + (S_high - S_low) * ndtr(z)
        # t = -tau log(e^(-S/tau) - e^(-w/tau)), written so that S -> w stays accurate
        gap = jnp.maximum((wall - S) / tau, 1e-12)
        t = S - tau * jnp.log(-jnp.expm1(-gap))
        t = jnp.clip(t, low, high)
        log_slope = -jnp.log(-jnp.expm1(-gap))
        return t, jnp.log((S_high - S_low) / (high - low)) + log_slope


def _soft_minimum(t: Scalar, w: Scalar, tau: Scalar) -> Float[Array, ""]:
    return -tau * jnp.logaddexp(-t / tau, -w / tau)


def locate_edge(log_likelihood: object, prior: Prior, rise: float, steps: int = 60) -> Float[Array, ""]:
    """Flat coordinate where -2 log L has risen by `rise` above its value at the lower end of the prior.

    Bisection on an exclusion that only gets stronger; beyond the prior if it is never reached.
    """
    low, high = prior.flat_range()
    start = log_likelihood(low)  # type: ignore[operator]

    def allowed(t: Float[Array, ""]) -> Bool[Array, ""]:
        return ~(2.0 * (start - log_likelihood(t)) > rise)  # type: ignore[operator]

    return bisect(allowed, low, high, steps)[1]
