"""Theory error of a rate: normalisations of its regimes in quadrature, spread of form factors."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.rates.chain import Chain, Nuisances, fold
from tridentjax.rates.response import Response, signal
from tridentjax.theory.theories import sm


class TheoryBudget(NamedTuple):
    """Relative errors of the Standard-Model rate; None where the experiment file has no such nuisance.

    `coherent` and `incoherent` are the errors of the two normalisations, weighted with their shares; `theory` is
    both in quadrature. `flux` is the error of the shape of the spectrum (stretch and tilt in quadrature), of the
    number of events for an absolute flux, else of the flux-averaged cross section.
    """

    coherent: float | None
    incoherent: float | None
    theory: float | None
    flux: float | None


def theory_budget(chain: Chain, response: Response | None = None) -> TheoryBudget:
    """Errors of the Standard-Model rate that the nuisances of an experiment file stand for, to first order.

    The normalisations are exactly linear: 6 % on a coherent share of 0.8 is 4.8 % of the rate. The slope with
    flux stretch and tilt comes from automatic differentiation of the chain. Selection factors, if there are
    cuts, stay those of the nominal spectrum.

    Parameters
    ----------
    chain : from `prepare`.
    response : its nominal response, if already there.
    """
    response = fold(chain) if response is None else response
    rates = signal(response, sm, {})
    coherent = jnp.asarray([component.regime == "coherent" for component in response.components])
    share = float(jnp.where(coherent, rates, 0.0).sum() / rates.sum())
    widths = {name: nuisance.width for name, nuisance in chain.experiment.nuisances.items()}
    coherent_error = share * widths["coherent_normalisation"] if "coherent_normalisation" in widths else None
    incoherent_error = (
        (1.0 - share) * widths["incoherent_normalisation"] if "incoherent_normalisation" in widths else None
    )
    shape = [name for name in ("flux_stretch", "flux_tilt") if name in widths]
    flux = [_slope(chain, name) * widths[name] for name in shape]
    theory = _quadrature([coherent_error, incoherent_error])
    return TheoryBudget(coherent_error, incoherent_error, theory, _quadrature(flux))


def _quadrature(parts: Sequence[float | None]) -> float | None:
    given = [part for part in parts if part is not None]
    return math.hypot(*given) if given else None


def _slope(chain: Chain, name: str) -> float:
    """Derivative of the logarithm of the rate with ln s of the stretch, or with the tilt, at nominal nuisances."""

    def log_rate(value: Scalar) -> Float[Array, ""]:
        response = fold(chain, Nuisances()._replace(**{name: value}))
        total = signal(response, sm, {}).sum()
        return jnp.log(total * response.flux_integral if chain.experiment.fluxes[0].absolute else total)

    nominal = jnp.asarray(getattr(Nuisances(), name))  # 1 of the stretch, where d/ds and d/d ln s agree
    return float(jax.jvp(log_rate, (nominal,), (jnp.ones_like(nominal),))[1])
