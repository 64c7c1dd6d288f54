"""Run every check in order within a time budget, and end with the test runner's own summary."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from devtools import verbs
from devtools.environment import ROOT, SetupError, developer_python, tool_environment
from devtools.fuzz import fuzz_native
from devtools.native import build_native

_FIND_POSTGRES = "from sayiir_pytest.postgres_server import find_binaries; print(find_binaries())"
_TEST_BUDGET = 1080.0
_FUZZ_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One finished part: its name, what it took and may take in seconds, and its exit code."""

    name: str
    seconds: float
    budget: float
    code: int

    @property
    def in_time(self) -> bool:
        """Tell whether the part kept its budget; a slow machine is said, and is no failure."""
        return self.seconds <= self.budget

    def __str__(self) -> str:
        word = "failed" if self.code else "ok" if self.in_time else "over budget"
        return f"{self.name:<10} {self.seconds:>8.1f} {self.budget:>8.0f}  {word}"


def ci(arguments: Sequence[str]) -> int:
    """Run what must be green: set-up, lint, types, imports, native, then the tests."""
    if arguments:
        raise SetupError("'ci' takes no arguments: it always runs everything.")
    parts = [
        _timed("set-up", 300, _set_up),
        _timed("lint", 60, lambda: verbs.lint([])),
        _timed("types", 300, lambda: verbs.types([])),
        _timed("imports", 60, lambda: verbs.imports([])),
        # Its Python tests run with all others below, which may not skip them.
        _timed("native", 180, lambda: build_native() or fuzz_native(_FUZZ_SECONDS)),
    ]
    print(f"\n{'part':<10} {'seconds':>8} {'budget':>8}")
    print(*parts, f"{'test':<10} {'':>8} {_TEST_BUDGET:>8.0f}  follows", sep="\n", flush=True)
    tests = _timed("test", _TEST_BUDGET, _test)
    return next((part.code for part in (*parts, tests) if part.code), 0)


def _timed(name: str, budget: float, run: Callable[[], int]) -> Part:
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    code = run()
    return Part(name=name, seconds=time.monotonic() - start, budget=budget, code=code)


def _test() -> int:
    """Call the test command of the README in a process of its own, as a reader would."""
    command = [sys.executable, str(ROOT / "dev.py"), "test"]
    needed = ("NATIVE", "PGBOUNCER", "POSTGRES", "PROMETHEUS")
    environment = os.environ | {f"SAYIIR_REQUIRE_{name}": "1" for name in needed}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _set_up() -> int:
    python = str(developer_python())
    missing = _missing_packages(python)
    if not missing:
        return 0
    if not _in_ci():
        print(f"Without {' and '.join(missing)} tests will fail. Install that, or use 'test'.")
        return 1
    return _install(missing) or (1 if _missing_packages(python) else 0)


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def _missing_packages(python: str) -> list[str]:
    """Return what the tests need of the machine and do not find, as Debian names it."""
    found = {
        "postgresql": _finds_postgres(python),
        "pgbouncer": _finds_pgbouncer(),
        "prometheus": shutil.which("prometheus") is not None,
    }
    return [package for package, is_here in found.items() if not is_here]


def _finds_pgbouncer() -> bool:
    """Look on PATH and where Debian keeps servers, which PATH may lack."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    print(program or "no pgbouncer on PATH or in /usr/sbin")
    return program is not None


def _finds_postgres(python: str) -> bool:
    command = [python, "-c", _FIND_POSTGRES]
    done = subprocess.run(
        command, env=tool_environment(), capture_output=True, text=True, check=False
    )
    print((done.stdout or done.stderr).splitlines()[-1])
    return done.returncode == 0


def _install(packages: Sequence[str]) -> int:
    if shutil.which("apt-get") is None:
        print(f"There is no apt-get to install {' and '.join(packages)} with.")
        return 1
    become = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        command = [*become, "apt-get", "--quiet", *words]
        code = subprocess.run(command, env=environment, check=False).returncode
        if code != 0:
            return code
    return 0
