# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody else gets in, from the first packet on: not where a server asks for a token, where the first caller wins, or where accounts must be wanted."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import requests
from conftest import CONTAINER, Site

from ansible_collections.inferops.xinference.plugins.module_utils._core.client import Client
from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import AuthenticationError
from ansible_collections.inferops.xinference.tests.machine import VERSION, built, free_port

SETUP = {"username": "intruder", "password": "long-enough-for-anybody"}
#: Versions on which whoever calls first becomes the administrator, without a token.
FIRST_CALLER_WINS = ("3.", "4.0.")
#: Versions that let everybody in, unless they are told to have accounts. Nobody can be made administrator through them, so an intruder asks for models.
OPEN = VERSION.startswith("2.")
METHOD, PATH, REFUSED = ("GET", "/v1/models", 401) if OPEN else ("POST", "/v1/admin/setup", 403)


class Intruder(threading.Thread):
    """Asks to be made administrator or let in, again and again, as soon as anything listens.

    :param endpoint: of the server that is going to be there.
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__(daemon=True)
        self.address = f"{endpoint}{PATH}"
        self.stopped = threading.Event()
        #: Statuses of the answers; 0 for a connection that was refused or cut.
        self.answers: Counter[int] = Counter()

    def run(self) -> None:
        """Ask until told to stop, some hundred times a second while nothing listens."""
        with requests.Session() as session:
            session.trust_env = False
            while not self.stopped.is_set():
                try:
                    status = session.request(METHOD, self.address, json=SETUP, timeout=30).status_code
                except requests.RequestException:
                    status = 0
                self.answers[status] += 1
                time.sleep(0.002)

    def stop(self) -> Counter[int]:
        """End, and say what was answered."""
        self.stopped.set()
        self.join(60)
        return self.answers


@pytest.fixture
def intruder(site: Site) -> Iterator[Intruder]:
    """At work on the host's port already."""
    thread = Intruder(site.endpoint)
    thread.start()
    yield thread
    thread.stop()


@pytest.mark.skipif(not OPEN, reason="servers since 3.0 have other accounts than the administrator")
def test_a_server_without_other_accounts_is_refused_where_they_are_wanted(site: Site) -> None:
    output = site.play("inferops.xinference.provision", code=2, xinference_automation_username="automation")
    assert "this server is older than 3.0 and knows no account but the administrator; set xinference_automation_username to ''" in output
    assert subprocess.run(("docker", "inspect", CONTAINER), capture_output=True, check=False).returncode != 0


def test_while_a_host_is_provisioned_nobody_becomes_its_administrator(site: Site, intruder: Intruder) -> None:
    site.play("inferops.xinference.provision", xinference_models=[])
    # Some more, so that a server that waits for its setup would have been seen.
    time.sleep(2)
    answers = intruder.stop()
    assert set(answers) <= {0, REFUSED}, answers
    assert answers[0] > 100, "it began too late"
    assert answers[REFUSED] > 20, "it was never heard"
    Client(site.endpoint, username="admin", password=site.marks["password"]).close()
    with pytest.raises(AuthenticationError):
        Client(site.endpoint, **SETUP)


def test_a_restart_opens_no_window(site: Site, intruder: Intruder) -> None:
    subprocess.run(("docker", "restart", "--time", "30", CONTAINER), check=True, capture_output=True)
    deadline = time.monotonic() + 120
    while not intruder.answers[REFUSED] > 20:
        assert time.monotonic() < deadline, intruder.answers
        time.sleep(0.5)
    assert set(intruder.stop()) <= {0, REFUSED}


@pytest.fixture
def older_image(site: Site) -> Iterator[str]:
    """Tag of a server like those that know no accounts: they lack the command that makes them."""
    image, tag = str(site.settings["xinference_image"]), "without-accounts"
    recipe = f'FROM {image}:{site.settings["xinference_image_tag"]}\nRUN rm "$(command -v xinference-migrate-auth)"\n'
    subprocess.run(("docker", "build", "--tag", f"{image}:{tag}", "-"), input=recipe, text=True, check=True, capture_output=True)
    yield tag
    subprocess.run(("docker", "rm", "--force", CONTAINER), check=True, capture_output=True)
    subprocess.run(("docker", "rmi", f"{image}:{tag}"), check=True, capture_output=True)


def test_an_older_server_on_a_tree_with_accounts_lets_nobody_in(site: Site, older_image: str, intruder: Intruder) -> None:
    output = site.play("inferops.xinference.provision", code=2, xinference_image_tag=older_image, xinference_models=[], xinference_start_timeout=40)
    assert "this version of the server has no accounts, and would let in everybody who reaches its port" in output
    assert set(intruder.stop()) <= {0, REFUSED}


def test_the_intruder_would_win_where_nobody_was_there_before() -> None:
    """The same on a server that is started without an account: proof that the tests above would see it."""
    port, name = free_port(), f"{CONTAINER}-open"
    command = ("docker", "run", "--detach", "--rm", "--name", name, "--publish", f"127.0.0.1:{port}:9997", built("server"))
    subprocess.run((*command, "xinference-local", "--host", "0.0.0.0", "--port", "9997"), check=True, capture_output=True)
    thread = Intruder(f"http://127.0.0.1:{port}")
    thread.start()
    try:
        deadline = time.monotonic() + 180
        while not set(thread.answers) - {0}:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(2)
        answers = thread.stop()
        needed = None if OPEN else requests.get(f"http://127.0.0.1:{port}/v1/admin/setup/status", timeout=30).json()["needs_setup"]
    finally:
        thread.stop()
        subprocess.run(("docker", "rm", "--force", name), check=True, capture_output=True)
    if OPEN:
        assert set(answers) == {0, 200}
    elif VERSION.startswith(FIRST_CALLER_WINS):
        assert answers[201] == 1
        assert needed is False
    else:
        # It asks for a token; until somebody gives it, the server waits for its first administrator.
        assert set(answers) <= {0, 403}
        assert needed is True
