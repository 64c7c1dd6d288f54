"""Fuzz the native codec by coverage: libFuzzer on a stable toolchain, with the golden vectors as seeds.

``cargo fuzz`` does the same with more flags (its targets are found in ``native/fuzz``), but wants a
nightly toolchain for its sanitizers. All code that handles bytes is safe Rust with checked
arithmetic, so that a panic is what there is to find, and that needs none.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devtools.environment import ROOT, tool_environment

_CRATE = ROOT / "native"
_FUZZ = _CRATE / "target" / "fuzz"
_TARGETS = {"open_any": 2, "pack_any": 1}
"""The targets, and the column of the vectors that holds their seeds."""

_ENVELOPE_AND_HEADER = 16
_COVERAGE = (
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "--cfg",
    "fuzzing",
)


def fuzz_native(seconds: int) -> int:
    """Build the targets and run each for some seconds; an input that ends one is kept and named."""
    environment = tool_environment() | {"RUSTFLAGS": " ".join(_COVERAGE)}
    # With a target named, the flags are kept from build scripts, which could not be linked.
    host = _host()
    build = ["cargo", "build", "--quiet", "--locked", "--release", "--target", host]
    code = _call([*build, "--target-dir", str(_FUZZ)], _CRATE / "fuzz", environment)
    for target, column in _TARGETS.items():
        if code != 0:
            return code
        code = _run(_FUZZ / host / "release" / target, _seeds(target, column), seconds)
    return code


def _host() -> str:
    done = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True)
    return next(line[6:] for line in done.stdout.splitlines() if line.startswith("host: "))


def _run(program: Path, corpus: Path, seconds: int) -> int:
    limits = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", "-rss_limit_mb=512"]
    command = [str(program), *limits, f"-artifact_prefix={_FUZZ}/", str(corpus)]
    done = subprocess.run(
        command, cwd=_FUZZ, env=tool_environment(), capture_output=True, text=True, check=False
    )
    runs = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    if done.returncode != 0 or runs is None:
        print(done.stderr[-4000:])
        return done.returncode or 1
    print(f"fuzzed {program.name} for {seconds} s: {runs[1]} runs", flush=True)
    return 0


def _seeds(target: str, column: int) -> Path:
    """Fill the corpus of a target with the golden vectors; what earlier runs found stays."""
    corpus = _FUZZ / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    lines = (_CRATE / "tests" / "vectors.tsv").read_text().splitlines()
    for number, line in enumerate(lines):
        data = bytes.fromhex(line.split("\t")[column])
        archive = data[_ENVELOPE_AND_HEADER:] if target == "open_any" else data
        (corpus / f"vector-{number}").write_bytes(archive)
    return corpus


def _call(command: Sequence[str], folder: Path, environment: dict[str, str]) -> int:
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode
