"""A response as a polynomial of its nuisances: a hundred times cheaper than folding the kernels again.

With u = (ln s, t, ln r, ln a) for flux stretch and tilt, nuclear radius and diffuseness, the weights of a
component are written as a common factor and a shape,

    W_sk(u) = exp(L(u)) w_sk(u),    L = ln sum_sk |W_sk|,                                        (1)
    f(u) = f_0 + sum_i sum_{n=1..4} a_in u_i^n + sum_{i<j} b_ij u_i u_j,    f = L, w_sk           (2)

and both are interpolated through folds of the kernels up to 2.5 prior widths from the nominal chain: L, because
rates grow like powers; w itself and not its logarithm, because nodes near the end of phase space have logarithms
that run away. Normalisations are exact. Profile fits, contours and toys search with this; what they find is then
checked with `fold`.
"""

from itertools import combinations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax.rates.chain import Chain, Nuisances, fold
from tridentjax.rates.response import Response

_ACTING = ("flux_stretch", "flux_tilt", "nuclear_radius", "nuclear_diffuseness")
_PAIRS = tuple(combinations(range(len(_ACTING)), 2))
_SPACING = 1.25  # of the nodes, in prior widths
_USUAL_WIDTH = 0.05  # of a nuisance that the experiment does not have


class Expanded(eqx.Module):
    """Coefficients of Eq. (2), monomials along the first axis; `scale` are the units of u."""

    nominal: Response
    log_total: Float[Array, "monomial total"]
    shape: Float[Array, "monomial component structure node"]
    scale: Float[Array, " u"]
    regimes: tuple[str, ...] = eqx.field(static=True)

    def fold(self, nuisances: Nuisances) -> Response:
        """What `chain.fold` gives, approximately; differentiable in the nuisances."""
        n = nuisances
        u = jnp.stack([jnp.log(n.flux_stretch), n.flux_tilt, jnp.log(n.nuclear_radius), jnp.log(n.nuclear_diffuseness)])
        powers = _monomials(u / self.scale)
        total = jnp.exp(powers @ self.log_total)  # (1); the last entry is the integrated flux
        own = {"coherent": n.coherent_normalisation}
        factors = [jnp.asarray(own.get(regime, n.incoherent_normalisation)) for regime in self.regimes]
        normalisation = jnp.stack(factors).astype(total.dtype)
        weights = (total[:-1] * normalisation)[:, None, None] * jnp.tensordot(powers, self.shape, 1)  # (1)
        new = (weights, normalisation, total[-1])
        return eqx.tree_at(lambda r: (r.weights, r.normalisation, r.flux_integral), self.nominal, new)


def expand_response(chain: Chain) -> Expanded:
    """Interpolate the response of an experiment through 41 folds."""
    nuisances = chain.experiment.nuisances
    widths = [nuisances[name].width if name in nuisances else _USUAL_WIDTH for name in _ACTING]
    scale = _SPACING * np.asarray(widths)

    @jax.jit
    def parts(v: Float[Array, " u"]) -> tuple[Float[Array, " total"], Float[Array, "component structure node"]]:
        u = v * scale
        response = fold(chain, Nuisances(jnp.exp(u[0]), u[1], jnp.exp(u[2]), jnp.exp(u[3])))
        total = jnp.abs(response.weights).sum((1, 2))
        safe = jnp.where(total > 0.0, total, 1.0)
        return jnp.log(jnp.append(safe, response.flux_integral)), response.weights / safe[:, None, None]

    unit = np.eye(len(_ACTING))
    nodes = [np.zeros(len(_ACTING))]
    nodes += [length * unit[i] for i in range(len(_ACTING)) for length in (-2.0, -1.0, 1.0, 2.0)]
    nodes += [a * unit[i] + b * unit[j] for i, j in _PAIRS for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    powers = np.stack([np.asarray(_monomials(jnp.asarray(node))) for node in nodes])
    # more nodes than monomials in the mixed terms: least squares, exact on the axes by their weight
    weight = np.where(np.count_nonzero(nodes, axis=1) < 2, 1e3, 1.0)[:, None]
    solve = np.linalg.pinv(powers * weight) * weight.T
    totals, shapes = (np.stack(x) for x in zip(*(parts(jnp.asarray(node)) for node in nodes), strict=True))
    nominal = fold(chain)
    return Expanded(
        nominal,
        jnp.asarray(solve @ totals),
        jnp.asarray(np.tensordot(solve, shapes, 1)),
        jnp.asarray(scale),
        tuple(component.regime for component in nominal.components),
    )


def _monomials(v: Float[Array, " u"]) -> Float[Array, " monomial"]:
    """1, v_i^n and v_i v_j of Eq. (2)."""
    mixed = [v[i] * v[j] for i, j in _PAIRS]
    return jnp.stack([jnp.ones(()), *(v[i] ** n for i in range(len(_ACTING)) for n in range(1, 5)), *mixed])
