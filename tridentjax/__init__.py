"""Differentiable likelihood for neutrino trident production, nu N -> nu l+ l- N, in pure JAX.

Names are imported on first use, so that `tridentjax --help` does not wait for JAX.
"""

from importlib import import_module
from typing import Any

from tridentjax._version import __version__

_PUBLIC = {
    "currents": (
        "Channel LeptonCurrent from_chiral from_doubled one_loop_current propagator_shift quadratic_couplings "
        "standard_model_current to_chiral to_doubled"
    ),
    "events.files": "write_events",
    "events.generate": "generate_events",
    "events.sample": "EventSample PARTICLES reweight",
    "events.source": "beam_source experiment_source",
    "experiment.belle2": "Belle2Assumptions belle2_log_likelihood",
    "experiment.flux": "Flux flux_names load_flux",
    "experiment.likelihood": "log_likelihood",
    "experiment.load": "Experiment Measurement experiment_names load_experiment",
    "faults": "InputError",
    "host": "TridentConstraint TridentInputs trident_ratio trident_ratio_grid trident_ratio_table",
    "inference.build": "make_model",
    "inference.diagnostics": "summarise",
    "inference.extremum": "find_extremum make_allowed nearest_boundary",
    "inference.fit": "fit",
    "inference.folded_model": "Folded fold_model in_float32",
    "inference.grid_posterior": "grid_posterior",
    "inference.limits.belle2_reach": "expected_reach",
    "inference.limits.region": "find_region make_plane",
    "inference.model": "Model",
    "inference.optimise": "maximise",
    "inference.posterior": "sample_posterior",
    "inference.profile_curve": "profile_likelihood",
    "nucleus.form_factors": "FermiDensity FourierBessel GaussianDensity Helm woods_saxon",
    "nucleus.materials": "Material load_material material_names",
    "nucleus.nuclei": "Nucleus load_nucleon load_nucleus nucleus_names",
    "nucleus.regimes": "target_regimes Coherent Incoherent nucleon_regime nucleus_regimes",
    "precision": "enable_x64",
    "process.cross_section": "Estimate total_cross_section",
    "process.cuts": "CutRequest Cuts acceptance make_cuts",
    "process.kernel": "Kernel build_kernel energy_weights",
    "process.laboratory": "LaboratoryEvent OBSERVABLES kinematics laboratory_event",
    "process.leptonic_table": "LeptonicTable load_leptonic_table",
    "process.model_spread": "ModelSpread model_spread",
    "process.totals": "TotalCrossSections cross_sections tabulated_cross_section",
    "process.weighted_points": "differential_cross_section",
    "rates.budget": "theory_budget",
    "rates.chain": "Chain Nuisances build_kernels fold fold_flux fold_target prepare unselected",
    "rates.distributions": "Distribution differential_distribution",
    "rates.exposure": "channel_rates expected_events",
    "rates.response": "Response component_ratios measured_ratio rate_ratio signal",
    "runs.config": "load_config",
    "scan.evaluator": "make_evaluator nominal_outputs profiled_outputs with_delta_chi2",
    "theory.binding": "BoundTheory bind_theory",
    "theory.catalogue": "THEORIES Theory",
    "theory.left": "left_shift to_left",
    "theory.mediators": "ScalarMediator VectorMediator loop_mixing loop_mixing_timelike mediator_shift scalar_shift",
    "theory.rs.electroweak": "ElectroweakRS",
    "theory.rs.geometry": (
        "WarpedGeometry fermion ir_brane minus_plus_sum subtracted_sum tower_sum uv_brane zero_mode_density"
    ),
    "theory.rs.kk": "first_kk_mass kk_couplings kk_masses kk_roots",
    "theory.rs.lmutau": "LMuTau lmutau_shift pole_mass",
    "theory.rs.matching": "rs_shift",
    "theory.rs.operators": "oblique smeft_coefficients vertex_shifts",
    "theory.smeft": "smeft_shift warsaw_to_left",
    "theory.wcxf": "load_wcxf",
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names.split()}

__all__ = ["__version__", "theories", *sorted(_HOME)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "theories":
        return import_module("tridentjax.theory.theories")
    if name not in _HOME:
        raise AttributeError(f"module 'tridentjax' has no attribute {name!r}")
    value = getattr(import_module(f"tridentjax.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public list."""
    return list(__all__)
