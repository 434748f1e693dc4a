# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real server with an account, and with its authentication switched off: the modules for accounts and keys say so in one sentence.

And its log files keep the bounds that role ``server`` gives it, which are tiny here.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from real_server import ENVIRONMENT, PASSWORD, USERNAME, Server, serving

from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import NO_ACCOUNTS
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.advisories import number
from ansible_collections.inferops.xinference.plugins.modules import api_key, user
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

CONTAINER = "xinference-accounts-switched-off"
#: Bytes of each of its log files, and how many rotated ones it keeps.
BYTES, ROTATED = 8192, 3
BOUNDS = {"XINFERENCE_LOG_ROTATION": "daily+size", "XINFERENCE_LOG_MAX_BYTES": str(BYTES), "XINFERENCE_LOG_BACKUP_COUNT": str(ROTATED)}
#: Bytes of the longest single line, which is written whole.
LINE = 4096
CREDENTIALS = {"username": USERNAME, "password": PASSWORD}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own."""
    with serving(tmp_path_factory.mktemp("xinference-home"), {**ENVIRONMENT, **BOUNDS, "XINFERENCE_AUTH_ADVANCED": "false"}, CONTAINER) as running:
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


def log_files(server: Server) -> dict[str, bytes]:
    """The files of its log, rotated ones included. One may be renamed meanwhile."""
    found = {}
    for path in (server.home / "logs").glob("xinference.log*"):
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.read_bytes()
    found.pop("xinference.log.rotate.lock", None)
    return found


def test_its_log_files_keep_their_bounds(server: Server) -> None:
    """Each is rotated before it gets larger, and of the rotated ones no more are kept than wanted: what was written first is gone in the end."""
    if (number(os.environ["XINFERENCE_TEST_VERSION"]) or (0, 0, 0)) < (2, 12, 0):
        pytest.skip("servers before 2.12 know no such bounds")
    end, asked = time.monotonic() + 300, 0

    def ask() -> None:
        # It writes lines about a model that is not there.
        answer = requests.get(f"{server.endpoint}/v1/models/absent-{asked}-model", timeout=30)
        assert answer.status_code == 400

    def is_kept() -> bool:
        return any(b"absent-0-model" in content for content in log_files(server).values())

    ask()
    assert is_kept()
    while is_kept():
        assert time.monotonic() < end, {name: len(content) for name, content in log_files(server).items()}
        asked += 1
        ask()
        files = log_files(server)
        assert all(len(content) <= BYTES + LINE for content in files.values()), {name: len(content) for name, content in files.items()}
        # One may be there for a moment before the oldest is removed.
        assert len(files) <= 1 + ROTATED + 1, sorted(files)
