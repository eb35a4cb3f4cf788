"""Several experiments at fixed nuisances as one contraction: what scans evaluate by the million.

With the responses of experiments e summed over targets and regimes, and divided by the rate of the Standard Model,

    R_e = sum_{c,s,k} w_{e,c,s,k} q_{c,s}(K2_k) / sum_{c,s,k} w_{e,c,s,k} q^SM_{c,s}                         (1)

where c are the channels of the beams (a neutrino into a pair of leptons). A theory is evaluated once for all
experiments, and a batch of points is one matrix product. Weights are of order one, so that (1) is safe in float32.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tridentjax._types import Scalar
from tridentjax.currents import Channel
from tridentjax.experiment.belle2 import Belle2Assumptions, belle2_log_likelihood
from tridentjax.experiment.likelihood import log_likelihood
from tridentjax.experiment.measurement import Measurement
from tridentjax.inference.model import Model
from tridentjax.process.matrix_element import ALL_STRUCTURES
from tridentjax.rates.response import Response, signal, structure_couplings
from tridentjax.theory.theories import Parameters, TheoryFunction, electroweak_part, sm


class Folded(eqx.Module):
    """Stacked responses w of Eq. (1) with the measurements and the theory.

    `K2` holds the nodes of all responses, each distinct set once; a response is zero on the nodes of the others.
    `fixed` are parameters of the theory that points do not have.
    """

    K2: Float[Array, " node"]
    weights: Float[Array, "experiment channel structure node"]
    measurements: tuple[Measurement, ...]
    fixed: dict[str, Float[Array, "*tower"]]
    channels: tuple[Channel, ...]
    auxiliary: Belle2Assumptions | None
    structures: tuple[str, ...] = eqx.field(static=True)
    experiments: tuple[str, ...] = eqx.field(static=True)
    theory: TheoryFunction = eqx.field(static=True)
    derive: Callable[[Parameters], dict[str, Scalar]] = eqx.field(static=True)
    choices: dict[str, Any] = eqx.field(static=True)

    def rate_ratios(self, point: Parameters) -> Float[Array, " experiment"]:
        """Eq. (1) at a point of the theory; differentiable wherever the theory is."""
        physics = {**self.fixed, **point}
        rate, reference = self._contract(self.theory, physics), self._contract(sm, electroweak_part(physics))
        return rate / reference  # (1)

    def log_likelihood(self, point: Parameters, ratios: Float[Array, " experiment"] | None = None) -> Float[Array, ""]:
        """Sum over the experiments, backgrounds profiled, with the auxiliary term if there is one."""
        ratios = self.rate_ratios(point) if ratios is None else ratios
        total = jnp.stack([log_likelihood(m, ratios[i]) for i, m in enumerate(self.measurements)]).sum()
        if self.auxiliary is None:
            return total
        return total + belle2_log_likelihood({**self.choices, **self.fixed, **point}, self.auxiliary)

    def derived(self, point: Parameters) -> dict[str, Scalar]:
        """Derived quantities of the theory at a point."""
        return self.derive({**self.fixed, **point})

    def _contract(self, theory: TheoryFunction, physics: Parameters) -> Float[Array, " experiment"]:
        # rows are made in the precision of the weights, whatever a constant of the theory is
        total = jnp.zeros(len(self.experiments), dtype=self.weights.dtype)
        for c, channel in enumerate(self.channels):
            rows = structure_couplings(theory(physics, channel, self.K2), self.structures).astype(total.dtype)
            for s in range(len(self.structures)):  # apart: no copy of the rows into one array
                total = total + self.weights[:, c, s] @ rows[s]
        return total


def fold_model(model: Model, nuisances: dict[str, Float[Array, ""]] | None = None) -> Folded:
    """Fold the chains of a model at fixed nuisances (nominal ones unless given by name) and stack them.

    Normalisations that act on the prediction only (`measured_ratio`) stay in the weights.
    """
    values = {} if nuisances is None else nuisances
    responses = model.responses(values)
    measurements = tuple(chain.experiment.measurement for chain in model.chains)
    structures = tuple(s for s in ALL_STRUCTURES if any(s in response.structures for response in responses))
    channels = {_kind(channel): channel for response in responses for channel in response.channels}
    grids: list[np.ndarray] = []
    for response in responses:
        nodes = np.asarray(response.K2)
        if not any(np.array_equal(nodes, known) for known in grids):
            grids.append(nodes)
    starts = np.cumsum([0, *(len(nodes) for nodes in grids)])
    weights = np.zeros((len(responses), len(channels), len(structures), starts[-1]))
    for e, response in enumerate(responses):
        own = next(i for i, nodes in enumerate(grids) if np.array_equal(np.asarray(response.K2), nodes))
        here = slice(starts[own], starts[own + 1])
        place = [structures.index(s) for s in response.structures]
        scaled = np.asarray(response.weights / _reference(response, values, measurements[e]))
        for row, channel in zip(scaled, response.channels, strict=True):
            weights[e, list(channels).index(_kind(channel)), place, here] += row
    return Folded(
        K2=jnp.asarray(np.concatenate(grids)),
        weights=jnp.asarray(weights),
        measurements=measurements,
        fixed=model.fixed,
        channels=tuple(channels.values()),
        auxiliary=model.auxiliary,
        structures=structures,
        experiments=model.experiments,
        theory=model.theory,
        derive=model.derive,
        choices=model.choices,
    )


def in_float32(folded: Folded) -> Folded:
    """The same in single precision: twice the speed on some devices, good to about 1e-6 of R."""
    return jax.tree.map(lambda x: x.astype(jnp.float32) if eqx.is_inexact_array(x) else x, folded)


def _kind(channel: Channel) -> tuple[str, ...]:
    """Channels with the same quadratic couplings.

    For a pair of equal leptons the operators of an antineutrino are the hermitian conjugates of the neutrino's; the
    sign of the interference is in the weights (`Channel.VA_sign`).
    """
    both = channel.lepton_minus == channel.lepton_plus
    return (channel.neutrino, channel.lepton_minus, channel.lepton_plus, "" if both else channel.name)


def _reference(response: Response, values: Parameters, measurement: Measurement) -> Float[Array, ""]:
    """Rate of the Standard Model that the weights are divided by."""
    rates = signal(response, sm, electroweak_part(values))
    return (rates if measurement.includes_theory_error else rates / response.normalisation).sum()
