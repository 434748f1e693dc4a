# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Marked secrets go through every playbook at -vvvv --diff, on success, on failure and in check mode, and are searched for wherever they could stay."""

from __future__ import annotations

import re
import secrets
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import CONTAINER, KEPT, Site


class Lurker(threading.Thread):
    """Reads, all the time, what other processes of this machine show, and what lies in temporary folders for everybody to read.

    :param marks: what it looks for.
    """

    def __init__(self, marks: dict[str, str]) -> None:
        super().__init__(daemon=True)
        self.marks = {name: mark.encode() for name, mark in marks.items()}
        self.stopped = threading.Event()
        self.found: set[str] = set()

    def run(self) -> None:
        """Look until told to stop."""
        while not self.stopped.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                self.search(process / "cmdline")
                # What a model starts inherits its environment, and shows it to its own user and root alone: SECURITY.md names it.
                self.search(process / "environ", unless="environment" if in_a_container(process) else "")
            for path in Path(tempfile.gettempdir()).glob("*"):
                try:
                    if path.is_file() and path.stat().st_mode & stat.S_IROTH:
                        self.search(path)
                except OSError:
                    continue

    def search(self, path: Path, unless: str = "") -> None:
        """Take down which mark a file holds, but for one that may be there."""
        try:
            text = path.read_bytes()
        except OSError:
            return
        self.found |= {f"{name} in {path}" for name, mark in self.marks.items() if mark in text and name != unless}

    def stop(self) -> set[str]:
        """End, and say what was found."""
        self.stopped.set()
        self.join(60)
        return self.found


def in_a_container(process: Path) -> bool:
    """Whether a process sees others than this one does; one that is gone does."""
    try:
        return (process / "ns/pid").readlink() != Path("/proc/self/ns/pid").readlink()
    except OSError:
        return True


def kept(site: Site) -> tuple[str, str]:
    """The application's key and the automation's password, as their files have them now."""
    return site.key_file.read_text(encoding="utf-8").strip(), (KEPT / "automation").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="module")
def played(site: Site) -> Iterator[Site]:
    """A host on which everything was run."""
    site.add_consumer()
    lurker = Lurker(site.marks)
    lurker.start()
    loud = ("-vvvv", "--diff")
    try:
        site.play("inferops.xinference.provision", *loud, "--check")
        site.play("inferops.xinference.provision", *loud)
        # Those that a rotation replaces further down.
        site.marks["first key"], site.marks["first automation"] = kept(site)
        site.play("inferops.xinference.provision", *loud, "--check", xinference_models=[{**site.settings["xinference_models"][0], "replica": 2}])
        (model,) = site.settings["xinference_models"]
        # Each fails in another place: the declaration, the server's own words, the credentials, the container.
        site.play("inferops.xinference.provision", *loud, code=2, xinference_models=[{**model, "engine": "nothing"}])
        changed = {**model["registration"], "model_specs": [{**model["registration"]["model_specs"][0], "model_uri": "file:///models/nothing"}]}
        site.play(
            "inferops.xinference.provision", *loud, code=2, xinference_models=[{**model, "uid": "other", "name": "marked-other", "registration": changed}]
        )
        site.play("inferops.xinference.provision", *loud, code=2, xinference_admin_password=site.marks["password"] + "wrong")
        site.play("inferops.xinference.provision", *loud, xinference_models_remove_cached=True)
        site.play("inferops.xinference.status", *loud)
        site.play("inferops.xinference.status", *loud, xinference_admin_password=site.marks["password"] + "wrong")
        site.play("inferops.xinference.status", *loud, "--check")
        site.play("inferops.xinference.unban", *loud, "--check")
        site.play("inferops.xinference.unban", *loud)
        site.play("inferops.xinference.unban", *loud, code=2, xinference_admin_password=site.marks["password"] + "wrong")
        site.play("inferops.xinference.restart", *loud, "--check")
        site.play("inferops.xinference.restart", *loud)
        site.play("inferops.xinference.teardown", *loud, "--check")
        site.marks["new password"] = f"marked{secrets.token_hex(12)}"
        lurker.marks["new password"] = site.marks["new password"].encode()
        site.play("inferops.xinference.rotate_credentials", *loud, "--check", xinference_new_admin_password=site.marks["new password"])
        wrong = {"xinference_admin_password": site.marks["password"] + "wrong", "xinference_new_admin_password": site.marks["password"] + "too"}
        site.play("inferops.xinference.rotate_credentials", *loud, code=2, **wrong)
        site.play("inferops.xinference.rotate_credentials", *loud, xinference_new_admin_password=site.marks["new password"])
        site.marks["key"], site.marks["automation"] = kept(site)
        yield site
    finally:
        found = lurker.stop()
    assert found == set()


def test_no_output_shows_a_secret(played: Site) -> None:
    assert len(played.outputs) >= 19
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


def test_files_with_a_secret_can_be_read_by_root_alone(played: Site) -> None:
    """Passwords of people are nowhere, keys and the automation's password in their files, a model's environment in files of the server, which are shut."""
    keeping: dict[str, set[str]] = {}
    places = [played.folder, KEPT, Path.home() / ".ansible", Path(tempfile.gettempdir())]
    for path in {path for place in places if place.is_dir() for path in place.rglob("*")}:
        try:
            if not path.is_file() or path.is_symlink():
                continue
            text = path.read_bytes()
        except OSError:
            continue
        for name, mark in played.marks.items():
            if mark.encode() in text and path != played.folder / "given.json":
                keeping.setdefault(name, set()).add(str(path))
                assert not reachable(path), f"{name} in {path}"
    for name in ("password", "new password", "account", "first key", "first automation"):
        assert keeping.get(name, set()) == set()
    assert keeping["key"] == {str(played.key_file)}
    assert keeping["automation"] == {str(KEPT / name) for name in ("automation", "automation.copy")}
    root = str(played.root)
    # What SECURITY.md names.
    allowed = re.compile(re.escape(root) + r"/(\.xinference/(launch_history\.db|worker_recovery/[^/]+/models\.json)|logs/xinference\.log)")
    assert [path for path in keeping.get("environment", set()) if not allowed.fullmatch(path)] == []


def test_what_removes_the_server_shows_no_secret(played: Site) -> None:
    """The last one, because it removes what the others look at."""
    output = played.play("inferops.xinference.teardown", "-vvvv", "--diff", xinference_teardown_data=True)
    assert [name for name, mark in played.marks.items() if mark in output] == []


def reachable(path: Path) -> bool:
    """Whether another user of the machine could read a file."""
    return bool(path.stat().st_mode & stat.S_IROTH) and all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
