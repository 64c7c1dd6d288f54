"""Install other engines, each into an environment of its own, below a git-ignored folder.

``wants`` is what a user of the engine installs, and what W10 counts. ``also`` is what the workloads
need besides: a driver to look at its tables, a saver, the tool that makes its schema.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / ".dev" / "peers"
_DRIVER = "psycopg[binary]==3.3.9"


class NotInstallableError(Exception):
    """Report why an engine is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one engine is installed and run."""

    script: str
    statement: str
    wants: tuple[str, ...]
    also: tuple[str, ...] = ()


RECIPES: Mapping[str, Recipe] = {
    "sayiir-1.0.0": Recipe(
        script="peer_sayiir.py",
        statement="import sayiir",
        wants=("sayiir==1.0.0",),
        also=(_DRIVER,),
    ),
    "dbos-3.4.0": Recipe(
        script="peer_dbos.py",
        statement="import dbos",
        wants=("dbos==3.4.0",),
        also=(_DRIVER,),
    ),
    "absurd-sdk-0.5.1": Recipe(
        script="peer_absurd.py",
        statement="import absurd_sdk",
        wants=("absurd-sdk==0.5.1",),
        also=("absurdctl==0.5.1", _DRIVER),
    ),
    "langgraph-1.2.22": Recipe(
        script="peer_langgraph.py",
        statement="import langgraph.graph",
        wants=("langgraph==1.2.22",),
        also=(
            "langgraph-checkpoint-sqlite==3.1.2",
            "langgraph-checkpoint-postgres==3.2.0",
            _DRIVER,
        ),
    ),
    "pgqueuer-1.6.0": Recipe(
        script="peer_pgqueuer.py",
        statement="import pgqueuer",
        wants=("pgqueuer[asyncpg]==1.6.0",),
        also=(_DRIVER,),
    ),
    "procrastinate-3.10.0": Recipe(
        script="peer_procrastinate.py",
        statement="import procrastinate",
        wants=("procrastinate==3.10.0",),
        also=(_DRIVER,),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An environment, with what ``wants`` has put into it."""

    python: Path
    distributions: int
    mib: float


def installed(name: str) -> Installed:
    """Return the environment of an engine, installing it first where it is missing or outdated.

    Raises:
        NotInstallableError: The package installer failed; the text has its last words.
    """
    recipe = RECIPES[name]
    folder = FOLDER / name
    record = folder / "installed.json"
    made_of = {"python": sys.version, **asdict(recipe)}
    if not record.exists() or json.loads(record.read_text())["made_of"] != _plain(made_of):
        print(f"installing the peer {name}", file=sys.stderr, flush=True)
        counts = _install(folder, recipe)
        record.write_text(json.dumps({"made_of": made_of, **counts}))
    read = json.loads(record.read_text())
    return Installed(python=_python(folder), distributions=read["distributions"], mib=read["mib"])


def _install(folder: Path, recipe: Recipe) -> dict[str, float]:
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    count, size = _contents(folder)
    _pip(folder, recipe.wants)
    count_after, size_after = _contents(folder)
    if recipe.also:
        _pip(folder, recipe.also)
    return {"distributions": count_after - count, "mib": (size_after - size) / 2**20}


def _pip(folder: Path, requirements: tuple[str, ...]) -> None:
    command = [str(_python(folder)), "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--disable-pip-version-check", *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotInstallableError(f"pip cannot install it: {' '.join(done.stderr.split())[-200:]}")


def _contents(folder: Path) -> tuple[int, int]:
    """Return how many distributions an environment holds, and their bytes without bytecode."""
    (packages,) = folder.glob("lib/python*/site-packages")
    files = [path for path in packages.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return len(list(packages.glob("*.dist-info"))), sum(path.stat().st_size for path in files)


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _plain(value: object) -> object:
    """Return a value as JSON gives it back: tuples become lists."""
    return json.loads(json.dumps(value))
