"""What a user reads when the server cannot do what was asked."""

import socket
import traceback
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql

from sayiir_core.errors import BackendError, PluginError
from sayiir_core.ids import InstanceId, SessionId, WorkflowId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.effect import Fail
from sayiir_core.snapshot.head import Lane
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_postgres import PostgresBackend
from sayiir_postgres.plugin import open_url
from sayiir_pytest.clock import VirtualClock
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import failed

SECRET = "tell-n0body"


@pytest.fixture
def closed_port() -> int:
    """Return a port of this host at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fail(backend: PostgresBackend) -> BackendError:
    """Return the error of an operation that must fail."""
    with pytest.raises(BackendError) as caught:
        backend.instances.load(InstanceId("any"))
    backend.close()
    return caught.value


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:{secret}@127.0.0.1:{port}/store",
        "postgres://127.0.0.1:{port}/store?user=me&password={secret}",
        "host=127.0.0.1 port={port} user=me password='{secret}' dbname=store",
    ],
)
def test_an_unreachable_server_is_named_without_the_password(dsn: str, closed_port: int) -> None:
    """Tell host and port, and that trying again may help."""
    backend = PostgresBackend(dsn.format(secret=SECRET, port=closed_port))

    error = fail(backend)

    told = "".join(traceback.format_exception(error))
    assert error.transient
    assert f"127.0.0.1:{closed_port}/store" in str(error)
    assert SECRET not in told + repr(error) + repr(backend)


def test_a_password_of_the_environment_is_not_told(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep ``PGPASSWORD`` out of every text, and take the host from the environment too."""
    monkeypatch.setenv("PGPASSWORD", SECRET)
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", str(closed_port))

    error = fail(PostgresBackend("dbname=store"))

    assert f"127.0.0.1:{closed_port}/store" in str(error)
    assert SECRET not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "dsn",
    [
        f"postgresql://me:{SECRET}@host:port/store?nonsense={SECRET}",
        f"host=somewhere password={SECRET} {SECRET}",
    ],
)
def test_an_unreadable_address_is_not_repeated(dsn: str) -> None:
    """Raise ``ValueError``, and ``PluginError`` for a URL, with the form that is expected."""
    for make, kind in ((PostgresBackend, ValueError), (open_url, PluginError)):
        with pytest.raises(kind) as caught:
            make(dsn)

        assert "postgresql://user@host" in str(caught.value)
        assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_missing_database_is_no_passing_failure(postgres_dsn: str) -> None:
    """Say what to do, and that trying again will not help."""
    dsn = psycopg.conninfo.make_conninfo(postgres_dsn, dbname="no_such_database")

    error = fail(PostgresBackend(dsn))

    assert not error.transient
    assert "check the database" in str(error)


def test_a_user_without_rights_reads_the_remedy(place: tuple[str, str]) -> None:
    """Name the rights that lack, and the script that their owner can apply."""
    dsn, schema = place
    role = f"poor_{schema}"
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        poor = psycopg.conninfo.make_conninfo(dsn, user=role)

        error = fail(PostgresBackend(poor, schema=schema))
        owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))

    assert not error.transient
    assert "migration_script()" in str(error)


def test_texts_that_the_server_refuses_are_mended(place: tuple[str, str]) -> None:
    """Store an error whose text holds a NUL and a lone surrogate."""
    dsn, schema = place
    rig = Rig(lambda: PostgresBackend(dsn, schema=schema, clock=clock), clock := VirtualClock())
    hand = rig.start()
    error = ErrorRecord(path="a", type="E\0", message="bad \ud800", traceback="\0")

    hand.must(failed(0, error=error), Fail(error))

    stored = rig.load(hand.instance_id).header.error
    rig.close()
    assert stored is not None
    assert ("E\ufffd", "bad ?", "\ufffd") == (stored.type, stored.message, stored.traceback)


def test_a_session_cannot_serve_what_is_not_stored(place: tuple[str, str]) -> None:
    """Name the definition and the remedy, and register nothing."""
    dsn, schema = place
    backend = PostgresBackend(dsn, schema=schema)
    lane = Lane(DefinitionIdentity(WorkflowId("unsaved"), "0" * 64), "")
    new = NewSession(
        session_id=SessionId("s"), worker_id="w", ttl=timedelta(seconds=30), lanes=(lane,)
    )

    with pytest.raises(BackendError, match=r"unsaved@.* save it before"):
        backend.sessions.register(new)

    assert [] == backend.sessions.live()
    backend.close()


@pytest.mark.parametrize(
    "arguments",
    [{"schema": ""}, {"schema": "a%b"}, {"max_connections": 0}, {"max_payload_bytes": 0}],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, object]) -> None:
    """Raise ``ValueError`` in the constructor."""
    with pytest.raises(ValueError, match=next(iter(arguments))):
        PostgresBackend("dbname=store", **arguments)
