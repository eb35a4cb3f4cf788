"""Shape of the block `fit` of a config."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from tridentjax.schema.strict import Number, Strict


class ExtremumSpec(Strict):
    """An output to make as large or as small as the allowed region lets it be."""

    output: Annotated[str, Field(min_length=1)]
    sense: Literal["max", "min"]


class FitSpec(Strict):
    """What `fit` does beside the best fit.

    `profile` names the parameters with a curve, all of the theory if it is left out. The region of `extremum` and
    `nearest` is Delta chi2 below the quantile of a chi2 with `parameters_of_interest` degrees of freedom at
    `confidence_level`, with nuisances as named. `nearest` is the model whose nearest boundary point is sought.
    """

    starts: Annotated[int, Field(ge=1, le=1024)] = 16
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    profile: list[str] | None = None
    points: Annotated[int, Field(ge=5, le=1000)] = 41
    confidence_level: Annotated[FiniteFloat, Field(gt=0.0, lt=1.0)] = 0.95
    parameters_of_interest: Annotated[int, Field(ge=1, le=20)] = 1
    nuisances: Literal["profiled", "nominal"] = "profiled"
    extremum: list[ExtremumSpec] = []
    nearest: dict[str, Number] | None = None
