"""Nuclear models as a systematic: the same cross section with every form factor that a target can take."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from tridentjax.currents import Channel
from tridentjax.faults import InputError
from tridentjax.nucleus.nuclei import FORM_FACTORS, NUCLEON_FORM_FACTORS
from tridentjax.nucleus.regimes import Regime, target_regimes
from tridentjax.process.totals import TotalCrossSections, cross_sections
from tridentjax.theory.theories import TheoryFunction, sm


class ModelSpread(NamedTuple):
    """sigma [cm^2] of every model, and half the range over the models relative to the first one."""

    sigma: dict[str, Float[np.ndarray, " energy"]]
    half_range: Float[np.ndarray, " energy"]


def summed(
    channel: Channel, regimes: Sequence[tuple[float, Regime]], energies: Sequence[float], **options: Any
) -> dict[str, TotalCrossSections]:
    """Cross sections per average nucleus, by the name of the regime; errors add linearly.

    The errors of the tables are common to all nuclei, so quadrature would understate them.
    """
    results = cross_sections(channel, [regime for _, regime in regimes], energies, **options)
    total: dict[str, TotalCrossSections] = {}
    for (fraction, regime), result in zip(regimes, results, strict=True):
        value, error, sigma, sigma_error = (fraction * part for part in result[:4])
        sampled = result.sampled
        if (before := total.get(regime.name)) is not None:
            value, error = value + before.value, error + before.error
            sigma, sigma_error = sigma + before.sigma, sigma_error + before.sigma_error
            sampled = sampled | before.sampled
        total[regime.name] = TotalCrossSections(value, error, sigma, sigma_error, sampled)
    return total


def model_spread(
    channel: Channel,
    target: str,
    energies: Sequence[float],
    nucleon_form_factor: str = "kelly",
    theory: TheoryFunction = sm,
    parameters: dict[str, Any] | None = None,
    rtol: float = 1e-3,
) -> dict[str, ModelSpread]:
    """Spread of the cross section over nuclear (`coherent`) and nucleon (`incoherent`) form factors.

    Coherent: every entry of `FORM_FACTORS` that all nuclei of the target have, at its tabulated or default
    parameters; the first is the measured density. Incoherent: the three nucleon models, the chosen one
    first. Half the range is a systematic to quote, not a standard deviation.

    Raises
    ------
    InputError : unknown target.
    """
    common: dict[str, Any] = {"theory": theory, "parameters": parameters, "rtol": rtol}
    coherent: dict[str, Any] = {}
    incoherent: dict[str, Any] = {}
    for model in FORM_FACTORS if target not in ("proton", "neutron") else ():
        try:
            regimes = target_regimes(target, model)
        except InputError:
            if model == "default":
                raise
            continue  # not tabulated for one of the nuclei
        own = [entry for entry in regimes if entry[1].name == "coherent"]
        if own:
            coherent[model] = summed(channel, own, energies, **common)["coherent"].sigma
    for model in sorted(NUCLEON_FORM_FACTORS, key=lambda name: name != nucleon_form_factor):
        own = [entry for entry in target_regimes(target, nucleon_form_factor=model) if entry[1].name != "coherent"]
        incoherent[model] = sum(part.sigma for part in summed(channel, own, energies, **common).values())
    models = {"coherent": coherent, "incoherent": incoherent}
    return {name: ModelSpread(values, _half_range(values)) for name, values in models.items() if values}


def _half_range(values: dict[str, Any]) -> Float[np.ndarray, " energy"]:
    stack = np.stack(list(values.values()))
    reference = np.where(stack[0] > 0.0, stack[0], 1.0)
    return (stack.max(0) - stack.min(0)) / 2.0 / reference
