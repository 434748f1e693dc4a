# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot may hold, its manifest, and the sentence of an error."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import contents
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, File, Manifest, is_kept, sentence, verify


def digest(content: bytes) -> str:
    """SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()


def snapshot(folder: Path, **changed: Any) -> dict[str, Any]:
    """Write a whole snapshot into a directory; what its manifest holds.

    :param changed: fields of the manifest that are something else.
    """
    for path, written in (("home/auth/encryption_key", b"key"), ("host/automation", b"password\n")):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(written)
    files = [File("home/auth/encryption_key", 3, digest(b"key")), File("host/automation", 9, digest(b"password\n"))]
    manifest = Manifest("one", "xinference", "2026-01-31T12:00:00Z", "0.1.0", "4.1.0", "image", "sha256:1", "/home", files, Manifest.fingerprints(files))
    content: dict[str, Any] = {**json.loads(manifest.text()), **changed}
    (folder / "manifest.json").write_text(json.dumps(content))
    return content


@pytest.mark.parametrize(
    "path",
    [
        *("home/auth/auth.db", "home/auth/a b", "home/launch_history.db", "home/system-settings.json", "home/model/a.json", "home/model/v2/llm/ä.json"),
        *("host/declaration.json", "host/declaration.json.copy", "host/automation", "host/automation.copy", "host/launched.json"),
    ],
)
def test_what_a_backup_takes(path: str) -> None:
    assert is_kept(path)


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", ".", "..", "home", "host", "home/", "host/", "manifest.json", "/etc/passwd", "//home/auth/a", "/home/auth/a", "../home/auth/a"),
        *("home/../host/automation", "home/auth/../auth.db", "home/./auth/a", "home/auth/.", "home/auth/..", "home/auth/", "home//auth/a", "home/auth//a"),
        *("home/auth/deep/a", "home/auth/a\0", "home/auth/a\n", "home/auth/a\x1b[2J", "home/auth/a\u202eb", "home/auth/\ud800", "home/model/../auth/a.json"),
        *("home/model/a.bin", "home/model/deep/a.JSON", "home/Model/a.json", "home/models/a.json", "home/cache/a.json", "home/download_tasks.db"),
        *(
            "home/worker-handoffs.json",
            "home/.restore/state.json",
            "home/deep/launch_history.db",
            "host/status.json",
            "host/deep/automation",
            "host/../host/automation",
        ),
        *("other/auth/a", "HOME/auth/a", " home/auth/a", "host/automation ", "home\\auth\\a"),
    ],
)
def test_what_no_backup_takes(path: str) -> None:
    assert not is_kept(path)


@given(
    st.lists(
        st.sampled_from(["home", "host", "auth", "model", "automation", "a.json", "a.db", "..", ".", "", "*", "a\0", "\n"]) | st.text(max_size=4), max_size=6
    )
)
def test_no_path_of_a_snapshot_leads_elsewhere(parts: list[str]) -> None:
    path = "/".join(parts)
    if is_kept(path):
        assert os.path.normpath(path) == path
        assert path.startswith(("home/auth/", "home/model/", "host/")) or fnmatch.fnmatchcase(path, "home/*.db") or path == "home/system-settings.json"
        assert path.isprintable()


@given(st.text(max_size=20))
def test_any_text_is_a_path_or_none(path: str) -> None:
    assert is_kept(f"home/auth/{path}") == (path not in ("", ".", "..") and "/" not in path and path.isprintable())


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    content = snapshot(tmp_path, model_files=[{"uid": "chat", "path": "/models/a", "size": 5}, {"uid": "x", "path": "/b", "size": None}], warnings=["Odd."])
    manifest = verify(tmp_path)
    assert json.loads(manifest.text()) == content
    assert manifest.size == 12
    assert manifest.keys == {"home/auth/encryption_key": digest(b"key")[:16]}
    (tmp_path / "manifest.json").write_text(manifest.text())
    assert verify(tmp_path) == manifest


def test_where_files_of_models_are_is_read_as_it_was_written(tmp_path: Path) -> None:
    held = {"uid": "chat", "path": "/models/a", "size": 5, "snapshot": "0123abcd", "problem": "", "source": "/srv/a", "files": [{"path": "", "size": 5}]}
    left = {"uid": "x", "path": "/b", "size": None, "snapshot": None, "problem": "Odd."}
    content = snapshot(tmp_path, model_files=[held, left, {"uid": "y", "path": "/c", "size": 1}])
    assert json.loads(verify(tmp_path).text()) == content


def test_the_fingerprints_are_those_of_the_files(tmp_path: Path) -> None:
    """Not what a manifest says of them."""
    snapshot(tmp_path, keys={"home/auth/encryption_key": "made up", "more": 7})
    assert verify(tmp_path).keys == {"home/auth/encryption_key": digest(b"key")[:16]}


def test_what_a_manifest_says_is_shown_without_control_characters(tmp_path: Path) -> None:
    models = [{"uid": "a\x1b[2J", "path": 7, "size": {"a": 1}}, "none", {"size": True}]
    snapshot(tmp_path, image="a\nb", model_files=models, warnings=["a\nb", 7])
    manifest = verify(tmp_path)
    assert manifest.image == "a b"
    assert manifest.model_files == [{"uid": "a [2J", "path": "7", "size": None}, {"uid": "None", "path": "None", "size": None}]
    assert manifest.warnings == ["a b", "7"]


ENTRY = {"path": "home/auth/encryption_key", "size": 3, "sha256": digest(b"key")}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"format": None}, "it names no format"),
        ({"format": 0}, "it is of format 0, and this version of the collection reads format 1"),
        ({"files": {}}, "files is {}"),
        ({"files": [{**ENTRY, "size": -1}]}, "size or sha256 of 'home/auth/encryption_key' is none"),
        ({"files": [{**ENTRY, "size": True}]}, "size or sha256 of"),
        ({"files": [{**ENTRY, "size": "3"}]}, "size or sha256 of"),
        ({"files": [{**ENTRY, "sha256": digest(b"key").upper()}]}, "size or sha256 of"),
        ({"files": [{**ENTRY, "sha256": None}]}, "size or sha256 of"),
        ({"files": [{**ENTRY, "path": None}]}, "it holds 'null', which no backup takes"),
        ({"files": [{**ENTRY, "path": "home/auth/\x1b[2J"}]}, "it holds 'home/auth/\\x1b[2J', which no backup takes"),
        ({"files": [{}]}, "which no backup takes"),
        ({"files": [ENTRY, ENTRY]}, "it names a file twice"),
        ({"files": [{**ENTRY, "size": 3 << 30}]}, "it holds more than 20000 files or 2048 MiB"),
        ({"files": [ENTRY] * 20_001}, "it holds more than 20000 files or 2048 MiB"),
        ({"files": [{**ENTRY, "size": 2}]}, "'host/automation', which its manifest does not name"),
        ({"server": None}, "server is null"),
        ({"home": 7}, "home is 7"),
        ({"model_files": None}, "model_files is null"),
        ({"warnings": "x"}, "warnings is x"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    snapshot(tmp_path, **changed)
    with pytest.raises(BackupError) as raised:
        verify(tmp_path)
    assert words in str(raised.value)


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"7", b"\xff", b"[" * 200 + b"]" * 200, b'{"format": ' + b"9" * 400 + b"}"])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: bytes) -> None:
    snapshot(tmp_path)
    (tmp_path / "manifest.json").write_bytes(text)
    with pytest.raises(BackupError, match=r"its manifest (cannot be read|is damaged)"):
        verify(tmp_path)


def test_a_link_in_place_of_the_manifest_is_not_followed(tmp_path: Path) -> None:
    snapshot(tmp_path)
    (tmp_path / "manifest.json").rename(tmp_path / "elsewhere")
    (tmp_path / "manifest.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BackupError, match="its manifest cannot be read"):
        verify(tmp_path)


@pytest.mark.parametrize("content", [b"", b"ke", b"keys", b"kez"])
def test_a_file_is_compared_by_size_and_content(tmp_path: Path, content: bytes) -> None:
    snapshot(tmp_path)
    (tmp_path / "home/auth/encryption_key").write_bytes(content)
    with pytest.raises(BackupError, match="it is damaged: 'home/auth/encryption_key' is not what its manifest names"):
        verify(tmp_path)


def test_a_pipe_in_a_snapshot_is_refused(tmp_path: Path) -> None:
    snapshot(tmp_path)
    (tmp_path / "host/automation").unlink()
    os.mkfifo(tmp_path / "host/automation")
    with pytest.raises(BackupError, match="it holds 'host/automation', which is no regular file"):
        verify(tmp_path)


def test_a_tree_of_endless_names_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot(tmp_path)
    monkeypatch.setattr(contents, "MOST_FILES", 2)
    for number in range(8):
        (tmp_path / f"home/auth/{number}").mkdir()
    with pytest.raises(BackupError, match="it cannot be read: there are too many names to read"):
        verify(tmp_path)


def test_an_empty_directory_does_no_harm(tmp_path: Path) -> None:
    snapshot(tmp_path)
    (tmp_path / "home/model/deep").mkdir(parents=True)
    assert len(verify(tmp_path).files) == 2


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("there is no room", "There is no room."),
        ("there is no room.", "There is no room."),
        ("'/etc/x' is damaged", "'/etc/x' is damaged."),
        ("xinference_backup_password is wrong", "xinference_backup_password is wrong."),
        ("/run/x: no room", "/run/x: no room."),
        ("", "."),
    ],
)
def test_an_error_is_a_sentence(text: str, whole: str) -> None:
    assert sentence(BackupError(text)) == whole
