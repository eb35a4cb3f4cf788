"""Mediators of the lepton current: what a new particle adds to (g_V, g_A) at each K2.

    L = Z'_a ( g_nu nubar g^a P_L nu + lbar g^a (g_V - g_A g5) l )
    delta g_V(K2) = g_nu g_V / (sqrt2 G_F (M^2 + K2)),  delta g_A likewise                       (1)

Altmannshofer et al., PRL 113 (2014) 091801, give the K2 -> 0 limit; their g' enters squared, so the
shift of L_mu - L_tau is positive. Like-sign couplings add to the Standard Model. A momentum transfer
between neutrinos is spacelike: there is no resonance and no width.
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax.constants import G_F


class VectorMediator(eqx.Module):
    """Vector mediators; leading axes are a tower, whose amplitudes are summed.

    mass [GeV] and dimensionless couplings to the neutrino (g_nu, left-handed) and to the charged-lepton
    vector and axial currents.
    """

    mass: Float[Array, "*tower"]
    g_nu: Float[Array, "*tower"]
    g_V: Float[Array, "*tower"]
    g_A: Float[Array, "*tower"]

    def __check_init__(self) -> None:
        shapes = {name: jnp.shape(getattr(self, name)) for name in ("mass", "g_nu", "g_V", "g_A")}
        if len(set(shapes.values())) > 1:
            raise ValueError(f"VectorMediator fields have different shapes {shapes}; give all of them one shape")


def mediator_shift(
    mediator: VectorMediator, K2: Float[Array, " node"]
) -> tuple[Float[Array, " node"], Float[Array, " node"]]:
    """Shifts (delta g_V, delta g_A) at each K2 [GeV^2], Eq. (1), summed over the tower.

    Differentiable in every field; finite for any mass >= 0 as long as K2 > 0.
    """
    mass, g_nu, g_V, g_A = (jnp.ravel(x)[:, None] for x in (mediator.mass, mediator.g_nu, mediator.g_V, mediator.g_A))
    strength = g_nu / (jnp.sqrt(2.0) * G_F * (mass**2 + K2[None]))  # (1)
    return (strength * g_V).sum(0), (strength * g_A).sum(0)
