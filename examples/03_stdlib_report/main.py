"""A workflow over the source of Python's standard library, killed half-way and resumed.

Usage: main.py [--folder FOLDER] [--source FOLDER]
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from pathlib import Path

from flow import ANALYSES, BATCHES, STEPS, build
from progress import Bar, Step, Watcher, covered

from sayiir import run_workflow

HERE = Path(__file__).resolve().parent
KINDS = ("discover", *ANALYSES, "destination", "report")


class Show:
    """Play the acts of the show on one folder."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder = folder
        self.source = source
        self.database = folder / "workflow.db"
        self.report = folder / "report.md"
        self.watcher = Watcher(str(self.database))

    def play(self) -> int:
        """Run, kill, resume, tell, check; return the exit code."""
        print(f"\nA report on the source of Python {platform.python_version()}, {self.source},")
        print(f"in {STEPS} steps: discover > {len(ANALYSES)} analyses side by side, each over")
        print(f"{BATCHES} batches > report. Every step is recorded in {self.database}\n")
        recorded = self.run_and_kill()
        self.resume(recorded)
        self.tell(recorded)
        return self.check()

    def run_and_kill(self) -> list[Step]:
        """Start a process and kill it when half of the steps are recorded."""
        with self._spawn("start") as process:
            print(f"1. Process {process.pid} runs it.")
            self._watch(process, until=STEPS // 2)
            process.kill()
        print(f"   kill -9 {process.pid}\n")
        return self.watcher.steps()

    def resume(self, recorded: list[Step]) -> None:
        """Start another process, which goes on at once."""
        with self._spawn("resume") as process:
            print(f"2. Process {process.pid} resumes it: {len(recorded)} steps are there already.")
            self._watch(process, until=STEPS)
        if process.returncode != 0:
            sys.exit(f"process {process.pid} ended with {process.returncode}: see {self.folder}")
        print()

    def tell(self, recorded: list[Step]) -> None:
        """Print who ran what, from the logs of both processes and not from the store."""
        first, second = self._log("start"), self._log("resume")
        kept = {step.name for step in recorded}
        again = first & second
        print("3. What each process ran, from its own log:\n")
        print(f"   {'step':<14}{'killed':>8}{'resumed':>9}{'both':>6}")
        for kind in KINDS:
            counts = (_of_kind(names, kind) for names in (first, second, again))
            print("   {:<14}{:>8}{:>9}{:>6}".format(kind, *(count or "-" for count in counts)))
        print(f"   {'':<14}{len(first):>8}{len(second):>9}{len(again):>6}\n")
        print(f"   Not run again: {len(kept - second)} of the {len(kept)} recorded steps:")
        print(f"   {_summary(kept - second)}.")
        if again:
            print(f"   In flight at the kill, so run again from their stored input: {len(again)}:")
            print(f"   {', '.join(sorted(again))}.")
        saved = covered(recorded).total_seconds()
        print(f"   Time saved: {saved:.1f} s, which the recorded steps had taken.\n")
        if kept & second:
            sys.exit(f"recorded steps ran again: {sorted(kept & second)}")

    def check(self) -> int:
        """Compare the report with that of a run in this process that nobody interrupts."""
        print("4. The same workflow once more, here, without a store and without a kill ...")
        start = time.perf_counter()
        other = self.folder / "uninterrupted.md"
        run_workflow(build(), {"root": str(self.source), "report": str(other)})
        seconds = time.perf_counter() - start
        equal = other.read_bytes() == self.report.read_bytes()
        verdict = "the same report, byte for byte" if equal else "ANOTHER REPORT"
        print(f"   ... gives {verdict} ({seconds:.1f} s).\n")
        print(f"Report: {self.report}")
        print(f"        {self.report.read_text(encoding='utf-8').splitlines()[2]}\n")
        return 0 if equal else 1

    def _spawn(self, verb: str) -> subprocess.Popen[bytes]:
        paths = (self.database, self.folder / f"{verb}.log", self.source, self.report)
        command = [sys.executable, str(HERE / "worker.py"), verb, *map(str, paths)]
        return subprocess.Popen(command)

    def _watch(self, process: subprocess.Popen[bytes], until: int) -> None:
        """Draw the bar until so many steps are recorded."""
        with Bar() as bar:
            ended = False
            while len(steps := self.watcher.steps()) < until:
                bar.draw(len(steps), steps[-1].name if steps else "starting")
                if ended:
                    sys.exit(f"\nprocess {process.pid} ended with {process.returncode} half-way")
                ended = process.poll() is not None
                time.sleep(0.05)
            bar.draw(len(steps), steps[-1].name)

    def _log(self, verb: str) -> set[str]:
        return set((self.folder / f"{verb}.log").read_text().splitlines())


def _of_kind(names: set[str], kind: str) -> int:
    return sum(name.split(" ")[0] == kind for name in names)


def _summary(names: set[str]) -> str:
    counts = Counter(name.split(" ")[0] for name in names)
    parts = [(kind, counts[kind]) for kind in KINDS if counts[kind]]
    return ", ".join(kind if count == 1 else f"{kind} ×{count}" for kind, count in parts)


def main() -> int:
    """Play the show in a folder of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, help="where the database and the report go")
    parser.add_argument("--source", type=Path, default=Path(sysconfig.get_path("stdlib")))
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp(prefix="sayiir-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    return Show(folder.resolve(), chosen.source.resolve()).play()


if __name__ == "__main__":
    sys.exit(main())
