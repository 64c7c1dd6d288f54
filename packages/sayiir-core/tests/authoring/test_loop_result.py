"""``LoopResult``: the object, its dict form, and what is neither."""

from __future__ import annotations

import pytest

from sayiir_core.authoring import LoopResult


def test_again_and_done_say_what_they_are():
    """Each has one flag, its value and a readable form."""
    again, done = LoopResult.again(1), LoopResult.done([2])

    assert (again.is_again, again.is_done, again.value) == (True, False, 1)
    assert (done.is_again, done.is_done, done.value) == (False, True, [2])
    assert repr(done) == "LoopResult.done([2])"


@pytest.mark.parametrize("result", [LoopResult.again(None), LoopResult.done({"a": 1})], ids=repr)
def test_the_object_and_its_dict_are_equal(result):
    """SEMANTICS 34: a task may return either."""
    assert LoopResult.from_value(result) == result
    assert LoopResult.from_value(result.to_dict()) == result


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        "again",
        {},
        {"_loop": "again"},
        {"_loop": "stop", "value": 1},
        {"_loop": ["again"], "value": 1},
        {"_loop": "done", "value": 1, "more": 2},
        {"value": 1, "loop": "done"},
        [("_loop", "done"), ("value", 1)],
    ],
    ids=repr,
)
def test_anything_else_is_no_loop_result(value):
    """Only the exact form counts, so that a plain value can be told from a verdict."""
    assert LoopResult.from_value(value) is None


def test_an_unknown_tag_cannot_be_constructed():
    """No third verdict exists."""
    with pytest.raises(ValueError, match="stop"):
        LoopResult("stop", 1)
