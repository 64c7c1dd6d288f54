"""The pytest plugin, as suites of users see it: each test runs one of its own."""

from __future__ import annotations

import re
import textwrap
import uuid
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SHOP = """
from sayiir import Flow, task


@task
def charge(order):
    return f"charged {order['amount']}"


@task
def ship(answer):
    return f"shipped by {answer['by']}"


ORDER = (
    Flow("order")
    .then(charge)
    .delay("cool-down", "3d")
    .wait_for_signal("approval", timeout="2d")
    .then(ship)
    .build()
)
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Give an empty suite that may import a module ``shop``, with no plugin for async tests."""
    pytester.makepyfile(shop=SHOP)
    pytester.makeini("[pytest]\naddopts = -p no:asyncio -p no:cacheprovider\npythonpath = .\n")
    return pytester


def _run(suite: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    suite.makepyfile(test_it=textwrap.dedent(test))
    return suite.runpytest_inprocess(*arguments)


def _named(result: pytest.RunResult) -> list[str]:
    """Return the tests that passed, with their parameters, in the order of their names."""
    return sorted(re.findall(r"::(\S+) PASSED", result.stdout.str()))


# --- nothing before it is used ---------------------------------------------------------------------


def test_loading_the_plugin_imports_neither_hypothesis_nor_the_runtime(
    suite: pytest.Pytester,
) -> None:
    """Nor anything else of ours: a suite that uses no fixture pays for two small modules."""
    suite.makepyfile(
        test_it="""
        import sys

        HEAVY = {"hypothesis", "sayiir", "sayiir_core", "sayiir_runtime", "sayiir_sqlite", "psycopg"}

        def test_light(pytestconfig):
            assert pytestconfig.pluginmanager.has_plugin("sayiir")
            ours = {name for name in sys.modules if name.startswith("sayiir")}
            small = {"plugin", "crash_marker"}
            assert ours == {"sayiir_pytest", *(f"sayiir_pytest.{name}" for name in small)}
            assert not HEAVY & sys.modules.keys()
        """
    )

    result = suite.runpytest_subprocess()

    result.assert_outcomes(passed=1)


def test_no_fixture_acts_on_a_test_that_does_not_ask_for_it(suite: pytest.Pytester) -> None:
    """There is no autouse fixture, and each has a line of help."""
    result = _run(suite, "def test_it(request): assert ['request'] == request.fixturenames")
    listed = suite.runpytest_inprocess("--fixtures", "-q")

    result.assert_outcomes(passed=1)
    ours = re.findall(
        r"^(sayiir_\w+)(?: \[.*\])? -- .*\n    (.+)$", listed.stdout.str(), re.MULTILINE
    )
    names = [
        "backend",
        "backend_name",
        "clock",
        "engine",
        "fleet",
        "postgres",
        "recovery",
        "worker",
    ]
    assert {f"sayiir_{name}" for name in names} == {
        name for name, text in ours if text != "no docstring available"
    }


@pytest.mark.slow
def test_the_first_test_starts_at_once(
    suite: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With sayiir imported and all bytecode written, the first engine takes under 100 ms of work."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path / "bytecode"))
    suite.makepyfile(
        test_it="""
        from time import perf_counter, process_time

        import pytest
        # What is loaded when it is first used, a workflow's own module has loaded, too.
        from sayiir import Flow, InMemoryBackend, WorkflowClient, run_durable_workflow

        @pytest.fixture
        def started():
            return process_time(), perf_counter()

        def test_first(started, sayiir_engine):
            cpu, wall = process_time() - started[0], perf_counter() - started[1]
            print(f"first test after {cpu * 1000:.0f} ms of CPU, {wall * 1000:.0f} ms in all")
            assert cpu < 0.1
        """
    )
    suite.runpytest_subprocess()

    result = suite.runpytest_subprocess("-s")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*first test after * ms of CPU*"])


# --- stores ----------------------------------------------------------------------------------------

ON_STORES = """
import pytest
from shop import ORDER

def test_order(sayiir_engine, sayiir_backend, sayiir_backend_name):
    assert sayiir_engine.run(ORDER, {"amount": 1}).tasks["charge"].output == "charged 1"
    name = type(sayiir_backend).__name__.lower()
    assert name.startswith({"memory": "inmemory"}.get(sayiir_backend_name, sayiir_backend_name))

@pytest.mark.sayiir(backend="sqlite")
def test_marked(sayiir_backend_name):
    assert sayiir_backend_name == "sqlite"
"""


def test_the_store_is_in_memory_unless_a_test_or_the_command_line_says_otherwise(
    suite: pytest.Pytester,
) -> None:
    """The option parametrises, and a test's marker wins over it."""
    plain = _named(_run(suite, ON_STORES, "-v"))
    chosen = _named(_run(suite, ON_STORES, "-v", "--sayiir-backend", "memory, sqlite"))

    assert ["test_marked[sqlite]", "test_order"] == plain
    assert ["test_marked[sqlite]", "test_order[memory]", "test_order[sqlite]"] == chosen


def test_the_closest_marker_counts(suite: pytest.Pytester) -> None:
    """That of a function wins over those of its class and module."""
    result = _run(
        suite,
        """
        import pytest
        pytestmark = pytest.mark.sayiir(backend="sqlite")

        class TestIt:
            pytestmark = pytest.mark.sayiir(backend=["memory", "sqlite"])

            def test_class(self, sayiir_backend): ...

            @pytest.mark.sayiir(backend="memory")
            def test_function(self, sayiir_backend): ...

        def test_module(sayiir_backend): ...
        """,
        "-v",
    )

    assert [
        "TestIt::test_class[memory]",
        "TestIt::test_class[sqlite]",
        "TestIt::test_function[memory]",
        "test_module[sqlite]",
    ] == _named(result)


def test_a_test_that_asks_while_it_runs_gets_the_store_of_its_marker(
    suite: pytest.Pytester,
) -> None:
    """A method of unittest cannot be parametrised, and asks late, too."""
    result = _run(
        suite,
        """
        import pytest

        @pytest.mark.sayiir(backend="sqlite")
        def test_late(request):
            assert "sqlite" == request.getfixturevalue("sayiir_backend_name")
        """,
        "--sayiir-backend=memory",
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "complaint"),
    [
        (
            "backend='mysql'",
            "*test_it.py::test_it: @pytest.mark.sayiir(backend='mysql'): there is*",
        ),
        ("'sqlite'", "*it takes no bare values; write backend='sqlite'*"),
        ("stores='sqlite'", "*'stores' is no argument of it*"),
        ("backend=[]", "*no backend is named; choose among memory, sqlite, postgres*"),
        ("backend=3", "*backend= must be a name or a list of names, not 3*"),
        ("leaks='no'", "*leaks= must be 'fail' or 'ignore', not 'no'*"),
    ],
)
def test_a_wrong_marker_is_an_error_that_names_the_test(
    suite: pytest.Pytester, marker: str, complaint: str
) -> None:
    """At collection, with what to write instead."""
    result = _run(
        suite,
        f"""
        import pytest

        @pytest.mark.sayiir({marker})
        def test_it(sayiir_backend): ...
        """,
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([complaint])


def test_a_wrong_option_is_a_usage_error(suite: pytest.Pytester) -> None:
    """Before anything is collected."""
    result = _run(suite, "def test_it(): ...", "--sayiir-backend", "memory,mysql")

    assert pytest.ExitCode.USAGE_ERROR == result.ret
    result.stderr.fnmatch_lines(["*--sayiir-backend=memory,mysql: there is no backend 'mysql'*"])


def test_a_suite_may_bring_a_store_of_its_own(suite: pytest.Pytester) -> None:
    """The fixture is overridden, the option then changes nothing, and the engine runs on it."""
    suite.makeconftest(
        """
        import pytest
        from sayiir import InMemoryBackend

        class Own(InMemoryBackend): ...

        @pytest.fixture
        def sayiir_backend(sayiir_clock):
            return Own(clock=sayiir_clock)
        """
    )

    result = _run(
        suite,
        """
        from shop import ORDER

        def test_it(sayiir_engine):
            assert type(sayiir_engine.backend).__name__ == "Own"
            assert sayiir_engine.start(ORDER, {"amount": 1}).parked_at == "cool-down"
        """,
        "-v",
        "--sayiir-backend=memory,sqlite",
    )

    assert ["test_it"] == _named(result)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_store_that_is_not_installed_fails_the_test_with_what_to_install(
    suite: pytest.Pytester, store: str
) -> None:
    """It is not skipped: whoever names a store wants it tested."""
    suite.makeconftest(
        f"""
        import sys
        import pytest

        @pytest.fixture(autouse=True, scope="session")
        def uninstalled():
            with pytest.MonkeyPatch.context() as patch:
                patch.setitem(sys.modules, "sayiir_{store}", None)
                yield
        """
    )

    result = _run(suite, "def test_it(sayiir_backend): ...", f"--sayiir-backend={store}")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*install it with: pip install 'sayiir-pytest[[]{store}]'*"])


TWICE = """
import pytest
from shop import ORDER

@pytest.mark.parametrize("number", [1, 2])
def test_fresh(sayiir_engine, sayiir_backend, number):
    sayiir_engine.client.send_signal("never", "s", 1)
    assert sayiir_engine.start(ORDER, {"amount": number}, "same-id").parked_at == "cool-down"
    assert sayiir_backend.signals.pending("same-id") == []
    assert len(sayiir_backend.signals.pending("never")) == 1
"""


@pytest.mark.parametrize(("required", "outcome"), [("0", "skipped"), ("1", "errors")])
def test_without_a_postgres_its_tests_are_skipped_or_fail_as_asked(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, required: str, outcome: str
) -> None:
    """Either way the text says what is missing, and what else would do."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sayiir_pytest.postgres_programs._PLACES", ())
    monkeypatch.setenv("SAYIIR_REQUIRE_POSTGRES", required)
    monkeypatch.delenv("SAYIIR_TEST_DATABASE_URL", raising=False)

    result = _run(suite, "def test_it(sayiir_backend): ...", "--sayiir-backend=postgres", "-rs")

    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines(
        ["*no PostgreSQL:*; or name a database in SAYIIR_TEST_DATABASE_URL*"]
    )


LOOK = """
import os
import psycopg
from shop import ORDER

def test_schema(sayiir_postgres, sayiir_engine):
    assert sayiir_postgres.schema.startswith("sayiir_test_gw")
    sayiir_engine.run(ORDER, {"amount": 1})
    with psycopg.connect(os.environ["SAYIIR_TEST_DATABASE_URL"]) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
    assert (sayiir_postgres.schema,) in found
"""


@pytest.mark.usefixtures("postgres_binaries")
def test_postgres_is_a_throw_away_server_and_each_test_finds_it_empty(
    suite: pytest.Pytester,
) -> None:
    """Started once, and gone afterwards with its folder."""
    result = _run(suite, TWICE, "--sayiir-backend=postgres", "--setup-show")

    result.assert_outcomes(passed=2)
    assert 1 == result.stdout.str().count("SETUP    S sayiir_postgres")


@pytest.mark.slow
def test_a_named_database_gets_a_schema_that_is_dropped_at_the_end(
    suite: pytest.Pytester, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for each process of the run, beside whatever else lives in that database."""
    psycopg = pytest.importorskip("psycopg")
    monkeypatch.setenv("SAYIIR_TEST_DATABASE_URL", postgres_database)
    suite.makepyfile(test_it=TWICE, test_look=LOOK)

    result = suite.runpytest_subprocess("-n2", "--sayiir-backend=postgres")

    result.assert_outcomes(passed=3)
    with psycopg.connect(postgres_database) as connection:
        query = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'sayiir%'"
        assert [] == connection.execute(query).fetchall()


# --- real workers and fleets -----------------------------------------------------------------------


def test_a_real_worker_is_started_and_drained(suite: pytest.Pytester) -> None:
    """Also on a file, where it takes threads and connections that are gone afterwards."""
    result = _run(
        suite,
        """
        from sayiir import WorkflowClient
        from shop import ORDER

        def test_it(sayiir_worker, sayiir_backend, sayiir_clock):
            worker = sayiir_worker(ORDER, concurrency=2)
            assert worker.worker_id == "worker-1"
            order = WorkflowClient(sayiir_backend).submit(ORDER, "order-1", {"amount": 1})
            order.send_signal("approval", {"by": "Ada"})
            while order.status().status != "waiting":
                assert worker.is_alive
            sayiir_clock.advance("3d")
            assert order.result("30s") == "shipped by Ada"
        """,
        "--sayiir-backend=memory,sqlite",
    )

    result.assert_outcomes(passed=2)


def test_a_fleet_that_breaks_a_law_reports_its_seed_and_story(suite: pytest.Pytester) -> None:
    """The same seed tells the same story again."""
    result = _run(
        suite,
        """
        from sayiir import Flow
        from sayiir_pytest.fleet import Expected

        def test_it(sayiir_fleet):
            fleet = sayiir_fleet(7, workers=2)
            flow = Flow("one").then(lambda x: x, name="one").build()
            fleet.submit(flow, 1, Expected(status="completed", output=2))
            fleet.run()
        """,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*i0 gave 1, expected*", "*sayiir fleet, seed 7*", "*peace"])


# --- what failures tell ----------------------------------------------------------------------------


def test_a_failure_attaches_where_instances_are_and_what_they_wait_for(
    suite: pytest.Pytester,
) -> None:
    """With their histories; once, and only if a fixture of ours was used."""
    result = _run(
        suite,
        """
        from shop import ORDER

        def test_engine(sayiir_engine):
            sayiir_engine.start(ORDER, {"amount": 1})
            sayiir_engine.advance("3d")
            assert False

        def test_store(sayiir_backend):
            from sayiir import WorkflowClient
            WorkflowClient(sayiir_backend).submit(ORDER, "alone", {"amount": 1})
            assert False

        def test_asks_late(request):
            engine = request.getfixturevalue("sayiir_engine")
            engine.client.submit(ORDER, "by-a-client", {"amount": 2})
            engine.serve(ORDER)
            engine.run_until_parked()
            assert False

        def test_other(): assert False
        def test_right(sayiir_engine): sayiir_engine.start(ORDER, {"amount": 1}, "silent")
        """,
        "-p",
        "no:randomly",
    )

    result.assert_outcomes(failed=4, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*- sayiir instances -*",
            "virtual time: 2026-01-04 12:00:00 UTC",
            "order-1 (order): awaiting_signal",
            "  at approval: waits for signal 'approval', at the latest until 2026-01-06 12:00:00*",
            "    what helps: call send_signal('order-1', 'approval', payload, backend)",
            "  +00:00:00.000  charge: attempt 1 succeeded: 'charged 1'",
            "  +3d 00:00:00.000  cool-down: the delay is over",
            "*- sayiir instances -*",
            "alone (order): in_progress",
            "  at charge: ready since*no live worker serves lane*",
            "*- sayiir instances -*",
            "by-a-client (order): waiting",
            "  +00:00:00.000  charge: attempt 1 succeeded: 'charged 2'",
        ]
    )
    assert 3 == result.stdout.str().count("- sayiir instances -")
    result.stdout.no_fnmatch_line("*silent*")


def test_a_failure_shows_the_traceback_of_the_task(suite: pytest.Pytester) -> None:
    """The line of the user's code that raised is what one looks for first."""
    result = _run(
        suite,
        """
        from sayiir import Flow

        def divide(x):
            return 1 / x

        def test_it(sayiir_engine):
            assert sayiir_engine.run(Flow("f").then(divide).build(), 0).output == 1
        """,
    )

    result.stdout.fnmatch_lines(
        ["*TaskError: instance 'f-1': task 'divide' failed: ZeroDivisionError*", "*return 1 / x*"]
    )


def test_a_report_that_cannot_be_made_hides_nothing(suite: pytest.Pytester) -> None:
    """The failure itself is shown, and why there is no more."""
    result = _run(
        suite,
        """
        from shop import ORDER

        def test_it(sayiir_engine):
            sayiir_engine.start(ORDER, {"amount": 1})
            sayiir_engine.backend.results = None
            assert not "the reason"
        """,
    )

    result.stdout.fnmatch_lines(["*assert not *the reason*", "not available: AttributeError*"])


# --- leaks -----------------------------------------------------------------------------------------

LEAKING = """
import threading
import pytest
from sayiir import PooledWorker, SQLiteBackend, WorkflowClient
from shop import ORDER

KEPT = []

def test_thread(sayiir_engine, request):
    stop = threading.Event()
    request.config.add_cleanup(stop.set)
    threading.Thread(target=stop.wait, name="forgotten").start()

def test_worker(sayiir_backend, request):
    handle = PooledWorker("w-7", sayiir_backend).start([ORDER])
    request.config.add_cleanup(handle.abort)

@pytest.mark.sayiir(backend="sqlite")
def test_connection(sayiir_backend):
    KEPT.append(SQLiteBackend(sayiir_backend.path))
    KEPT[-1].open()

def test_claim(sayiir_backend):
    from sayiir_core.ports.sessions import NewSession
    from sayiir_core.snapshot.head import Lane
    from datetime import timedelta
    WorkflowClient(sayiir_backend).submit(ORDER, "order-9", {"amount": 1})
    lane = Lane(ORDER.definition.identity, "")
    new = NewSession(session_id="s", worker_id="w-8", ttl=timedelta(days=1), lanes=(lane,))
    sayiir_backend.sessions.register(new)
    assert len(sayiir_backend.claims.claim("s", 1, [lane], 1)) == 1
"""


def test_a_test_that_leaks_fails_by_name(suite: pytest.Pytester) -> None:
    """Threads, connections and claims, each named with the test that left it behind."""
    result = _run(suite, LEAKING, "-p", "no:randomly")

    result.assert_outcomes(passed=4, errors=4)
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_thread leaves behind:",
            "  - thread 'forgotten'",
            "test_it.py::test_worker leaves behind:",
            "  - thread 'sayiir-w-7-claim'",
            "test_it.py::test_connection?sqlite? leaves behind:",
            "  - open file */sayiir.db (descriptor *)",
            "test_it.py::test_claim leaves behind:",
            "  - claim of 'charge' in instance 'order-9', held by worker w-8",
            "End it in the test, or allow it with @pytest.mark.sayiir(leaks='ignore').",
        ]
    )


