"""Shapes of the JSON that the server takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from quickstudy.serving.store import NAME

Kind = Literal["drawings", "photos", "sentences", "rows"]
KINDS: dict[Kind, str] = {"drawings": "images", "photos": "photos", "sentences": "sentences", "rows": "table"}
"""Kinds of input by their names in requests."""


def _printable(label: str) -> str:
    if not label.strip() or not label.isprintable():
        raise ValueError("a label is a word or more, without control characters")
    return label


Label = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
Name = Annotated[str, Field(pattern=NAME, description="Letters, digits, - and _.")]
Cell = str | bool | Annotated[int, Field(ge=-(2**63), lt=2**63)] | Annotated[float, Field(allow_inf_nan=False)] | None
Share = Annotated[float, Field(ge=0.01, le=0.99)]
Basis = Literal["examples", "calibration"]


class Shape(BaseModel):
    """Base class of the shapes; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class Input(Shape):
    """One picture, sentence or row, and its name; exactly one of the three is given."""

    image: str | None = Field(None, description="A picture: its file in base64, or a data URL.")
    text: str | None = Field(None, description="A sentence.")
    row: dict[str, Cell] | None = Field(None, description="A row: a value per column.")
    name: str | None = Field(None, max_length=200, description="Name in answers.")

    @model_validator(mode="after")
    def _one(self) -> Input:
        if sum(value is not None for value in (self.image, self.text, self.row)) != 1:
            raise ValueError("give exactly one of image, text and row")
        return self


class Example(Input):
    """An input with its label."""

    label: Label


class NewExamples(Shape):
    """Examples to learn from."""

    examples: Annotated[list[Example], Field(min_length=1)]


class NewClassifier(NewExamples):
    """A classifier to make of examples."""

    name: Name | None = Field(None, description="A random name is made if it is left out.")
    kind: Kind | None = Field(None, description="Kind of the examples; they decide if it is left out.")


class Question(Shape):
    """Inputs to answer."""

    inputs: Annotated[list[Input], Field(min_length=1)]
    coverage: Share | None = Field(None, description="Probability that the set includes the right label.")
    false_alarms: Share | None = Field(None, description="Share of inputs of known labels answered by none of these.")
    rest_on: Basis = "examples"
    skip_bad: bool = Field(False, description="Leave out inputs that cannot be read, and list them.")


class Why(Shape):
    """An input whose answer is explained."""

    input: Input


class Pool(Shape):
    """Inputs without labels, and how many of them to label next."""

    inputs: Annotated[list[Input], Field(min_length=1)]
    n: Annotated[int, Field(ge=1, le=100)] = 5


class Relabel(Shape):
    """The right label of an example, or of a class."""

    label: Label


class Problem(BaseModel):
    """A request that was refused, in one line."""

    error: str


def fields(shape: type[Shape]) -> dict[str, Any]:
    """Return the names and descriptions of the plain values of a shape, for forms with files."""
    schema = shape.model_json_schema()["properties"]
    return {name: each for name, each in schema.items() if name not in ("examples", "inputs", "input")}
