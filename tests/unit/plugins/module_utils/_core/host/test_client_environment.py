# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client's virtual environment: real ones, as an upgrade, a power cut or a hand leaves them."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host import client_environment
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.client_environment import client_facts, client_records, client_requirements

PYTHON = f"python{sys.version_info[0]}.{sys.version_info[1]}"
VERSION = platform.python_version()


def packages(place: Path, python: str = PYTHON) -> Path:
    """The directory of packages of an environment, for one Python."""
    return place / "lib" / python / "site-packages"


def install(place: Path, python: str = PYTHON, version: str = "4.1.0") -> None:
    """Put a client into an environment, as pip does."""
    folder = packages(place, python)
    (folder / "xinference_client/client/restful").mkdir(parents=True)
    # All of it is not what the collection imports.
    (folder / "xinference_client/__init__.py").write_text("import nothing_of_this_name\n")
    (folder / "xinference_client/client/restful/restful_client.py").write_text("class Client: pass\n")
    (folder / "requests.py").write_text("")
    described = folder / f"xinference_client-{version}.dist-info"
    described.mkdir()
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: xinference-client\nVersion: {version}\n")
    (described / "RECORD").write_text("")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An environment with the client."""
    made = tmp_path / "client"
    venv.create(made, with_pip=False)
    install(made)
    return made


def run(command: list[str]) -> tuple[int, str, str]:
    """Runs a command, as a module does."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stdout, done.stderr


def inspected(place: Path) -> dict[str, Any]:
    """Facts of an environment."""
    return client_facts(str(place), run)


def made_for(place: Path, version: str) -> None:
    """Let an environment be of another Python, with its packages: what an upgrade of the distribution leaves."""
    settings = place / "pyvenv.cfg"
    settings.write_text("".join(f"version = {version}\n" if line.startswith("version") else line for line in settings.read_text().splitlines(keepends=True)))
    other = f"python{version.rpartition('.')[0]}"
    (place / "lib" / PYTHON).rename(place / "lib" / other)


def remove(path: Path) -> None:
    """Remove a file or directory."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def interpreter(place: Path, *lines: str) -> None:
    """Put a program in the place of an interpreter."""
    python = place / "bin/python"
    python.unlink()
    python.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    python.chmod(0o755)


def test_a_client_that_its_interpreter_imports(place: Path) -> None:
    assert inspected(place) == {"client_version": "4.1.0", "client_problem": None, "client_foreign": False, "client_requirements": None}


@pytest.mark.parametrize("made", [False, True])
def test_where_nothing_is_there_yet_nothing_is_wrong(tmp_path: Path, made: bool) -> None:
    if made:
        # What the roles put there before pip has run.
        (tmp_path / "client").mkdir()
        (tmp_path / "client/pip.conf").touch()
    expected = {"client_version": None, "client_problem": None, "client_foreign": False, "client_requirements": None}
    assert inspected(tmp_path / "client") == expected
    assert client_facts(None, run) == expected


def test_an_environment_with_pip_alone_is_completed(place: Path) -> None:
    for name in ("xinference_client", "xinference_client-4.1.0.dist-info"):
        shutil.rmtree(packages(place) / name)
    assert inspected(place)["client_problem"] == f"its interpreter, Python {VERSION}, has neither xinference-client nor pip"
    (packages(place) / "pip").mkdir()
    (packages(place) / "pip/__init__.py").touch()
    facts = inspected(place)
    assert (facts["client_version"], facts["client_problem"]) == (None, None)


def test_words_before_the_answer_do_not_count(place: Path) -> None:
    (packages(place) / "words.pth").write_text("import sys; print('{hello}')\n")
    assert inspected(place)["client_version"] == "4.1.0"


def gone(place: Path) -> None:
    for python in (place / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("/nowhere/python3.9")


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda place: made_for(place, "3.5.2"), f"it was made for Python 3.5.2, and its interpreter is Python {VERSION} now"),
        (gone, "its interpreter is not there any more"),
        (lambda place: shutil.rmtree(place / "bin"), "its interpreter is not there any more"),
        (lambda place: (place / "bin/python").unlink(), "its interpreter is not there any more"),
        (lambda place: shutil.rmtree(place / "lib"), f"its interpreter, Python {VERSION}, has neither xinference-client nor pip"),
        (
            lambda place: remove(packages(place) / "requests.py"),
            f"its interpreter, Python {VERSION}, cannot import xinference-client (ModuleNotFoundError: No module named 'requests')",
        ),
        (
            lambda place: remove(packages(place) / "xinference_client/client"),
            f"its interpreter, Python {VERSION}, cannot import xinference-client (ModuleNotFoundError: No module named 'xinference_client.client')",
        ),
        (
            lambda place: remove(packages(place) / "xinference_client-4.1.0.dist-info"),
            f"its interpreter, Python {VERSION}, cannot import xinference-client (PackageNotFoundError: ",
        ),
        (
            lambda place: (packages(place) / "requests.py").write_text("raise RuntimeError('of another\\nversion')"),
            f"its interpreter, Python {VERSION}, cannot import xinference-client (RuntimeError: of another version)",
        ),
        (lambda place: interpreter(place, "echo 'libpython3.11.so.1.0: cannot open' >&2", "exit 127"), "(exit code 127: libpython3.11.so.1.0: cannot open)"),
        (lambda place: interpreter(place, "exit 0"), "its interpreter does not run (exit code 0)"),
        (lambda place: interpreter(place, "echo '[1]'"), "its interpreter does not run (exit code 0)"),
        (lambda place: (place / "bin/python").unlink() or (place / "bin/python").touch(0o755), "its interpreter does not run (exit code "),
    ],
)
def test_what_cannot_be_used_is_made_again(place: Path, break_it: Callable[[Path], Any], problem: str) -> None:
    break_it(place)
    facts = inspected(place)
    assert facts["client_version"] is None
    assert problem in facts["client_problem"]
    assert not facts["client_foreign"]


def test_an_interpreter_that_hangs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_environment, "_TIMEOUT", 0.2)
    interpreter(place, "exec sleep 20")
    assert inspected(place)["client_problem"] == "its interpreter does not answer within 0.2 s"


@pytest.mark.parametrize("name", ["python", "activate"])
def test_what_is_no_virtual_environment_belongs_to_others(tmp_path: Path, name: str) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / name).symlink_to(sys.executable)
    facts = inspected(tmp_path)
    assert facts["client_problem"] == "it has programs, but no pyvenv.cfg, so it is no virtual environment"
    assert facts["client_foreign"]


def test_of_two_pythons_the_interpreter_s_own_counts(place: Path) -> None:
    install(place, "python3.5", "2.0.0")
    assert inspected(place)["client_version"] == "4.1.0"
    assert sorted(client_records(place)) == sorted(
        packages(place, python) / f"xinference_client-{version}.dist-info/RECORD" for python, version in ((PYTHON, "4.1.0"), ("python3.5", "2.0.0"))
    )


def test_what_an_environment_was_made_from(tmp_path: Path) -> None:
    assert client_requirements(str(tmp_path)) is None
    (tmp_path / "requirements.installed").write_bytes(b"a==1\r\n")
    assert client_requirements(str(tmp_path)) == hashlib.sha256(b"a==1\r\n").hexdigest()


def test_the_environment_of_the_caller_does_not_count(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requests.py").write_text("raise RuntimeError\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONHOME", os.devnull)
    assert inspected(place)["client_version"] == "4.1.0"
