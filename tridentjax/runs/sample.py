"""A sampling run from config to run folder: checkpointed draws, NetCDF, summary, figures."""

from pathlib import Path
from typing import Any

import numpy as np

from tridentjax.experiment.belle2 import LABEL
from tridentjax.faults import InputError, require
from tridentjax.inference.build import make_model, settings_of
from tridentjax.inference.checks.predictive import describe, replicate
from tridentjax.inference.diagnostics import bulk_ess, information_gain, summarise
from tridentjax.inference.model import PRIOR_DRAWS, Model, count_undefined
from tridentjax.inference.posterior import Posterior, Sampling, sample_posterior
from tridentjax.runs.config import require_same_run, resolved
from tridentjax.runs.folder import RunFolder, provenance
from tridentjax.runs.posterior_file import save_posterior
from tridentjax.runs.sample_figures import draw_figures, has_corner_plot
from tridentjax.schema.run import RunSpec

_PRIOR_DOMINATED = 0.25  # [bit]
_OWN = ("checkpoint.npz", "posterior.nc", "sets")


def sample_run(
    spec: RunSpec, folder: Path, *, resume: bool, force: bool, config: Path, dask: str | None = None
) -> tuple[dict[str, Any], str]:
    """Run NUTS into `folder` and return the summary as data and as text.

    `dask` is the scheduler that the sets of chains are given to, or 'local'.

    Raises
    ------
    InputError : bad config, occupied or unwritable folder, a checkpoint of another run, or a scheduler that does not
        answer.
    """
    run = RunFolder(folder, config, resolved(spec), "sampler", _OWN, log=True)
    if spec.sampler.sets > 1 and dask is None:
        raise InputError([f"sampler.sets = {spec.sampler.sets} needs a cluster: add --dask SCHEDULER, or --dask local"])
    _require_writers(spec)
    run.open(resume=resume, force=force)
    if resume:
        require_same_run(folder, run.settings, run.block)
    run.say(f"building the model of {spec.name}: experiments {', '.join(spec.experiments)}")
    model = make_model(spec)
    if force:
        run.clear()
    if not resume:
        run.record()
    run.say(f"model ready after {run.seconds:.1f} s; sampling {len(model.names)} parameters")
    if undefined := count_undefined(model):
        run.say(f"{undefined} of {PRIOR_DRAWS} prior draws have no solution in the theory (NaN) and are excluded")
    if dask is not None:
        from tridentjax.runs.sample_sets import sample_sets

        posterior = sample_sets(spec, folder, run.hash, dask, run.say)
    else:
        posterior = _sample_here(model, spec, run, resume)
    summary = _write_results(spec, run, model, posterior, undefined)
    run.say(f"finished after {summary['seconds']:.1f} s: {folder}")
    return summary, _text(summary, folder)


def _require_writers(spec: RunSpec) -> None:
    """What writes the results, before the draws are made."""
    require("posterior.nc", "h5netcdf", "h5py", remedy="reinstall tridentjax with its dependencies")
    if spec.output.figures:
        kinds = [p.prior.dist for p in spec.params.values() if p.prior is not None]
        packages = ("matplotlib", "corner") if has_corner_plot(kinds) else ("matplotlib",)
        require("figures of a posterior", *packages, remedy="install the extra `viz` or set output.figures=false")


def _sample_here(model: Model, spec: RunSpec, run: RunFolder, resume: bool) -> Posterior:
    checkpoint = run.path / "checkpoint.npz"
    if resume and not checkpoint.is_file():
        run.say("no block was finished before the interruption; starting from the beginning")
    return sample_posterior(
        model,
        settings_of(Sampling, spec.sampler),
        checkpoint=checkpoint,
        resume=resume and checkpoint.is_file(),
        identity=run.hash,
        report=run.say,
    )


def _gain(posterior: Posterior, name: str) -> dict[str, float]:
    return information_gain(posterior.prior_quantiles[name], bulk_ess(posterior.parameters[name]))


