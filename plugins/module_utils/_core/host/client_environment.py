# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a virtual environment can run the client, asked of its own interpreter. Private to this collection.

A directory's name proves nothing: where a distribution was upgraded, the packages are still there, for a Python that is not.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..base.bounded import parse_json
from ..base.messages import shown
from .paths import files_below

__all__ = ["Run", "client_facts", "client_records", "client_requirements"]

#: Runs a command; returns its exit code, output and errors.
Run = Callable[[list[str]], tuple[int, str, str]]
#: Seconds for which an interpreter may import the client; a busy host with a slow disk needs some.
_TIMEOUT = 60.0
#: Exit codes of program timeout where the time is up.
_TIMED_OUT = (124, 137)
#: Characters of an interpreter's output that are shown.
_CHARACTERS = 200
_MADE_FOR = re.compile(r"^version(?:_info)?\s*=\s*((\d+\.\d+)\S*)", re.MULTILINE)
#: Imports what the service and the modules import, and no more: all of the package takes several times as long.
_QUESTION = """
import importlib.util, json, platform, sys
name = "xinference_client"
answer = {"python": platform.python_version(), "version": None, "problem": None, "pip": False}
try:
    answer["pip"] = importlib.util.find_spec("pip") is not None
    spec = importlib.util.find_spec(name)
    if spec is not None:
        sys.modules[name] = importlib.util.module_from_spec(spec)
        import requests
        import xinference_client.client.restful.restful_client
        import importlib.metadata
        answer["version"] = importlib.metadata.version(name)
except Exception as error:
    answer["problem"] = f"{type(error).__name__}: {error}"
print("\\n" + json.dumps(answer))
"""


def client_facts(directory: str | None, run: Run | None) -> dict[str, Any]:
    """The client's virtual environment.

    :param directory: of the environment; None for none.
    :param run: runs a command.
    :returns: ``client_version`` (of the client that its interpreter imports, None without one), ``client_problem`` (why what is there cannot be used and is to
        be made again, a part of a sentence; None where it can, or where nothing is there yet), ``client_foreign`` (whether what is there is no virtual
        environment, and so not for the roles to remove), ``client_requirements``.
    """
    if directory is None or run is None:
        return {"client_version": None, "client_problem": None, "client_foreign": False, "client_requirements": None}
    place = Path(directory)
    version, problem = _inspected(place, run)
    return {
        "client_version": version,
        "client_problem": problem,
        "client_foreign": problem is not None and not os.path.lexists(place / "pyvenv.cfg"),
        "client_requirements": client_requirements(directory),
    }


class _Unusable(Exception):
    """Why an environment cannot be used, as a part of a sentence."""


def _inspected(place: Path, run: Run) -> tuple[str | None, str | None]:
    """``client_version`` and ``client_problem``."""
    # By one of these, others take an environment for made.
    if not any(os.path.lexists(place / name) for name in ("bin/python", "bin/activate", "pyvenv.cfg")):
        return None, None
    try:
        return _version(place, run), None
    except _Unusable as error:
        return None, str(error)


def _version(place: Path, run: Run) -> str | None:
    """Version of the client that an environment has; None where pip has still to install one.

    :raises _Unusable: when it cannot be used.
    """
    try:
        settings = (place / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise _Unusable("it has programs, but no pyvenv.cfg, so it is no virtual environment") from None
    answer = _ask(place / "bin" / "python", run)
    python, version, problem = answer["python"], answer["version"], answer["problem"]
    made_for = _MADE_FOR.search(settings)
    if version is None and made_for and made_for.group(2) != ".".join(str(python).split(".")[:2]):
        raise _Unusable(f"it was made for Python {made_for.group(1)}, and its interpreter is Python {python} now")
    if problem is not None:
        words = shown(" ".join(str(problem).split())[:_CHARACTERS])
        raise _Unusable(f"its interpreter, Python {python}, cannot import xinference-client ({words})")
    if version is None and not answer["pip"]:
        raise _Unusable(f"its interpreter, Python {python}, has neither xinference-client nor pip")
    return None if version is None else str(version)


def _ask(python: Path, run: Run) -> dict[str, Any]:
    """What an interpreter answers to the question.

    :raises _Unusable: when it does not.
    """
    if not os.access(python, os.X_OK):
        raise _Unusable("its interpreter is not there any more")
    # Without the variables of the caller's environment for Python, and not for ever.
    status, output, errors = run(["timeout", "--kill-after=5", f"{_TIMEOUT:g}", str(python), "-I", "-B", "-c", _QUESTION])
    if status in _TIMED_OUT:
        raise _Unusable(f"its interpreter does not answer within {_TIMEOUT:g} s")
    try:
        # What its start-up files print comes before.
        answer = parse_json((output.splitlines() or [""])[-1])
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not {"python", "version", "problem", "pip"} <= answer.keys():
        words = shown(" ".join(errors.split())[-_CHARACTERS:])
        raise _Unusable(f"its interpreter does not run (exit code {status}{': ' + words if words else ''})")
    return answer


def client_records(directory: Path) -> list[Path]:
    """What pip wrote down when it installed xinference-client in a virtual environment, for each Python that it was for."""
    return [package / "RECORD" for package in files_below(directory, "lib/python3*/site-packages/xinference_client-*.dist-info")]


def client_requirements(directory: str) -> str | None:
    """SHA-256 of the requirements that a virtual environment was last made from; None where it was made from none."""
    try:
        return hashlib.sha256((Path(directory) / "requirements.installed").read_bytes()).hexdigest()
    except OSError:
        return None
