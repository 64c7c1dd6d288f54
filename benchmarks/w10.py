"""W10: what ``import sayiir`` costs: ms above a bare Python, distributions, MiB on disk.

The wheels are built from this tree and installed into an empty environment; orjson and pluggy come
from the package index or the cache of uv. Interpreters that import take turns with ones that do not;
what counts is what they compute, which is what they take where nothing else is to do.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

from measure import Result, Settings, Target, take_turns
from peer_install import RECIPES
from peer_process import PeerProcess

sys.path.append(str(Path(__file__).resolve().parent.parent))
from devtools.environment import ROOT, tool_environment, uv_program

_STARTS = 21
_PEER_STARTS = 3
_MEMBERS = ("sayiir", "sayiir-core", "sayiir-runtime", "sayiir-sqlite")
_IMPORTED = "import sayiir"


def w10(settings: Settings) -> list[Result]:
    """Measure starts, and count and weigh what is installed."""
    wheels, environment = settings.folder / "wheels", settings.folder / "environment"
    for name in _MEMBERS:
        _uv("build", "--wheel", "--package", name, "--out-dir", str(wheels), "--quiet")
    _uv("venv", "--quiet", "--python", sys.executable, str(environment))
    python = next(path for path in environment.glob("*/python*") if path.stem == "python")
    (wheel,) = wheels.glob("sayiir-0*.whl")
    _uv("pip", "install", "--quiet", f"--python={python}", f"--find-links={wheels}", str(wheel))
    names = _uv("pip", "list", f"--python={python}", "--format=freeze").split()
    mebibytes = _bytes_below(environment) / 2**20
    sides = {
        "imported": lambda: _start(python, _IMPORTED),
        "bare": lambda: _start(python, "pass"),
    }
    times = take_turns(max(_STARTS // settings.scale, settings.repeats), sides)
    above = [with_ - bare for with_, bare in zip(times["imported"], times["bare"], strict=True)]
    peers = settings.peers
    environments = {name: peer.environment for name, peer in peers.items()}
    rows: list[tuple[str, str, dict[str, list[float]], float]] = [
        (
            "import above bare Python",
            "ms",
            {"ours": above} | {name: _imports(peer) for name, peer in peers.items()},
            60,
        ),
        (
            "distributions",
            "number",
            {"ours": [float(len(names))]}
            | {name: [float(each.distributions)] for name, each in environments.items()},
            6,
        ),
        (
            "installed",
            "MiB",
            {"ours": [mebibytes]} | {name: [each.mib] for name, each in environments.items()},
            3,
        ),
    ]
    return [
        Result(
            workload="W10",
            what=what,
            unit=unit,
            times=times,
            target=Target(of="itself", at_most=at_most),
            notes=settings.missing,
        )
        for what, unit, times, at_most in rows
    ]


def _imports(peer: PeerProcess) -> list[float]:
    """Return how many ms the import of a peer takes above its bare Python."""
    python, statement = peer.environment.python, RECIPES[peer.name].statement
    sides = {"imported": lambda: _start(python, statement), "bare": lambda: _start(python, "pass")}
    times = take_turns(_PEER_STARTS, sides)
    return [with_ - bare for with_, bare in zip(times["imported"], times["bare"], strict=True)]


def _start(python: Path, code: str) -> float:
    """Return how many ms an interpreter computes that does so much."""
    before = _computed()
    subprocess.run([str(python), "-I", "-c", code], check=True)
    return (_computed() - before) * 1e3


def _computed() -> float:
    """Return the seconds of all processes that this one has awaited."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _bytes_below(environment: Path) -> int:
    """Return how large the installed distributions are, before anything is compiled."""
    (packages,) = environment.glob("lib/python*/site-packages")
    return sum(
        path.stat().st_size
        for folder in packages.iterdir()
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.is_file()
    )


def _uv(*arguments: str) -> str:
    done = subprocess.run(
        [str(uv_program()), *arguments],
        cwd=ROOT,
        env=tool_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
