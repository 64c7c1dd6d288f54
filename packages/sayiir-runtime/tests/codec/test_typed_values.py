"""Values of annotated types: stored as plain data, read back as what they were."""

from __future__ import annotations

import dataclasses
import enum
import math
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
    Union,
)

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    RootModel,
    computed_field,
    field_validator,
)
from pydantic.dataclasses import dataclass as pydantic_dataclass

from sayiir_core.errors import (
    CorruptPayloadError,
    DeserializationError,
    EncodeError,
    InvalidValueError,
)
from sayiir_runtime.codec import JsonCodec, PayloadCodec, model

PAYLOADS = PayloadCodec([JsonCodec()])
T = TypeVar("T")


class In(BaseModel):
    a: int


class Aliased(BaseModel):
    """Every kind of alias at once, and no tolerance for a key too many."""

    model_config = ConfigDict(extra="forbid")

    both: int = Field(alias="b")
    reading: int = Field(validation_alias="r")
    writing: int = Field(serialization_alias="w")
    choices: int = Field(validation_alias=AliasChoices("c", "d"))
    path: int = Field(validation_alias=AliasPath("p", 0))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> int:
        """Return what no reader expects to be given."""
        return self.both + self.reading


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    when: datetime
    numbers: tuple[int, ...]
    tags: set[str]
    raw: bytes
    price: Decimal


class Extreme(BaseModel):
    number: float
    big: int
    text: str | None = None
    parsed: Json[list[int]] = []


class Tree(BaseModel):
    children: list[Tree] = []


class Box(BaseModel, Generic[T]):
    content: T


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str]


class Numbers(RootModel[list[int]]):
    pass


@dataclasses.dataclass
class Row:
    number: int
    when: datetime
    raw: bytes = b"\xff"
    pair: tuple[int, str] = (1, "a")
    later: int = dataclasses.field(default=4, init=False)


@pydantic_dataclass
class Checked:
    day: date


class Shipment(TypedDict, total=False):
    day: Required[date]
    weights: list[Decimal]
    row: NotRequired[Row]


class Parcel(Shipment):
    nested: list[Shipment]


class Point(NamedTuple):
    x: int
    y: Decimal


class Plain(enum.Enum):
    ONE = 1
    TWO = "two"


class Word(enum.StrEnum):
    YES = "yes"


ALIASED = Aliased.model_validate({"b": 1, "r": 2, "writing": 3, "c": 4, "p": [5]})
ROW = Row(1, datetime(2026, 1, 2, tzinfo=UTC))

SAMPLES: list[tuple[Any, Any]] = [
    (In(a=1), In),
    ([In(a=1), In(a=2)], list[In]),
    ({"x": In(a=1)}, dict[str, In]),
    (None, Optional[In]),  # noqa: UP045 - the older spelling is what is tried
    (In(a=1), In | None),
    (3, Union[int, In]),  # noqa: UP007 - the older spelling is what is tried
    (ALIASED, Aliased),
    ([ALIASED], list[Aliased]),
    (
        Strict(
            when=datetime(2026, 1, 2, tzinfo=UTC),
            numbers=(1,),
            tags={"a"},
            raw=b"x",
            price=Decimal(1),
        ),
        Strict,
    ),
    (Extreme(number=math.inf, big=2**80, text=None, parsed="[1]"), Extreme),  # type: ignore[arg-type]
    (Extreme(number=-0.5, big=-(2**63) - 1), Extreme),
    (Extreme(number=0.5, big=10**4000), Annotated[Extreme, "note"]),
    (Tree(children=[Tree(), Tree(children=[Tree()])]), Tree),
    (Box[Row](content=dataclasses.replace(ROW, raw=b"x")), Box[Row]),
    ([Cat(lives=9), Dog(tricks=[])], list[Annotated[Cat | Dog, Field(discriminator="kind")]]),
    (Numbers([1, 2]), Numbers),
    (ROW, Row),
    ([ROW], list[Row]),
    (Checked(day=date(2026, 1, 2)), Checked),
    ({"day": date(2026, 1, 2), "weights": [Decimal("1.50")], "row": ROW}, Shipment),
    ({"day": date(2026, 1, 2), "nested": [{"day": date(2026, 1, 3)}]}, Parcel),
    ([{"day": date(2026, 1, 2)}], list[Shipment] | None),
    (Point(1, Decimal("2.50")), Point),
    (Plain.ONE, Plain),
    ({"a": Plain.TWO}, Mapping[str, Plain]),
    (Word.YES, Word),
    (datetime(2026, 1, 2, 3, 4, 5, 6), datetime),  # noqa: DTZ001 - a naive one is stored too
    (date(2026, 1, 2), date),
    (time(1, 2, 3, 4), time),
    (timedelta(days=-3, microseconds=1), timedelta),
    (Decimal("1.10"), Decimal),
    (Decimal("-Infinity"), Decimal),
    (uuid.UUID(int=7), uuid.UUID),
    (b"\x00\xff", bytes),
    ([b"\xff"], list[bytes]),
    ({1, 2}, set[int]),
    (frozenset({"a"}), frozenset[str]),
    ((1, "a"), tuple[int, str]),
    ((1, 2, 3), tuple[int, ...]),
    ({1: 2}, dict[int, int]),
    (5, Annotated[int, Field(gt=1)]),
    ("\ud800", Annotated[str, Field()]),
]


