"""CLs: a point of the theory against the Standard Model, with asymptotic formulas or toys.

The statistic is the ratio of profile likelihoods of the two hypotheses,

    t = F(theta) - F(SM),    F of `profile`,  large when the data look like the Standard Model,          (1)
    CLs = P(t >= t_obs | theta) / P(t >= t_obs | SM),  excluded at 1 - alpha where CLs < alpha.          (2)

For many events t is normal with mean -A and +A and standard deviation 2 sqrt(A), where A is |t| for the Asimov
data of each hypothesis (Cowan, Cranmer, Gross, Vitells, EPJC 71 (2011) 1554, Eqs. 73 to 75, their q with the
sign reversed). It needs no best fit of the theory, so it serves rates that fall (interference) as well as rates
that rise. Toys throw the data and the centres of the constraints about what fits the observation best.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr
from jaxtyping import Array, Float

from tridentjax.inference.data import Data, Point, asimov, deviances, observed, standard_model, throw
from tridentjax.inference.model import Model
from tridentjax.inference.profile import Profile, profile

_SMALLEST_SEPARATION = 1e-10  # rounding of F decides about less
_SMALLEST_LOG_P = -100.0  # of the Standard Model; where t ~ 1e26 the difference t - A has no digits left


class Reference(NamedTuple):
    """The Standard Model fitted to the observation, and its Asimov data."""

    fit: Profile
    asimov: Data


def reference_fit(model: Model, data: Data | None = None, search: Model | None = None) -> Reference:
    """Fit of the Standard Model to the observation (or to other data)."""
    data, null = observed(model) if data is None else data, standard_model(model)
    fit = profile(null, data, null.ratios_at, {}, search=standard_model(search or model).ratios_at)
    return Reference(fit, asimov(null, {}, fit.z, data))


def log_CLs(
    model: Model, reference: Reference, point: Point, data: Data | None = None, search: Model | None = None
) -> Float[Array, ""]:
    """Log of CLs at a point, Eq. (2), with the asymptotic distributions.

    `reference` is the fit of the Standard Model to the same data, the observed ones if None. `search` is a cheaper
    model: it looks for the minima (see `profile`) and gives the widths A, while t is that of `model`.
    Differentiable once (the fits are). At the Standard Model itself both probabilities are equal: CLs -> 1,
    but for measurements with unequal errors, whose A differ by some per cent however near the point is.
    """
    data, cheap = observed(model) if data is None else data, search or model
    null = standard_model(cheap)
    fit = profile(model, data, model.ratios_at, point, search=cheap.ratios_at)
    t = fit.deviance - reference.fit.deviance  # (1)
    z = _differentiable(cheap, data, point, fit.z)
    own = asimov(cheap, point, z, data)
    # an Asimov sample is fitted perfectly by its own hypothesis, at a deviance that is not 0 for counts
    away = profile(null, own, null.ratios_at, {}, fit.z).deviance
    A_theta = away - _at_home(cheap, own, point, z)
    away = profile(cheap, reference.asimov, cheap.ratios_at, point, reference.fit.z).deviance
    A_sm = away - _at_home(null, reference.asimov, {}, reference.fit.z)
    A_theta, A_sm = (jnp.maximum(A, _SMALLEST_SEPARATION) for A in (A_theta, A_sm))
    p_theta = log_ndtr(-(t + A_theta) / (2.0 * jnp.sqrt(A_theta)))
    p_sm = log_ndtr(-(t - A_sm) / (2.0 * jnp.sqrt(A_sm)))
    return p_theta - jnp.maximum(p_sm, _SMALLEST_LOG_P)  # (2)


def _differentiable(model: Model, data: Data, point: Point, z: Float[Array, " nuisance"]) -> Float[Array, " nuisance"]:
    """The best nuisances with their derivative in the point (implicit function theorem): one Newton step of size 0."""
    if z.size == 0:
        return z

    def F(z: Float[Array, " nuisance"], point: Point) -> Float[Array, ""]:
        return deviances(model, data, model.ratios_at(point, z)).sum() + ((z - data.centre) ** 2).sum()

    bend = jax.hessian(F)(z, jax.tree.map(jax.lax.stop_gradient, point))
    return z - jnp.linalg.solve(bend, jax.grad(F)(z, point))


def _at_home(model: Model, data: Data, point: Point, z: Float[Array, " nuisance"]) -> Float[Array, ""]:
    return deviances(model, data, model.ratios_at(point, z)).sum()


class QuadraticRatios(NamedTuple):
    """R_e(z) at a fixed point of the theory to second order about z_0, for fits to many toys."""

    z_0: Float[Array, " nuisance"]
    ratio: Float[Array, " experiment"]
    slope: Float[Array, "experiment nuisance"]
    curvature: Float[Array, "experiment nuisance nuisance"]


def expand(model: Model, point: Point, z_0: Float[Array, " nuisance"]) -> QuadraticRatios:
    """Expansion of the rate ratios in the nuisances; R bends little over their widths."""
    at = partial(model.ratios_at, point)
    return QuadraticRatios(z_0, at(z_0), jax.jacrev(at)(z_0), jax.jacfwd(jax.jacrev(at))(z_0))


def expanded_ratios(expansion: QuadraticRatios, z: Float[Array, " nuisance"]) -> Float[Array, " experiment"]:
    """Rate ratios of an expansion, in the form `profile` wants."""
    step = z - expansion.z_0
    return expansion.ratio + expansion.slope @ step + 0.5 * (expansion.curvature @ step) @ step


class ToyCLs(NamedTuple):
    """CLs from toys with its binomial error, and the two probabilities of Eq. (2)."""

    CLs: float
    error: float
    p_theta: float
    p_sm: float


def make_toy_CLs(model: Model, toys: int, seed: int) -> Callable[[Point], ToyCLs]:
    """Function `point -> ToyCLs` with the same random numbers at every point, so that it is smooth along a ray."""
    data, null = observed(model), standard_model(model)
    reference = jax.jit(partial(reference_fit, model))()
    keys = jax.random.split(jax.random.PRNGKey(seed), (2, toys))

    @jax.jit
    def statistics(point: Point) -> tuple[Float[Array, ""], Float[Array, "hypothesis toy"]]:
        fit = profile(model, data, model.ratios_at, point)
        expansions = (expand(model, point, fit.z), expand(null, {}, reference.fit.z))
        truths = (asimov(model, point, fit.z, data), reference.asimov)

        def thrown(which: int) -> Float[Array, " toy"]:
            truth, ratio = truths[which], expansions[which].ratio

            def one(key: Array) -> Float[Array, ""]:
                toy = throw(model, ratio, truth.centre, truth.background, key)
                theta, other = (
                    profile(model, toy, expanded_ratios, expansion, truth.centre).deviance for expansion in expansions
                )
                return theta - other  # (1)

            return jax.lax.map(one, keys[which], batch_size=256)

        return fit.deviance - reference.fit.deviance, jnp.stack([thrown(0), thrown(1)])

    def toy_CLs(point: Point) -> ToyCLs:
        t_obs, t = statistics(point)
        p_theta, p_sm = (float(p) for p in np.mean(np.asarray(t) >= float(t_obs), axis=1))
        if p_sm == 0.0:
            return ToyCLs(0.0, 1.0, p_theta, p_sm)
        errors = [np.sqrt(max(p * (1.0 - p), 1.0 / toys) / toys) for p in (p_theta, p_sm)]
        CLs = p_theta / p_sm
        return ToyCLs(CLs, float(np.hypot(errors[0] / p_sm, CLs * errors[1] / p_sm)), p_theta, p_sm)

    return toy_CLs
