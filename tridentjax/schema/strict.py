"""What the YAML files share, checked with pydantic: unknown keys are refused, all faults come at once."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from tridentjax.faults import InputError, unknown


class Strict(BaseModel):
    """A record that refuses unknown keys and cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


Number = Annotated[FiniteFloat, BeforeValidator(_number)]
Positive = Annotated[FiniteFloat, Field(gt=0.0)]
NonNegative = Annotated[FiniteFloat, Field(ge=0.0)]
Sharing = Literal["own", "nucleus", "all"]


class NuisanceSpec(Strict):
    """Width of a nuisance: `log_sd` on the logarithm of a factor, or `sd` of an additive shift.

    `shared` says which experiments it moves together: its `own` only, those that have a `nucleus` in common
    with it, or `all`; without it the kind of the nuisance decides (`experiment.SHARED`).
    """

    log_sd: Positive | None = None
    sd: Positive | None = None
    status: str = ""
    shared: Sharing | None = None

    @property
    def width(self) -> float:
        """Whichever width was given."""
        return self.log_sd or self.sd or 0.0

    @model_validator(mode="after")
    def _one_width(self) -> "NuisanceSpec":
        if (self.log_sd is None) == (self.sd is None):
            raise ValueError("give exactly one of log_sd (factor) and sd (shift)")
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


_KINDS = ("rate_ratio", "counts", "upper_limit")  # pydantic puts the kind of a measurement into the path


def _describe(fault: Any, record: type[BaseModel], place: str) -> str:
    path = ".".join(str(part) for part in fault["loc"] if part not in _KINDS)
    if fault["type"] == "extra_forbidden":
        return unknown("key", fault["loc"][-1], _keys(record, fault["loc"][:-1]), f"{place}: {path}")
    if fault["type"] == "missing":
        meaning = _meaning(record, fault["loc"])
        return f"{place}: {path} is missing; add it" + (f" ({meaning})" if meaning else "")
    received = repr(fault["input"])
    shown = received if len(received) < 80 else received[:77] + "..."
    return f"{place}: {path or 'file'} = {shown}: {fault['msg'].removeprefix('Value error, ')}"


def _keys(record: type[BaseModel], path: tuple[Any, ...]) -> tuple[str, ...]:
    """Allowed keys at a path of a record, for the suggestion in an unknown-key fault."""
    return tuple(dict.fromkeys(key for candidate in _records_at(record, path) for key in candidate.model_fields))


def _meaning(record: type[BaseModel], path: tuple[Any, ...]) -> str:
    """Descriptions that the records give a key."""
    fields = [candidate.model_fields[path[-1]] for candidate in _records_at(record, path[:-1])
              if path[-1] in candidate.model_fields]  # fmt: skip
    return " or ".join(dict.fromkeys(field.description for field in fields if field.description))


def _records_at(record: type[BaseModel], path: tuple[Any, ...]) -> list[type[BaseModel]]:
    candidates: list[type[BaseModel]] = [record]
    for part in path:
        found: list[type[BaseModel]] = []
        for candidate in candidates:
            if part in candidate.model_fields:
                found += _records_in(candidate.model_fields[part].annotation)
            elif part in _KINDS and _kind(candidate) == part:
                found.append(candidate)
        candidates = found or candidates
    return candidates


def _kind(record: type[BaseModel]) -> str | None:
    """The observable of a measurement record."""
    field = record.model_fields.get("observable")
    return getattr(field.annotation, "__args__", (None,))[0] if field is not None else None


def _records_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _records_in(part)]
