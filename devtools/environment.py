"""Bootstrap uv and keep the environments of this repository, without touching the machine.

How this works. Where no recent uv is found on PATH, pip puts one into ``.dev/uv``, a git-ignored folder.
uv then makes ``.venv`` (everything, for developers) or ``.dev/user`` (what a user of ``sayiir``
installs, for the demo) from the lock file. Both take a fraction of a second when nothing changed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WHEELS = ROOT / ".dev" / "wheels"
UV_VERSION = "0.13.8"

_PRIVATE = ROOT / ".dev"
_UV_FOLDER = _PRIVATE / "uv"
_BIN = "Scripts" if os.name == "nt" else "bin"
_EXE = ".exe" if os.name == "nt" else ""

# The native codec is built by 'dev.py native' alone, since it needs a Rust toolchain.
_EVERYTHING = ["--all-packages", "--no-install-package", "sayiir-rkyv"]


class SetupError(Exception):
    """Report that the environment cannot be made, and what to do about it."""


def developer_python() -> Path:
    """Return the Python of ``.venv``, in step with the lock file."""
    # Once there is a native codec in it, a sync without these would take that out again.
    return native_python() if any(WHEELS.glob("*.whl")) else _developer_python()


def native_python() -> Path:
    """Return the same Python, with what builds and measures the native codec beside the rest."""
    return _developer_python("--group", "native", "--inexact")


def _developer_python(*more: str) -> Path:
    return _synced(ROOT / ".venv", [*_EVERYTHING, "--group", "dev", *more])


def user_python() -> Path:
    """Return the Python of ``.dev/user``, which holds what ``pip install sayiir`` brings."""
    return _synced(_PRIVATE / "user", ["--package", "sayiir", "--no-default-groups"])


def uv_program() -> Path:
    """Return the path of a uv, installing the pinned one privately where there is no recent one."""
    private = _UV_FOLDER / "bin" / f"uv{_EXE}"
    for program in (private, shutil.which("uv")):
        if program is not None and _is_recent(program):
            return Path(program)
    _install_uv()
    return private


def tool_environment() -> dict[str, str]:
    """Return the environment variables for uv and for what runs inside the workspace."""
    outside = {"UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}
    kept = {name: value for name, value in os.environ.items() if name not in outside}
    if "PIP_CERT" in kept:
        kept.setdefault("SSL_CERT_FILE", kept["PIP_CERT"])
    return kept


def _synced(folder: Path, selection: list[str]) -> Path:
    python = folder / _BIN / f"python{_EXE}"
    command = [str(uv_program()), "sync", "--locked", "--quiet", *selection]
    if not python.exists():
        command += ["--python", sys.executable]
    environment = tool_environment() | {"UV_PROJECT_ENVIRONMENT": str(folder)}
    if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
        raise SetupError(
            f"uv could not bring {folder.relative_to(ROOT)} in step with uv.lock (its words stand"
            f" above). After an edit of a pyproject.toml, run '{command[0]} lock' and try again."
        )
    return python


def _is_recent(program: str | Path) -> bool:
    """Tell whether a uv is at least the pinned one, so that it reads all our settings."""
    if not Path(program).exists():
        return False
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"uv (\d+)\.(\d+)\.(\d+)", done.stdout)
    pinned = tuple(int(part) for part in UV_VERSION.split("."))
    return version is not None and tuple(int(part) for part in version.groups()) >= pinned


def _install_uv() -> None:
    if importlib.util.find_spec("pip") is None:
        raise SetupError(
            f"{sys.executable} has no pip, so uv cannot be fetched. Install pip for it (on Debian:"
            " apt-get install python3-pip), or put uv on PATH, and try again."
        )
    print(f"dev.py: installing uv {UV_VERSION} into {_UV_FOLDER.relative_to(ROOT)}", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--root-user-action=ignore"]
    command += ["--disable-pip-version-check"]
    command += ["--upgrade", "--target", str(_UV_FOLDER), f"uv=={UV_VERSION}"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise SetupError(
            f"pip could not install uv {UV_VERSION} (its words stand above). Check that a package"
            " index can be reached, or put uv on PATH, and try again."
        )
