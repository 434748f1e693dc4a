# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server in a container, made the way the roles make it."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.inferops.xinference.tests.machine import ROOT, built, free_port, record
from ansible_collections.inferops.xinference.tests.unit.roles.templating import made

CONTAINER = "xinference-contract"
HOME = "/root/.xinference"
USERNAME = "admin"
PASSWORD = "contract-password"
#: Seconds; on an idle machine it takes 25. A server that did not come up in its own time is started again, as by the roles.
START_TIMEOUT = 600
#: The same restrictions as in the roles, because they decide what the server can do.
RESTRICTIONS = ("--cap-drop", "ALL", "--cap-add", "DAC_OVERRIDE", "--security-opt", "no-new-privileges", "--init")
ENVIRONMENT = {
    "XINFERENCE_HOME": HOME,
    # Servers before 3.0 have accounts only where they are wanted.
    "XINFERENCE_AUTH_ADVANCED": "true",
    "XINFERENCE_ENABLE_VIRTUAL_ENV": "0",
    "XINFERENCE_MODEL_SRC": "huggingface",
    "HF_HUB_OFFLINE": "1",
    # Without it the server cannot report how far a download is.
    "TQDM_POSITION": "-1",
    # As in the roles: a busy machine takes its time.
    "XINFERENCE_SUBPOOL_LAUNCH_TIMEOUT": "300",
    # A token expires in the middle of the play; the server's own default is 30.
    "XINFERENCE_ACCESS_TOKEN_EXPIRE_MINUTES": "1",
}


@dataclass(frozen=True)
class Server:
    """Where the server answers, what it was made from, the directory of the host that it keeps its files in, and whether it has accounts."""

    endpoint: str
    image: str
    home: Path
    accounts: bool

    @property
    def credentials(self) -> dict[str, Any]:
        """What the client is given."""
        return {"username": USERNAME, "password": PASSWORD} if self.accounts else {}


def run(*command: str) -> str:
    """Standard output of a command; its error output is the reason when it fails."""
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:4])} …: {done.stdout[-2000:]} {done.stderr[-2000:]}"
    return done.stdout.strip()


def role_texts() -> dict[str, Any]:
    """The variables of role ``server``, its own and those that it shares."""
    files = ("roles/_common/vars/main/server.yml", "roles/server/vars/main.yml")
    return {name: value for file in files for name, value in yaml.safe_load((ROOT / file).read_text(encoding="utf-8")).items()}


def server_command() -> list[str]:
    """The command of the container of role ``server``, out of the role itself, for a host that is in no cluster."""
    given = {"_xinference_home": HOME, "inventory_hostname": "alone", "groups": {}}
    return [str(word) for word in made("{{ _xinference_start + _xinference_server_words }}", "server", given)]


def make_account(image: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Write keys and first administrator with the program of role ``server``."""
    wanted = {
        **{
            "home": HOME,
            "user": "0:0",
            "folders": [],
            "keeper": "",
            "administrator_alone": True,
            "without_accounts": role_texts()["_xinference_without_accounts"],
        },
        "account": {"username": USERNAME, "password": PASSWORD, "permissions": ["admin"]},
    }
    command = (
        *("docker", "run", "--rm", "--interactive", "--network", "none", *RESTRICTIONS, "--cap-add", "CHOWN", "--cap-add", "FOWNER"),
        *("--volume", f"{home}:{HOME}", "--env", f"XINFERENCE_HOME={HOME}", image),
        *("python3", "-c", (ROOT / "roles/server/files/prepare.py").read_text(encoding="utf-8")),
    )
    return subprocess.run(command, text=True, capture_output=True, check=False, input=json.dumps(wanted))


def read(address: str) -> dict[str, Any]:
    """What the server answers without an account; nothing while it does not answer."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=5) as answer:
            return dict(json.load(answer))
    except OSError:
        return {}


def remove(name: str) -> None:
    """Remove the container of this run, or of an earlier one that was interrupted."""
    subprocess.run(("docker", "rm", "--force", "--volumes", name), capture_output=True, check=False)


@contextmanager
def serving(home: Path, environment: Mapping[str, str] | None = None, name: str = CONTAINER) -> Iterator[Server]:
    """A server with an administrator and a worker, for as long as the context lasts.

    :param environment: variables of its container, in place of the usual ones.
    :param name: of its container.
    """
    image, models = built("server"), built("models")
    # Servers before 3.0 remove an empty cache when they start, and cannot link the first model into it then.
    cache = home / "cache" / "v2"
    cache.mkdir(parents=True)
    (cache / ".keep").touch()
    remove(name)
    written = make_account(image, home)
    without = "this version of the server has no accounts" in written.stderr
    assert written.returncode == 0 or without, written.stdout + written.stderr
    port = free_port()
    try:
        # A server that can have none is wanted without.
        given = {**(environment or ENVIRONMENT), **({"XINFERENCE_AUTH_ADVANCED": "false"} if without else {})}
        run(
            *("docker", "run", "--detach", "--name", name, "--restart", "unless-stopped", "--publish", f"127.0.0.1:{port}:9997", *RESTRICTIONS),
            *("--volume", f"{home}:{HOME}", "--volume", f"{models}:/models:ro"),
            *(word for variable, value in given.items() for word in ("--env", f"{variable}={value}")),
            *(image, *server_command()),
        )
        endpoint, begun = f"http://127.0.0.1:{port}", time.monotonic()
        while not read(f"{endpoint}/status").get("workers"):
            if time.monotonic() > begun + START_TIMEOUT:
                log = subprocess.run(("docker", "logs", "--tail", "30", name), text=True, capture_output=True, check=False)
                raise AssertionError(f"no worker after {START_TIMEOUT} s; the server's last words: {log.stdout} {log.stderr}")
            time.sleep(0.2)
        record("server start", seconds=round(time.monotonic() - begun, 1))
        yield Server(endpoint, image, home, bool(read(f"{endpoint}/v1/cluster/auth")["auth"]))
    finally:
        remove(name)


def own_words(text: str) -> str:
    """The server's words without the address of the process that said them."""
    return re.sub(r"\[address=\S+, pid=\d+\] ", "", text)
