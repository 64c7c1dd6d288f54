"""Other engines, each in a process and an environment of its own, below a git-ignored folder."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Peer

HERE = Path(__file__).resolve().parent
_FOLDER = HERE.parent / ".dev" / "peers"
_REQUIREMENTS = {"sayiir-1.0.0": "sayiir==1.0.0"}


class PeerProcess(Peer):
    """A process that runs workloads on request."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self._process = process

    def run(self, workload: str, count: int) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{workload} {count}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the peer {self.name} ended at {workload}")
        return float(answer)


@contextmanager
def started_peers() -> Iterator[dict[str, Peer]]:
    """Install and start all peers; one that cannot be installed is left out, with the reason."""
    peers: dict[str, Peer] = {}
    processes: list[subprocess.Popen[str]] = []
    try:
        for name, requirement in _REQUIREMENTS.items():
            python = _installed(name, requirement)
            if python is not None:
                processes.append(_started(python))
                peers[name] = PeerProcess(name, processes[-1])
        yield peers
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _started(python: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(python), str(HERE / "peer_sayiir.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _installed(name: str, requirement: str) -> Path | None:
    folder = _FOLDER / name
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, requirement], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return python
    print(f"without the peer {name}: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return None
