# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hashes of the client that the collection brings, and what the tests' machines fetch by them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.inferops.xinference.tests.images.build import CLIENT, SUITES, BuildError, held

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted((ROOT / "roles/_common/files").glob("client-*.txt"))
#: One requirement on a line of its own: name, version, condition, hashes.
REQUIREMENT = re.compile(r"([a-z0-9-]+)==([^ ;]+)( ; [^\\]+?)?((?: +--hash=sha256:[0-9a-f]{64})+)")


def requirements(text: str) -> list[str]:
    """The lines that are no comment, each with what it goes on with."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line and not line.lstrip().startswith("#")]


def test_there_are_hashes_for_the_default_version_and_the_tests_take_them() -> None:
    defaults = yaml.safe_load((ROOT / "roles/_common/defaults/main/client.yml").read_text(encoding="utf-8"))
    assert defaults["xinference_client_requirements"] == "default"
    assert ROOT / f"roles/_common/files/client-{defaults['xinference_client_version']}.txt" == CLIENT
    assert CLIENT in SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_hashes_are_all_that_such_a_file_says(path: Path) -> None:
    """No index, no option, and nothing without a hash."""
    text = path.read_text(encoding="utf-8")
    found = [REQUIREMENT.fullmatch(line) for line in requirements(text)]
    assert found and all(found)
    version = path.stem.partition("-")[2]
    assert f"\nxinference-client=={version} \\\n" in text
    documented = (ROOT / "roles/_common/meta/argument_specs.yml").read_text(encoding="utf-8")
    assert f"It has one for {version}," in " ".join(documented.split())


@pytest.mark.parametrize("python", [*SUITES.values(), "3.10", "3.12", "3.14"])
def test_each_python_has_each_package_once(python: str) -> None:
    lines = requirements(held(CLIENT.read_text(encoding="utf-8"), python))
    names = [line.partition("==")[0] for line in lines]
    assert sorted(set(names)) == sorted(names)
    assert {"aiohttp", "pydantic", "requests", "typing-extensions", "xinference-client"} <= set(names)
    assert not [line for line in lines if ";" in line]


@pytest.mark.parametrize(
    ("python", "kept"),
    [
        ("3.9", ["a==1", "d==1"]),
        ("3.10", ["a==2", "c==1", "d==1"]),
        ("3.11", ["a==2", "d==1"]),
    ],
)
def test_what_holds_for_a_python(python: str, kept: list[str]) -> None:
    mark = "--hash=sha256:" + "0f" * 32
    conditions = {"a==1": "python_full_version < '3.10'", "a==2": "python_full_version >= '3.10'", "c==1": "python_full_version == '3.10.*'"}
    text = "".join(f"{name} ; {condition} \\\n    {mark}\n    # via b\n" for name, condition in conditions.items()) + f"d==1 \\\n    {mark}\n"
    assert [line.split() for line in requirements(held(text, python))] == [[name, mark] for name in kept]


@pytest.mark.parametrize("condition", ["sys_platform == 'win32'", "python_full_version < '3.10' and sys_platform == 'win32'", "python_version < '3.10'"])
def test_a_condition_of_another_kind_is_reported(condition: str) -> None:
    with pytest.raises(BuildError, match="it is not known for which Python this holds: a==1 ; "):
        held(f"a==1 ; {condition} \\\n    --hash=sha256:00\n", "3.11")
