# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of another image, started without network and asked what it knows. Private to this collection.

It gets a copy of the accounts and registrations, and no launch history, by which it would launch models. The host sends this text to the container's Python,
and never imports it. What goes over the pipes is in :mod:`..host.program_streams`: first the request and the files, then line by line what the server is to
be asked, and its answers. Standard library only.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..host.program_streams import line, receive, send

HOST, PORT = "127.0.0.1", 9997
#: Seconds for one answer, between two looks whether the server is ready, and after which the host hears of it; bytes of an answer.
ANSWER, PAUSE, NEWS, MOST = 100.0, 1.0, 20.0, 32 << 20
#: Lines of the server's log that are shown, and their characters.
LINES, CHARACTERS = 5, 600


def last_lines(log: Path, count: int = LINES) -> str:
    """The last lines of a file, as one."""
    lines = [each.strip() for each in log.read_text(encoding="utf-8", errors="replace").splitlines() if each.strip()]
    return " | ".join(lines[-count:])[-CHARACTERS:]


def said(log: Path, count: int = LINES) -> str:
    """The same as the end of a sentence; nothing where there are none."""
    words = last_lines(log, count)
    return f": {words}" if words else ""


async def spawn(arguments: list[str], environment: Mapping[str, str], source: Path, words: Path) -> asyncio.subprocess.Process:
    """Start a program.

    :param source: what it reads from standard input.
    :param words: file for its output.
    """
    with source.open("rb") as given, words.open("wb") as sink:
        return await asyncio.create_subprocess_exec(*arguments, env=environment, stdin=given, stdout=sink, stderr=asyncio.subprocess.STDOUT)


async def prepare(request: dict[str, Any], folder: Path) -> None:
    """Make what the server needs before it starts, as the roles do it."""
    source, words = folder / "prepared", folder / "words"
    source.write_text(json.dumps(request["prepared"]), encoding="utf-8")
    code = await (await spawn([sys.executable, "-c", request["preparation"]], os.environ, source, words)).wait()
    source.unlink()
    if code:
        raise SystemExit(last_lines(words, 1) or f"its directory could not be prepared: exit code {code}")


def environment(request: dict[str, Any], home: Path) -> dict[str, str]:
    """The server's environment, with the secrets that it takes from it."""
    given = {**os.environ, **request["environment"], "HOME": str(home.parent), "XINFERENCE_HOME": str(home)}
    try:
        lines = (home / "auth/environment").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    return {**given, **dict(each.partition("=")[::2] for each in lines if "=" in each and not each.startswith("#"))}


async def start(request: dict[str, Any], folder: Path) -> asyncio.subprocess.Process:
    """Start the server, and wait until it is healthy."""
    command = shutil.which("xinference-local")
    if command is None:
        raise SystemExit("the image has no program xinference-local, so it is none of Xinference")
    nothing, words, log = Path(os.devnull), folder / "words", folder / "log"
    server = await spawn([command, "--host", HOST, "--port", str(PORT)], environment(request, folder / "home"), nothing, log)
    begun = news = time.monotonic()
    while await (await spawn([sys.executable, "-I", "-S", "-c", request["health"]], os.environ, nothing, words)).wait():
        if server.returncode is not None:
            raise SystemExit(f"its server does not start, it ended with exit code {server.returncode}{said(log)}")
        if time.monotonic() - begun > request["seconds"]:
            raise SystemExit(f"its server was not healthy within {request['seconds']:g} s{said(words, 1)}")
        if time.monotonic() - news > NEWS:
            send({"waiting": True})
            news = time.monotonic()
        await asyncio.sleep(PAUSE)
    return server


def ask(question: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """The server's answer to a request: what it is, and its content."""
    connection = http.client.HTTPConnection(HOST, PORT, timeout=ANSWER)
    try:
        connection.request(question["method"], question["path"], body or None, question["headers"])
        answer = connection.getresponse()
        content = answer.read(MOST + 1)
    except (OSError, http.client.HTTPException) as error:
        return {"failed": str(error) or type(error).__name__, "size": 0}, b""
    finally:
        connection.close()
    if len(content) > MOST:
        return {"failed": f"the answer is larger than {MOST >> 20} MiB", "size": 0}, b""
    if answer.length:
        # Bytes that were promised.
        return {"failed": "the answer was cut off", "size": 0}, b""
    return {"status": answer.status, "reason": answer.reason, "type": answer.headers.get("Content-Type", ""), "size": len(content)}, content


async def serve() -> None:
    """Start the server, and pass questions and answers on until the host asks for no more."""
    request = line()
    try:
        own = version("xinference")
    except PackageNotFoundError:
        own = ""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        receive(home)
        request["prepared"]["home"] = str(home)
        await prepare(request, Path(folder))
        server = await start(request, Path(folder))
        send({"ready": True, "server": own})
        while True:
            question = line()
            if question.get("end"):
                break
            header, content = ask(question, sys.stdin.buffer.read(question["size"]))
            send(header, io.BytesIO(content))
        server.kill()
        await server.wait()


def main() -> None:
    """Do it, with files for nobody else."""
    os.umask(0o077)
    asyncio.run(serve())


if __name__ == "__main__":
    main()
