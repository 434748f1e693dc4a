# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight says about backups."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.check import check_host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.preflight.good_host import (
    BACKUP,
    GOOD_PATH,
    HOST,
    ROOT,
    SETTINGS,
)

#: Facts of a bare host.
FOUND = {"restic": False, "available": None, "schedule": None, "restore": False}
ELSEWHERE = "Write it as /mnt/backups/xinference, sftp:user@host:/path, s3:https://host/bucket or rest:https://host/path."
OTHER = "Choose another directory, such as /var/backups/xinference."
WHEN = "Write one as systemd.timer has it, such as daily or '*-*-* 03:00:00', or leave it empty for no timer."
WHICH = "Write latest, 8 to 64 digits of an ID (0 to 9, a to f), or the absolute path of an archive on the controller."


def host(paths: dict[str, Any] | None = None, **backup: Any) -> dict[str, Any]:
    """A host without backups."""
    return {**HOST, "paths": {**HOST["paths"], **(paths or {})}, "backup": {**FOUND, **backup}}


def sentences(found: dict[str, Any], backup: dict[str, Any], **settings: Any) -> list[str]:
    """What is wrong."""
    failures = check_host(found, replace(SETTINGS, backup=replace(BACKUP, **backup), **settings))
    assert {failure.check for failure in failures} <= {"backup"}
    return [str(failure) for failure in failures]


@pytest.mark.parametrize(
    ("found", "backup", "settings"),
    [
        (host(), {}, {}),
        (host(available=True, schedule="fine"), {}, {}),
        (host(restic=True), {}, {"manage_docker": False}),
        (host(), {"schedule": "", "keep_daily": 1, "keep_weekly": 0}, {}),
        (host(), {"schedule": "Mon..Fri *-*-* 03:30:00 Europe/Berlin"}, {}),
        (host(), {"environment": {"AWS_ACCESS_KEY_ID": "marked", "AWS_SECRET_ACCESS_KEY": 12, "FLAG": True}}, {}),
        (host(), {"restore_from": "0a1b2c3d", "restore_host": "inference-01.example.com"}, {}),
        (host(), {"restore_from": "0a" * 32}, {}),
        (host(), {"restore_from": "/home/ops/one-xinference-0a1b2c3d.tar"}, {}),
    ],
)
def test_what_is_fine(found: dict[str, Any], backup: dict[str, Any], settings: dict[str, Any]) -> None:
    assert sentences(found, backup, **settings) == []


def test_nothing_is_asked_where_there_are_none() -> None:
    assert check_host({**HOST, "backup": None}, SETTINGS) == []


