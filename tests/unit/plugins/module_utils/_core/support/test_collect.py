# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into a support bundle: everything that helps, no secret, and nothing that a container could choose of the host."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.observed.server_files import ServerFiles
from ansible_collections.inferops.xinference.plugins.module_utils._core.support.archive import Bundle, safe_name, write_private
from ansible_collections.inferops.xinference.plugins.module_utils._core.support.collect import Asked, collect
from ansible_collections.inferops.xinference.plugins.module_utils._core.support.redact import MASK, Redactor
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.exec_engine import ExecEngine, frame
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.support.marked_host import MARKS, MarkedHost, leaked, unpacked

#: Names of the members for the marked host.
ALL = {
    "contents.json",
    "diagnosis.json",
    "versions.json",
    "host.json",
    "configuration/declaration.json",
    "configuration/etc_xinference-proxy_nginx.conf",
    "container/inspect.json",
    "container/log.txt",
    "status/var_lib_xinference-models_state.json",
    "units/states.json",
    "units/xinference-models.service.txt",
    "units/xinference-models.service.journal.txt",
    "journal/xinference_proxy.txt",
    "server/log-01.txt",
    "server/log-02.txt",
    "server/logs.json",
}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[MarkedHost]:
    """The host."""
    engine = ExecEngine(tmp_path / "docker.sock")
    yield MarkedHost(tmp_path / "root", engine)
    engine.close()


def bundle_of(host: MarkedHost, **asked: Any) -> Bundle:
    """What is collected of it."""
    everything = host.everything
    return collect(
        Asked(**{**host.asked, **asked}),
        facts={"users": {"shop": {}}, "memory": {"total_mib": 1}, "docker": {"error": everything}, "service": {"units": {"a": everything}}},
        diagnosis={"time": "2026-11-29T22:00:00Z", "server": "4.1.0", "findings": [{"seen": everything, "remedy": everything}]},
        secrets=[MARKS["admin"], MARKS["user"]],
        server_files=ServerFiles({"/root/.xinference": str(host.home)}),
        run=host.run,
        root=host.root,
    )


def members_of(host: MarkedHost, **asked: Any) -> dict[str, bytes]:
    """What is in the archive."""
    return unpacked(bundle_of(host, **asked).packed("name", {"container": "xinference"}))


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_member_is_there_without_a_secret(host: MarkedHost, name: str) -> None:
    members = members_of(host)
    assert set(members) == ALL
    assert leaked(members[name]) == set()


def test_what_is_planted_would_be_found(host: MarkedHost) -> None:
    """The search of the test above finds each of the marks where nothing masks them."""
    assert leaked(host.everything.encode()) == set(MARKS)
    for mark in MARKS:
        assert leaked(json.dumps({"x": MARKS[mark]}).encode()) == {mark}


def test_no_secret_is_needed_in_the_inventory(host: MarkedHost) -> None:
    """What the host keeps is masked by what the host keeps."""
    members = members_of(host)
    assert MASK in members["server/log-01.txt"].decode()
    container = json.loads(members["container/inspect.json"])
    assert container["Variables"] == {
        "PATH": "/bin",
        "XINFERENCE_HOME": "/root/.xinference",
        "HF_TOKEN": MASK,
        "HTTPS_PROXY": f"http://{MASK}@proxy.example:3128",
        "IMAGE_KEY": MASK,
    }
    assert container["Args"][:2] == ["--password", MASK]
    assert "Secret" not in container["HostConfig"]
    assert json.loads(members["configuration/declaration.json"])["options"]["models"][0]["environment"] == {"EXAMPLE": MASK}
    assert "users" not in json.loads(members["host.json"])


def test_what_helps_is_there(host: MarkedHost) -> None:
    members = members_of(host)
    versions = json.loads(members["versions.json"])
    assert (versions["server"], versions["docker"]["Version"], versions["kernel"]["release"]) == ("4.1.0", "28.0", os.uname().release)
    assert members["container/log.txt"].decode().endswith("last words\nan error\n")
    listed = json.loads(members["contents.json"])
    assert {each["name"] for each in listed["members"]} == ALL - {"contents.json"}
    assert {each["path"] for each in json.loads(members["server/logs.json"])["newest"]} == {
        "/root/.xinference/logs/xinference.log",
        "/root/.xinference/logs/local_1/old.log",
    }
    assert ["journalctl", "--no-pager", "--quiet", "--output=short-iso", "--lines=1000", "--identifier=xinference_proxy"] in host.commands


