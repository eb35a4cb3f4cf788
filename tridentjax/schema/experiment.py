"""Shape of an experiment file: beams, target, measurement, nuisances and exposure."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from tridentjax.faults import unknown
from tridentjax.schema.strict import NonNegative, NuisanceSpec, Positive, Sharing, Strict

Flavour = Literal["e", "mu", "tau"]
Species = Literal["nue", "numu", "nutau", "antinue", "antinumu", "antinutau"]


class ChannelSpec(Strict):
    """Which charged leptons are counted; the neutrino flavour comes with each flux."""

    lepton_minus: Flavour
    lepton_plus: Flavour


class FluxSpec(Strict):
    """One beam species and the table that holds its spectrum.

    A ROOT file (`.root`) has no header: `histogram`, `unit`, `energy_unit` and `content` belong to it and to
    nothing else. `content` says whether a bin holds the flux per GeV or the
    number of neutrinos in the bin.
    """

    species: Species
    table: str
    histogram: str | None = None
    unit: str | None = None
    energy_unit: str | None = None
    content: Literal["per_GeV", "per_bin"] | None = None

    @model_validator(mode="after")
    def _root_or_header(self) -> "FluxSpec":
        keys = ("histogram", "unit", "energy_unit", "content")
        given = [key for key in keys if getattr(self, key) is not None]
        if self.table.endswith(".root") and len(given) < len(keys):
            missing = ", ".join(key for key in keys if key not in given)
            raise ValueError(f"a ROOT histogram carries no units: add {missing}")
        if not self.table.endswith(".root") and given:
            raise ValueError(f"{', '.join(given)} belong to a ROOT file; the header of this table says it")
        return self


# the names of `nuclei.FORM_FACTORS`, repeated so that checking a file needs no JAX
FormFactorName = Literal["default", "fermi2", "fermi3", "gaussian3", "fourier-bessel", "helm", "woods-saxon"]


class TargetSpec(Strict):
    """One nuclide, natural element or material, its share of the target mass and its nuclear model.

    `material` is a packaged name or a composition 'O:0.4667,Si:0.3389,...'; `p_fermi` is in GeV.
    """

    nucleus: str | None = None
    element: str | None = None
    material: str | None = None
    mass_fraction: Annotated[FiniteFloat, Field(gt=0.0, le=1.0)] = 1.0
    form_factor: FormFactorName = "default"
    form_factor_parameters: dict[str, FiniteFloat] = {}
    p_fermi: Annotated[FiniteFloat, Field(ge=0.0, lt=1.0)] | None = None

    @model_validator(mode="after")
    def _one_target(self) -> "TargetSpec":
        given = [key for key in ("nucleus", "element", "material") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of nucleus, element and material, received {given or 'none'}")
        return self


class CutSpec(Strict):
    """A window of one observable with its unit; resolutions make it smooth. See `cuts.CutRequest`."""

    observable: str
    unit: str
    min: FiniteFloat | None = None
    max: FiniteFloat | None = None
    resolution: NonNegative = 0.0
    relative_resolution: NonNegative = 0.0


def _count(value: Any) -> Any:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and float(value).is_integer()
    if not whole and value != "asimov":
        raise ValueError("allowed: a whole number >= 0, or asimov (background + signal of the Standard Model)")
    return int(value) if whole else value


def _signal(value: Any) -> Any:
    if value == "flux" or (isinstance(value, int | float) and not isinstance(value, bool) and 0.0 < value < 1e300):
        return value
    raise ValueError("allowed: a number > 0, or flux (from flux, exposure and efficiency)")


_RATIO_UNIT = "'1' for a rate_ratio or an upper_limit"
_COUNT_UNIT = "events for counts"


class RateMeasurement(Strict):
    """A measured ratio of the rate to its Standard-Model prediction, or a `projection` of one.

    `includes_theory_error` says whether the quoted error already holds that of the Standard-Model rate in the
    denominator. Where it is false that error is added: the theory normalisations act on the numerator.
    """

    observable: Literal["rate_ratio"]
    distribution: Literal["normal", "split_normal"]
    unit: Annotated[Literal["1"], Field(description=_RATIO_UNIT)]
    value: FiniteFloat
    uncertainty: Positive | None = None
    uncertainty_low: Positive | None = None
    uncertainty_high: Positive | None = None
    includes_theory_error: bool
    projection: bool = False
    status: str

    @model_validator(mode="after")
    def _widths(self) -> "RateMeasurement":
        sides = (self.uncertainty_low, self.uncertainty_high)
        if self.distribution == "normal" and (self.uncertainty is None or any(sides)):
            raise ValueError("a normal measurement needs `uncertainty` and no uncertainty_low or uncertainty_high")
        if self.distribution == "split_normal" and (self.uncertainty is not None or None in sides):
            raise ValueError("a split_normal measurement needs uncertainty_low and uncertainty_high only")
        return self


class LimitMeasurement(Strict):
    """A published upper limit on the rate ratio, kept as published: see `likelihood.half_normal_log_density`."""

    observable: Literal["upper_limit"]
    distribution: Literal["half_normal"]
    unit: Annotated[Literal["1"], Field(description=_RATIO_UNIT)]
    value: Positive
    confidence_level: Annotated[FiniteFloat, Field(gt=0.0, lt=1.0)]
    includes_theory_error: bool
    projection: bool = False
    status: str


class CountMeasurement(Strict):
    """Observed events over a background known within an error, with the expected SM signal.

    `observed: asimov` is a projection: background plus signal. `signal_sm: flux` is computed from the absolute
    flux, the exposure and the efficiency. A background error of 0 is a background taken as known.
    """

    observable: Literal["counts"]
    distribution: Literal["poisson"]
    unit: Annotated[Literal["events"], Field(description=_COUNT_UNIT)]
    observed: Annotated[int | Literal["asimov"], BeforeValidator(_count)]
    background: NonNegative
    background_uncertainty: NonNegative
    signal_sm: Annotated[float | Literal["flux"], BeforeValidator(_signal)]
    includes_theory_error: bool
    status: str


class MassSpec(Strict):
    """Mass of the target and where the number is from."""

    value: Positive
    unit: Literal["kg", "tonne"]
    status: str


class AmountSpec(Strict):
    """Protons on target or integrated luminosity, and where the number is from."""

    value: Positive
    unit: Literal["POT", "fb^-1"]
    status: str


class DurationSpec(Strict):
    """Calendar time in which the amount is collected."""

    value: Positive
    unit: Literal["year", "day"]
    status: str = ""


class ExposureSpec(Strict):
    """What turns an absolute flux into a number of events."""

    target_mass: MassSpec
    amount: AmountSpec
    duration: DurationSpec | None = None


NUISANCES = {
    "flux_stretch": "log_sd",
    "flux_tilt": "sd",
    "nuclear_radius": "log_sd",
    "nuclear_diffuseness": "log_sd",
    "coherent_normalisation": "log_sd",
    "incoherent_normalisation": "log_sd",
    "sin2_theta_w": "sd",
}
# which experiments a nuisance moves together unless the file says otherwise
SHARED: dict[str, Sharing] = {
    "flux_stretch": "own",
    "flux_tilt": "own",
    "nuclear_radius": "nucleus",
    "nuclear_diffuseness": "nucleus",
    "coherent_normalisation": "all",
    "incoherent_normalisation": "all",
    "sin2_theta_w": "all",
}


class ExperimentSpec(Strict):
    """An experiment file.

    Experiments with the same `data_set` (default: the name) are variants of one measurement and never used
    together.
    """

    name: str
    title: str
    reference: str
    notes: str = ""
    data_set: str = ""
    channel: ChannelSpec
    flux: Annotated[list[FluxSpec], Field(min_length=1)]
    target: Annotated[list[TargetSpec], Field(min_length=1)]
    nucleon_form_factor: Literal["kelly", "dipole", "ye2018"] = "kelly"
    cuts: list[CutSpec] = []
    efficiency: Annotated[FiniteFloat, Field(gt=0.0, le=1.0)] = 1.0
    exposure: ExposureSpec | None = None
    measurement: Annotated[RateMeasurement | LimitMeasurement | CountMeasurement, Field(discriminator="observable")]
    nuisances: dict[str, NuisanceSpec] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "ExperimentSpec":
        faults = [unknown("nuisance", name, NUISANCES) for name in self.nuisances if name not in NUISANCES]
        faults += [
            f"nuisance {name} takes {NUISANCES[name]}"
            for name, spec in self.nuisances.items()
            if name in NUISANCES and getattr(spec, NUISANCES[name]) is None
        ]
        total = sum(target.mass_fraction for target in self.target)
        if abs(total - 1.0) > 0.005:
            faults.append(f"mass fractions of the target sum to {total:.4f}; allowed: 1 within 0.005")
        if getattr(self.measurement, "signal_sm", None) == "flux" and self.exposure is None:
            faults.append("measurement.signal_sm = flux needs an exposure; add exposure: {target_mass, amount}")
        if faults:
            raise ValueError("; ".join(faults))
        return self
