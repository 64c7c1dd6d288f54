"""Find the PostgreSQL programs of this machine and run them under an account that they accept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_NEEDED = ("initdb", "postgres", "psql")
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_ACCOUNTS = ("postgres", "nobody")
_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class PostgresUnavailable(Exception):  # noqa: N818 -- a condition of the machine, not a fault
    """Report why no PostgreSQL server can be run on this machine."""


def find_binaries(places: Sequence[str] | None = None) -> Path:
    """Return the folder of the PostgreSQL programs: that of PATH, else the newest known one.

    Args:
        places: Folders to search, as absolute glob patterns, in place of PATH and the usual ones.

    Raises:
        PostgresUnavailable: No folder holds all programs; the text names where it was searched.
    """
    on_path = shutil.which("initdb") if places is None else None
    found = [Path(on_path).resolve().parent] if on_path else []
    for place in _PLACES if places is None else places:
        found += sorted(Path("/").glob(place.lstrip("/")), key=_version, reverse=True)
    for folder in found:
        if all((folder / program).exists() for program in _NEEDED):
            return folder
    searched = ", ".join(("PATH", *_PLACES) if places is None else places)
    raise PostgresUnavailable(
        f"no folder with {', '.join(_NEEDED)} in {searched}: install the PostgreSQL server"
    )


def server_account() -> str | None:
    """Return the account for the server programs, which refuse root; None for our own.

    Raises:
        PostgresUnavailable: There is no account to hand the server to.
    """
    if sys.platform == "win32":
        raise PostgresUnavailable("private PostgreSQL servers are not supported on Windows")
    import pwd

    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for account in _ACCOUNTS:
        if account in known:
            return account
    raise PostgresUnavailable(f"PostgreSQL refuses root, and there is no {' or '.join(_ACCOUNTS)}")


def server_environment() -> dict[str, str]:
    """Return the variables for the programs: none of the user's own PostgreSQL settings."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def run(command: Sequence[str], *, folder: Path, account: str | None = None) -> None:
    """Run a program to its end, in the folder and under the account.

    Raises:
        RuntimeError: The program failed; the text ends with what it printed.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=server_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        user=account,
        group=_group_of(account),
        extra_groups=None if account is None else [],
    )
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")


def spawn(
    command: Sequence[str], *, folder: Path, log: Path, account: str | None
) -> subprocess.Popen[bytes]:
    """Start a server program in a session of its own, its output appended to the log."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=account,
            group=_group_of(account),
            extra_groups=None if account is None else [],
            # Ctrl-C in the terminal is for the tests; they stop the server themselves.
            start_new_session=True,
        )


def _group_of(account: str | None) -> int | None:
    if account is None:
        return None
    import pwd

    return pwd.getpwnam(account).pw_gid


def _version(folder: Path) -> tuple[int, ...]:
    digits = "".join(sign if sign.isdigit() else " " for sign in str(folder))
    return tuple(int(part) for part in digits.split())