def test_packages_of_the_client(host: MarkedHost) -> None:
    host.write("opt/client/lib/python3.11/site-packages/example-1.2.dist-info/METADATA", "Name: example\nVersion: 1.2\n")
    members = members_of(host, client=str(host.root / "opt/client"))
    assert json.loads(members["versions.json"])["packages"] == {"example": "1.2"}


def test_a_log_is_read_from_its_end_without_the_line_that_is_cut_off(host: MarkedHost) -> None:
    (host.home / "logs/local_1/old.log").unlink()
    host.write("srv/xinference_data/.xinference/logs/xinference.log", "x" * 100_000 + MARKS["jwt"] + "\n" + "whole line\n" * 10)
    # The limit goes through the secret.
    content = members_of(host, log_bytes=110 + 5)["server/log-01.txt"]
    assert content == b"whole line\n" * 10
    host.write("srv/xinference_data/.xinference/logs/xinference.log", "x" * 100_000)
    assert members_of(host, log_bytes=1000)["server/log-01.txt"] == b""


def test_members_are_of_bounded_size(host: MarkedHost) -> None:
    host.everything = "y" * 99 + "\n"
    host.everything *= 2_000
    host.log(frame(1, b"\x1b" * 99_999 + b"\n"))
    members = members_of(host, log_bytes=10_000)
    logs = [name for name in members if name.endswith(".txt")]
    assert logs
    assert all(len(members[name]) <= 10_000 for name in logs)
    assert all(len(members[name]) <= 4 << 20 for name in members)


def test_a_line_without_an_end_takes_little_memory(host: MarkedHost) -> None:
    """What masks a line takes a multiple of it, so a long one is cut before."""
    host.log(b"".join(frame(1, b"envs={" + b"a" * 16_000) for _part in range(500)))
    tracemalloc.start()
    try:
        assert members_of(host, log_bytes=16 << 10)["container/log.txt"] == b""
        # It is read once, and decoded.
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_what_a_container_wrote_leads_nowhere(host: MarkedHost) -> None:
    """Links, pipes, devices, holes and names: no link is followed, nobody is waited for, and no name is taken over."""
    outside = host.write("etc/shadow", "root:of-the-host")
    logs = host.home / "logs"
    for each in (logs / "xinference.log", logs / "local_1/old.log"):
        each.unlink()
    (logs / "linked.log").symlink_to(outside)
    (logs / "linked-folder").symlink_to(outside.parent)
    os.mkfifo(logs / "pipe.log")
    with (logs / "hole.log").open("wb") as file:
        file.truncate(1 << 40)
    (logs / "zero.log").write_bytes(b"text\0binary")
    (logs / "..\n\x1b[31m\udcff.log").write_text("\x1b[31mred\x1b[0m \u202e\r\nnext\tline", encoding="utf-8")
    members = members_of(host)
    server = {name: content for name, content in members.items() if name.startswith("server/")}
    assert b"of-the-host" not in b"".join(members.values())
    texts = [content.decode() for name, content in server.items() if name.endswith(".txt")]
    assert texts == ["\\x1b[31mred\\x1b[0m \\u202e\nnext    line"]
    rows = json.loads(server["server/logs.json"])["newest"]
    assert {row["bytes"] for row in rows} == {1 << 40, 11, len("\x1b[31mred\x1b[0m \u202e\r\nnext\tline".encode())}
    assert all(content.decode().replace("\n", "").isprintable() for content in members.values())


def test_a_directory_of_logs_that_is_a_link(host: MarkedHost, tmp_path: Path) -> None:
    (host.home / "logs").rename(host.home / "away")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file.log").write_text("of-the-host", encoding="utf-8")
    (host.home / "logs").symlink_to(tmp_path / "other")
    members = members_of(host)
    assert not [name for name in members if name.startswith("server/")]


def test_files_of_secrets_that_the_container_replaced(host: MarkedHost) -> None:
    """They name what is masked, and a link in their place names nothing."""
    outside = host.write("etc/words", "memory\n")
    (host.home / "auth/jwt_secret_key").unlink()
    (host.home / "auth/jwt_secret_key").symlink_to(outside)
    assert '"memory"' in members_of(host)["host.json"].decode()