def typed_trip(value: Any, annotation: Any) -> Any:
    """Return what a reader of the same annotation gets."""
    return PAYLOADS.decode_as(PAYLOADS.encode_as(value, annotation), annotation)


@pytest.mark.parametrize(
    ("value", "annotation"), SAMPLES, ids=[f"{n}-{tp}" for n, (_, tp) in enumerate(SAMPLES)]
)
def test_a_value_comes_back_as_its_annotated_type(value: Any, annotation: Any) -> None:
    """SEMANTICS 18: models, aliases, dataclasses, TypedDict, datetimes, Decimal, UUID, enums."""
    found = typed_trip(value, annotation)

    assert (type(value), value) == (type(found), found)


@pytest.mark.parametrize("sample", SAMPLES, ids=[str(annotation) for _, annotation in SAMPLES])
def test_a_form_dumps_plain_data_only(sample: tuple[Any, Any]) -> None:
    """The codec relies on it: no enum, UUID or subclass is left in what a form returns."""
    value, annotation = sample
    form = PAYLOADS.forms.of(annotation)
    assert form is not None

    dumped = form.dump(value)

    assert repr(model(dumped)) == repr(dumped)


@given(st.datetimes(timezones=st.none() | st.just(UTC)))
def test_every_datetime_comes_back(value: datetime) -> None:
    """To the microsecond, naive or aware."""
    found = typed_trip(value, datetime)

    assert (value, value.utcoffset()) == (found, found.utcoffset())


@given(st.timedeltas())
def test_every_timedelta_comes_back(value: timedelta) -> None:
    """To the microsecond, negative and large."""
    assert value == typed_trip(value, timedelta)


@given(st.decimals(allow_nan=False))
def test_every_decimal_comes_back(value: Decimal) -> None:
    """Digit by digit: 1.10 is not 1.1."""
    assert str(value) == str(typed_trip(value, Decimal))


@given(st.binary())
def test_all_bytes_come_back(value: bytes) -> None:
    """Also those that are no text, alone and inside a dataclass."""
    row = dataclasses.replace(ROW, raw=value)

    assert value == typed_trip(value, bytes)
    assert row == typed_trip(row, Row)


def test_plain_data_is_validated_into_a_model() -> None:
    """SEMANTICS 16: ``In(a: int)`` given ``{"a": "3"}`` is a model with 3."""
    payload = PAYLOADS.encode({"a": "3"})

    assert In(a=3) == PAYLOADS.decode_as(payload, In)


def test_plain_data_may_use_the_aliases() -> None:
    """What a caller hands in speaks the model's outer names, what we store its inner ones."""
    payload = PAYLOADS.encode({"b": 1, "r": 2, "writing": 3, "d": 4, "p": [5]})

    assert ALIASED == PAYLOADS.decode_as(payload, Aliased)


@pytest.mark.parametrize("value", [In(a=1), ROW, Checked(day=date(2026, 1, 2))])
def test_an_instance_without_annotation_is_dumped_by_its_own_type(value: Any) -> None:
    """Also inside plain lists, tuples and dicts."""
    payload = PAYLOADS.encode({"found": [(value,), None]})

    expected = PAYLOADS.decode(PAYLOADS.encode_as(value, type(value)))
    assert {"found": [[expected], None]} == PAYLOADS.decode(payload)


