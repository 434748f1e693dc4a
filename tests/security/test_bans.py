# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's guard against guessing: the automation never sets it off, and what others set off can be lifted."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from conftest import CONTAINER, Site

from ansible_collections.inferops.xinference.plugins.module_utils._core.client import Client
from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import AuthenticationError

#: More often than the guard lets anybody.
TRIES = 15
#: As often as it answers with 401.
LET = 10
#: Tokens live one minute; the server's own default is 30.
ENVIRONMENT = {"XINFERENCE_ACCESS_TOKEN_EXPIRE_MINUTES": "1"}
TOKEN_SECONDS = 61


@pytest.fixture(scope="module")
def empty(site: Site) -> Site:
    """A server without models."""
    site.settings.update(xinference_models=[], xinference_environment=ENVIRONMENT)
    site.play("inferops.xinference.provision")
    return site


@pytest.fixture(scope="module", autouse=True)
def lasting(empty: Site) -> Iterator[tuple[Client, float]]:
    """A client that stays, as that of the recovery service, and when its token has expired: while the first tests run."""
    client = Client(empty.endpoint, username="admin", password=empty.marks["password"])
    yield client, time.monotonic() + TOKEN_SECONDS
    client.close()


def works(site: Site) -> bool:
    """Whether the administrator can use the server."""
    client = Client(site.endpoint, username="admin", password=site.marks["password"])
    try:
        client.list_models()
    except AuthenticationError as error:
        assert error.status == 429
        return False
    finally:
        client.close()
    return True


def guess(ask: Callable[..., int], token: str = "guessed", **headers: str) -> list[int]:
    """Statuses of the answers to tries with a token that is worth nothing."""
    return [ask("GET", "/v1/models", headers={"Authorization": f"Bearer {token}", **headers}) for _try in range(TRIES)]


def said(*command: str) -> str:
    """What a command of the engine says, on either output."""
    done = subprocess.run(("docker", *command), capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def gateway() -> str:
    """The address that the server sees of everything that comes from this machine."""
    return said("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", CONTAINER)


def test_wrong_passwords_ban_nobody(empty: Site) -> None:
    """A secret that was rotated elsewhere, and runs that go on with the old one."""
    for _try in range(TRIES):
        with pytest.raises(AuthenticationError, match="401"):
            Client(empty.endpoint, username="admin", password="an-old-one")
    assert works(empty)
    output = empty.play("inferops.xinference.unban")
    assert "Nobody is banned." in output
    assert "changed=0 " in output


def test_a_ban_is_explained_listed_and_lifted(empty: Site, ask: Callable[..., int]) -> None:
    assert set(guess(ask)) == {401, 429}
    # Whoever comes from the same address is locked out, with whatever token.
    assert not works(empty)
    assert "Too many failed attempts. IP temporarily banned." in empty.play("inferops.xinference.provision", code=2)
    output = empty.play("inferops.xinference.unban", "--check")
    assert "Would be lifted: address " in output
    assert "changed=1 " in output
    assert not works(empty)
    output = empty.play("inferops.xinference.unban", "-vvvv", "--diff")
    assert "Lifted: address " in output
    assert "changed=1 " in output
    assert empty.marks["password"] not in output
    assert works(empty)
    assert "changed=0 " in empty.play("inferops.xinference.unban")
    assert "changed=0 " in empty.play("inferops.xinference.provision")


def test_a_ban_of_any_address_can_be_had_and_is_lifted_all_the_same(empty: Site, ask: Callable[..., int]) -> None:
    """The server believes X-Forwarded-For from whoever reaches its port: the automation is locked out, and so is who asks inside the container."""
    # The last one is no address, and is shown as what it is.
    forged = [gateway(), "127.0.0.1", "{{ 6 * 7 }}"]
    for address in forged:
        assert set(guess(ask, **{"X-Forwarded-For": address})) == {401, 429}
    assert not works(empty)
    assert "Too many failed attempts. IP temporarily banned." in empty.play("inferops.xinference.provision", code=2)
    inside = "from urllib.request import urlopen; urlopen('http://127.0.0.1:9997/v1/models')"
    assert "HTTP Error 429" in said("exec", CONTAINER, "python3", "-c", inside)
    # That check gives no token, so the engine sees nothing of it.
    assert said("inspect", "--format", "{{.State.Health.Status}}", CONTAINER) == "healthy"
    listed = ", ".join(f"address {address}" for address in forged)
    assert f"Would be lifted: {listed}." in empty.play("inferops.xinference.unban", "--check")
    assert f"Lifted: {listed}." in empty.play("inferops.xinference.unban")
    assert works(empty)
    assert "Nobody is banned." in empty.play("inferops.xinference.unban")


def test_an_expired_token_is_used_once_and_renewed(empty: Site, ask: Callable[..., int], lasting: tuple[Client, float]) -> None:
    client, expired = lasting
    token = client._api._get_token()
    time.sleep(max(expired - time.monotonic(), 0))
    assert client.list_models() == {}
    assert client._api._get_token() != token
    # For the guard it is a wrong one. The client's own use of it was the first.
    assert guess(ask, token) == [401] * (LET - 1) + [429] * (TRIES - LET + 1)
    assert "changed=1 " in empty.play("inferops.xinference.unban")
    assert client.list_models() == {}


def test_what_cannot_be_lifted_is_one_sentence(empty: Site) -> None:
    wrong = empty.play("inferops.xinference.unban", code=2, xinference_admin_password="an-old-one")
    assert "The bans cannot be read: /token answered 401: " in wrong
    nothing = empty.play("inferops.xinference.unban", code=2, xinference_container_name="xinference-nowhere")
    assert "No container xinference-nowhere runs on this host, so there is no server that bans anybody." in nothing


def test_a_ban_is_lifted_where_only_listed_addresses_are_let_in(empty: Site, ask: Callable[..., int]) -> None:
    listed = f"127.0.0.1,{gateway()}"
    empty.play("inferops.xinference.provision", xinference_environment={**ENVIRONMENT, "XINFERENCE_ALLOWED_IPS": listed})
    assert ask("GET", "/status", headers={"X-Forwarded-For": "127.0.0.2"}) == 403
    assert set(guess(ask)) == {401, 429}
    assert f"Lifted: address {gateway()}." in empty.play("inferops.xinference.unban")
    assert works(empty)
