"""Differentiable likelihood for neutrino trident production, nu N -> nu l+ l- N, in pure JAX."""

from tridentjax import theories
from tridentjax._version import __version__
from tridentjax.cross_section import Estimate, differential_cross_section, total_cross_section
from tridentjax.currents import (
    Channel,
    LeptonCurrent,
    from_chiral,
    quadratic_couplings,
    standard_model_current,
    to_chiral,
)
from tridentjax.experiment import Experiment, Measurement, experiment_names, load_experiment
from tridentjax.faults import InputError
from tridentjax.flux import Flux, flux_names, load_flux
from tridentjax.form_factors import FermiDensity, FourierBessel, GaussianDensity, Helm, woods_saxon
from tridentjax.kernel import Kernel, build_kernel
from tridentjax.leptonic_table import LeptonicTable, load_leptonic_table
from tridentjax.likelihood import log_likelihood
from tridentjax.mediators import VectorMediator, mediator_shift
from tridentjax.nuclei import Nucleus, load_nucleon, load_nucleus, nucleus_names
from tridentjax.precision import enable_x64
from tridentjax.rates import (
    Chain,
    Nuisances,
    Response,
    build_kernels,
    component_ratios,
    fold,
    fold_flux,
    fold_target,
    prepare,
    rate_ratio,
    signal,
)
from tridentjax.targets import Coherent, Incoherent, nucleon_regime, nucleus_regimes

__all__ = [
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
