"""Arrays in the server's binary form, as the server reads them."""

import struct
from datetime import UTC, timedelta, timezone

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import sql

from sayiir_postgres import arrays
from sayiir_postgres.arrays import Packed, PackedDumper

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])
INSTANTS = st.datetimes(timezones=ZONES).filter(lambda it: 1 < it.year < 9999)
COLUMNS = {
    "int": (arrays.ints, st.integers(-(2**31), 2**31 - 1)),
    "bigint": (arrays.bigints, st.integers(-(2**63), 2**63 - 1)),
    "bool": (arrays.bools, st.booleans()),
    "text": (arrays.texts, st.none() | TEXT),
    "bytea": (arrays.byteas, st.none() | st.binary(max_size=20)),
    "timestamptz": (arrays.instants, st.none() | INSTANTS),
}


@pytest.fixture(scope="module")
def connection(postgres_dsn: str):
    """Give a connection that hands packed parameters through, and shows time in UTC."""
    with psycopg.connect(postgres_dsn, autocommit=True) as made:
        made.adapters.register_dumper(Packed, PackedDumper)
        made.execute("SET timezone = 'UTC'")
        yield made


@pytest.mark.parametrize("kind", COLUMNS)
def test_the_server_reads_what_was_written(connection: psycopg.Connection, kind: str) -> None:
    """Find every value at its place; a column of nulls alone is empty, and filled up again."""
    pack, elements = COLUMNS[kind]
    query = sql.SQL("SELECT v FROM unnest(%s::int[], %b::{}[]) AS u (n, v)").format(sql.SQL(kind))

    @settings(deadline=None, max_examples=60)
    @given(st.lists(elements, max_size=8))
    def compare(values) -> None:
        rows = connection.execute(query, ([*range(len(values))], pack(values))).fetchall()
        assert [(value,) for value in values] == rows

    compare()


@pytest.mark.parametrize("value", ["", "same", None, "ungleich"])
def test_a_column_may_say_the_same_of_every_row(connection: psycopg.Connection, value) -> None:
    """Repeat one value, an empty one too; nulls are left to be filled up."""
    packed = arrays.texts([value] * 3)

    (row,) = connection.execute("SELECT %b::text[]", (packed,)).fetchall()

    assert ([] if value is None else [value] * 3) == row[0]


@pytest.mark.parametrize(
    ("pack", "values", "error"),
    [
        (arrays.ints, [2**31], struct.error),
        (arrays.bigints, [2**63], struct.error),
        (arrays.texts, ["\ud800"], UnicodeEncodeError),
    ],
)
def test_what_has_no_form_is_refused_before_it_is_sent(pack, values, error) -> None:
    """Raise one of the errors that a commit knows as a bad value."""
    with pytest.raises(error):
        pack(values)
