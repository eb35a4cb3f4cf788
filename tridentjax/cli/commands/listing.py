"""What each CLI command does: collect input, call the library, print for people or as JSON."""

import sys
from pathlib import Path

import jax

from tridentjax._version import __version__
from tridentjax.cache import cache_folder
from tridentjax.cli.commands.arguments import emit
from tridentjax.experiment.flux import flux_names, flux_path, read_flux_table
from tridentjax.experiment.load import experiment_names, experiment_path
from tridentjax.faults import InputError, unknown
from tridentjax.files import data_folder, read_yaml
from tridentjax.nucleus.materials import element_names, material_names, material_rows
from tridentjax.nucleus.nuclei import FORM_FACTORS, NUCLEON_FORM_FACTORS, density_rows, nucleus_names, nucleus_row
from tridentjax.process.laboratory import OBSERVABLES
from tridentjax.runs.config import config_names, config_path
from tridentjax.theory.catalogue import THEORIES


def info(as_json: bool) -> None:
    """Versions, devices, precision, cache folder, data provenance."""
    sources = sorted(path.name for path in data_folder().glob("*.csv"))
    content = {
        "version": __version__,
        "jax": jax.__version__,
        "devices": [f"{device.platform}:{device.device_kind}" for device in jax.devices()],
        "x64": bool(jax.numpy.zeros(()).dtype == "float64"),  # type: ignore[attr-defined]
        "python": sys.version.split()[0],
        "cache": str(cache_folder()),
        "data": {"folder": str(data_folder()), "tables": sources, "fluxes": len(flux_names())},
    }
    emit(content, as_json, "\n".join(f"{key:8} {value}" for key, value in content.items()))


def list_items(kind: str, as_json: bool) -> None:
    """Names with a one-line source each."""
    if kind == "configs":
        items = {name: _title(config_path(name)) for name in config_names()}
    elif kind == "experiments":
        items = {name: _experiment_line(name) for name in experiment_names()}
    elif kind == "theories":
        items = {name: theory.source for name, theory in THEORIES.items()}
    elif kind == "nuclei":
        items = {name: _nucleus_line(name) for name in nucleus_names()}
    elif kind == "fluxes":
        items = {name: _flux_line(name) for name in flux_names()}
    elif kind == "materials":
        items = {name: _material_line(name) for name in material_names()}
        items |= {name: "natural element" for name in element_names()}
    elif kind == "observables":
        items = {name: f"[{o.unit}] {o.meaning}" for name, o in OBSERVABLES.items()}
    else:
        items = dict(FORM_FACTORS) | {f"nucleon {name}": "nucleon form factors" for name in NUCLEON_FORM_FACTORS}
    content = {"items": [{"name": name, "source": source} for name, source in items.items()]}
    emit(content, as_json, "\n".join(f"{name:28} {source}" for name, source in items.items()))


def _title(path: Path) -> str:
    content = read_yaml(path)
    return str(content.get("title") or content.get("theory"))


def _experiment_line(name: str) -> str:
    content = read_yaml(experiment_path(name))
    measurement = content["measurement"]
    projection = measurement.get("projection") or measurement.get("observed") == "asimov"
    kind = "projection" if projection else "measurement"
    return f"[{kind}] {content['title']}, {content['reference']} ({measurement['status']})"


def _nucleus_line(name: str) -> str:
    row = nucleus_row(name)
    default = next((density["origin"] for density in density_rows(name) if density["role"] == "default"), "free proton")
    return f"Z={row['Z']} A={row['A']} mass {float(row['mass']):.5f} GeV; {default}"


def _material_line(name: str) -> str:
    rows = material_rows(name)
    composition = " ".join(f"{row['component']}:{row['mass_fraction']}" for row in rows)
    return f"{composition}; {rows[0]['source']} ({rows[0]['status']})"


def _flux_line(name: str) -> str:
    header = read_flux_table(name).header
    return f"[{header['unit']}] grade {header.get('grade', '-')}, {header.get('reference', 'no reference')}"


def show(name: str, as_json: bool) -> None:
    """Text of a packaged config, experiment or flux table."""
    for kind, names, path in (
        ("config", config_names(), config_path),
        ("experiment", experiment_names(), experiment_path),
        ("flux", flux_names(), flux_path),
    ):
        if name in names:
            text = path(name).read_text(encoding="utf-8")
            emit({"name": name, "kind": kind, "text": text}, as_json, text.rstrip("\n"))
            return
    every = (*config_names(), *experiment_names(), *flux_names())
    raise InputError([unknown("config, experiment or flux", name, every)])
