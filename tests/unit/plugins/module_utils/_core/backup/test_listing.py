# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of snapshots: what each says of itself, and what a repository says that another host wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import listing
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.backup import make
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.command import Answer
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.listing import listed
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import Secrets
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host

ID = "0123456789abcdef" * 4
ROW = {"id": ID, "hostname": "one", "time": "2026-01-31T03:00:00.123456789Z", "paths": ["/run/x/work/snapshot"]}
MANIFEST: dict[str, Any] = {
    **{"format": 1, "host": "one", "container": "xinference", "created": "2026-01-31T03:00:00Z", "collection": "0.1.0", "server": "4.1.0"},
    **{"image": "image", "image_id": "sha256:1", "home": "/root/.xinference", "keys": {}, "model_files": [], "warnings": []},
    "files": [{"path": "home/auth/auth.db", "size": 5, "sha256": "0" * 64}, {"path": "home/auth/encryption_key", "size": 7, "sha256": "1" * 64}],
}


class Repository:
    """A repository that another host may have written to.

    :param rows: that it lists.
    :param answer: what it says when a file is read.
    """

    def __init__(self, rows: Sequence[object], answer: Answer) -> None:
        self.rows = rows
        self.answer = answer
        self.calls: list[list[str]] = []

    def __call__(self, arguments: Sequence[str], environment: dict[str, str], gate: int | None = None, seconds: float | None = None) -> Answer:
        self.calls.append(list(arguments[1:]))
        return Answer(0, json.dumps(self.rows), "") if arguments[1] == "snapshots" else self.answer


def asked(host: Host, repository: Repository, of: str | None = None) -> list[dict[str, Any]]:
    """What is listed of a repository."""
    return listed(host.settings, Restic(host.settings, Secrets("correct horse", {}), repository), of)


def one(host: Host, text: str, **changed: object) -> dict[str, Any]:
    """What is listed of a snapshot with this manifest."""
    (row,) = asked(host, Repository([{**ROW, **changed}], Answer(0, text, "")))
    return row


def test_snapshots_that_were_made(host: Host) -> None:
    host.engine.server = "4.1.0"
    assert listed(host.settings, host.restic) == []
    first, second = make(host.settings, host.docker, host.restic), make(host.settings, host.docker, host.restic)
    rows = listed(host.settings, host.restic)
    assert [row["id"] for row in rows] == [first.id[:8], second.id[:8]]
    assert rows[0] == {
        **{"id": first.id[:8], "host": "one", "time": "2026-01-01T00:00:00Z", "server_version": "4.1.0", "problem": ""},
        **{"files": len(first.manifest.files), "bytes": first.manifest.size},
    }


def test_nothing_is_locked_or_written(host: Host) -> None:
    repository = Repository([ROW], Answer(0, json.dumps(MANIFEST), ""))
    asked(host, repository)
    assert repository.calls == [
        ["snapshots", "--json", "--no-lock", "--tag", "inferops.xinference,container=xinference", "--host", "one"],
        ["dump", "--no-lock", ID, "/run/x/work/snapshot/manifest.json"],
    ]
    assert not Path(host.settings.state_directory).exists()
    assert not Path(host.settings.staging_directory).exists()


def test_snapshots_of_another_host_and_whatever_container(host: Host) -> None:
    repository = Repository([], Answer(0, "", ""))
    assert asked(host, repository, "two") == []
    tags = ["inferops.xinference,container=xinference", "inferops.xinference"]
    assert repository.calls == [["snapshots", "--json", "--no-lock", "--tag", tag, "--host", "two"] for tag in tags]


@pytest.mark.parametrize(
    ("time", "utc"),
    [
        ("2026-01-31T03:00:00.123456789Z", "2026-01-31T03:00:00Z"),
        ("2026-01-31T00:30:00.5+01:00", "2026-01-30T23:30:00Z"),
        ("2026-01-31T00:30:00-05:30", "2026-01-31T06:00:00Z"),
        *[(odd, "") for odd in ("", "None", "yesterday", "2026-13-31T03:00:00Z", "0001-01-01T00:00:00+23:00", "2026-01-31T03:00:00+99:00", "9" * 3000)],
        ("2026-01-31T03:00:00", ""),
        ("\u0662\u0660\u0662\u0666-01-31T03:00:00Z", ""),
    ],
)
def test_times_are_in_utc(host: Host, time: str, utc: str) -> None:
    assert one(host, json.dumps(MANIFEST), time=time)["time"] == utc


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "its manifest cannot be read"),
        ("no JSON", "its manifest cannot be read"),
        ("[" * 200 + "]" * 200, "its manifest cannot be read"),
        ("[]", "its manifest is damaged: it names no format"),
        (json.dumps({**MANIFEST, "format": 2}), "it is of format 2, and this version of the collection reads format 1"),
        (json.dumps({**MANIFEST, "server": 4}), "its manifest is damaged: server is 4"),
        (json.dumps({**MANIFEST, "files": [{"path": "/etc/shadow", "size": 5, "sha256": "0" * 64}]}), "it holds '/etc/shadow', which no backup takes"),
        (json.dumps({**MANIFEST, "files": [{"path": "home/auth/a", "size": 9**99, "sha256": "0" * 64}]}), "it holds more than 20000 files or 2048 MiB"),
        (json.dumps({**MANIFEST, "host": "two\n\x1b[2J"}), "its manifest is of host 'two  [2J'"),
        ("x" * (17 << 20), "its manifest is longer than 16 MiB"),
    ],
)
def test_a_snapshot_that_does_not_say_is_listed_all_the_same(host: Host, text: str, problem: str) -> None:
    row = one(host, text)
    assert row["problem"].startswith(problem)
    assert row["problem"].isprintable()
    assert (row["id"], row["server_version"], row["files"], row["bytes"]) == (ID[:8], None, None, None)


def test_what_is_said_of_a_server_is_short_and_on_one_line(host: Host) -> None:
    row = one(host, json.dumps({**MANIFEST, "server": "4.1.0\n" + "x" * 5000}))
    assert row["server_version"] == "4.1.0 " + "x" * 34
    assert one(host, json.dumps({**MANIFEST, "server": ""}))["server_version"] is None


@pytest.mark.parametrize("paths", [None, [], [7], ["--option"], ["../../x"]])
def test_a_path_is_never_an_option(host: Host, paths: object) -> None:
    repository = Repository([{**ROW, "paths": paths}], Answer(1, "", "Fatal: path not found in snapshot"))
    (row,) = asked(host, repository)
    assert row["problem"].endswith("Fatal: path not found in snapshot")
    assert repository.calls[1][:3] == ["dump", "--no-lock", ID]
    assert repository.calls[1][3].startswith("/")


def test_of_many_snapshots_the_last_are_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_MOST", 2)
    rows = [{**ROW, "id": f"{number:064}", "time": f"2026-01-{number:02}T03:00:00Z"} for number in (1, 2, 3)]
    repository = Repository(rows, Answer(0, json.dumps(MANIFEST), ""))
    assert [row["problem"] for row in asked(host, repository)] == ["it is not one of the last 2, so it was not read", "", ""]
    assert len(repository.calls) == 3


def test_a_repository_that_cannot_be_listed_is_a_sentence(host: Host) -> None:
    host.repository.fails["snapshots"] = ["Fatal: wrong password or no key found\n"]
    with pytest.raises(BackupError, match="xinference_backup_password does not open the repository"):
        listed(host.settings, host.restic)
