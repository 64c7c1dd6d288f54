"""The facade: every public name is there, and a missing part says how to install it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sayiir


@pytest.mark.parametrize("name", sayiir.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    """Each name in ``__all__`` resolves, lazy ones too."""
    assert getattr(sayiir, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing mistake looks like one."""
    with pytest.raises(AttributeError, match="no attribute 'Wrokflow'"):
        _ = sayiir.Wrokflow


def test_a_missing_optional_part_names_the_extra_to_install() -> None:
    """Without the Postgres adapter its backend raises ImportError with the command."""
    program = (
        "import sys\n"
        "sys.modules['sayiir_postgres'] = None\n"
        "import sayiir\n"
        "try:\n"
        "    sayiir.PostgresBackend\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "pip install 'sayiir[postgres]'" in done.stdout


def test_importing_the_facade_loads_no_database_driver_and_no_pydantic() -> None:
    """What is not used is not imported."""
    program = (
        "import sys, sayiir\n"
        "print([m for m in ('sqlite3', 'psycopg', 'pydantic', 'asyncio.base_events') "
        "if m in sys.modules])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "sqlite3" not in done.stdout
    assert "psycopg" not in done.stdout
    assert "pydantic" not in done.stdout


def test_importing_the_facade_loads_no_worker_and_no_command() -> None:
    """Whoever only submits or runs pays for neither."""
    program = (
        "import sys, sayiir\n"
        "print([m for m in ('sayiir_runtime.worker', 'sayiir.cli', 'argparse') "
        "if m in sys.modules], sayiir.Worker is sayiir.PooledWorker)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[] True\n"


def test_importing_the_facade_looks_for_no_plugins() -> None:
    """Searching the environment is slow, and only opening a backend by its URL needs it."""
    program = (
        "import sys, sayiir\n"
        "found = {'importlib.metadata', 'pluggy'} & set(sys.modules)\n"
        "print(sorted(found), sayiir.open_backend('memory://').capabilities is not None)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[] True\n"
