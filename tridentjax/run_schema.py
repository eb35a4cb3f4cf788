"""Shape of a config file: parameters with priors or values, sampler, output."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, FiniteFloat, StrictBool, model_validator

from tridentjax.schema import NuisanceSpec, Positive, Strict


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Number = Annotated[FiniteFloat, BeforeValidator(_number)]


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
    """Settings of the NUTS run."""

    chains: Annotated[int, Field(ge=2, le=1024)] = 4
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
    sampler: SamplerSpec = SamplerSpec()
    output: OutputSpec = OutputSpec()
