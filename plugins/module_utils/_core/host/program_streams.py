# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a program in a container and the host talk over its standard input and output. Private to this collection.

A line is an object of JSON. A file goes either way as such a line with its ``path`` and ``size``, and that many bytes. The last line is an object with
``end``. Where something fails, the last words of standard error are a sentence for the operator. The host sends this text to the container's Python in front
of the program's, see :func:`.program_container.program_text`. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

#: Characters of a line, and bytes of a step.
LINE, STEP = 1 << 20, 1 << 20
NO_LINKS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def send(header: dict[str, Any], content: BinaryIO | None = None) -> None:
    """Write a line to the host, and a file behind it."""
    sink = sys.stdout.buffer
    sink.write(json.dumps(header).encode() + b"\n")
    left = header.get("size", 0)
    while content is not None and left > 0:
        part = content.read(min(STEP, left))
        if not part:
            # It was cut meanwhile; the host is owed what was said, and reads the reason.
            raise SystemExit(f"{header['path']} became shorter while it was read")
        sink.write(part)
        left -= len(part)
    sink.flush()


def line() -> dict[str, Any]:
    """The next line of the host."""
    text = sys.stdin.buffer.readline(LINE)
    if not text.endswith(b"\n"):
        raise SystemExit("the host sent nothing more")
    received: dict[str, Any] = json.loads(text)
    return received


def receive(work: Path) -> list[str]:
    """Write the files that the host sends below a directory; their paths."""
    paths: list[str] = []
    while True:
        header = line()
        if header.get("end"):
            return paths
        path = work / header["path"]
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        total, left = hashlib.sha256(), header["size"]
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINKS, 0o600), "wb") as sink:
            while left > 0:
                part = sys.stdin.buffer.read(min(STEP, left))
                if not part:
                    raise SystemExit("the host sent nothing more")
                total.update(part)
                sink.write(part)
                left -= len(part)
            sink.flush()
            os.fsync(sink.fileno())
        if total.hexdigest() != header["sha256"]:
            raise SystemExit(f"{header['path']} arrived damaged")
        paths.append(header["path"])
