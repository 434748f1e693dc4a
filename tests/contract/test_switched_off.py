# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server with an account, and with its authentication switched off: the modules for accounts and keys say so in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from real_server import ENVIRONMENT, PASSWORD, USERNAME, Server, serving

from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import NO_ACCOUNTS
from ansible_collections.inferops.xinference.plugins.modules import api_key, user
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

CONTAINER = "xinference-accounts-switched-off"
CREDENTIALS = {"username": USERNAME, "password": PASSWORD}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own."""
    with serving(tmp_path_factory.mktemp("xinference-home"), {**ENVIRONMENT, "XINFERENCE_AUTH_ADVANCED": "false"}, CONTAINER) as running:
        assert not running.accounts
        yield running


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("credentials", [CREDENTIALS, {}], ids=["credentials", "none"])
@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(
    ("module", "options"),
    [
        (user, {"account_password": "app-password", "permissions": ["models:list"]}),
        (user, {"account_password_path": "secret"}),
        (api_key, {"models": ["chat"], "path": "secret"}),
    ],
    ids=["account", "account with a file", "key"],
)
def test_there_are_no_accounts_to_manage(
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    module: Any,
    options: dict[str, Any],
    state: str,
    credentials: dict[str, str],
    check: bool,
) -> None:
    given = {name: str(tmp_path / value) if name.endswith("path") else value for name, value in options.items()}
    run = Runner(module.main, capsys, monkeypatch)
    answer = run(check=check, endpoint=server.endpoint, name="app", state=state, **credentials, **given)
    assert (answer["failed"], answer["msg"]) == (True, NO_ACCOUNTS)
    assert list(tmp_path.iterdir()) == []
