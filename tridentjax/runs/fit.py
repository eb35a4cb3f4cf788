"""A fit from config to run folder: best fit, covariance, profile likelihood, extrema of outputs, figure, summary."""

import math
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from tridentjax.experiment.belle2 import LABEL
from tridentjax.faults import InputError, unknown
from tridentjax.figures.fit import plot_curves
from tridentjax.figures.style import label, pyplot
from tridentjax.files import write_json, write_table
from tridentjax.inference.build import make_model
from tridentjax.inference.deviance import make_deviance
from tridentjax.inference.extremum import (
    Extremum,
    find_extremum,
    make_allowed,
    nearest_boundary,
    nearest_faults,
    output_names,
)
from tridentjax.inference.fit import Fit, fit
from tridentjax.inference.model import Model, expand_model
from tridentjax.inference.profile_curve import Curve, profile_likelihood
from tridentjax.runs.config import resolved
from tridentjax.runs.folder import RunFolder
from tridentjax.schema.fit import FitSpec
from tridentjax.schema.run import RunSpec, SamplerSpec

_OWN = ("profile.csv", "fit.json")
_LOWER = 0.68  # confidence level of the narrower intervals
_BELOW = 1e-3  # of Delta chi2: a curve that comes below the best fit by more is said


def fit_run(spec: RunSpec, folder: Path, *, force: bool, config: Path) -> tuple[dict[str, Any], str]:
    """Fit a config, write everything into `folder`, and return the summary as data and as text.

    Raises
    ------
    InputError : unknown parameters or outputs, a bad model for `nearest`, an occupied folder; all at once.
    """
    run = RunFolder(folder, config, resolved(spec), "fit", _OWN)
    block = spec.fit or FitSpec()
    if spec.output.figures:
        pyplot()  # a missing matplotlib is said before the run, not after it
    model = make_model(spec.model_copy(update={"sampler": SamplerSpec()}))
    _check(model, block)
    run.open(force=force)
    run.say(f"best fit of {spec.name} from {block.starts} starts: experiments {', '.join(spec.experiments)}")
    search = expand_model(model) if model.profiled else model
    best = fit(model, starts=block.starts, seed=block.seed, search=search)
    curves = []
    for name in _profiled(model, block):
        run.say(f"profile likelihood of {name}")
        curves.append(_curve(model, name, best, search, block))
    found = _extrema(model, search, best, block, run)
    run.clear()
    run.record()
    return _write(spec, block, run, model, best, curves, found)


def _profiled(model: Model, block: FitSpec) -> tuple[str, ...]:
    return make_deviance(model).theory if block.profile is None else tuple(block.profile)


def _check(model: Model, block: FitSpec) -> None:
    deviance = make_deviance(model)
    faults = [unknown("parameter", name, deviance.names, "fit.profile") for name in block.profile or []
              if name not in deviance.names]  # fmt: skip
    outputs = output_names(model)
    faults += [
        unknown("output", item.output, outputs, f"fit.extremum.{i}")
        for i, item in enumerate(block.extremum)
        if item.output not in outputs
    ]
    if block.nearest is not None:
        faults += [f"fit.{fault}" for fault in nearest_faults(model, block.nearest)]
    if faults:
        raise InputError(faults)


def _curve(model: Model, name: str, best: Fit, search: Model, block: FitSpec) -> Curve:
    levels = tuple(sorted({_LOWER, block.confidence_level}))
    return profile_likelihood(model, name, best, search, points=block.points, confidence_levels=levels, seed=block.seed)


def _extrema(model: Model, search: Model, best: Fit, block: FitSpec, run: RunFolder) -> list[Extremum]:
    """Extrema of outputs, then the nearest boundary point, if they are asked for."""
    if not block.extremum and block.nearest is None:
        return []
    region = make_allowed(
        model, search, best=best, confidence_level=block.confidence_level,
        parameters_of_interest=block.parameters_of_interest, nuisances=block.nuisances, starts=block.starts,
        seed=block.seed,
    )  # fmt: skip
    found = []
    for item in block.extremum:
        run.say(f"{item.sense} of {item.output} over the allowed region")
        found.append(find_extremum(region, item.output, item.sense, starts=block.starts, seed=block.seed))
    if block.nearest is not None:
        run.say("nearest boundary point")
        found.append(nearest_boundary(region, block.nearest, starts=block.starts, seed=block.seed))
    return found


