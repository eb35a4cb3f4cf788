import inspect
import tomllib
from pathlib import Path

import pytest

import tridentjax

# adding a name is a decision, removing one breaks users: change this list by hand
NAMES = [
    "Belle2Assumptions",
    "BoundTheory",
    "Chain",
    "Channel",
    "Coherent",
    "CutRequest",
    "Cuts",
    "Distribution",
    "ElectroweakRS",
    "Estimate",
    "EventSample",
    "Experiment",
    "FermiDensity",
    "Flux",
    "Folded",
    "FourierBessel",
    "GaussianDensity",
    "Helm",
    "Incoherent",
    "InputError",
    "Kernel",
    "LMuTau",
    "LaboratoryEvent",
    "LeptonCurrent",
    "LeptonicTable",
    "Material",
    "Measurement",
    "Model",
    "ModelSpread",
    "Nucleus",
    "Nuisances",
    "OBSERVABLES",
    "PARTICLES",
    "Response",
    "ScalarMediator",
    "THEORIES",
    "Theory",
    "TotalCrossSections",
    "TridentConstraint",
    "TridentInputs",
    "VectorMediator",
    "WarpedGeometry",
    "__version__",
    "acceptance",
    "beam_source",
    "belle2_log_likelihood",
    "bind_theory",
    "build_kernel",
    "build_kernels",
    "channel_rates",
    "component_ratios",
    "cross_sections",
    "differential_cross_section",
    "differential_distribution",
    "enable_x64",
    "energy_weights",
    "expected_events",
    "expected_reach",
    "experiment_names",
    "experiment_source",
    "fermion",
    "find_extremum",
    "find_region",
    "first_kk_mass",
    "fit",
    "flux_names",
    "fold",
    "fold_flux",
    "fold_model",
    "fold_target",
    "from_chiral",
    "from_doubled",
    "generate_events",
    "grid_posterior",
    "in_float32",
    "ir_brane",
    "kinematics",
    "kk_couplings",
    "kk_masses",
    "kk_roots",
    "laboratory_event",
    "left_shift",
    "lmutau_shift",
    "load_config",
    "load_experiment",
    "load_flux",
    "load_leptonic_table",
    "load_material",
    "load_nucleon",
    "load_nucleus",
    "load_wcxf",
    "log_likelihood",
    "loop_mixing",
    "loop_mixing_timelike",
    "make_allowed",
    "make_cuts",
    "make_evaluator",
    "make_model",
    "make_plane",
    "material_names",
    "maximise",
    "measured_ratio",
    "mediator_shift",
    "minus_plus_sum",
    "model_spread",
    "nearest_boundary",
    "nominal_outputs",
    "nucleon_regime",
    "nucleus_names",
    "nucleus_regimes",
    "oblique",
    "one_loop_current",
    "pole_mass",
    "prepare",
    "profile_likelihood",
    "profiled_outputs",
    "propagator_shift",
    "quadratic_couplings",
    "rate_ratio",
    "reweight",
    "rs_shift",
    "sample_posterior",
    "scalar_shift",
    "signal",
    "smeft_coefficients",
    "smeft_shift",
    "standard_model_current",
    "subtracted_sum",
    "summarise",
    "tabulated_cross_section",
    "target_regimes",
    "theories",
    "theory_budget",
    "to_chiral",
    "to_doubled",
    "to_left",
    "total_cross_section",
    "tower_sum",
    "trident_ratio",
    "trident_ratio_grid",
    "trident_ratio_table",
    "unselected",
    "uv_brane",
    "vertex_shifts",
    "warsaw_to_left",
    "with_delta_chi2",
    "woods_saxon",
    "write_events",
    "zero_mode_density",
]


def test_public_names_are_frozen():
    assert sorted(dir(tridentjax)) == sorted(NAMES)
    assert sorted(tridentjax.__all__) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_documented(name):
    thing = getattr(tridentjax, name)
    if name != "__version__":
        assert inspect.getdoc(thing), f"{name} has no docstring"


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'tridentjax' has no attribute 'foldd'"):
        tridentjax.foldd  # noqa: B018


def test_version_is_that_of_the_project():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert tridentjax.__version__ == project["project"]["version"]


def test_typed():
    assert (Path(tridentjax.__file__).parent / "py.typed").is_file()
