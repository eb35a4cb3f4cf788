"""Shape of a config file: parameters with priors or values, sampler, output."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, StrictBool, model_validator

from tridentjax.schema.calibration import CalibrationSpec
from tridentjax.schema.contour import ContourSpec
from tridentjax.schema.fit import FitSpec
from tridentjax.schema.scan import ScanSpec
from tridentjax.schema.strict import NuisanceSpec, Number, Positive, Strict


class PriorSpec(Strict):
    """Prior of a parameter in its physical unit."""

    dist: Literal["uniform", "loguniform", "normal"]
    min: Number | None = None
    max: Number | None = None
    loc: Number | None = None
    scale: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> "PriorSpec":
        if self.dist == "normal":
            if None in (self.loc, self.scale) or self.min is not None or self.max is not None:
                raise ValueError("a normal prior needs loc and scale only")
        else:
            if self.min is None or self.max is None or self.loc is not None or self.scale is not None:
                raise ValueError(f"a {self.dist} prior needs min and max only")
            if not self.min < self.max:
                raise ValueError(f"prior range [{self.min}, {self.max}] is empty; min must be below max")
            if self.dist == "loguniform" and self.min <= 0.0:
                raise ValueError(f"a loguniform prior needs min > 0, received {self.min}")
        return self


class ParameterSpec(Strict):
    """A theory parameter: sampled (`prior`) or fixed (`value`), with its unit; or a choice (a word, no unit).

    Several numbers as a value are several mediators.
    """

    unit: str = ""
    latex: str = ""
    prior: PriorSpec | None = None
    value: StrictBool | Number | Annotated[list[Number], Field(min_length=1)] | str | None = None
    start: Number | None = None

    @model_validator(mode="after")
    def _prior_or_value(self) -> "ParameterSpec":
        if (self.prior is None) == (self.value is None):
            raise ValueError("give exactly one of prior (sampled) and value (fixed)")
        if not self.unit and not isinstance(self.value, bool | str):
            raise ValueError("unit is missing; add it ('1' for a pure number)")
        if self.start is not None and self.prior is not None and self.prior.dist != "normal":
            low, high = self.prior.min, self.prior.max
            if not low < self.start < high:  # type: ignore[operator]
                raise ValueError(f"start = {self.start} lies outside the prior ({low}, {high})")
        return self


class SamplerSpec(Strict):
    """Settings of the NUTS run; with `--dask`, of each of its `sets` of chains."""

    chains: Annotated[int, Field(ge=2, le=1024)] = 4
    sets: Annotated[int, Field(ge=1, le=10_000)] = 1
    warmup: Annotated[int, Field(ge=50)] = 600
    draws: Annotated[int, Field(ge=50)] = 1000
    max_draws: Annotated[int, Field(ge=50)] = 4000
    block: Annotated[int, Field(ge=10)] = 200
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    target_accept: Annotated[FiniteFloat, Field(gt=0.5, lt=1.0)] = 0.9
    max_tree_depth: Annotated[int, Field(ge=3, le=12)] = 8
    edge: str | None = None
    along: str | None = None
    ess: Annotated[int, Field(ge=10)] = 400


class CorrelationSpec(Strict):
    """Correlation matrix of the priors of named nuisances."""

    nuisances: Annotated[list[str], Field(min_length=2)]
    matrix: list[list[Number]]

    @model_validator(mode="after")
    def _positive_definite(self) -> "CorrelationSpec":
        size = len(self.nuisances)
        if len(self.matrix) != size or any(len(row) != size for row in self.matrix):
            raise ValueError(f"the matrix of {size} nuisances needs {size} rows of {size} numbers")
        if len(set(self.nuisances)) < size:
            raise ValueError(f"nuisances {', '.join(self.nuisances)} name one twice")
        for i, row in enumerate(self.matrix):
            if row[i] != 1.0 or any(abs(row[j] - self.matrix[j][i]) > 1e-12 for j in range(size)):
                raise ValueError("a correlation matrix is symmetric with 1 on its diagonal")
        import numpy as np

        smallest = float(np.linalg.eigvalsh(np.asarray(self.matrix)).min())
        if smallest <= 1e-12:
            raise ValueError(
                f"the correlation matrix is not positive definite (smallest eigenvalue {smallest:.4g}); "
                "make the correlations smaller or consistent with each other"
            )
        return self


class Belle2Spec(Strict):
    """Assumptions of the Belle-II term; those left out are the defaults of `belle2.Belle2Assumptions`."""

    luminosity: Positive | None = None
    efficiency: Positive | None = None
    background: Annotated[FiniteFloat, Field(ge=0.0)] | None = None
    observed: Annotated[int, Field(ge=0)] | None = None
    min_energy: Positive | None = None
    max_energy: Positive | None = None
    min_angle: Positive | None = None
    max_angle: Positive | None = None


class AuxiliarySpec(Strict):
    """Terms of the likelihood that are no trident measurements; none unless they are named here."""

    belle2: Belle2Spec | None = None


class OutputSpec(Strict):
    """Where a run goes and whether figures are drawn."""

    folder: str = ""
    figures: bool = True


class RunSpec(Strict):
    """A config file."""

    name: str
    title: str = ""
    theory: str
    experiments: Annotated[list[str], Field(min_length=1)]
    params: dict[str, ParameterSpec]
    nuisances: dict[str, NuisanceSpec | Literal[False]] | Literal[False] | None = None
    correlations: list[CorrelationSpec] = []
    sampler: SamplerSpec = SamplerSpec()
    auxiliary: AuxiliarySpec | None = None
    contour: ContourSpec | None = None
    fit: FitSpec | None = None
    scan: ScanSpec | None = None
    calibration: CalibrationSpec | None = None
    output: OutputSpec = OutputSpec()
