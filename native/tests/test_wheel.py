"""The wheel and the files around it: one for all Pythons, complete, in step with the others."""

from __future__ import annotations

import re
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sayiir_rkyv import RkyvCodec

NATIVE = Path(__file__).resolve().parents[1]
ROOT = NATIVE.parent


def project(folder: Path) -> dict[str, Any]:
    """Return the project table of a distribution."""
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


def test_the_distribution_is_in_step_with_the_others() -> None:
    """One static version in both manifests, pinned siblings, the licence, a typed package."""
    version = project(ROOT / "packages" / "sayiir-core")["version"]
    crate = tomllib.loads((NATIVE / "Cargo.toml").read_text())["package"]

    assert version == project(NATIVE)["version"] == crate["version"]
    assert f"sayiir-core=={version}" in project(NATIVE)["dependencies"]
    assert (ROOT / "LICENSE").read_text() == (NATIVE / "LICENSE").read_text()
    assert (NATIVE / "python" / "sayiir_rkyv" / "py.typed").is_file()
    assert "# sayiir-rkyv" == (NATIVE / "README.md").read_text().splitlines()[0]


def test_the_crate_is_pinned_and_comes_from_the_public_index() -> None:
    """The format depends on the version and the features of rkyv; nothing comes from elsewhere."""
    rkyv = tomllib.loads((NATIVE / "Cargo.toml").read_text())["dependencies"]["rkyv"]
    locked = tomllib.loads((NATIVE / "Cargo.lock").read_text())["package"]
    sources = {package.get("source") for package in locked}

    assert re.fullmatch(r"=0\.8\.\d+", rkyv["version"])
    assert {"std", "bytecheck", "little_endian", "unaligned", "pointer_width_32"} == set(
        rkyv["features"]
    )
    assert {None, "registry+https://github.com/rust-lang/crates.io-index"} == sources


def test_the_wheel_serves_every_python_of_a_platform(codec: RkyvCodec) -> None:
    """Built without the interpreter's interface; the library, its binding and the package."""
    wheels = sorted((ROOT / ".dev" / "wheels").glob("*.whl"))
    if not wheels:
        pytest.skip(f"{codec.name} was installed from elsewhere than 'dev.py native'")
    with zipfile.ZipFile(wheels[0]) as archive:
        names = set(archive.namelist())
    modules = {f"sayiir_rkyv/{path.name}" for path in (NATIVE / "python").glob("*/*.py")}

    assert re.search(r"-py3-none-[a-z0-9_.]+\.whl$", wheels[0].name)
    assert modules <= names
    assert {"sayiir_rkyv/py.typed", "sayiir_rkyv/_native/ffi.py"} <= names
    assert 1 == sum(name.startswith("sayiir_rkyv/_native/lib_native.") for name in names)
    assert {"sayiir_rkyv", "sayiir_rkyv-0.1.0.dist-info"} == {n.split("/")[0] for n in names}
