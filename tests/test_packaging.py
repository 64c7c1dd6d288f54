"""The distributions: lockstep, self-contained, and no heavier than they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.wheels import ROOT, builds, install, requirement, uv

# The native codec is built by a toolchain of its own: native/tests/test_wheel.py.
MEMBERS = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
NAMES = [member.name for member in MEMBERS]

_IMPORT = """
import importlib, importlib.metadata, importlib.resources, sys
name = sys.argv[1]
package = importlib.import_module(name.replace("-", "_"))
assert importlib.resources.files(package).joinpath("py.typed").is_file(), "no py.typed"
for point in importlib.metadata.distribution(name).entry_points:
    point.load()
"""


def _project(member: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((member / "pyproject.toml").read_text())["project"]
    return project


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_a_distribution_is_in_step_with_the_others(member: Path) -> None:
    """All have one static version, and pin each other to exactly that."""
    version = _project(MEMBERS[0])["version"]
    project = _project(member)
    groups = [project["dependencies"], *project.get("optional-dependencies", {}).values()]
    siblings = [text for group in groups for text in group if text.startswith("sayiir")]

    assert version == project["version"]
    assert [] == [text for text in siblings if not text.endswith(f"=={version}")]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: member.name)
def test_a_distribution_is_typed_licensed_and_described(member: Path) -> None:
    """Each carries py.typed, the licence of the project, a README and the supported Pythons."""
    project = _project(member)
    source = member / "src" / member.name.replace("-", "_")

    assert (source / "py.typed").is_file()
    assert (ROOT / "LICENSE").read_text() == (member / "LICENSE").read_text()
    assert f"# {member.name}\n" == (member / "README.md").read_text().splitlines(keepends=True)[0]
    assert ">=3.11" == project["requires-python"]


def test_the_lock_file_names_public_hosts_only() -> None:
    """No address in uv.lock has a port or credentials, and there are two hosts in all."""
    addresses = re.findall(r'"([a-z+]+)://([^/"]+)', (ROOT / "uv.lock").read_text())

    assert {"https"} == {scheme for scheme, _ in addresses}
    assert 2 == len({host for _, host in addresses})
    assert [] == [host for _, host in addresses if not re.fullmatch(r"[a-z.]+\.org", host)]


@pytest.mark.parametrize("name", [pytest.param(name, marks=builds) for name in NAMES])
def test_a_wheel_holds_its_package_and_nothing_else(wheels: dict[str, Path], name: str) -> None:
    """No tests, no other package, and no file that was not meant to ship."""
    with zipfile.ZipFile(wheels[name]) as archive:
        folders = {entry.split("/")[0] for entry in archive.namelist()}
    package = name.replace("-", "_")
    version = _project(MEMBERS[0])["version"]

    assert {package, f"{package}-{version}.dist-info"} == folders


@pytest.mark.parametrize("name", [pytest.param(name, marks=builds) for name in NAMES])
def test_a_wheel_alone_is_enough_to_import_it(
    wheels: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """In an empty environment the package and each of its entry points can be imported."""
    # The driver needs a C library; the extra brings one, so that the machine's own is no matter.
    extra = "[binary]" if name == "sayiir-postgres" else ""

    wanted = requirement(wheels[name], extra)
    python = install(tmp_path / "venv", wanted, beside=wheels[name].parent)

    done = subprocess.run(
        [python, "-I", "-c", _IMPORT, name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [pytest.param("sayiir", marks=builds)])
def test_installing_sayiir_brings_exactly_what_durable_work_needs(
    wheels: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """Core, runtime and SQLite of ours; pluggy and orjson of others."""
    python = install(tmp_path / "venv", requirement(wheels[name]), beside=wheels[name].parent)

    listed = uv("pip", "list", f"--python={python}", "--format=freeze").split()

    expected = {"sayiir", "sayiir-core", "sayiir-runtime", "sayiir-sqlite", "pluggy", "orjson"}
    assert expected == {line.partition("==")[0] for line in listed}


@pytest.mark.parametrize(
    ("extra", "brought"),
    [
        pytest.param("msgpack", {"ormsgpack"}, marks=builds),
        pytest.param("crypto", {"cryptography", "cffi", "pycparser"}, marks=builds),
        pytest.param(
            "zstd", {"backports-zstd"} if sys.version_info < (3, 14) else set(), marks=builds
        ),
    ],
)
def test_an_extra_brings_its_library_alone_and_without_it_the_remedy_is_told(
    wheels: dict[str, Path], extra: str, brought: set[str], tmp_path: Path
) -> None:
    """Before it is installed, whoever asks for its codec learns its name; then it works."""
    wheel = wheels["sayiir"]
    python = install(tmp_path / "venv", requirement(wheel), beside=wheel.parent)
    before = set(uv("pip", "list", f"--python={python}", "--format=freeze").split())
    refused = subprocess.run(
        [python, "-I", "-c", _CODEC, extra], capture_output=True, text=True, check=False
    )

    install(tmp_path / "venv", requirement(wheel, f"[{extra}]"), beside=wheel.parent)
    after = set(uv("pip", "list", f"--python={python}", "--format=freeze").split())
    used = subprocess.run(
        [python, "-I", "-c", _CODEC, extra], capture_output=True, text=True, check=False
    )

    assert f"pip install 'sayiir[{extra}]'" in refused.stderr or not brought
    assert brought == {line.partition("==")[0] for line in after - before}
    assert "it works\n" == used.stdout, used.stderr


_CODEC = """
import sys
import sayiir
extra = sys.argv[1]
codec = {
    "msgpack": lambda: "msgpack",
    "zstd": lambda: "zstd+json",
    "crypto": lambda: sayiir.payload_codec(keys=sayiir.KeyRing({"k": bytes(32)})),
}[extra]()
flow = sayiir.Flow("f").then(lambda text: text * 2).build()
backend = sayiir.InMemoryBackend()
status = sayiir.run_durable_workflow(flow, "i", "x" * 1000, backend, codec=codec)
print("it works" if status.output == "x" * 2000 else status)
"""


@pytest.mark.parametrize("name", [pytest.param("sayiir", marks=builds)])
def test_the_suite_of_a_user_works_as_documented(
    wheels: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """In an empty environment with pytest and nothing of this repository, ten tests pass."""
    wanted = requirement(wheels[name], "[pytest]")
    python = install(tmp_path / "venv", wanted, beside=wheels[name].parent)
    folder = tmp_path / "suite"
    shutil.copytree(ROOT / "tests" / "user_suite", folder)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}

    for store in ("memory", "sqlite"):
        command = [python, "-m", "pytest", "-q", "-W", "error", "--sayiir-backend", store]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert "10 passed" in done.stdout, done.stdout + done.stderr
