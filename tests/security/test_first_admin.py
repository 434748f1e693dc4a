# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody else gets in, from the first packet on: not where a server asks for a token, where the first caller wins, or where accounts must be wanted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
import requests
from conftest import CONTAINER, OLDER, Site, besieged, said
from watchers import OPEN, REFUSED, SETUP, Intruder

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client
from ansible_collections.inferops.xinference.tests.machine import VERSION, built, free_port, wait_until

#: Versions on which whoever calls first becomes the administrator, without a token.
FIRST_CALLER_WINS = ("3.", "4.0.")


@pytest.mark.skipif(not OPEN, reason="servers since 3.0 have other accounts than the administrator")
def test_a_server_without_other_accounts_is_refused_where_they_are_wanted(site: Site) -> None:
    output = site.play("provision", code=2, xinference_service_account="automation")
    assert "this server is older than 3.0 and knows no account but the administrator; set xinference_service_account to ''" in output
    assert subprocess.run(("docker", "inspect", CONTAINER), capture_output=True, check=False).returncode != 0


def test_while_a_host_is_provisioned_nobody_becomes_its_administrator(provisioned: Site) -> None:
    answers = provisioned.answers["provisioned"]
    assert set(answers) <= {0, REFUSED}, answers
    assert answers[0] > 100, "it began too late"
    assert answers[REFUSED] > 20, "it was never heard"
    Client(provisioned.endpoint, username="admin", password=provisioned.password).close()
    with pytest.raises(AuthenticationError):
        Client(provisioned.endpoint, **SETUP)


def test_a_restart_opens_no_window(restarted: Site) -> None:
    answers = restarted.answers["restarted"]
    assert set(answers) == {0, REFUSED}, answers
    assert answers[REFUSED] > 20


@pytest.fixture
def older_image(provisioned: Site) -> Iterator[str]:
    """Tag of a server like those that know no accounts: they lack the command that makes them."""
    image = str(provisioned.settings["xinference_image"])
    recipe = f'FROM {image}:{provisioned.settings["xinference_image_tag"]}\nRUN rm "$(command -v xinference-migrate-auth)"\n'
    subprocess.run(("docker", "build", "--tag", f"{image}:{OLDER}", "-"), input=recipe, text=True, check=True, capture_output=True)
    yield OLDER
    subprocess.run(("docker", "rmi", f"{image}:{OLDER}"), check=True, capture_output=True)


@pytest.mark.test_all("an image is built for it; part first-admin of make test-all has older servers")
def test_an_older_server_on_a_tree_with_accounts_lets_nobody_in(provisioned: Site, older_image: str) -> None:
    before = said("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", CONTAINER)
    besieged(provisioned, "older", ("provision",), code=2, xinference_image_tag=older_image, xinference_start_timeout=40)
    assert "this version of the server has no accounts, and would let in everybody who reaches its port" in provisioned.outputs[-1][1]
    assert set(provisioned.answers["older"]) <= {0, REFUSED}
    # The server before it goes on.
    assert said("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", CONTAINER) == before


def test_the_intruder_would_win_where_nobody_was_there_before(site: Site) -> None:
    """The same on a server that is started without an account: proof that the tests above would see it."""
    port, name = free_port(), f"{CONTAINER}-open"
    command = ("docker", "run", "--detach", "--rm", "--name", name, "--publish", f"127.0.0.1:{port}:9997", built("server"))
    subprocess.run((*command, "xinference-local", "--host", "0.0.0.0", "--port", "9997"), check=True, capture_output=True)
    thread = Intruder(port)
    thread.start()
    try:
        wait_until(lambda: thread.heard() > 20, "the server answers")
        answers = thread.stop()
        needed = None if OPEN else requests.get(f"http://127.0.0.1:{port}/v1/admin/setup/status", timeout=60).json()["needs_setup"]
    finally:
        thread.stop()
        subprocess.run(("docker", "rm", "--force", name), check=True, capture_output=True)
    if OPEN:
        assert set(answers) == {0, 200}
    elif VERSION.startswith(FIRST_CALLER_WINS):
        assert answers[201] == 1
        assert needed is False
    else:
        # It asks for a token; until a client gives it, the server waits for its first administrator.
        assert set(answers) <= {0, 403}
        assert needed is True
