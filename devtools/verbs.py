"""Define the verbs of ``dev.py``, each a function from arguments to an exit code."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from devtools.environment import (
    ROOT,
    developer_python,
    native_python,
    tool_environment,
    user_python,
    uv_program,
)
from devtools.fuzz import fuzz_native
from devtools.native import build_native

_MOST_WORKERS = 8
_NATIVE_SOURCE = str(ROOT / "native" / "python")
_NATIVE_TESTS = ("native/tests", "packages/sayiir-runtime/tests/codec/rkyv")


def demo(arguments: Sequence[str]) -> int:
    """Watch a durable workflow being killed and resumed."""
    script = ROOT / "examples" / "03_stdlib_report" / "main.py"
    return _run(user_python(), [str(script), *arguments])


def test(arguments: Sequence[str]) -> int:
    """Run the whole test suite, or pytest with the given arguments."""
    chosen = list(arguments) or ["-n", str(_workers()), "--dist", "loadgroup"]
    return _module("pytest", chosen, {"UV": str(uv_program())})


def lint(arguments: Sequence[str]) -> int:
    """Check style and format; --fix mends what can be mended."""
    fix = list(arguments) == ["--fix"]
    checked = _module("ruff", ["check", "--fix"] if fix else ["check", *arguments])
    formatted = _module("ruff", ["format"] if fix else ["format", "--check", "--quiet", "."])
    if formatted != 0 and not fix:
        print("Files are not formatted: run 'python3 dev.py lint --fix'.")
    return checked or formatted


def types(arguments: Sequence[str]) -> int:
    """Check types with mypy --strict and pyright strict."""
    codes = [_module("mypy", arguments), _module("pyright", arguments)]
    return next((code for code in codes if code != 0), 0)


def imports(arguments: Sequence[str]) -> int:
    """Check the import contracts: arrows only point down."""
    program = developer_python().parent / "lint-imports"
    # The native codec is looked at where its source is, for it is not installed everywhere.
    return _call([str(program), "--no-logo", *arguments], {"PYTHONPATH": _NATIVE_SOURCE})


def docs(arguments: Sequence[str]) -> int:
    """Execute the code blocks of the documentation."""
    return _module("pytest", ["tests/test_readme.py", "tests/test_reference_readme.py", *arguments])


def laws(arguments: Sequence[str]) -> int:
    """Check the laws over many generated workflows: laws [NUMBER, 500 if none is given]."""
    number, *chosen = [*arguments] or ["500"]
    examples = {"SAYIIR_LAWS_EXAMPLES": number}
    return _module("pytest", ["tests/laws", "-n", str(_workers()), *chosen], examples)


def fleet(arguments: Sequence[str]) -> int:
    """Simulate fleets of workers: fleet [--seeds N] [--start K], or [--seed S] for a story."""
    return _module("sayiir_pytest.fleet", arguments)


def chaos(arguments: Sequence[str]) -> int:
    """Break real workers and a real server in turn: chaos [SECONDS, 60 if none is given] [SEED]."""
    seconds, seed, *chosen = [*arguments, *["60", "1"][len(arguments) :]]
    settings = {"SAYIIR_CHAOS_SECONDS": seconds, "SAYIIR_CHAOS_SEED": seed}
    return _module("pytest", ["tests/chaos/test_chaos.py", "-s", *chosen], settings)


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks against the raw limit."""
    return _run(developer_python(), [str(ROOT / "benchmarks" / "run.py"), *arguments])


def native(arguments: Sequence[str]) -> int:
    """Check, build and test the native codec; or only: native fuzz [SECONDS], native bench."""
    if arguments[:1] == ["fuzz"]:
        return fuzz_native(int([*arguments, "60"][1]))
    if arguments[:1] == ["bench"]:
        script = str(ROOT / "benchmarks" / "codec_run.py")
        return _run(native_python(), [script, *arguments[1:]])
    required = {"SAYIIR_REQUIRE_NATIVE": "1"}
    return build_native() or _module("pytest", [*_NATIVE_TESTS, *arguments], required)


def _workers() -> int:
    return max(1, min(os.cpu_count() or 1, _MOST_WORKERS))


def _module(name: str, arguments: Sequence[str], extra: Mapping[str, str] | None = None) -> int:
    return _run(developer_python(), ["-m", name, *arguments], extra)


def _run(python: Path, arguments: Sequence[str], extra: Mapping[str, str] | None = None) -> int:
    return _call([str(python), *arguments], extra)


def _call(command: Sequence[str], extra: Mapping[str, str] | None = None) -> int:
    environment = tool_environment() | dict(extra or {})
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
