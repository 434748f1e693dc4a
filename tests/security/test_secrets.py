# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marked secrets go through every playbook at -vvvv --diff, on success, on failure and in check mode, and are searched for wherever they could stay."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tarfile
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from conftest import CONTAINER, KEPT, LOUD, Site

#: Bytes of a file that are read at a time.
PIECE = 1 << 20
#: Runs of all modules that show as much as they can. A run of several hosts is several.
PLAYED = (
    ("provision --check", 2),
    ("provision", 2),
    ("status unban", 2),
    ("status unban restart teardown --check", 1),
    ("restart", 1),
    ("export", 2),
    ("support_bundle", 1),
    ("rotate_credentials --check", 1),
    ("rotate_credentials", 3),
)


@pytest.fixture(scope="session")
def played(provisioned: Site, predicted: str, unliftable: str, rotation_checked: str, restarted: Site, rotated: Site, rotated_by_value: Site) -> Site:
    """A host on which everything was run."""
    site, wrong = provisioned, {"xinference_admin_password": f"{provisioned.password}wrong"}
    (model,) = site.settings["xinference_models"]
    source = {**model["registration"]["model_specs"][0], "model_uri": "file:///models/nothing"}
    elsewhere = {**model, "uid": "other", "name": "marked-other", "registration": {**model["registration"], "model_specs": [source]}}
    # Each fails in another place: the declaration, the server's own words, the credentials.
    hosts: dict[str, dict[str, Any]] = {
        "declaration": {"xinference_models": [{**model, "engine": "nothing"}]},
        "words": {"xinference_models": [elsewhere]},
        "credentials": wrong,
    }
    refused = site.play("provision", *LOUD, code=2, hosts=hosts)
    assert [host for host in hosts if not re.search(rf"^{host} .* failed=1 ", refused, re.MULTILINE)] == []
    site.play("status", "unban", *LOUD)
    for name, whether in (("plain", False), ("secret", True)):
        site.play("export", *LOUD, xinference_export_directory=name, xinference_export_secrets=whether)
    site.play("support_bundle", *LOUD, xinference_support_bundle_directory="bundles", xinference_support_bundle_log_kib=4096)
    site.play("status", "unban", "restart", "teardown", "--check", *LOUD)
    site.play("rotate_credentials", *LOUD, code=2, **wrong, xinference_new_admin_password=f"{site.password}too")
    assert site.found == set()
    return site


def test_no_output_shows_a_secret(played: Site, torn_down: Site) -> None:
    """Of all runs so far, and of the one that removes the server."""
    loud = [command for command, _output in played.outputs if LOUD[0] in command]
    for command, times in PLAYED:
        assert loud.count(" ".join((command, *LOUD))) >= times, (command, loud)
    assert loud[-1] == " ".join(("teardown", *LOUD))
    assert torn_down.found == set()
    for command, output in played.outputs:
        for name, mark in played.marks.items():
            lines = [line[:300] for line in output.splitlines() if mark in line]
            assert lines == [], f"{name} in the output of {command}"


def test_the_engine_shows_no_secret(played: Site) -> None:
    """Whoever may inspect the container or read its log. There the server itself writes a model's environment, as SECURITY.md says, but never the password."""

    def said(*command: str) -> str:
        done = subprocess.run(("docker", *command), check=True, capture_output=True, text=True)
        return done.stdout + done.stderr

    log = said("logs", CONTAINER)
    assert [name for name, mark in played.marks.items() if name != "environment" and mark in log] == []
    image = f"{played.settings['xinference_image']}:{played.settings['xinference_image_tag']}"
    for text in (said("inspect", CONTAINER), said("image", "inspect", image), said("image", "history", "--no-trunc", image)):
        assert [name for name, mark in played.marks.items() if mark in text] == []


