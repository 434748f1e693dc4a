# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting the server's container when it was killed. Private to this collection.

The engine takes a container that somebody killed for one that somebody stopped, and leaves it down. Who may talk to the engine may do everything on a
host, so the service does not: it asks for this one thing through a file that systemd watches, and a unit of root does it and ends.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from urllib.parse import quote

from .host import KILLED, DockerSocket

__all__ = ["main", "start_killed"]


def start_killed(engine: DockerSocket, container: str) -> str:
    """Start a container that was killed, or was made and never started; any other is left as it is.

    :param engine: the engine of this host.
    :param container: name of the container.
    :returns: what was found and done, for the journal.
    :raises OSError: when the engine does not answer.
    """
    route = f"/containers/{quote(container, safe='')}"
    found = engine.get(f"{route}/json")
    if found is None:
        return f"there is no container {container}; provision this host again"
    state = found["State"]
    if state["Status"] not in ("created", "exited"):
        return f"container {container} is {state['Status']}; nothing to do"
    # The engine's word on memory would be about any process of the container, at any time before.
    if state["Status"] == "exited" and state["ExitCode"] != KILLED:
        return f"container {container} was stopped in good order (exit code {state['ExitCode']}), so it stays down"
    engine.send(f"{route}/start")
    return f"container {container} was {'killed' if state['Status'] == 'exited' else 'never started'}; started it"


def main(arguments: list[str], say: Callable[[str], None]) -> int:
    """Command line of the unit that starts the container.

    :param say: takes a line for the journal.
    """
    parser = argparse.ArgumentParser(prog="start", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--docker-host", required=True, help="address of the engine's socket")
    parser.add_argument("--container", required=True, help="name of the server's container")
    chosen = parser.parse_args(arguments)
    try:
        say(start_killed(DockerSocket(chosen.docker_host), chosen.container))
    except OSError as error:
        say(f"the engine does not answer: {error.strerror or error}")
        return 1
    return 0