@pytest.mark.parametrize(
    ("found", "backup", "settings", "sentence"),
    [
        (host(), {"password_length": 0}, {}, "xinference_backup_password is empty. Choose one of at least 12 characters, and keep it elsewhere as well."),
        (host(), {"password_length": 11}, {}, "xinference_backup_password is too short. Choose one of at least 12 characters, and keep it elsewhere as well."),
        (host(), {"environment": ["AWS"]}, {}, "xinference_backup_environment must be a dictionary, but is a list."),
        (
            host(),
            {"environment": {"AWS_SECRET_ACCESS_KEY": ["marked"]}},
            {},
            "xinference_backup_environment: AWS_SECRET_ACCESS_KEY is a list, but must be a text, a number, true or false; "
            "remove it, or write '' for an empty text.",
        ),
        (
            host(),
            {"environment": {"A=B": "marked"}},
            {},
            "xinference_backup_environment: 'A=B' is no name; write a text in quotes, without '=' and spaces.",
        ),
        (
            host(),
            {"environment": {"RESTIC_PASSWORD": "marked"}},
            {},
            "xinference_backup_environment names RESTIC_PASSWORD, which the roles set themselves. Set xinference_backup_password.",
        ),
        (host(), {"schedule": "daily\nExecStart=x"}, {}, f"xinference_backup_schedule 'daily\\nExecStart=x' is none that systemd takes. {WHEN}"),
        (host(), {"schedule": "%h"}, {}, f"xinference_backup_schedule '%h' is none that systemd takes. {WHEN}"),
        (host(schedule="refused"), {"schedule": "nightly"}, {}, f"xinference_backup_schedule 'nightly' is none that systemd takes. {WHEN}"),
        (host(schedule="never"), {"schedule": "2020-01-01"}, {}, f"xinference_backup_schedule '2020-01-01' will not come any more. {WHEN}"),
        (host(), {"keep_daily": 0}, {}, "xinference_backup_keep_daily '0' must be a whole number of at least 1."),
        (host(), {"keep_weekly": -1}, {}, "xinference_backup_keep_weekly '-1' must be a whole number of at least 0."),
        (
            host(),
            {},
            {"manage_docker": False},
            "There is no restic on this host. Install it; the roles install the distribution's package on Debian and Ubuntu only.",
        ),
        (
            host(available=False),
            {},
            {},
            "There is no restic on this host, and the package manager knows none. "
            "Install it; the roles install the distribution's package on Debian and Ubuntu only.",
        ),
        (host(), {"restore_from": "0a1b2c3"}, {}, f"xinference_restore_from '0a1b2c3' names no snapshot. {WHICH}"),
        (host(), {"restore_from": "one.tar"}, {}, f"xinference_restore_from 'one.tar' names no snapshot. {WHICH}"),
        (host(), {"restore_from": ""}, {}, f"xinference_restore_from '' names no snapshot. {WHICH}"),
        (host(), {"restore_host": "--all"}, {}, "xinference_restore_host '--all' is no name of a host. Write it as in the inventory."),
        (host(), {"restore_host": "a\nb"}, {}, "xinference_restore_host 'a\\nb' is no name of a host. Write it as in the inventory."),
    ],
)
def test_each_mistake_gives_one_sentence(found: dict[str, Any], backup: dict[str, Any], settings: dict[str, Any], sentence: str) -> None:
    said = [each.rstrip() for each in sentences(found, backup, **settings)]
    assert said == [sentence]
    assert "marked" not in said[0]


@pytest.mark.parametrize(
    "repository",
    [
        "/var/backups/xinference",
        "/mnt/backups",
        "/srv/backups",
        "/srv/xinference_data2",
        "/root/backups",
        "sftp:user@host:/path",
        "sftp:host:backups",
        "sftp:user@[2001:db8::1]:/path",
        "sftp://user@host:2222//path",
        "s3:https://host/bucket",
        "s3:http://minio:9000/bucket/folder",
        "s3:s3.eu-central-1.amazonaws.com/bucket",
        "rest:https://host:8000",
        "rest:https://host/path/",
    ],
)
def test_where_snapshots_may_be_kept(repository: str) -> None:
    assert sentences(host(), {"repository": repository}) == []


