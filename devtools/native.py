"""Check the Rust crate, build its wheel and put it into the developer environment.

How this works. ``native`` is a member of the workspace, so that the lock file knows what it needs,
but syncing the environment leaves it out: that would build it, and only some machines have Rust.
Here maturin builds the wheel that users get, and uv installs it beside the rest, where later syncs
leave it alone.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from devtools.environment import (
    ROOT,
    WHEELS,
    SetupError,
    native_python,
    tool_environment,
    uv_program,
)

_CRATE = ROOT / "native"
_ALLOWED = {"Apache-2.0", "MIT", "Unicode-3.0"}
_INDEX = "registry+https://github.com/rust-lang/crates.io-index"


def build_native() -> int:
    """Check the crate with all of cargo's tools, build the wheel and install it."""
    if shutil.which("cargo") is None:
        raise SetupError(
            "'native' needs a Rust toolchain: there is no cargo on PATH. Everything else works"
            " without it; the tests of the native codec are skipped then."
        )
    checks: tuple[Callable[[], int], ...] = (_style, _tests, _licences, _deny, _wheel)
    return next((code for check in checks if (code := check())), 0)


def _style() -> int:
    clippy = ("clippy", "--locked", "--all-targets", "--", "-D", "warnings")
    return _cargo("fmt", "--check") or _cargo(*clippy)


def _tests() -> int:
    return _cargo("test", "--locked", "--quiet")


def _cargo(*words: str) -> int:
    return _call(["cargo", *words])


def _licences() -> int:
    """Refuse a crate from elsewhere than the public index, or under a licence not agreed to."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    done = subprocess.run(
        command, cwd=_CRATE, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stderr)
        return done.returncode
    packages = json.loads(done.stdout)["packages"]
    problems = [
        f"{package['name']}: {package['source']}, {package['license']}"
        for package in packages
        if package["name"] != "sayiir-rkyv"
        and (package["source"] != _INDEX or not _is_allowed(package["license"]))
    ]
    print(f"licences and sources of {len(packages) - 1} crates:", *problems or ["ok"])
    return 1 if problems else 0


def _is_allowed(expression: str | None) -> bool:
    """Tell whether one of the alternatives, or all that go together, are agreed to."""
    words = (expression or "").replace("/", " OR ").replace("(", " ").replace(")", " ")
    return all(
        any(choice.strip() in _ALLOWED for choice in part.split(" OR "))
        for part in words.split(" AND ")
    )


def _deny() -> int:
    """Run cargo-deny where it is installed; its advisories need the network and are left out."""
    if shutil.which("cargo-deny") is None:
        print("cargo-deny is not installed: bans and duplicates are not checked")
        return 0
    return _cargo("deny", "--offline", "check", "bans", "licenses", "sources")


def _wheel() -> int:
    python = native_python()
    shutil.rmtree(WHEELS, ignore_errors=True)
    command = [str(python.parent / "maturin"), "build", "--release", "--quiet", "--locked"]
    code = _call([*command, "--interpreter", str(python), "--out", str(WHEELS)])
    return code or _install(sorted(WHEELS.glob("*.whl")))


def _install(wheels: Sequence[Path]) -> int:
    words = ["pip", "install", "--quiet", "--no-deps", "--reinstall"]
    python = f"--python={native_python()}"
    return _call([str(uv_program()), *words, python, *map(str, wheels)])


def _call(command: Sequence[str]) -> int:
    return subprocess.run(command, cwd=_CRATE, env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    # Where cargo were missing, maturin's build backend would fetch a toolchain.
    return tool_environment() | {"MATURIN_NO_INSTALL_RUST": "1"}