def test_a_marker_allows_leaks_and_daemons_of_others_are_no_leak(suite: pytest.Pytester) -> None:
    """An executor may be shared by many tests, and a daemon harms nobody."""
    result = _run(
        suite,
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest

        STOP, POOL = threading.Event(), ThreadPoolExecutor(1)

        @pytest.fixture(scope="module", autouse=True)
        def stop():
            yield
            STOP.set()
            POOL.shutdown()

        @pytest.mark.sayiir(leaks="ignore")
        def test_allowed(sayiir_engine):
            threading.Thread(target=STOP.wait).start()

        def test_others(sayiir_engine):
            threading.Thread(target=STOP.wait, daemon=True).start()
            POOL.submit(int).result()
        """,
    )

    result.assert_outcomes(passed=2)


# --- many at once ----------------------------------------------------------------------------------

MIXED = """
import asyncio
import pytest
from sayiir import Flow
from shop import ORDER, charge, ship

NUMBERS = range(8)

async def double(x):
    await asyncio.sleep(0)
    return 2 * x

FLOW = Flow("doubling").then(double).delay("night", "8h").then(double, name="again").build()

def check(order, number):
    assert order.instance_id == "order-1"
    assert order.tasks["charge"].output == f"stubbed {number}"
    assert order.tasks["charge"].attempts == 1 + number % 2

@pytest.mark.parametrize("number", NUMBERS)
def test_sync(sayiir_engine, number):
    stub(sayiir_engine, number)
    order = sayiir_engine.start(ORDER, {"amount": number})
    sayiir_engine.advance("3d")
    order.signal("approval", {"by": str(number)})
    assert order.output == f"shipped by {number}"
    check(order, number)
    assert sayiir_engine.run(FLOW, number).output == 4 * number

@pytest.mark.asyncio
@pytest.mark.parametrize("number", NUMBERS)
async def test_asyncio(sayiir_engine, number):
    await in_a_loop(sayiir_engine, number)

@pytest.mark.anyio
@pytest.mark.parametrize("number", NUMBERS)
async def test_anyio(sayiir_engine, number, anyio_backend):
    await in_a_loop(sayiir_engine, number)

@pytest.fixture
def anyio_backend():
    return "asyncio"

async def in_a_loop(engine, number):
    stub(engine, number)
    order = await engine.start_async(ORDER, {"amount": number})
    await engine.advance_async("3d")
    await order.signal_async("approval", {"by": str(number)})
    assert order.output == f"shipped by {number}"
    check(order, number)
    assert (await engine.run_async(FLOW, number)).output == 4 * number

def stub(engine, number):
    from sayiir_pytest.engine import ok
    outcomes = [ok(f"stubbed {number}")]
    engine.stub(charge, raises=[OSError, *outcomes] if number % 2 else outcomes)

@pytest.mark.parametrize("number", NUMBERS)
def test_unstubbed(sayiir_engine, number):
    assert sayiir_engine.run(ORDER, {"amount": 5}).tasks["charge"].output == "charged 5"
"""


@pytest.mark.slow
def test_sync_asyncio_and_anyio_tests_do_not_disturb_each_other(suite: pytest.Pytester) -> None:
    """Four processes, in random order, on two stores; warnings are errors."""
    suite.makepyfile(shop=SHOP.replace("@task\ndef charge", "@task(retries=2)\ndef charge"))
    suite.makepyfile(test_it=MIXED)
    suite.makeini(
        "[pytest]\npythonpath = .\nfilterwarnings = error\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )

    result = suite.runpytest_subprocess(
        "-n4", "-p", "randomly", f"--randomly-seed={uuid.uuid4().int % 2**32}",
        "--sayiir-backend=memory,sqlite",
    )  # fmt: skip

    result.assert_outcomes(passed=64)
