"""Shape of the block `contour` of a config: which plane, which statistics, what is drawn over it."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from tridentjax.schema.strict import Number, Positive, Strict

StatisticName = Literal["gaussian", "profile", "cls", "cls_toys", "bayesian"]


class RaysSpec(Strict):
    """Rays that leave a point (`origin`, values of x and y), `radius` prior ranges long; else lines of constant x."""

    origin: dict[str, Number]
    radius: Positive = 1.0


class OverlaySpec(Strict):
    """A curve to draw beside the contour: a table of (x, y) with its units, or a packaged analytic `band`.

    `x` and `y` are column names of a CSV with a header line, or numbers from 1 for one without.
    """

    label: str
    file: str | None = None
    band: Literal["muon_g_minus_2"] | None = None
    x: str | int = 1
    y: str | int = 2
    x_unit: str | None = None
    y_unit: str | None = None

    @model_validator(mode="after")
    def _file_or_band(self) -> "OverlaySpec":
        if (self.file is None) == (self.band is None):
            raise ValueError("give exactly one of file and band")
        missing = [key for key in ("x_unit", "y_unit") if self.file is not None and getattr(self, key) is None]
        if missing:
            raise ValueError(f"{' and '.join(missing)} missing: the unit of a table cannot be guessed")
        return self


class ContourSpec(Strict):
    """What `contour` draws: region of (x, y) allowed at a confidence level by one or several statistics."""

    x: str
    y: str
    statistics: Annotated[list[StatisticName], Field(min_length=1)] = ["gaussian"]
    confidence_level: Annotated[FiniteFloat, Field(gt=0.0, lt=1.0)] = 0.95
    parameters_of_interest: Literal[1, 2] = 1
    combine: bool = True
    points: Annotated[int, Field(ge=3, le=10_000)] = 60
    samples: Annotated[int, Field(ge=8, le=4096)] = 64
    refinements: Annotated[int, Field(ge=0, le=10)] = 4
    toys: Annotated[int, Field(ge=100)] = 2000
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    rays: RaysSpec | None = None
    at: dict[str, Number] = {}
    overlays: list[OverlaySpec] = []
