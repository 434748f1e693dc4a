# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive: members under names of ours, without secrets, each of bounded size. Private to this collection."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import XinferenceError
from ..base.messages import one_line, printable
from .redact import Redactor

__all__ = ["Bundle", "end_of", "safe_name", "write_private"]

#: Bytes of a member that holds data; those of a log are chosen.
_DATA_BYTES = 4 << 20
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(text: str) -> str:
    """A name of a file for a thing of the host, of letters, digits, dots and hyphens, without a dot in front."""
    return _UNSAFE.sub("_", text).strip("._")[:100] or "unnamed"


def _readable(text: str) -> str:
    """A text in which a terminal obeys nothing but the ends of lines."""
    return "\n".join(map(printable, text.replace("\t", "    ").replace("\r\n", "\n").split("\n")))


def end_of(text: str, cut: bool) -> str:
    """A part of a log without the line in its front that is no whole one: a secret in it could be cut off, and so not be known.

    :param cut: whether the log has more in front of it.
    """
    return text.partition("\n")[2] if cut else text


@dataclass
class Bundle:
    """What is written.

    :param redactor: masks secrets.
    :param log_bytes: of a member that holds the end of a log.
    :param members: name of a member → its content.
    :param sources: name of a member → where it is from.
    :param left_out: name of what could not be read → why.
    """

    redactor: Redactor
    log_bytes: int
    members: dict[str, bytes] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add_data(self, name: str, source: str, read: Callable[[], Any]) -> None:
        """Add data as JSON, where they can be read.

        :param name: of the member.
        :param source: of it, as people call it.
        :param read: returns them; None for what is not there.
        """
        self._add(name, source, read, lambda data: json.dumps(self.redactor.value(data), indent=2, sort_keys=True, default=str) + "\n", _DATA_BYTES)

    def add_text(self, name: str, source: str, read: Callable[[], str | None]) -> None:
        """Add a text, or the end of one; parameters as of :meth:`add_data`."""
        limit = self.log_bytes
        # Cut before it is masked: what a container wrote may be large, and masking takes a multiple of it.
        self._add(name, source, read, lambda text: self.redactor.text(end_of(text[-limit:], len(text) > limit)), limit)

    def _add(self, name: str, source: str, read: Callable[[], Any], without_secrets: Callable[[Any], str], limit: int) -> None:
        try:
            found = read()
            if found is None:
                return
            content = _readable(without_secrets(found)).encode("utf-8", "replace")
        except (OSError, ValueError, TypeError, KeyError, AttributeError, XinferenceError) as error:
            # The reason may repeat what was read.
            self.left_out[name] = one_line(self.redactor.text(getattr(error, "strerror", None) or str(error))) or type(error).__name__
            return
        self.members[name] = content[-limit:]
        self.sources[name] = source

    def contents(self) -> list[dict[str, Any]]:
        """The members, each with ``name``, ``bytes`` and ``source``."""
        return [{"name": name, "bytes": len(content), "source": self.redactor.text(self.sources[name])} for name, content in sorted(self.members.items())]

    def packed(self, folder: str, about: Mapping[str, Any]) -> bytes:
        """The archive.

        :param folder: in which all members lie.
        :param about: what its list of contents says besides.
        """
        words = {**about, "members": self.contents(), "left_out": self.left_out}
        listed = (json.dumps(self.redactor.value(words), indent=2, sort_keys=True) + "\n").encode()
        archive, now = io.BytesIO(), int(time.time())
        with tarfile.open(fileobj=archive, mode="w:gz", format=tarfile.PAX_FORMAT) as packed:
            for name, content in sorted({**self.members, "contents.json": listed}.items()):
                member = tarfile.TarInfo(f"{safe_name(folder)}/{name}")
                member.size, member.mtime, member.mode = len(content), now, 0o600
                packed.addfile(member, io.BytesIO(content))
        return archive.getvalue()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that was not there, for its owner alone.

    :raises OSError: when it cannot be written, or something is there.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as sink:
        sink.write(content)
