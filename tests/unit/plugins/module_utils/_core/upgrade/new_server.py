# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program in place of a new server, and what makes the text that starts it fit for a test: an address of its own, and no pauses."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any

#: Answers with what it was asked, or with what a path wants.
SERVER = """#!{python}
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

class Handler(BaseHTTPRequestHandler):
    def answer(self, status, content, kind="application/json", size=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if size is None else size))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, _mark, given = self.path.partition("?")
        home = Path(os.environ["XINFERENCE_HOME"])
        if path == "/large":
            self.answer(200, b"x" * int(given), "text/plain")
        elif path == "/missing":
            self.answer(404, b'{{"detail": "no such model"}}')
        elif path == "/cut":
            self.answer(200, b"short", size=100)
        elif path == "/silent":
            self.close_connection = True
        elif path == "/end":
            os._exit(3)
        elif path == "/state":
            files = {{str(each.relative_to(home)): each.read_text(errors="replace") for each in home.rglob("*") if each.is_file()}}
            beside = sorted(each.name for each in home.parent.iterdir())
            found = {{"files": files, "beside": beside, "environment": dict(os.environ), "arguments": sys.argv[1:], "group": os.getpgid(0)}}
            self.answer(200, json.dumps(found).encode())
        else:
            headers = {{name.lower(): value for name, value in self.headers.items()}}
            asked = {{"method": self.command, "path": self.path, "headers": headers, "body": body.decode()}}
            self.answer(200, json.dumps(asked).encode())

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_arguments):
        pass

print("server is starting", flush=True)
HTTPServer((sys.argv[2], int(sys.argv[4])), Handler).serve_forever()
"""
#: Keeps what it was given where the server finds it.
PREPARATION = """
import json, sys
wanted = json.load(sys.stdin)
with open(wanted["home"] + "/prepared", "w") as sink:
    json.dump(wanted, sink)
"""
_ADDRESS, _PAUSES = 'HOST, PORT = "127.0.0.1", 9997', "ANSWER, PAUSE, NEWS, MOST = 100.0, 1.0, 20.0, 32 << 20"
_PORT = 19997
_count = itertools.count()


class NewServer:
    """A program in place of a server, at an address that no other test has.

    :param folder: for the program.
    """

    def __init__(self, folder: Path) -> None:
        number = (os.getpid() << 4) + next(_count)
        #: All addresses that begin so are this machine's.
        self.address = f"127.{64 + (number >> 16) % 64}.{(number >> 8) % 256}.{number % 256}"
        self.folder = folder / "bin"
        self.folder.mkdir()
        self.write(SERVER.format(python=sys.executable))

    def write(self, text: str) -> None:
        """Let the program be another one."""
        path = self.folder / "xinference-local"
        path.write_text(text)
        path.chmod(0o755)

    @property
    def path(self) -> str:
        """Where programs are looked for."""
        return f"{self.folder}:{os.environ['PATH']}"

    @property
    def health(self) -> str:
        """A health check that passes when the server listens."""
        return f"import socket\nsocket.create_connection(({self.address!r}, {_PORT}), 60).close()\n"

    def replaces(self, news: float = 20.0, most: str = "1 << 20") -> dict[str, str]:
        """What stands in the text that starts it in place of something else.

        :param news: seconds after which the host hears of it.
        :param most: bytes of an answer.
        """
        return {_ADDRESS: f"HOST, PORT = {self.address!r}, {_PORT}", _PAUSES: f"ANSWER, PAUSE, NEWS, MOST = 100.0, 0.01, {news}, {most}"}

    def request(self, **changes: Any) -> dict[str, Any]:
        """What the text is asked with."""
        return {"environment": {}, "preparation": PREPARATION, "prepared": {"account": None}, "health": self.health, "seconds": 300.0, **changes}
