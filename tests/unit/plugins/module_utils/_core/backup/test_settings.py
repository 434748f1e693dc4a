# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a host's backups, and its secrets: what is missing, damaged or open to others is named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import Secrets, Settings, read_secrets, read_settings

GOOD: dict[str, Any] = {each.name: True if each.name == "model_files" else 7 if each.name.startswith("keep_") else f"/{each.name}" for each in fields(Settings)}
SECRETS: dict[str, Any] = {"password": "marked password", "environment": {"AWS_SECRET_ACCESS_KEY": "marked-key"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of root alone."""
    path = tmp_path / "file.json"
    path.touch(mode=0o600)
    return path


def words(read: Callable[[str], object], path: Path) -> str:
    """Why a file is not taken, without its path."""
    with pytest.raises(BackupError) as raised:
        read(str(path))
    assert "marked" not in str(raised.value)
    assert f"'{path}'" in str(raised.value)
    return str(raised.value).replace(f"'{path}'", "FILE")


def test_settings_are_read(path: Path) -> None:
    # Newer collections may write more.
    path.write_text(json.dumps({**GOOD, "home": "/home"}))
    found = read_settings(str(path))
    assert asdict(found) == GOOD
    assert found.local == Path("/repository")


@pytest.mark.parametrize("repository", ["sftp:user@store:/srv/one", "s3:https://store/bucket", "rest:https://store/one"])
def test_a_repository_elsewhere_is_no_directory(path: Path, repository: str) -> None:
    path.write_text(json.dumps({**GOOD, "repository": repository}))
    assert read_settings(str(path)).local is None


def test_settings_of_an_older_collection_take_no_files_of_models_along(path: Path) -> None:
    path.write_text(json.dumps({name: value for name, value in GOOD.items() if name != "model_files"}))
    assert read_settings(str(path)).model_files is False
    for value in (None, 1, "true"):
        path.write_text(json.dumps({**GOOD, "model_files": value}))
        assert words(read_settings, path) == "FILE is damaged: it has no model_files; provision this host again"


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"model_files"}))
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, "other kind"])
def test_each_setting_is_there_and_of_its_kind(path: Path, name: str, value: Any) -> None:
    wrong = value if value != "other kind" else "7" if name.startswith("keep_") else 7
    for content in ({**GOOD, name: wrong}, {other: kept for other, kept in GOOD.items() if other != name}):
        path.write_text(json.dumps(content))
        assert words(read_settings, path) == f"FILE is damaged: it has no {name}; provision this host again"


def test_secrets_are_read(path: Path) -> None:
    path.write_text(json.dumps(SECRETS))
    assert read_secrets(str(path)) == Secrets("marked password", {"AWS_SECRET_ACCESS_KEY": "marked-key"})
    path.write_text(json.dumps({"password": "x", "environment": {"PORT": 22}}))
    assert read_secrets(str(path)) == Secrets("x", {"PORT": "22"})


@pytest.mark.parametrize(
    "changed", [{"password": None}, {"password": ""}, {"password": 7}, {"password": ["marked"]}, {"environment": None}, {"environment": []}]
)
def test_damaged_secrets_are_refused(path: Path, changed: dict[str, Any]) -> None:
    for content in ({**SECRETS, **changed}, {name: value for name, value in SECRETS.items() if name not in changed}):
        path.write_text(json.dumps(content))
        assert words(read_secrets, path) == "FILE is damaged: it holds no password; provision this host again"


@pytest.mark.parametrize("read", [read_settings, read_secrets])
class TestBoth:
    """What is so of either file."""

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644])
    def test_others_must_not_read_it(self, read: Callable[[str], object], path: Path, mode: int) -> None:
        path.write_text(json.dumps({**GOOD, **SECRETS}))
        path.chmod(mode)
        assert words(read, path) == "FILE can be read by others than its owner; set its mode to 0600"

    @pytest.mark.parametrize("text", ["[]", "null", "7", '"text"', '["marked"]'])
    def test_another_kind_is_refused(self, read: Callable[[str], object], path: Path, text: str) -> None:
        path.write_text(text)
        assert words(read, path) == "FILE is damaged; provision this host again"

    @pytest.mark.parametrize("text", [b"", b"{", b'{"password": "marked', b"\xff\xfe", b"[" * 200 + b"]" * 200])
    def test_damaged_json_is_refused(self, read: Callable[[str], object], path: Path, text: bytes) -> None:
        path.write_bytes(text)
        assert words(read, path).startswith("FILE cannot be read: ")

    def test_a_link_in_its_place_is_not_followed(self, read: Callable[[str], object], path: Path) -> None:
        path.write_text(json.dumps({**GOOD, **SECRETS}))
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
        assert words(read, path) == f"FILE cannot be read: {os.strerror(40)}"

    def test_a_directory_or_a_pipe_in_its_place_is_refused(self, read: Callable[[str], object], path: Path) -> None:
        path.unlink()
        path.mkdir()
        assert words(read, path) == "FILE cannot be read: Is a directory"
        path.rmdir()
        os.mkfifo(path)
        assert words(read, path) == "FILE cannot be read: it is no regular file"

    def test_a_file_without_end_is_refused(self, read: Callable[[str], object], path: Path) -> None:
        os.truncate(path, 1 << 40)
        assert words(read, path) == "FILE cannot be read: it has more than 1048576 bytes"

    def test_a_file_that_is_not_there_is_named(self, read: Callable[[str], object], path: Path) -> None:
        path.unlink()
        assert words(read, path) == "there is no FILE; provision this host with xinference_backup first"
