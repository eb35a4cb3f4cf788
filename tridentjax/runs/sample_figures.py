"""The figures of a sampling run."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tridentjax.figures.goodness import plot_predictive, plot_pulls, plot_rate_ratios
from tridentjax.figures.posterior import (
    plot_corner,
    plot_couplings,
    plot_joint,
    plot_marginals,
    plot_masses,
    plot_traces,
)
from tridentjax.figures.style import label
from tridentjax.inference.checks.predictive import Replicated
from tridentjax.inference.grid_posterior import GridPosterior, grid_posterior
from tridentjax.inference.limits.impacts import posterior_pulls
from tridentjax.inference.model import Model
from tridentjax.inference.posterior import Posterior


def has_corner_plot(kinds: Sequence[str]) -> bool:
    """Whether a model with priors of these kinds gets a corner plot; two logarithmic ones have their own figure."""
    return len(kinds) >= 2 and list(kinds) != ["loguniform", "loguniform"]


def draw_figures(
    model: Model,
    posterior: Posterior,
    gains: dict[str, dict[str, float]],
    replicated: dict[str, Replicated],
) -> dict[str, Any]:
    """Every figure that suits the model, by name.

    `gains` are the information gains of the parameters, `replicated` the replicas of the data.

    Raises
    ------
    InputError : matplotlib is not installed.
    """
    labels = {
        name: label(model.latex.get(name, name.replace("_", " ")), model.units[name])
        for name in (*model.names, *posterior.derived)
    }
    # model.names keeps the order of the config; JAX sorts the keys of dictionaries
    log = tuple(name for name in model.names if name in model.priors and model.priors[name].kind == "loguniform")
    title = ", ".join(c.experiment.title for c in model.chains) + ": posterior"
    grid: GridPosterior | None = None
    figures: dict[str, Any] = {}
    kinds = [prior.kind for prior in model.priors.values()]
    if len(log) == len(model.priors) == 2:
        names = (log[0], log[1])
        grid = grid_posterior(model, names)
        pair = (posterior.parameters[names[0]], posterior.parameters[names[1]])
        axes = plot_joint(*pair, (labels[names[0]], labels[names[1]]), grid)
        axes.set_title(title, fontsize=10)
        figures["joint"] = axes.get_figure(root=True)
    elif has_corner_plot(kinds):
        theory = {name: posterior.parameters[name] for name in model.priors}
        bits = {name: gains[name]["bits"] for name in theory}
        figures["corner"] = plot_corner(theory, labels, model.priors, title, bits)
    figures["marginals"] = plot_marginals(posterior.parameters, labels, log, grid)
    both = {**posterior.derived, **posterior.parameters}
    if np.ptp(both["delta_g_A"]) > 0.0:
        figures["couplings"] = plot_couplings(both["delta_g_V"], both["delta_g_A"], title)
    masses = {name: x for name, x in posterior.derived.items() if model.units[name] == "GeV"}
    if masses:
        figures["masses"] = plot_masses(masses, title)
    measured = {
        c.experiment.name: (m.value, m.uncertainty_low, m.uncertainty_high)
        for c in model.chains
        if (m := c.experiment.measurement).is_ratio
    }
    figures["rate_ratios"] = plot_rate_ratios(posterior.rate_ratios, measured)
    if replicated:
        figures["predictive"] = plot_predictive(replicated)
    if model.nuisances:
        figures["pulls"] = plot_pulls(posterior_pulls(model, posterior.z), title)
    figures["traces"] = plot_traces(posterior.z, model.names)
    return figures
