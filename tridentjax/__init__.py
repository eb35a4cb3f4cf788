"""Differentiable likelihood for neutrino trident production, nu N -> nu l+ l- N, in pure JAX.

Names are imported on first use, so that `tridentjax --help` does not wait for JAX.
"""

from importlib import import_module
from typing import Any

from tridentjax._version import __version__

_PUBLIC = {
    "belle2": (
        "Belle2Assumptions",
        "belle2_log_likelihood",
    ),
    "belle2_reach": ("expected_reach",),
    "catalogue": (
        "THEORIES",
        "Theory",
    ),
    "cross_section": (
        "Estimate",
        "differential_cross_section",
        "total_cross_section",
    ),
    "currents": (
        "Channel",
        "LeptonCurrent",
        "from_chiral",
        "from_doubled",
        "one_loop_current",
        "propagator_shift",
        "quadratic_couplings",
        "standard_model_current",
        "to_chiral",
        "to_doubled",
    ),
    "cuts": (
        "CutRequest",
        "Cuts",
        "acceptance",
        "make_cuts",
    ),
    "distributions": (
        "Distribution",
        "differential_distribution",
    ),
    "eft": (
        "left_shift",
        "to_left",
    ),
    "event_files": ("write_events",),
    "event_rates": (
        "channel_rates",
        "expected_events",
        "theory_budget",
    ),
    "event_sample": (
        "EventSample",
        "PARTICLES",
        "reweight",
    ),
    "event_source": (
        "beam_source",
        "experiment_source",
    ),
    "events": ("generate_events",),
    "experiment": (
        "Experiment",
        "Measurement",
        "experiment_names",
        "load_experiment",
    ),
    "faults": ("InputError",),
    "flux": (
        "Flux",
        "flux_names",
        "load_flux",
    ),
    "form_factors": (
        "FermiDensity",
        "FourierBessel",
        "GaussianDensity",
        "Helm",
        "woods_saxon",
    ),
    "host": (
        "TridentConstraint",
        "TridentInputs",
        "trident_ratio",
        "trident_ratio_grid",
        "trident_ratio_table",
    ),
    "inference.curve": ("profile_likelihood",),
    "inference.extremum": (
        "find_extremum",
        "make_allowed",
        "nearest_boundary",
    ),
    "inference.fit": ("fit",),
    "inference.folded": (
        "Folded",
        "fold_model",
        "in_float32",
    ),
    "inference.model": ("Model",),
    "inference.scan": (
        "make_evaluator",
        "nominal_outputs",
        "profiled_outputs",
        "with_delta_chi2",
    ),
    "inference.search": ("maximise",),
    "kernel": (
        "Kernel",
        "build_kernel",
        "energy_weights",
    ),
    "laboratory": (
        "LaboratoryEvent",
        "OBSERVABLES",
        "kinematics",
        "laboratory_event",
    ),
    "leptonic_table": (
        "LeptonicTable",
        "load_leptonic_table",
    ),
    "likelihood": ("log_likelihood",),
    "materials": (
        "Material",
        "load_material",
        "material_names",
    ),
    "mediators": (
        "ScalarMediator",
        "VectorMediator",
        "loop_mixing",
        "loop_mixing_timelike",
        "mediator_shift",
        "scalar_shift",
    ),
    "nuclei": (
        "Nucleus",
        "load_nucleon",
        "load_nucleus",
        "nucleus_names",
    ),
    "precision": ("enable_x64",),
    "rates": (
        "Chain",
        "Nuisances",
        "Response",
        "build_kernels",
        "component_ratios",
        "fold",
        "fold_flux",
        "fold_target",
        "measured_ratio",
        "prepare",
        "rate_ratio",
        "signal",
        "unselected",
    ),
    "rs.geometry": (
        "WarpedGeometry",
        "fermion",
        "ir_brane",
        "minus_plus_sum",
        "subtracted_sum",
        "tower_sum",
        "uv_brane",
        "zero_mode_density",
    ),
    "rs.kk": (
        "first_kk_mass",
        "kk_couplings",
        "kk_masses",
        "kk_roots",
    ),
    "rs.lmutau": (
        "LMuTau",
        "lmutau_shift",
        "pole_mass",
    ),
    "rs.electroweak": ("ElectroweakRS",),
    "rs.matching": ("rs_shift",),
    "rs.operators": (
        "oblique",
        "smeft_coefficients",
        "vertex_shifts",
    ),
    "smeft": (
        "smeft_shift",
        "warsaw_to_left",
    ),
    "systematics": (
        "ModelSpread",
        "model_spread",
        "target_regimes",
    ),
    "targets": (
        "Coherent",
        "Incoherent",
        "nucleon_regime",
        "nucleus_regimes",
    ),
    "theory_input": (
        "BoundTheory",
        "bind_theory",
    ),
    "totals": (
        "TotalCrossSections",
        "cross_sections",
        "tabulated_cross_section",
    ),
    "wcxf": ("load_wcxf",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = ["__version__", "theories", *sorted(_HOME)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "theories":
        return import_module("tridentjax.theories")
    if name not in _HOME:
        raise AttributeError(f"module 'tridentjax' has no attribute {name!r}")
    value = getattr(import_module(f"tridentjax.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public list."""
    return list(__all__)