def _write(
    spec: RunSpec,
    block: FitSpec,
    run: RunFolder,
    model: Model,
    best: Fit,
    curves: list[Curve],
    found: list[Extremum],
) -> tuple[dict[str, Any], str]:
    files = ["run.yaml", "run.resolved.yaml", "fit.json", "summary.json"]
    if curves:
        _write_curves(run.path / "profile.csv", spec, model, curves)
        files.append("profile.csv")
    if curves and spec.output.figures:
        files += run.save_figures({"profile": _figure(spec, model, curves)})
    content = _finite(
        {
            "seed": block.seed,
            **_best_fit(model, best),
            "profile": {curve.name: _describe_curve(model, curve) for curve in curves},
            "extremum": [_describe_extremum(x, model) for x in found if x.output != "distance"],
            "nearest": next((_describe_extremum(x, model) for x in found if x.output == "distance"), None),
            "auxiliary": None if model.auxiliary is None else f"belle2: {LABEL}",
            "converged": best.status != "not converged" and all(x.converged for x in found),
        }
    )
    content = run.finish(content, files)
    write_json(run.path / "fit.json", content)
    return content, _text(content, run.path)


def _best_fit(model: Model, best: Fit) -> dict[str, Any]:
    c = best.covariance
    return {
        "status": best.status,
        "log_likelihood": best.log_likelihood,
        "deviance": best.deviance,
        "best_fit": {
            name: {"value": x, "error": c.errors.get(name), "unit": model.units.get(name, "1")} | _reason(name, best)
            for name, x in best.values.items()
        },
        "at_bound": best.at_bound,
        "flat_directions": [{"components": d.components, "sd_in_prior_ranges": d.sd} for d in c.flat],
        "covariance": {"parameters": list(c.names), "matrix": c.covariance.tolist()},
        "correlation": {"parameters": list(c.names), "matrix": c.correlation.tolist()},
        "rate_ratios": best.rate_ratios,
        "derived": best.derived,
        "optima": [{"values": o.values, "delta_chi2": o.excess, "starts": o.starts} for o in best.optima],
        "starts": {"count": best.starts, "agreeing": best.agreeing, "undefined": best.dropped},
        "gradient": best.gradient,
    }


def _reason(name: str, best: Fit) -> dict[str, str]:
    """Why a parameter has no error."""
    if name in best.covariance.reasons:
        return {"reason": best.covariance.reasons[name]}
    return {} if name in best.covariance.errors else {"reason": "found in closed form"}


def _describe_curve(model: Model, curve: Curve) -> dict[str, Any]:
    return {
        "unit": model.units.get(curve.name, "1"),
        "intervals": [
            {"confidence_level": level, **interval._asdict()}
            for level, pieces in curve.intervals.items()
            for interval in pieces
        ],
        "below_best_fit": curve.below,
    }


def _describe_extremum(found: Extremum, model: Model) -> dict[str, Any]:
    unit = "prior ranges" if found.output == "distance" else model.units.get(found.output, "1")
    return found._asdict() | {"unit": unit}


