"""Views: one field is read without the rest, and never from memory that is gone."""

from __future__ import annotations

import datetime as dt
import gc
import pickle
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from native.tests.values import HEADER, rich_values, same
from sayiir_core.errors import CorruptPayloadError

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec

START = len(HEADER)
VALUE: dict[str, Any] = {
    "id": 7,
    "orders": [{"id": n, "total": Decimal(n), "lines": ({"sku": "a"}, "x")} for n in range(5)],
    "blob": bytes(range(100)),
    "by number": {1: "one", (2, 3): ["two"]},
    "tags": {"a", "b"},
    "when": dt.date(2026, 12, 1),
    "none": None,
}


@pytest.fixture
def view(codec: RkyvCodec) -> Any:
    """Return the view of the sample."""
    return codec.view(HEADER + codec.encode(VALUE)[1], START, 0)


def test_fields_are_found_by_keys_and_places(view: Any) -> None:
    """As in plain data, negative places and other keys than text included."""
    assert 7 == view["id"]
    assert 3 == view["orders"][3]["id"]
    assert Decimal(4) == view["orders"][-1]["total"]
    assert "a" == view["orders"][0]["lines"][0]["sku"]
    assert "one" == view["by number"][1]
    assert "two" == view["by number"][2, 3][0]
    assert {"a", "b"} == view["tags"]
    assert dt.date(2026, 12, 1) == view["when"]
    assert view["none"] is None


def test_a_view_is_a_mapping_or_a_sequence_as_its_value_is(view: Any) -> None:
    """Everything that the abstract classes promise works on them."""
    orders = view["orders"]

    assert isinstance(view, Mapping)
    assert isinstance(orders, Sequence)
    assert list(VALUE) == list(view)
    assert (7, 5, 2) == (len(view), len(orders), len(orders[0]["lines"]))
    assert ("id" in view, "nowhere" in view, 1 in view["by number"]) == (True, False, True)
    assert view.get("nowhere", "default") == "default"
    assert [0, 1, 2, 3, 4] == [order["id"] for order in orders]
    assert [1, 2] == [order["id"] for order in orders[1:3]]
    assert [4, 3] == [order["id"] for order in orders[:-3:-1]]
    assert isinstance(orders[0]["lines"][:1], tuple)
    assert VALUE == dict(view.items())


def test_what_is_not_there_raises_as_plain_data_does(view: Any) -> None:
    """KeyError and IndexError, also where a key of another type is asked for."""
    for key in ("nowhere", 1, None):
        with pytest.raises(KeyError):
            view[key]
    for place in (5, -6):
        with pytest.raises(IndexError):
            view["orders"][place]
    with pytest.raises(TypeError):
        view[[]]


def test_views_equal_plain_data_and_other_views(codec: RkyvCodec, view: Any) -> None:
    """From both sides; a list and a tuple of the same members differ."""
    other = codec.view(HEADER + codec.encode(VALUE)[1], START, 0)

    assert view == VALUE
    assert VALUE == view
    assert view == other
    assert view["orders"] == VALUE["orders"]
    assert view["orders"] != VALUE["orders"][1:]
    assert view["orders"][0]["lines"] != [{"sku": "a"}, "x"]
    assert (view == 7, view == None) == (False, False)  # noqa: E711 - the operator is the point


