# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's guard against guessing: the automation never sets it off, and what others set off can be lifted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import Site

from ansible_collections.inferops.xinference.plugins.module_utils._core.client import Client
from ansible_collections.inferops.xinference.plugins.module_utils._core.errors import AuthenticationError

#: More often than the guard lets anybody.
TRIES = 15


@pytest.fixture(scope="module")
def empty(site: Site) -> Site:
    """A server without models."""
    site.settings["xinference_models"] = []
    site.play("inferops.xinference.provision")
    return site


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
    statuses = {ask("GET", "/v1/models", headers={"Authorization": "Bearer guessed"}) for _try in range(TRIES)}
    assert statuses == {401, 429}
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


def test_what_cannot_be_lifted_is_one_sentence(empty: Site) -> None:
    wrong = empty.play("inferops.xinference.unban", code=2, xinference_admin_password="an-old-one")
    assert "The bans cannot be read: /token answered 401: " in wrong
    nothing = empty.play("inferops.xinference.unban", code=2, xinference_container_name="xinference-nowhere")
    assert "No container xinference-nowhere runs on this host, so there is no server that bans anybody." in nothing
