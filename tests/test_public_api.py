import inspect
import tomllib
from pathlib import Path

import pytest

import tridentjax

# adding a name is a decision, removing one breaks users: change this list by hand
NAMES = [
    "Chain",
    "Channel",
    "Coherent",
    "Estimate",
    "Experiment",
    "FermiDensity",
    "Flux",
    "FourierBessel",
    "GaussianDensity",
    "Helm",
    "Incoherent",
    "InputError",
    "Kernel",
    "LeptonCurrent",
    "LeptonicTable",
    "Measurement",
    "Nucleus",
    "Nuisances",
    "Response",
    "VectorMediator",
    "__version__",
    "build_kernel",
    "build_kernels",
    "component_ratios",
    "differential_cross_section",
    "enable_x64",
    "energy_weights",
    "experiment_names",
    "flux_names",
    "fold",
    "fold_flux",
    "fold_target",
    "from_chiral",
    "load_experiment",
    "load_flux",
    "load_leptonic_table",
    "load_nucleon",
    "load_nucleus",
    "log_likelihood",
    "mediator_shift",
    "nucleon_regime",
    "nucleus_names",
    "nucleus_regimes",
    "prepare",
    "quadratic_couplings",
    "rate_ratio",
    "signal",
    "standard_model_current",
    "theories",
    "to_chiral",
    "total_cross_section",
    "woods_saxon",
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
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    assert tridentjax.__version__ == project["project"]["version"]


def test_typed():
    assert (Path(tridentjax.__file__).parent / "py.typed").is_file()