def test_views_cannot_be_hashed_or_changed(view: Any) -> None:
    """They stand for dicts and lists, and are shared by threads."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(view)
    with pytest.raises(TypeError, match="does not support item assignment"):
        view["id"] = 8
    with pytest.raises(TypeError, match="cannot modify read-only memory"):
        view["blob"][0] = 1


def test_a_view_is_pickled_as_plain_data(view: Any) -> None:
    """A process that receives it needs no payload and no native code."""
    restored = pickle.loads(pickle.dumps([view, view["orders"][1]]))  # noqa: S301 - our own bytes

    assert [VALUE, VALUE["orders"][1]] == restored
    assert [dict, dict] == [type(each) for each in restored]


def test_bytes_are_a_window_on_the_payload(codec: RkyvCodec) -> None:
    """No copy: as large as they are, they take no memory."""
    payload = HEADER + codec.encode({"blob": bytes(5_000_000)})[1]
    tracemalloc.start()

    blob = codec.view(payload, START, 0)["blob"]

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 5_000_000 == len(blob)
    assert peak < 100_000
    assert payload is blob.obj


def test_a_view_keeps_its_payload_alive_and_lets_go_of_it(codec: RkyvCodec) -> None:
    """A part outlives the whole, whatever was collected; the last part lets go."""
    payload = HEADER + codec.encode({"a": {"b": ["text", b"bytes"]}})[1]
    before = sys.getrefcount(payload)

    whole = codec.view(payload, START, 0)
    part = whole["a"]["b"]
    del whole
    gc.collect()
    assert before < sys.getrefcount(payload)
    assert "text" == part[0]
    blob = part[1]
    del part
    gc.collect()
    assert before < sys.getrefcount(payload)
    assert b"bytes" == blob
    del blob
    gc.collect()
    assert before == sys.getrefcount(payload)


def test_opening_reads_no_more_than_is_asked_for(codec: RkyvCodec) -> None:
    """Ten thousand records cost a few kilobytes of objects beyond the payload."""
    value = {"orders": [{"id": n, "note": f"note {n}"} for n in range(10_000)]}
    payload = HEADER + codec.encode(value)[1]
    tracemalloc.start()

    found = codec.view(payload, START, 0)["orders"][9_999]["note"]

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "note 9999" == found
    assert peak < 20_000


@pytest.mark.parametrize("count", [32, 33, 5000])
def test_dicts_with_many_keys_are_searched_and_then_indexed(codec: RkyvCodec, count: int) -> None:
    """Each of many look-ups finds its value, absent keys are absent, and order is kept."""
    value = {f"key {n * 7919 % count}": n for n in range(count)}
    view = codec.view(HEADER + codec.encode({"many": value})[1], START, 0)["many"]

    assert [value[key] for key in [*value][:9]] == [view[key] for key in [*value][:9]]
    for absent in ("", "key", "\ud800", "zzz", 7):
        assert absent not in view
    assert [*value] == [*view]
    assert value == view


def test_one_field_of_many_records_is_plucked_in_one_go(view: Any) -> None:
    """By a path below each record; a record without it is named."""
    assert [0, 1, 2, 3, 4] == view["orders"].pluck("id")
    assert ["a"] * 5 == view["orders"].pluck("lines", 0, "sku")
    with pytest.raises(LookupError, match="item 0"):
        view["orders"].pluck("nowhere")


@pytest.mark.parametrize("key", [2**64, 2**63, (1, 2), None, True, "\ud800"], ids=ascii)
def test_parts_below_any_key_are_decoded_and_plucked(codec: RkyvCodec, key: Any) -> None:
    """Also where the native half cannot follow the path."""
    value = {key: [{"a": b"x"}, {"a": (1,)}]}
    part = codec.view(HEADER + codec.encode(value)[1], START, 0)[key]

    assert same(value[key], part.decode())
    assert [b"x", (1,)] == part.pluck("a")


def test_a_part_can_be_taken_out_without_decoding_it(codec: RkyvCodec) -> None:
    """The body of a part is what storing the part would have given."""
    payload = HEADER + codec.encode(VALUE)[1]

    assert codec.encode(VALUE["orders"][2])[1] == codec.extract(payload, START, ("orders", 2))
    with pytest.raises(LookupError):
        codec.extract(payload, START, ("orders", 9))


@given(value=rich_values())
@settings(max_examples=200, deadline=None)
def test_every_part_decodes_as_its_place_in_the_whole(codec: RkyvCodec, value: Any) -> None:
    """Walked by views down to each leaf."""
    view = codec.view(HEADER + codec.encode(value)[1], START, 0)
    todo = [(view, value)]

    while todo:
        part, plain = todo.pop()
        if isinstance(part, Mapping):
            assert same(plain, part.decode())
            todo += [(part[key], plain[key]) for key in plain]
        elif isinstance(part, Sequence) and isinstance(plain, (list, tuple)):
            assert same(plain, part.decode())
            todo += [*zip(part, plain, strict=True)]
        else:
            assert same(plain, bytes(part) if isinstance(part, memoryview) else part)


def test_the_content_of_a_scalar_is_judged_when_it_is_read(codec: RkyvCodec) -> None:
    """The one damage that opening does not find is named at its place."""
    from sayiir_rkyv.packing import pack

    packed = pack({"good": 1, "sum": Decimal("1.5")}).replace(b"1.5", b"1x5")
    payload = HEADER + codec._library.encode(packed)
    view = codec.view(payload, START, 0)

    assert 1 == view["good"]
    with pytest.raises(CorruptPayloadError, match="damaged value of extension type 7"):
        view["sum"]
    with pytest.raises(CorruptPayloadError, match="damaged value of extension type 7"):
        codec.decode(payload, START, 0)


def test_threads_that_share_a_view_find_every_key_of_a_large_dict(codec: RkyvCodec) -> None:
    """One reads all keys after some searches; the others go on searching meanwhile."""
    from sayiir_rkyv.document import LargeShape

    payload = HEADER + codec.encode({f"key {n}": n for n in range(200)})[1]
    view = codec.view(payload, START, 0)
    found: list[int] = []

    class Interrupted(LargeShape):
        """Looks for another key at the moment at which the keys have been read."""

        __slots__ = ()

        def update(self, keys: Any) -> None:
            """Stand for another thread."""
            found.append(self["key 150"])
            super().update(keys)

    shape = view._document.shape(view._shape)
    view._index = Interrupted(shape._payload, shape._at)

    assert [*range(10)] == [view[f"key {n}"] for n in range(10)]
    assert [150] == found
    assert "nothing" not in view


def test_an_equal_key_of_another_type_leads_to_the_same_part(codec: RkyvCodec) -> None:
    """Python takes 1, 1.0 and True for one key, so all that a part offers works by each."""
    for key in (1, 1.0, True, Decimal(1)):
        view = codec.view(HEADER + codec.encode({key: [{"a": 1}, {"a": 2}]})[1], START, 0)

        for asked in (1, 1.0, True, Decimal(1)):
            assert [{"a": 1}, {"a": 2}] == view[asked].decode()
            assert [1, 2] == view[asked].pluck("a")
            with pytest.raises(LookupError, match="item 0"):
                view[asked].pluck("b")
