"""The pytest plugin: an option, two markers, fixtures, and what a failing test reports.

Nothing but pytest is imported here, since pytest loads this module in every run of an environment
that has this distribution. What a fixture needs is imported when a test uses it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from sayiir_pytest import crash_marker

if TYPE_CHECKING:
    from sayiir_core.authoring import Workflow
    from sayiir_core.duration import Duration
    from sayiir_core.ports.backend import Backend
    from sayiir_pytest.clock import VirtualClock
    from sayiir_pytest.engine import Engine
    from sayiir_pytest.fleet import Faults, Fleet
    from sayiir_pytest.postgres_place import PostgresPlace
    from sayiir_pytest.recovery import RecoveryReport
    from sayiir_runtime.worker import WorkerHandle

_MARKER = (
    "sayiir(backend=..., leaks=...): run the test once on each of these stores (memory, sqlite, "
    "postgres); leaks='ignore' lets it leave threads, connections and claims behind."
)


class StartWorker(Protocol):
    """Start a real worker that the test's end drains."""

    def __call__(
        self,
        *workflows: Workflow[Any, Any],
        worker_id: str | None = None,
        concurrency: int = 32,
        tags: list[str] | None = None,
        poll_interval: Duration = "20ms",
    ) -> WorkerHandle:
        """Start it, and return the handle that looks at it."""
        ...


class MakeFleet(Protocol):
    """Make a simulated fleet, whose story a failing test reports."""

    def __call__(
        self, seed: int, *, workers: int = 3, instances: int = 3, faults: Faults | None = None
    ) -> Fleet:
        """Make it; ``run`` of what it returns tells the story."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--sayiir-backend``."""
    parser.getgroup("sayiir").addoption(
        "--sayiir-backend",
        metavar="NAMES",
        help="run each test that uses sayiir_backend on these stores: memory, sqlite, postgres "
        "(default: memory; a test's marker wins)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and refuse a bad option."""
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", crash_marker.DESCRIPTION)
    if config.getoption("--sayiir-backend") is not None:
        from sayiir_pytest.choice import names_of_option

        names_of_option(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each store that is asked for."""
    if "sayiir_backend_name" in metafunc.fixturenames:
        from sayiir_pytest.choice import parametrize

        parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forget what a former try of the same test has proved, as a plugin that reruns makes them."""
    if crash_marker.is_marked(item):
        crash_marker.forget(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Prove what a marked test runs, once its body has passed."""
    result = yield
    if crash_marker.is_marked(item):
        crash_marker.prove_marked(item)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach to a failure what the instances of the test do, if it used a fixture of ours."""
    report = yield
    # Where no fixture of ours was used so far, there is nothing to look for.
    if report.failed and "sayiir_pytest.report" in sys.modules:
        from sayiir_pytest.report import attach

        attach(report, item)
    return report


@pytest.fixture
def sayiir_backend_name(request: pytest.FixtureRequest) -> str:
    """Return which store the test runs on: ``memory``, ``sqlite`` or ``postgres``."""
    from sayiir_pytest.choice import default_name

    return default_name(request)


@pytest.fixture
def sayiir_clock() -> VirtualClock:
    """Return a clock that stands still until the test, or its engine, moves it."""
    from sayiir_pytest.clock import VirtualClock

    return VirtualClock()


@pytest.fixture(scope="session")
def sayiir_postgres() -> Iterator[PostgresPlace]:
    """Give this process's schema on a PostgreSQL: a throw-away one, or SAYIIR_TEST_DATABASE_URL's."""
    from sayiir_pytest.postgres_place import postgres_place

    with postgres_place() as place:
        yield place


@pytest.fixture
def sayiir_backend(
    request: pytest.FixtureRequest, sayiir_backend_name: str, sayiir_clock: VirtualClock
) -> Iterator[Backend]:
    """Give an empty store that tells the time by ``sayiir_clock``, and look for leaks afterwards."""
    from sayiir_pytest.stores import lend_backend

    with lend_backend(request, sayiir_backend_name, sayiir_clock) as backend:
        yield backend


@pytest.fixture
def sayiir_engine(
    request: pytest.FixtureRequest, sayiir_backend: Backend, sayiir_clock: VirtualClock
) -> Iterator[Engine]:
    """Give an engine that runs workflows on the test's thread, in virtual time."""
    from sayiir_pytest.engine import Engine
    from sayiir_pytest.report import add_reporter, report_of_engine

    with Engine(sayiir_backend, sayiir_clock) as engine:
        add_reporter(request.node, "sayiir instances", lambda: report_of_engine(engine))
        crash_marker.note_engine(request.node, engine)
        yield engine


@pytest.fixture
def sayiir_recovery(request: pytest.FixtureRequest) -> RecoveryReport:
    """Return the report of the workflow that the test's marker ``sayiir_crashes`` names."""
    return crash_marker.report_of(request.node)


@pytest.fixture
def sayiir_worker(sayiir_backend: Backend) -> Iterator[StartWorker]:
    """Give a function that starts a real worker on the store; it is drained at the end."""
    from sayiir_pytest.workforce import Workforce

    with Workforce(sayiir_backend) as workforce:
        yield workforce.start


@pytest.fixture
def sayiir_fleet(request: pytest.FixtureRequest) -> MakeFleet:
    """Give a function that makes a simulated fleet from a seed."""
    from sayiir_pytest.report import fleet_maker

    return fleet_maker(request.node)
