"""Building distributions and installing them into empty environments, as a user would."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# One worker builds the wheels for all tests that need them.
builds = [pytest.mark.xdist_group("packaging"), pytest.mark.slow]


def uv(*arguments: str) -> str:
    """Run uv and return what it printed; ``AssertionError`` if it failed."""
    program = (
        os.environ.get("UV")
        or shutil.which("uv")
        or shutil.which("uv", path=ROOT / ".dev" / "uv" / "bin")
    )
    assert program is not None, "there is no uv: run the tests by 'python3 dev.py test'"
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(
        [program, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(project: Path, folder: Path) -> Path:
    """Build the wheel of a project outside the workspace."""
    before = set(folder.glob("*.whl"))
    uv("build", "--wheel", "--out-dir", str(folder), str(project))
    (made,) = set(folder.glob("*.whl")) - before
    return made


def requirement(wheel: Path, extra: str = "") -> str:
    """Return what asks for exactly this wheel, with an extra such as ``[binary]``."""
    return f"{wheel.name.split('-')[0].replace('_', '-')}{extra} @ {wheel.as_uri()}"


def install(folder: Path, *requirements: str, beside: Path) -> Path:
    """Install, at first into an empty environment, with our wheels from beside; return its Python."""
    if not folder.exists():
        uv("venv", "--quiet", "--python", sys.executable, str(folder))
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    uv("pip", "install", "--quiet", f"--python={python}", f"--find-links={beside}", *requirements)
    return python