@pytest.mark.parametrize(
    ("repository", "sentence"),
    [
        ("backups", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("b2:bucket", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("rest:http://host/", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("rest:https:///path", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("s3:https://host", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("s3:https://host/bucket?x=1", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("s3:https://host:port/bucket", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("sftp:-oProxyCommand=x:/path", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("sftp:user@host", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("s3:https://host/a bucket", f"is neither an absolute path nor a place that is known. {ELSEWHERE}"),
        ("/", f"is not a directory of its own. {OTHER}"),
        ("/backups", f"is not a directory of its own. {OTHER}"),
        ("/mnt//backups", "holds a '/', '.' or '..' too many. Write it as /mnt/backups."),
        ("/mnt/backups/", "holds a '/', '.' or '..' too many. Write it as /mnt/backups."),
        ("/mnt/x/../backups", "holds a '/', '.' or '..' too many. Write it as /mnt/backups."),
        ("/mnt/%h/backups", "holds the character '%', which units of systemd would read as something else. Choose a path without it."),
        ("/mnt/our backups", "holds the character ' ', which units of systemd would read as something else. Choose a path without it."),
        (ROOT, f"lies in xinference_data_root, so it would be lost with what it is a backup of. {OTHER}"),
        (f"{ROOT}/backups", f"lies in xinference_data_root, so it would be lost with what it is a backup of. {OTHER}"),
        ("/mnt/shared/models/backups", f"lies in a directory that the container sees, so the container could change it. {OTHER}"),
        ("/mnt/shared", f"holds /mnt/shared/models, so it is no directory of its own. {OTHER}"),
        ("/var/lib", f"holds /var/lib/xinference-backup, so it is no directory of its own. {OTHER}"),
        ("/var/lib/xinference-models/backups", f"lies in a directory of the roles. {OTHER}"),
        ("/var/backups", f"belongs to the system or to a user, or does not last. {OTHER}"),
        ("/etc/backups", f"belongs to the system or to a user, or does not last. {OTHER}"),
        ("/run/backups", f"belongs to the system or to a user, or does not last. {OTHER}"),
        ("/tmp/backups", f"belongs to the system or to a user, or does not last. {OTHER}"),
        ("/home/ops", f"belongs to the system or to a user, or does not last. {OTHER}"),
        ("/mnt/file", "is not a directory. Remove the file, or choose another path."),
        ("/mnt/link", f"lies in xinference_data_root, so it would be lost with what it is a backup of. {OTHER}"),
    ],
)
def test_where_snapshots_may_not_be_kept(repository: str, sentence: str) -> None:
    volumes = [*SETTINGS.volumes, {"path": "/mnt/shared/models", "target": "/shared", "read_only": True}]
    paths = {
        "/mnt/shared/models": {**GOOD_PATH, "real": "/mnt/shared/models"},
        "/mnt/file": {**GOOD_PATH, "directory": False, "real": "/mnt/file"},
        "/mnt/link": {**GOOD_PATH, "real": f"{ROOT}/backups"},
    }
    assert sentences(host(paths), {"repository": repository}, volumes=volumes) == [f"xinference_backup_repository '{repository}' {sentence}"]


@pytest.mark.parametrize("repository", ["rest:https://user:marked@host/", "s3:https://key:marked@host/bucket", "sftp:user:marked@host:/path", "x:u:marked@h"])
def test_a_password_in_a_repository_is_not_repeated(repository: str) -> None:
    assert sentences(host(), {"repository": repository}) == [
        "xinference_backup_repository holds a user name and a password. "
        "Put it into xinference_backup_environment, such as RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD."
    ]


def test_a_data_root_behind_a_link_is_found() -> None:
    paths = {ROOT: {**GOOD_PATH, "real": "/mnt/disk/data"}}
    (said,) = sentences(host(paths), {"repository": "/mnt/disk/data/backups"})
    assert "lies in xinference_data_root" in said


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    wrong = {"password_length": 3, "repository": "x", "environment": 3, "schedule": "%", "keep_daily": 0, "keep_weekly": -1, "restore_from": "x"}
    assert len(sentences(host(), {**wrong, "restore_host": "-"}, manage_docker=False)) == 9


def test_files_of_models_that_a_restore_brings_may_be_missing() -> None:
    """Whether it does is known when the snapshot was read."""
    lost = host({f"{ROOT}/models/a.gguf": {"exists": False}}, restic=True)
    (failure,) = check_host(lost, replace(SETTINGS, backup=BACKUP))
    assert str(failure) == f"Model 'chat': path '/models/a.gguf' does not exist. Copy it to {ROOT}/models/a.gguf on this host."
    assert check_host(lost, replace(SETTINGS, backup=replace(BACKUP, restoring=True))) == []


def test_a_restore_that_was_cut_off_is_ended_first() -> None:
    cut = host(restic=True, restore=True)
    (failure,) = check_host(cut, replace(SETTINGS, backup=BACKUP))
    assert str(failure) == (
        "A restore of this host was cut off before all files were in place, so its server would begin with a part of them. "
        "Run playbook restore again, which ends it."
    )
    assert check_host(cut, replace(SETTINGS, backup=replace(BACKUP, restoring=True))) == []