def test_a_secret_that_cannot_be_read_is_not_written_by_chance(host: MarkedHost) -> None:
    """Nothing is written where a secret could be in it that is not known."""
    host.write("var/lib/xinference-models/automation", "x" * (65 << 10))
    with pytest.raises(XinferenceError, match=r"^'/var/lib/xinference-models/automation' cannot be read, so its secrets could not be masked, "):
        bundle_of(host)


def test_what_the_inventory_gives_to_a_container_that_is_gone(host: MarkedHost) -> None:
    mark, address = "mark of the inventory", "it's-a-<password>"
    host.write("etc/docker/daemon.json", json.dumps({"proxies": {"http-proxy": f"http://u:{address}@proxy.example"}}))
    host.write("srv/xinference_data/.xinference/logs/xinference.log", f"passphrase {mark}, {address}, /shown/place\n")
    del host.engine.answers["/containers/xinference/json"]
    given = {"CUSTOM_HUB_PASSPHRASE": mark, "HF_HOME": "/shown/place"}
    members = members_of(host, environment=given, configuration=["/etc/docker/daemon.json"])
    assert members["server/log-01.txt"] == f"passphrase {MASK}, {MASK}, /shown/place\n".encode()
    for content in members.values():
        assert mark.encode() not in content
        assert address.encode() not in content


def test_only_the_newest_logs_are_in_it(host: MarkedHost) -> None:
    for number in range(30):
        place = host.write(f"srv/xinference_data/.xinference/logs/local_{number}/xinference.log", f"number {number}")
        os.utime(place, (number + 10**9, number + 10**9))
    members = members_of(host)
    assert len([name for name in members if name.startswith("server/log-")]) == 12
    assert json.loads(members["server/logs.json"])["files"] == 32


def test_without_docker_systemd_and_files(tmp_path: Path, host: MarkedHost) -> None:
    host.status = 1
    host.engine.refuses = {"/json": 500}
    bundle = bundle_of(host, declaration="/absent", status=["/absent"])
    assert set(bundle.left_out) == {"container/inspect.json", "units/states.json", "journal/xinference_proxy.txt"}
    assert leaked(json.dumps(bundle.left_out).encode()) == set()
    assert bundle.left_out["units/states.json"] == f"it does not run: {MASK}"
    assert {"diagnosis.json", "versions.json", "host.json"} <= set(bundle.members)
    host.engine.refuses = {}
    del host.engine.answers["/containers/xinference/json"]
    assert bundle_of(host).left_out == {
        "container/inspect.json": "there is no container 'xinference'",
        "units/states.json": f"it does not run: {MASK}",
        "journal/xinference_proxy.txt": f"it does not run: {MASK}",
    }


def test_data_that_is_damaged(host: MarkedHost) -> None:
    host.write("var/lib/xinference-models/state.json", "{" + MARKS["admin"])
    host.write("var/lib/xinference-models/declaration.json", "[" * 1000)
    bundle = bundle_of(host)
    assert {"configuration/declaration.json", "status/var_lib_xinference-models_state.json"} <= set(bundle.left_out)
    assert leaked(json.dumps(bundle.left_out).encode()) == set()


@pytest.mark.parametrize(
    ("text", "name"),
    [("web1.example", "web1.example"), ("../../etc/passwd", "etc_passwd"), ("a b\n;", "a_b"), ("..", "unnamed"), ("ä", "unnamed"), ("x" * 500, "x" * 100)],
)
def test_names(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_the_archive_lies_in_one_directory_whatever_the_host_is_called() -> None:
    bundle = Bundle(Redactor(), 100)
    bundle.add_text("a.txt", "here", lambda: "text")
    assert set(unpacked(bundle.packed("../../../etc", {}))) == {"a.txt", "contents.json"}


def test_the_file_is_for_its_owner_alone_and_replaces_nothing(tmp_path: Path) -> None:
    place = tmp_path / "file"
    write_private(place, b"content")
    assert place.stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for each in (place, tmp_path / "link"):
        with pytest.raises(FileExistsError):
            write_private(each, b"other")
    assert place.read_bytes() == b"content"