def test_a_support_bundle_holds_no_secret(played: Site) -> None:
    """Though the server's log and the container's hold a model's environment: neither as it is, nor encoded."""
    [place] = (played.folder / "bundles").iterdir()
    assert place.stat().st_mode & 0o777 == 0o600
    with tarfile.open(place) as archive:
        read = {member.name.partition("/")[2]: archive.extractfile(member) for member in archive if member.isreg()}
        texts = {name: file.read().decode() for name, file in read.items() if file is not None}
    assert {"diagnosis.json", "configuration/declaration.json", "container/inspect.json", "container/log.txt", "server/log-01.txt"} <= set(texts)
    assert "EXAMPLE_TOKEN" in texts["configuration/declaration.json"]
    for name, mark in played.marks.items():
        # Of base64, what the letters beside the secret do not change. The marks are letters and digits, which no other encoding changes.
        written = {mark, mark.encode().hex(), *(b64encode(f"{before}{mark}".encode()).decode()[4:-4] for before in ("", "x", "xy"))}
        assert [member for member, text in texts.items() if any(each in text for each in written)] == [], name


def test_files_with_a_secret_can_be_read_by_root_alone(played: Site) -> None:
    """Passwords of people are nowhere, keys and the automation's password in their files, a model's environment in private files of the server."""
    keeping: dict[str, set[str]] = {}
    given = [played.folder / name for name in ("given.json", "hosts.json", "kept-password")]
    places = [played.folder, Path(played.settings["xinference_client_environment"]), KEPT, Path.home() / ".ansible", Path(tempfile.gettempdir())]
    for path in {path for place in places if place.is_dir() for path in place.rglob("*")}:
        try:
            if not path.is_file() or path.is_symlink():
                continue
            names = held(path, played.marks)
        except OSError:
            continue
        if path in given:
            continue
        for name in names:
            keeping.setdefault(name, set()).add(str(path))
            assert not reachable(path), f"{name} in {path}"
    for name in ("password", "new password", "account", "first key", "second key", "first automation"):
        assert keeping.get(name, set()) == set(), name
    # The file of the controller that was asked for.
    assert keeping["file password"] == {str(played.folder / "new-password")}
    assert keeping["key"] == {str(played.key_file)}
    assert keeping["automation"] == {str(KEPT / name) for name in ("automation", "automation.copy")}
    root = str(played.root)
    # What SECURITY.md names.
    of_the_server = r"/(\.xinference/(launch_history\.db|worker_recovery/[^/]+/models\.json)|logs/xinference\.log)"
    allowed = re.compile(rf"{re.escape(root)}{of_the_server}|{re.escape(str(KEPT))}/declaration\.json(\.copy)?")
    # What was asked to be written down.
    asked = str(played.folder / "secret/localhost.yml")
    assert asked in keeping["environment"]
    assert [path for path in keeping["environment"] if path != asked and not allowed.fullmatch(path)] == []


def held(path: Path, marks: dict[str, str]) -> set[str]:
    """The names of the marks that a file holds. Others leave files of a terabyte that are one hole: only what is written is read, piece by piece."""
    overlap, names = max(len(mark) for mark in marks.values()), set()
    with path.open("rb") as file:
        size, end = os.fstat(file.fileno()).st_size, 0
        while end < size:
            try:
                begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            for at in range(begin, end, PIECE):
                piece = os.pread(file.fileno(), min(PIECE, end - at) + overlap, at)
                names |= {name for name, mark in marks.items() if mark.encode() in piece}
    return names


def test_a_mark_is_found_behind_a_hole_and_across_two_pieces(tmp_path: Path) -> None:
    place = tmp_path / "file"
    with place.open("wb") as file:
        file.seek(1 << 40)
        file.write(b"x" * (PIECE - 2) + b"mark")
    assert held(place, {"one": "mark", "other": "ramk"}) == {"one"}


def reachable(path: Path) -> bool:
    """Whether another user of the machine could read a file."""
    return bool(path.stat().st_mode & stat.S_IROTH) and all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
