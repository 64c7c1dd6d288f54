"""The documentation tells the truth: its Python runs, prints what it says, and type-checks."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "guide").glob("*.md")),
    ROOT / "docs" / "backends.md",
    ROOT / "docs" / "hooks.md",
]
LINKING = [*DOCUMENTS, ROOT / "ARCHITECTURE.md", ROOT / "docs" / "differences.md"]

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line before its first."""

    language: str
    text: str
    line: int


def _blocks(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    return [
        Block(match[1], match[2], text.count("\n", 0, match.start(2)))
        for match in _FENCED.finditer(text)
    ]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_python_block_runs_and_prints_the_text_block_after_it(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of one document share their names, as in one session."""
    monkeypatch.chdir(tmp_path)
    blocks = _blocks(document)
    names: dict[str, object] = {"__name__": "__main__"}
    wrong: list[tuple[str, str]] = []

    for block, following in zip(blocks, [*blocks[1:], Block("", "", 0)], strict=True):
        if block.language != "python":
            continue
        printed = io.StringIO()
        source = "\n" * block.line + block.text
        with contextlib.redirect_stdout(printed):
            exec(compile(source, str(document), "exec"), names)  # noqa: S102 - to run it is the test
        expected = following.text if following.language == "text" else ""
        if printed.getvalue() != expected:
            wrong.append((expected, printed.getvalue()))

    assert [] == wrong


def test_every_document_has_python_to_run() -> None:
    """A changed fence can't make the tests above pass by having nothing to do."""
    counts = {
        _name(path): len([b for b in _blocks(path) if b.language == "python"]) for path in DOCUMENTS
    }

    assert [] == [name for name, count in counts.items() if count == 0]


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_every_python_block_type_checks_under_strict_rules(checker: str, tmp_path: Path) -> None:
    """What the documentation shows is what the type checkers of its readers accept."""
    for document in DOCUMENTS:
        blocks = [block.text for block in _blocks(document) if block.language == "python"]
        name = re.sub(r"\W", "_", _name(document)) + ".py"
        (tmp_path / name).write_text("\n\n".join(blocks), encoding="utf-8")

    command = _command(checker, tmp_path)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stdout + done.stderr


def _command(checker: str, folder: Path) -> list[str]:
    if checker == "mypy":
        options = ["--strict", "--config-file", str(ROOT / "pyproject.toml")]
        return [sys.executable, "-m", "mypy", *options, *map(str, sorted(folder.glob("*.py")))]
    roots = ", ".join(f'"{path}"' for path in sorted(ROOT.glob("packages/*/src")))
    settings = f'{{"include": ["."], "typeCheckingMode": "strict", "extraPaths": [{roots}]}}'
    (folder / "pyrightconfig.json").write_text(settings)
    return [
        sys.executable,
        "-m",
        "pyright",
        "--project",
        str(folder),
        "--pythonpath",
        sys.executable,
    ]


@pytest.mark.parametrize("document", LINKING, ids=_name)
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    """Files that are linked exist."""
    links = _LINK.findall(_CODE.sub("", document.read_text(encoding="utf-8")))

    missing = [
        link for link in links if "://" not in link and not (document.parent / link).exists()
    ]

    assert [] == missing


def test_the_first_screen_of_the_readme_has_two_commands() -> None:
    """Demo and test are all that a newcomer has to know."""
    first = next(block for block in _blocks(DOCUMENTS[0]) if block.language == "sh")
    commands = [line.partition("#")[0].strip() for line in first.text.splitlines()]

    assert ["python3 dev.py demo", "python3 dev.py test"] == commands
    assert 1 == len([block for block in _blocks(DOCUMENTS[0]) if block.language == "sh"])
