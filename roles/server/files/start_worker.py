# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a worker when its supervisor answers.

Arguments: name of the supervisor, and those of the worker. Without a supervisor a worker ends at once, and a container that ends again and again looks like
one that is broken, while its supervisor may only be slow.
"""

import http.client
import os
import sys
import time


def answers(supervisor: str) -> bool:
    """Whether a supervisor has an answer."""
    connection = http.client.HTTPConnection(supervisor, 9997, timeout=8)
    try:
        connection.request("GET", "/status")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


while not answers(sys.argv[1]):
    time.sleep(1)
os.execvp("xinference-worker", ["xinference-worker", *sys.argv[2:]])  # noqa: S606, S607  the image's own
