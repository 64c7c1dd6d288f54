"""Groups: one text per tag set, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.workflow import group_of, tags_in

tags = st.lists(st.text(alphabet="ab,\\ \n", min_size=1, max_size=5), max_size=5)


@given(tags)
def test_a_group_names_its_tags_exactly(given_tags):
    """Commas and backslashes in tags survive."""
    assert tags_in(group_of(given_tags)) == frozenset(given_tags)


@given(tags)
def test_order_and_repetition_make_no_other_group(given_tags):
    """Equal tag sets have equal groups, so they share a lane."""
    assert group_of([*reversed(given_tags), *given_tags]) == group_of(given_tags)


def test_no_tags_are_the_empty_group():
    """An untagged task goes to the group that every worker serves."""
    assert group_of([]) == ""
    assert tags_in("") == frozenset()


def test_plain_tags_read_as_a_list():
    """What people see in a lane is the sorted list of tags."""
    assert group_of(["gpu", "cpu", "gpu"]) == "cpu,gpu"