def _write_results(spec: RunSpec, run: RunFolder, model: Model, posterior: Posterior, undefined: int) -> dict[str, Any]:
    """posterior.nc, figures and summary."""
    attributes = {
        "inference_library": "tridentjax",
        "config": spec.name,
        "config_hash": run.hash,
        "seed": spec.sampler.seed,
        **{key: str(value) for key, value in provenance().items()},
    }
    ratios = {f"rate_ratio_{name}": values for name, values in posterior.rate_ratios.items()}
    statistics = {name: x for name, x in posterior.statistics.items() if name != "potential_energy"}
    groups = {
        "posterior": posterior.parameters,
        "sample_stats": statistics | {"lp": -posterior.statistics["potential_energy"]},
        "log_likelihood": {"total": posterior.log_likelihood},
        "posterior_predictive": ratios,
        "derived": posterior.derived,
        "observed_data": {c.experiment.name: np.asarray(c.experiment.measurement.value) for c in model.chains},
    }
    save_posterior(run.path / "posterior.nc", groups, model.units, attributes)
    files = ["posterior.nc", "summary.json", "run.yaml", "run.resolved.yaml", "log.txt"]
    files += ["checkpoint.npz"] if (run.path / "checkpoint.npz").is_file() else []
    gains = {name: _gain(posterior, name) for name in model.names}
    replicated = replicate(model, posterior.rate_ratios, posterior.parameters, spec.sampler.seed)
    if spec.output.figures:
        files += run.save_figures(draw_figures(model, posterior, gains, replicated))
    content = {
        "seed": spec.sampler.seed,
        "converged": posterior.converged,
        "draws": int(posterior.z.shape[0] * posterior.z.shape[1]),
        "divergences": posterior.divergences,
        "parameters": {
            name: summarise(x) | {"unit": model.units[name], "information_gain": gains[name]}
            for name, x in posterior.parameters.items()
        },
        "derived": {name: summarise(x) | {"unit": model.units[name]} for name, x in posterior.derived.items()},
        "prior_dominated": all(gains[name]["bits"] < _PRIOR_DOMINATED for name in model.priors),
        "auxiliary": None if model.auxiliary is None else f"belle2: {LABEL}",
        "rate_ratios": {name: summarise(x) for name, x in posterior.rate_ratios.items()},
        "posterior_predictive": describe(replicated),
        "undefined_prior_draws": {"count": undefined, "of": PRIOR_DRAWS},
    }
    return run.finish(content, files)


def _text(summary: dict[str, Any], folder: Path) -> str:
    lines = [f"{'parameter':30} {'median':>11} {'16 %':>11} {'84 %':>11} {'R-hat':>7} {'ESS':>6} {'gain [bit]':>14}"]
    rows = summary["parameters"] | summary["derived"]
    rows |= {f"rate ratio {name}": x for name, x in summary["rate_ratios"].items()}
    for name, s in rows.items():
        q, gain = s["quantiles"], s.get("information_gain")
        lines.append(
            f"{name:30} {q['50%']:11.4g} {q['16%']:11.4g} {q['84%']:11.4g} {s['r_hat']:7.4f} {s['ess_bulk']:6.0f}"
            + (f" {gain['bits']:7.3f}({gain['error']:.3f})" if gain else "")
        )
    lines.append(
        f"{summary['draws']} draws, {summary['divergences']} divergences, "
        f"{'converged' if summary['converged'] else 'NOT converged'}; files in {folder}"
    )
    for name, x in summary["posterior_predictive"].items():
        kind = "" if x["kind"] == "measurement" else " (projection, not data)"
        lines.append(f"posterior predictive p-value of {name}{kind}: {x['p_value']:.3g}")
    lines.append("gain: information from prior to posterior of each marginal, D(posterior || prior)")
    if summary["auxiliary"]:
        lines.append(f"with an auxiliary term, {summary['auxiliary']}")
    if summary["prior_dominated"]:
        lines.append(
            f"PRIOR-DOMINATED: the data move no parameter of the theory by {_PRIOR_DOMINATED} bit; "
            "these intervals are those of the prior, not a measurement."
        )
    return "\n".join(lines)
