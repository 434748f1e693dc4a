# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's guard against guessing: the automation never sets it off, and what others set off can be lifted."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from conftest import CONTAINER, LOUD, Site, changes, gateway, of_host, said

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client

#: More often than the guard lets anybody.
TRIES = 15
#: As often as it answers with 401.
LET = 10


def works(site: Site) -> bool:
    """Whether the administrator can use the server."""
    client = Client(site.endpoint, username="admin", password=site.password)
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


def expired(site: Site, token: str) -> str:
    """A token as the server gave it, but for its time, which is over. The server signs with a key that root can read."""
    head, payload, _signature = token.split(".")
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    # Tokens have a time, and this one still has some.
    assert content["exp"] > time.time()
    key = (site.root / ".xinference/auth/jwt_secret_key").read_bytes().strip()

    def signed(body: bytes) -> str:
        text = f"{head}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}"
        return f"{text}.{base64.urlsafe_b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode().rstrip('=')}"

    # The key is the server's: without another time the token is the same one.
    assert signed(base64.urlsafe_b64decode(payload + "==")) == token
    return signed(json.dumps({**content, "exp": int(time.time()) - 1}).encode())


def test_wrong_passwords_ban_nobody(provisioned: Site) -> None:
    """A secret that was rotated elsewhere, and runs that go on with the old one."""
    for _try in range(TRIES):
        with pytest.raises(AuthenticationError, match="401"):
            Client(provisioned.endpoint, username="admin", password="an-old-one")
    assert works(provisioned)
    output = provisioned.play("unban")
    assert "Nobody is banned." in output
    assert changes(output) == [0]


def test_an_expired_token_is_used_once_and_renewed_and_a_ban_is_explained_listed_and_lifted(provisioned: Site, ask: Callable[..., int]) -> None:
    # A client that stays, as that of the recovery service.
    client = Client(provisioned.endpoint, username="admin", password=provisioned.password)
    assert list(client.list_models()) == ["text"]
    token = expired(provisioned, client._api._get_token())
    client._api._set_token(token)
    assert list(client.list_models()) == ["text"]
    assert client._api._get_token() != token
    # For the guard it is a wrong one. The client's own use of it was the first.
    assert guess(ask, token) == [401] * (LET - 1) + [429] * (TRIES - LET + 1)
    # Whoever comes from the same address is locked out, with whatever token.
    assert not works(provisioned)
    assert "Too many failed attempts. IP temporarily banned." in provisioned.play("provision", code=2)
    output = provisioned.play("unban", "--check")
    assert "Would be lifted: address " in output
    assert changes(output) == [1]
    assert not works(provisioned)
    output = provisioned.play("unban", *LOUD)
    assert "Lifted: address " in output
    assert changes(output) == [1]
    assert provisioned.password not in output
    assert works(provisioned)
    assert list(client.list_models()) == ["text"]
    client.close()


@pytest.mark.test_all("six runs; another test here sets a ban off, sees it and lifts it")
def test_a_ban_of_any_address_can_be_had_and_is_lifted_all_the_same(provisioned: Site, ask: Callable[..., int]) -> None:
    """The server believes X-Forwarded-For from whoever reaches its port: the automation is locked out, and so is who asks inside the container."""
    # The last one is no address, and is shown as what it is.
    forged = [gateway(), "127.0.0.1", "{{ 6 * 7 }}"]
    for address in forged:
        assert set(guess(ask, **{"X-Forwarded-For": address})) == {401, 429}
    assert not works(provisioned)
    # Only the part that asks the server: the test before this one sees all of it fail.
    assert "Too many failed attempts. IP temporarily banned." in provisioned.play("provision", "--tags=models", code=2)
    inside = "from urllib.request import urlopen; urlopen('http://127.0.0.1:9997/v1/models')"
    assert "HTTP Error 429" in said("exec", CONTAINER, "python3", "-c", inside)
    # That check gives no token, so the engine sees nothing of it.
    assert said("inspect", "--format", "{{.State.Health.Status}}", CONTAINER) == "healthy"
    listed = ", ".join(f"address {address}" for address in forged)
    assert f"Would be lifted: {listed}." in provisioned.play("unban", "--check")
    assert f"Lifted: {listed}." in provisioned.play("unban")
    assert works(provisioned)
    # The numbers of the second playbook are those of both.
    output = provisioned.play("unban", "provision")
    assert "Nobody is banned." in output
    assert changes(output) == [0, 0]


def test_what_cannot_be_lifted_is_one_sentence(unliftable: str) -> None:
    assert "The bans cannot be read: /token answered 401: " in of_host(unliftable, "wrong")
    assert "No container xinference-nowhere runs on this host, so there is no server that bans anybody." in of_host(unliftable, "nowhere")


@pytest.mark.test_all("another server is started for it; another test here lifts a ban")
def test_a_ban_is_lifted_where_only_listed_addresses_are_let_in(site: Site, restricted: dict[str, Any], ask: Callable[..., int]) -> None:
    assert ask("GET", "/status", headers={"X-Forwarded-For": "127.0.0.2"}) == 403
    assert set(guess(ask)) == {401, 429}
    assert f"Lifted: address {gateway()}." in site.play("unban", **restricted)
    assert works(site)
