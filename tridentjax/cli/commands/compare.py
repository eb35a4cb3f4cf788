"""`tridentjax compare`: data over theory for all measurements."""

from pathlib import Path
from typing import Any

from tridentjax.cli.commands.arguments import emit, parse_theory
from tridentjax.cli.commands.out_files import output_files, write_outputs
from tridentjax.experiment.load import Experiment, experiment_names, load_experiment
from tridentjax.faults import InputError, collect
from tridentjax.figures.goodness import plot_comparison
from tridentjax.files import write_table
from tridentjax.rates.comparison import Combined, Comparison, combine, compare
from tridentjax.rates.exposure import prepare_for
from tridentjax.theory.binding import BoundTheory, refuse_undefined

_NEGLECTED = "errors that measurements share (nuclear models, normalisations) are neglected in the sum"


def compare_experiments(
    names: list[str], theory: str, settings: list[str], out: Path | None, force: bool, as_json: bool
) -> None:
    """Measurements and projections against a theory, with a table and a figure.

    Raises
    ------
    InputError : everything wrong with the options, at once.
    """
    faults: list[str] = []
    bound = collect(faults, parse_theory, theory, settings)
    faults += [f"experiment {name} is named twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    loaded = [collect(faults, load_experiment, name) for name in names] if names else default_experiments()
    files = collect(faults, output_files, out, force)
    if faults:
        raise InputError(faults)
    rows = [_row(experiment, theory, bound) for experiment in loaded]
    combined = combine(rows)
    title = f"data over theory, {theory}" + (f" ({_given(bound)})" if bound.given else "")
    content = _content(title, theory, bound, rows, combined, files)
    text = _text(title, rows, combined)
    comments, table = [*text[:1], *text[-2:], "ratios to the Standard Model"], [row._asdict() for row in rows]
    write_outputs(
        files,
        lambda path: write_table(path, comments, Comparison._fields, table),
        lambda: plot_comparison(rows, theory, title),
    )
    emit(content, as_json, "\n".join([*text, *bound.notes, *(f"wrote {path}" for path in files)]))


def default_experiments() -> list[Experiment]:
    """One packaged measurement of each data set (that with the shortest name), then the projections.

    Left out are projections with an exposure whose ratio is that of another file (dune_fhc, dune_rhc).
    """
    every = [load_experiment(name) for name in sorted(experiment_names(), key=lambda name: (len(name), name))]
    data: dict[str, Experiment] = {}
    for experiment in every:
        if experiment.measurement.kind == "measurement":
            data.setdefault(experiment.data_set, experiment)
    projections = [
        experiment
        for experiment in every
        if experiment.measurement.kind == "projection"
        and not (experiment.measurement.is_ratio and experiment.exposure is not None)
    ]
    return [*sorted(data.values(), key=_order), *sorted(projections, key=_order)]


def _order(experiment: Experiment) -> tuple[bool, str]:
    return experiment.measurement.is_limit, experiment.name


def _row(experiment: Experiment, theory: str, bound: BoundTheory) -> Comparison:
    refuse_undefined(theory, bound, experiment.channel())
    return compare(prepare_for(experiment, bound.function, bound.values), bound.function, bound.values)


def _given(bound: BoundTheory) -> str:
    return ", ".join(f"{name} = {value}" for name, value in bound.given.items())


def _content(
    title: str, theory: str, bound: BoundTheory, rows: list[Comparison], combined: Combined | None, files: list[Path]
) -> dict[str, Any]:
    return {
        "title": title,
        "theory": theory,
        "parameters": bound.given,
        "measurements": [row._asdict() for row in rows if row.kind == "measurement"],
        "projections": [row._asdict() for row in rows if row.kind == "projection"],
        "chi2": None if combined is None else combined.chi2,
        "degrees_of_freedom": None if combined is None else combined.degrees_of_freedom,
        "p_value": None if combined is None else combined.p_value,
        "combined": [] if combined is None else list(combined.names),
        "theory_errors": _NEGLECTED,
        "files": [str(path) for path in files],
    }


def _text(title: str, rows: list[Comparison], combined: Combined | None) -> list[str]:
    lines = [f"{title}: R = N/N_SM", *(_line(row) for row in rows if row.kind == "measurement")]
    projections = [_line(row) for row in rows if row.kind == "projection"]
    lines += ["projections, not data:", *projections] if projections else []
    if combined is None:
        return [*lines, "no measurement with a p-value: nothing to combine", _NEGLECTED]
    lines.append(
        f"combined ({', '.join(combined.names)}): chi2 = {combined.chi2:.4g} for {combined.degrees_of_freedom} "
        f"measurements, p = {combined.p_value:.3g}"
    )
    return [*lines, _NEGLECTED]


def _line(row: Comparison) -> str:
    error = "" if row.theory_error is None else f" +- {row.theory_error:.2g}"
    predicted = f"predicted {row.predicted:.4g}{error} ({row.theory_error_counted})"
    if row.limit is not None:
        assert row.confidence_level is not None
        allowed = "allowed" if row.predicted < row.limit else "excluded"
        return f"  {row.title:34} R < {row.limit:.3g} at {100 * row.confidence_level:g} %  {predicted}: {allowed}"
    measured = f"{row.measured:.3g} +{row.high:.3g} -{row.low:.3g}"
    return f"  {row.title:34} R = {measured:20} {predicted}  pull {row.pull:+.2f}  p = {row.p_value:.3g}"
