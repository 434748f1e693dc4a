# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container beside the server's that runs a program of this collection and is removed in the end. Standard library only. Private to this collection.

Whatever it sends is hostile: names, numbers and sizes have bounds.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..base.bounded import parse_json
from ..base.errors import XinferenceError
from ..base.messages import one_line
from .attached import Attached
from .docker import DockerSocket
from .other_containers import OURS

if TYPE_CHECKING:
    # Never run: its text goes to the container. Ansible and the program of the units take along what they read here.
    from . import program_streams  # noqa: F401

__all__ = ["ProgramContainer", "last_words", "module_text", "program_text"]

#: Characters of a line that a program sends.
_LINE = 1 << 20


class ProgramContainer:
    """A container that runs a program; its input and output are ours, and its log is switched off.

    :param docker: Docker of this host.
    :param name: of the container.
    :param label: name and value of the label by which a run knows what another one left that was killed.
    :param failure: class of the errors that it raises.
    """

    def __init__(self, docker: DockerSocket, name: str, label: tuple[str, str], failure: type[XinferenceError] = XinferenceError) -> None:
        self.docker = docker
        self.name = name
        self.label = label
        self.failure = failure

    @contextmanager
    def attached(self, program: str, description: Mapping[str, Any], seconds: float) -> Iterator[Attached]:
        """The container, made and started, with its input and output; removed in the end.

        :param program: text of the program.
        :param description: what Docker is asked to make besides what all of them have.
        :param seconds: until it must have ended.
        :raises XinferenceError: when the name is another container's; of the class that was given.
        :raises OSError: when Docker does not do it.
        """
        route = f"/containers/{quote(self.name, safe='')}"
        found = self.docker.get(f"{route}/json")
        key, value = self.label
        if found and ((found.get("Config") or {}).get("Labels") or {}).get(key) != value:
            raise self.failure(f"the name of container '{self.name}' is needed, and it is none of the roles'; rename or remove it")
        # What a run left that was killed.
        self.docker.remove(f"{route}?force=1")
        try:
            self.docker.post(f"/containers/create?name={quote(self.name, safe='')}", 60.0, self._whole(program, description))
            attached = Attached(self.docker.path, self.name, seconds)
            try:
                self.docker.send(f"{route}/start", 60.0)
                yield attached
            finally:
                attached.close()
        finally:
            self.docker.remove(f"{route}?force=1")

    def _whole(self, program: str, description: Mapping[str, Any]) -> dict[str, Any]:
        key, value = self.label
        return {
            **description,
            "Entrypoint": ["python3", "-I", "-c", program],
            "Cmd": [],
            "WorkingDir": "/",
            "Healthcheck": {"Test": ["NONE"]},
            **dict.fromkeys(("OpenStdin", "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr"), True),
            "Labels": {OURS: "inferops.xinference", key: value},
            "HostConfig": {
                "NetworkMode": "none",
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "LogConfig": {"Type": "none"},
                **description.get("HostConfig", {}),
            },
        }

    def header(self, attached: Attached) -> dict[str, Any]:
        """The next line of the program.

        :raises XinferenceError: with its last words, when there is none, or no object of JSON; of the class that was given.
        """
        text = attached.line(_LINE)
        if not text:
            attached.drain()
            raise self.failure(last_words(attached) or "the container ended without a word")
        try:
            header = parse_json(text.decode("utf-8"))
        except ValueError:
            header = None
        if not isinstance(header, dict):
            raise self.failure("the container sent something else than was asked for")
        return header


def last_words(attached: Attached) -> str:
    """The last line of what a container said."""
    lines = [one_line(each) for each in attached.words.decode("utf-8", "replace").splitlines() if each.strip()]
    return lines[-1] if lines else ""


def program_text(package: str | None) -> str:
    """The text of a program: module ``inside`` of a package, with that of :mod:`.program_streams` in front of it.

    :param package: ``__package__`` of whoever calls.
    :raises XinferenceError: when it is not there.
    """
    # The one may stand once, at the beginning, and what the other imports stands in front of it.
    program = re.sub(r"(?m)^from (?:__future__|\.\.host\.program_streams) import .*\n", "", module_text(".inside", package))
    return module_text(".program_streams", __package__) + program


def module_text(name: str, package: str | None) -> str:
    """The text of a module, for a container. On a host it lies in the archive that Ansible sends, or in a directory that is no package.

    :param name: of the module in its package, with a dot in front of it.
    :param package: ``__package__`` of whoever calls.
    :raises XinferenceError: when it is not there.
    """
    found = importlib.util.find_spec(name, package)
    # That of an archive does not say that it is one that can show what it loads.
    get_source = getattr(found.loader if found is not None else None, "get_source", None)
    source = get_source(found.name) if found is not None and get_source is not None else None
    if source is None:
        raise XinferenceError("the program for the container is missing; install the collection again")
    return str(source)
