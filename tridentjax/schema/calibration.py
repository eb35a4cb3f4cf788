"""Shape of the block `calibration` of a config: how `validate` checks its posterior."""

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator

from tridentjax.schema.strict import Number, Strict

CheckName = Literal["sbc", "grid", "seeds"]


class CalibrationSpec(Strict):
    """Simulation-based calibration, NUTS against a grid, and several seeds.

    `ranges` narrows the priors of parameters and `fixed` takes others out, for the calibration alone: over a prior
    of many decades nearly every replication would be excluded outright, and the data would not matter.
    """

    checks: Annotated[list[CheckName], Field(min_length=1)] = ["sbc", "grid", "seeds"]
    replications: Annotated[int, Field(ge=20, le=100_000)] = 200
    draws: Annotated[int, Field(ge=9, le=9999)] = 99
    bins: Annotated[int, Field(ge=2)] = 20
    warmup: Annotated[int, Field(ge=50)] = 300
    block: Annotated[int, Field(ge=10)] = 100
    max_draws: Annotated[int, Field(ge=50)] = 2000
    batch: Annotated[int, Field(ge=1)] = 100
    responses: Literal["expanded", "exact"] = "expanded"
    ranges: dict[str, tuple[Number, Number]] = {}
    fixed: dict[str, Number] = {}
    seeds: Annotated[int, Field(ge=2, le=64)] = 4
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    significance: Annotated[FiniteFloat, Field(gt=0.0, lt=0.5)] = 0.01

    @model_validator(mode="after")
    def _consistent(self) -> "CalibrationSpec":
        if (self.draws + 1) % self.bins:
            raise ValueError(f"bins = {self.bins} must divide draws + 1 = {self.draws + 1}, the number of ranks")
        if self.max_draws < self.draws:
            raise ValueError(f"max_draws = {self.max_draws} must be at least draws = {self.draws}")
        for name, (low, high) in self.ranges.items():
            if not low < high:
                raise ValueError(f"ranges.{name} = [{low}, {high}] is empty; min must be below max")
        if twice := sorted(set(self.ranges) & set(self.fixed)):
            raise ValueError(f"{', '.join(twice)} cannot have both a range and a fixed value")
        return self
