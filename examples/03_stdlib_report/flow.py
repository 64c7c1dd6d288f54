"""The workflow: discover, four analyses side by side, each over twelve batches, one report.

The tasks are ordinary functions. Each says in the log that it was called, so that one can see
afterwards which process really ran what.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import analysis
from analysis import Source, Tally
from report import compose

from sayiir import Flow, LoopResult, Workflow, task

INSTANCE_ID = "stdlib-report"
BATCHES = 12
ANALYSES = ("sizes", "imports", "docstrings", "complexity")
STEPS = 1 + 1 + len(ANALYSES) * BATCHES + 1

logger = logging.getLogger("stdlib_report")

Work = dict[str, Any]
Fold = Callable[[Tally, Sequence[Source]], Tally]

_NOT_LIBRARY = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}


@task
def discover(job: dict[str, str]) -> Work:
    """Find the modules below a root and deal them into batches of about equal size."""
    logger.info("discover")
    root = Path(job["root"])
    found = sorted(_modules(root), key=lambda path: (-path.stat().st_size, path))
    names = [path.relative_to(root).as_posix() for path in found]
    batches = [names[number::BATCHES] for number in range(BATCHES)]
    return {"root": job["root"], "report": job["report"], "todo": batches, "tally": {}}


@task
def sizes(work: Work) -> LoopResult[Work]:
    """Analyse the sizes of the next batch."""
    return _next_batch("sizes", analysis.sizes, work)


@task
def imports(work: Work) -> LoopResult[Work]:
    """Analyse the imports of the next batch."""
    return _next_batch("imports", analysis.imports, work)


@task
def docstrings(work: Work) -> LoopResult[Work]:
    """Analyse the docstrings of the next batch."""
    return _next_batch("docstrings", analysis.docstrings, work)


@task
def complexity(work: Work) -> LoopResult[Work]:
    """Analyse the functions of the next batch."""
    return _next_batch("complexity", analysis.complexity, work)


@task
def destination(work: Work) -> str:
    """Pass the path of the report on to the join."""
    logger.info("destination")
    return str(work["report"])


@task
def report(results: dict[str, Any]) -> str:
    """Write the report, whole or not at all, since a task may run again after a crash."""
    logger.info("report")
    target = Path(results["destination"])
    draft = target.with_name(target.name + ".draft")
    draft.write_text(compose(results), encoding="utf-8")
    draft.replace(target)
    return str(target)


def build() -> Workflow[dict[str, str], str]:
    """Return the workflow; every process that works on it builds it anew."""
    fork = Flow("stdlib_report").then(discover).fork()
    for body in (sizes, imports, docstrings, complexity):
        name = body.__name__
        batches = Flow[Work, Work](name).loop(body, max_iterations=BATCHES).build()
        fork = fork.branch(batches, name=name)
    return fork.branch(destination).join(report).build()


def _next_batch(name: str, fold: Fold, work: Work) -> LoopResult[Work]:
    batch, *todo = work["todo"]
    logger.info("%s batch %d", name, BATCHES - len(todo))
    tally = fold(work["tally"], list(_read(Path(work["root"]), batch)))
    return (
        LoopResult.again({**work, "todo": todo, "tally": tally}) if todo else LoopResult.done(tally)
    )


def _modules(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _NOT_LIBRARY]
        yield from (Path(folder, name) for name in files if name.endswith(".py"))


def _read(root: Path, batch: Sequence[str]) -> Iterator[Source]:
    for name in batch:
        dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        yield Source(dotted, (root / name).read_text(encoding="utf-8", errors="replace"))