def _write_curves(path: Path, spec: RunSpec, model: Model, curves: list[Curve]) -> None:
    """Delta chi2 against every profiled parameter, with the theory parameters at each point."""
    deviance = make_deviance(model)
    rows = []
    for curve in curves:
        for value, delta, x in zip(curve.values, curve.delta_chi2, curve.others, strict=True):
            point = {name: float(v) for name, v in deviance.point(jnp.asarray(x[: len(deviance.theory)])).items()}
            rows.append({"parameter": curve.name, "value": float(value), "delta_chi2": float(delta), **point})
    comments = [
        f"title: {spec.title or spec.name}",
        "statistic: profile likelihood, Delta chi2 = -2 Delta ln L, all other parameters and nuisances at their best",
        *(f"experiment: {c.experiment.name} ({c.experiment.measurement.kind})" for c in model.chains),
        *(f"unit of {name}: {model.units[name]}" for name in deviance.theory),
        "columns after delta_chi2: parameters of the theory at that point",
    ]
    if model.auxiliary is not None:
        comments.append(f"with an auxiliary term, belle2: {LABEL}")
    write_table(path, comments, ["parameter", "value", "delta_chi2", *deviance.theory], rows)


def _figure(spec: RunSpec, model: Model, curves: list[Curve]) -> Any:
    names = [curve.name for curve in curves]
    labels = [label(model.latex.get(n, n.replace("_", " ")), model.units.get(n, "1")) for n in names]
    log = [n in model.priors and model.priors[n].kind == "loguniform" for n in names]
    projected = [c.experiment.name for c in model.chains if c.experiment.measurement.kind == "projection"]
    title = spec.title or spec.name
    return plot_curves(curves, labels, log, title + (f"; projection: {', '.join(projected)}" if projected else ""))


def _finite(content: Any) -> Any:
    """Numbers that are none as null: JSON has no NaN."""
    if isinstance(content, dict):
        return {key: _finite(x) for key, x in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(x) for x in content]
    if isinstance(content, float | np.floating):
        return float(content) if math.isfinite(content) else None
    return content


def _text(content: dict[str, Any], folder: Path) -> str:
    lines = [f"{'parameter':30} {'best fit':>13} {'error':>11}  unit"]
    for name, x in content["best_fit"].items():
        error = f"{x['error']:11.4g}" if x["error"] is not None else f"{'-':>11}"
        lines.append(f"{name:30} {x['value']:13.6g} {error}  [{x['unit']}] {x.get('reason', '')}".rstrip())
    starts = content["starts"]
    lines.append(
        f"status: {content['status']}; ln L = {content['log_likelihood']:.6g}; {starts['agreeing']} of "
        f"{starts['count']} starts agree, {starts['undefined']} begin where the theory has no solution"
    )
    for d in content["flat_directions"]:
        mixed = " ".join(f"{x:+.3g} {name}" for name, x in d["components"].items() if abs(x) > 0.05)
        lines.append(f"flat direction (in prior ranges): {mixed}")
    for name, curve in content["profile"].items():
        for i in curve["intervals"]:
            ends = ("open, " if i["open_low"] else "") + f"{i['low']:.6g} to {i['high']:.6g}"
            ends += ", open" if i["open_high"] else ""
            lines.append(f"{name}: {100 * i['confidence_level']:g} % CL interval {ends} [{curve['unit']}]")
        if curve["below_best_fit"] > _BELOW:
            lines.append(f"  the curve comes {curve['below_best_fit']:.3g} below the best fit: increase fit.starts")
    for x in [*content["extremum"], *([content["nearest"]] if content["nearest"] else [])]:
        lines.append(_extremum_line(x))
    if content["auxiliary"]:
        lines.append(f"with an auxiliary term, {content['auxiliary']}")
    return "\n".join([*lines, f"{content['seconds']:.1f} s; files in {folder}"])


def _extremum_line(x: dict[str, Any]) -> str:
    what = "nearest boundary point, distance" if x["output"] == "distance" else f"{x['sense']} of {x['output']}"
    if x["value"] is None:
        return f"{what}: not found ({x['failed']} of {x['starts']} starts failed)"
    place = ", ".join(f"{name} = {value:.6g}" for name, value in x["parameters"].items())
    held = "on the boundary of the region" if x["constrained"] else "inside the region, held by the prior or flat"
    text = f"{what} = {x['value']:.6g} [{x['unit']}] at {place}; {held}, nuisances {x['nuisances']}"
    text += f"; {x['agreeing']} of {x['starts']} starts agree before restarts"
    return text + ("" if x["converged"] else "; NOT converged")
