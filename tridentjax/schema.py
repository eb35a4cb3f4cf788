"""Shape of the YAML files, checked with pydantic: unknown keys are refused, all faults come at once."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from tridentjax.faults import InputError, unknown


class Strict(BaseModel):
    """A record that refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Positive = Annotated[FiniteFloat, Field(gt=0.0)]
NonNegative = Annotated[FiniteFloat, Field(ge=0.0)]
Flavour = Literal["e", "mu", "tau"]
Species = Literal["nue", "numu", "nutau", "antinue", "antinumu", "antinutau"]


class ChannelSpec(Strict):
    """Which charged leptons are counted; the neutrino flavour comes with each flux."""

    lepton_minus: Flavour
    lepton_plus: Flavour


class FluxSpec(Strict):
    """One beam species and the table that holds its spectrum."""

    species: Species
    table: str


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


class NuisanceSpec(Strict):
    """Width of a nuisance: `log_sd` on the logarithm of a factor, or `sd` of an additive shift."""

    log_sd: Positive | None = None
    sd: Positive | None = None
    status: str = ""

    @property
    def width(self) -> float:
        """Whichever width was given."""
        return self.log_sd or self.sd or 0.0

    @model_validator(mode="after")
    def _one_width(self) -> "NuisanceSpec":
        if (self.log_sd is None) == (self.sd is None):
            raise ValueError("give exactly one of log_sd (factor) and sd (shift)")
        return self


class RateMeasurement(Strict):
    """A measured ratio of the rate to its Standard-Model prediction."""

    observable: Literal["rate_ratio"]
    distribution: Literal["normal", "split_normal"]
    value: FiniteFloat
    uncertainty: Positive | None = None
    uncertainty_low: Positive | None = None
    uncertainty_high: Positive | None = None
    includes_theory_error: bool
    status: str

    @model_validator(mode="after")
    def _widths(self) -> "RateMeasurement":
        sides = (self.uncertainty_low, self.uncertainty_high)
        if self.distribution == "normal" and (self.uncertainty is None or any(sides)):
            raise ValueError("a normal measurement needs `uncertainty` and no uncertainty_low or uncertainty_high")
        if self.distribution == "split_normal" and (self.uncertainty is not None or None in sides):
            raise ValueError("a split_normal measurement needs uncertainty_low and uncertainty_high only")
        return self


class CountMeasurement(Strict):
    """Observed events over a background known within an error, with the expected SM signal."""

    observable: Literal["counts"]
    distribution: Literal["poisson"]
    observed: Annotated[int, Field(ge=0)]
    background: NonNegative
    background_uncertainty: Positive
    signal_sm: Positive
    includes_theory_error: bool
    status: str


NUISANCES = {
    "flux_stretch": "log_sd",
    "flux_tilt": "sd",
    "nuclear_radius": "log_sd",
    "nuclear_diffuseness": "log_sd",
    "coherent_normalisation": "log_sd",
    "incoherent_normalisation": "log_sd",
    "sin2_theta_w": "sd",
}


class ExperimentSpec(Strict):
    """An experiment file."""

    name: str
    title: str
    reference: str
    notes: str = ""
    channel: ChannelSpec
    flux: Annotated[list[FluxSpec], Field(min_length=1)]
    target: Annotated[list[TargetSpec], Field(min_length=1)]
    nucleon_form_factor: Literal["kelly", "dipole", "ye2018"] = "kelly"
    cuts: list[CutSpec] = []
    efficiency: Annotated[FiniteFloat, Field(gt=0.0, le=1.0)] = 1.0
    measurement: Annotated[RateMeasurement | CountMeasurement, Field(discriminator="observable")]
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
        if faults:
            raise ValueError("; ".join(faults))
        return self


Record = TypeVar("Record", bound=Strict)


def validate(record: type[Record], content: Mapping[str, Any], place: str) -> Record:
    """Check a mapping against a record.

    Raises
    ------
    InputError : every fault with its path, the value received and what is allowed.
    """
    try:
        return record.model_validate(content)
    except ValidationError as error:
        raise InputError([_describe(fault, record, place) for fault in error.errors()]) from None


def _describe(fault: Any, record: type[BaseModel], place: str) -> str:
    path = ".".join(str(part) for part in fault["loc"] if part not in ("rate_ratio", "counts"))
    if fault["type"] == "extra_forbidden":
        return unknown("key", fault["loc"][-1], _keys(record, fault["loc"][:-1]), f"{place}: {path}")
    if fault["type"] == "missing":
        return f"{place}: {path} is missing; add it"
    received = repr(fault["input"])
    shown = received if len(received) < 80 else received[:77] + "..."
    return f"{place}: {path or 'file'} = {shown}: {fault['msg'].removeprefix('Value error, ')}"


def _keys(record: type[BaseModel], path: tuple[Any, ...]) -> tuple[str, ...]:
    """Allowed keys at a path of a record, for the suggestion in an unknown-key fault."""
    candidates: list[type[BaseModel]] = [record]
    for part in path:
        found: list[type[BaseModel]] = []
        for candidate in candidates:
            if part in candidate.model_fields:
                found += _records_in(candidate.model_fields[part].annotation)
        candidates = found or candidates
    return tuple(dict.fromkeys(key for candidate in candidates for key in candidate.model_fields))


def _records_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _records_in(part)]