def test_what_no_type_explains_is_refused_next_to_an_instance() -> None:
    """Dumping the model does not make the rest storable, and the place is the one of the rest."""
    with pytest.raises(EncodeError, match=r"^\$\.b: object is not"):
        PAYLOADS.encode({"a": In(a=1), "b": object()})


def test_an_invalid_value_is_a_validation_error_without_the_value() -> None:
    """SEMANTICS 17: the text starts with ``ValidationError``; the data itself may be secret."""
    payload = PAYLOADS.encode({"a": "hunter2"})

    with pytest.raises(InvalidValueError, match=r"^ValidationError: In cannot be read: a: ") as e:
        PAYLOADS.decode_as(payload, In)

    assert "hunter2" not in str(e.value)
    assert "ValidationError" == type(e.value.__cause__).__name__


def test_many_problems_are_counted_and_not_all_listed() -> None:
    """The text of an error stays readable."""
    payload = PAYLOADS.encode([{"a": "x"}] * 30)

    with pytest.raises(InvalidValueError, match=r"0\.a: .*; and 20 more$"):
        PAYLOADS.decode_as(payload, list[In])


def test_an_error_that_a_validator_raises_is_an_invalid_value() -> None:
    """The model's own rules count as much as its types."""

    class Even(BaseModel):
        number: int

        @field_validator("number")
        @classmethod
        def be_even(cls, number: int) -> int:
            if number % 2:
                raise ValueError("odd")
            return number

    with pytest.raises(InvalidValueError, match="number: Value error, odd"):
        PAYLOADS.decode_as(PAYLOADS.encode({"number": 3}), Even)


def test_a_plain_value_under_a_wrong_annotation_is_stored_as_it_is() -> None:
    """A dict returned by a task annotated with a model: the next reader's annotation judges."""
    payload = PAYLOADS.encode_as({"a": "3"}, In)

    assert {"a": "3"} == PAYLOADS.decode(payload)
    assert In(a=3) == PAYLOADS.decode_as(payload, In)


def test_another_type_than_annotated_is_refused_with_the_annotation() -> None:
    """A set returned by a task annotated with a model can be stored in no way."""
    with pytest.raises(EncodeError, match=r"^\$: set cannot be stored as <class '.*In'>"):
        PAYLOADS.encode_as({1}, In)


def test_bytes_that_a_model_cannot_write_name_the_setting() -> None:
    """A model says itself how it writes bytes; UTF-8 text is pydantic's default."""

    class Blob(BaseModel):
        raw: bytes

    with pytest.raises(EncodeError, match="ser_json_bytes='base64'"):
        PAYLOADS.encode_as(Blob(raw=b"\xff"), Blob)


@pytest.mark.parametrize("annotation", [int, list[int], dict[str, Any], Any, Optional[float]])  # noqa: UP045
def test_builtin_annotations_are_not_validated(annotation: Any) -> None:
    """A task annotated ``int`` that is given text receives text, as in plain Python."""
    payload = PAYLOADS.encode_as("3", annotation)

    assert "3" == PAYLOADS.decode_as(payload, annotation)


def test_a_type_that_pydantic_does_not_know_passes_plain_values() -> None:
    """An arbitrary class as annotation is no reason to fail."""

    class Opaque:
        pass

    payload = PAYLOADS.encode_as({"a": 1}, Opaque)

    assert {"a": 1} == PAYLOADS.decode_as(payload, Opaque)


def test_a_typed_reader_of_damaged_json_reports_the_damage() -> None:
    """Broken text is the payload's fault, not the value's."""
    with pytest.raises(CorruptPayloadError):
        PAYLOADS.decode_as(b'\xf5S\x01\x40json{"a":\n', In)


def test_an_invalid_value_is_a_deserialization_error() -> None:
    """Callers of the public contract catch it by that name."""
    assert issubclass(InvalidValueError, DeserializationError)


def test_a_form_is_made_once() -> None:
    """Building a schema costs a thousand times more than using it."""
    forms = PayloadCodec([JsonCodec()]).forms

    assert forms.of(list[In]) is forms.of(list[In])
