"""Placeholders by number, and sections for some uses."""

from sayiir_postgres.numbered import numbered
from sayiir_postgres.statements import Statements

TEXT = b"""SELECT %(one)s::int
--[ left both
    , %(two)b::int[]
--]
--[ right
    , %(three)s::text
--]
FROM t WHERE a = %(one)s
"""


def test_each_name_has_one_number() -> None:
    """Number placeholders as they come, whatever their format; tell their names in order."""
    text, names = numbered(b"SELECT %(b)s, %(a)b, %(b)s::int")

    assert (b"SELECT $1, $2, $1::int", ("b", "a")) == (text, names)


def test_a_section_is_kept_for_its_uses_only() -> None:
    """Cut what no use asks for, with its placeholders."""
    none, some, other = (numbered(TEXT, frozenset(uses)) for uses in ((), ("both",), ("right",)))

    assert (b"SELECT $1::int\nFROM t WHERE a = $1\n", ("one",)) == none
    assert ("one", "two") == some[1]
    assert b"$2::int[]" in some[0]
    assert ("one", "three") == other[1]


def test_a_statement_with_all_its_sections_is_whole() -> None:
    """Leave no marker behind that would cut a statement in two."""
    text = Statements.load("s")["commit"]
    every = frozenset(["start", "move", "fork", "retry", "arrive", "finish"])

    kept, _ = numbered(text, every)

    sections = text.count(b"\n--[ ")
    assert sections == text.count(b"\n--]")
    assert len(text.splitlines()) - 2 * sections == len(kept.splitlines())
    assert b"\n--]" not in kept
