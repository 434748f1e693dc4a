# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's nginx in a container, with the configuration that role ``proxy`` renders."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.inferops.xinference.tests.machine import ROOT, NotBuilt, built, free_port, wait_until

sys.path.insert(0, str(ROOT / "tests/unit/roles/proxy"))

from rendering import rendered

CONTAINER = "xinference-load-proxy"
PLACE = "/etc/xinference-proxy"
#: What the role makes before nginx starts.
_SET_UP = f"""
set -e
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx openssl
useradd --system xinference-proxy
mkdir -p {PLACE}/private /run/xinference-proxy /var/cache/xinference-proxy
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
  -keyout {PLACE}/private/server.key -out {PLACE}/server.crt
cat >{PLACE}/nginx.conf
nginx -t -c {PLACE}/nginx.conf
"""


@dataclass(frozen=True)
class Proxy:
    """What a proxy is for.

    :param endpoint: of the server.
    :param models: as they are declared.
    :param variables: of the role, in place of their defaults.
    """

    endpoint: str
    models: list[dict[str, Any]]
    variables: dict[str, Any] = field(default_factory=dict)


def remove() -> None:
    """Remove the container of this run, or of an earlier one that was interrupted."""
    subprocess.run(("docker", "rm", "--force", "--volumes", CONTAINER), capture_output=True, check=False)


@contextmanager
def proxying(wanted: Proxy) -> Iterator[str]:
    """Where the proxy answers, for as long as the context lasts.

    :raises NotBuilt: where nginx cannot be installed, or refuses the configuration, with its last words.
    """
    port = free_port()
    text = rendered(
        **{
            "_xinference_endpoint": wanted.endpoint,
            "xinference_models": wanted.models,
            "xinference_proxy_address": "127.0.0.1",
            "xinference_proxy_port": port,
            "xinference_proxy_http_port": 0,
            # There is no syslog.
            "xinference_proxy_access_log": False,
            **wanted.variables,
        }
    )
    remove()
    try:
        # In the network of the machine, because the server's port is on its loopback.
        command = ("docker", "run", "--detach", "--name", CONTAINER, "--network", "host", built("host"), "sleep", "infinity")
        subprocess.run(command, check=True, capture_output=True)
        done = subprocess.run(("docker", "exec", "-i", CONTAINER, "sh", "-c", _SET_UP), input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            raise NotBuilt(f"the proxy cannot be made: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
        subprocess.run(("docker", "exec", CONTAINER, "nginx", "-c", f"{PLACE}/nginx.conf"), check=True, capture_output=True)
        probe = ("docker", "exec", CONTAINER, "sh", "-c", "kill -0 $(cat /run/xinference-proxy/nginx.pid)")
        wait_until(lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0, "nginx runs")
        yield f"https://127.0.0.1:{port}"
    finally:
        remove()
