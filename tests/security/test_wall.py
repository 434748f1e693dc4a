# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall between container and host: who runs code in the container gets nothing of the host, and who has no account on the server gets nothing of it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from attackers import NOBODY, inside, ports, take_over
from conftest import CONTAINER, Site, changes, said

from ansible_collections.inferops.xinference.tests.machine import built

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="another user's view needs root to take it")
#: Where the container sees a directory of the host, and what leads there.
PLACES = (
    *("/root/.cache/huggingface/hub", "/root/.cache/huggingface", "/root/.cache/modelscope", "/root/.xinference/huggingface"),
    *("/root/.xinference/modelscope", "/root/.xinference/logs", "/models"),
)


def victim(site: Site, name: str) -> Path:
    """A directory of the host with a secret, which has nothing to do with the server."""
    folder = site.folder / name
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    (folder / "secret").write_text("of the host", encoding="utf-8")
    (folder / "secret").chmod(0o644)
    return folder


def modes(folder: Path) -> list[int]:
    """Of a directory and its secret."""
    return [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "secret")]


def test_nothing_of_the_host_comes_in_with_a_restart(restarted: Site) -> None:
    """Docker follows links in the source of a mount whenever the container starts; before this one, every place of the container led to another directory."""
    for place in PLACES:
        assert inside(f"cat {place}/secret").stdout == "", place
    sources = [mount["Source"] for mount in json.loads(said("inspect", CONTAINER))[0]["Mounts"] if mount["Type"] == "bind"]
    assert sources and [source for source in sources if os.path.realpath(source) != source] == []


def test_a_mounted_directory_cannot_be_replaced(provisioned: Site) -> None:
    assert "busy" in inside("mv /root/.xinference/logs /root/.xinference/logs.away").stderr


def test_a_link_that_the_container_made_changes_no_file_of_the_host(provisioned: Site) -> None:
    """A mounted directory does not go away, but one above it might."""
    folder = victim(provisioned, "victim")
    for links in ({".xinference/cache": "", ".xinference/auth": ""}, {".xinference/auth/encryption_key": "/secret"}):
        for path, leads_to in links.items():
            place = f"/root/{path}"
            inside(f"mv {place} {place}.away && ln -s {folder}{leads_to} {place}")
        try:
            output = provisioned.play("provision", code=2)
        finally:
            for path in links:
                place = f"/root/{path}"
                inside(f"rm {place} && mv {place}.away {place}")
        for path in links:
            assert f"{provisioned.root}/{path} is a link." in output
        assert changes(output) == [0]
        assert modes(folder) == [0o711, 0o644]
    assert changes(provisioned.play("provision")) == [0]


def test_no_user_of_the_host_commands_the_server(provisioned: Site) -> None:
    """The ports of the server's processes run what they are sent. Who does not know their key can send them nothing."""
    kept = (provisioned.root / ".xinference/auth/environment").read_text(encoding="utf-8").splitlines()
    (key,) = [line.partition("=")[2] for line in kept if line.startswith("XOSCAR_AUTH_KEY=")]
    assert len(key) == 64
    others = [port for port in ports() if port != 9997]
    # A client that knows it can, which proves that the attack works.
    assert [port for port in others if take_over(port, key)] != []
    assert [port for port in others if take_over(port)] == []
    assert [port for port in others if take_over(port, "0" * 64)] == []


def test_a_file_of_the_container_gives_nobody_the_rights_of_root(provisioned: Site) -> None:
    """Root of the container makes programs that run as root for whoever can reach them."""
    names = (".xinference/id", ".cache/huggingface/hub/id")
    made = inside(" && ".join(f"cp /usr/bin/id /root/{name} && chmod 6755 /root/{name}" for name in names))
    assert made.returncode == 0, made.stderr
    programs = [provisioned.root / name for name in names]
    try:
        for program in programs:
            assert program.stat().st_mode & stat.S_ISUID
            with pytest.raises(PermissionError):
                subprocess.run((str(program), "-u"), check=False, user=NOBODY, group=NOBODY, extra_groups=[])
    finally:
        for program in programs:
            program.unlink()


def test_who_listens_in_the_server_s_place_gets_no_password(tempted: str, provisioned: Site) -> None:
    """The run ends with a sentence, and nothing was sent."""
    assert f"on port {provisioned.port} of this machine listens a process of user nobody ({NOBODY}), and not the server's; nothing was sent to it." in tempted


@pytest.fixture(scope="session")
def migrated(restricted: dict[str, Any], site: Site) -> dict[str, str]:
    """Outputs of runs on a host of an earlier version, whose container could choose what of the host is mounted, and did."""
    said("rm", "--force", CONTAINER)
    folder, hub = victim(site, "second-victim"), site.root / ".cache/huggingface/hub"
    (hub / "kept").write_text("downloaded", encoding="utf-8")
    site.root.chmod(0o755)
    mounts = {
        ".xinference": "/root/.xinference",
        ".cache/huggingface": "/root/.cache/huggingface",
        ".cache/huggingface/hub": "/root/.xinference/huggingface",
        "logs": "/root/.xinference/logs",
    }
    volumes = [word for source, target in mounts.items() for word in ("--volume", f"{site.root}/{source}:{target}")]
    label = ("--label", "io.inferops.collection=inferops.xinference")
    made = said("run", "--detach", "--name", CONTAINER, "--restart", "unless-stopped", *label, *volumes, built("server"), "sleep", "infinity")
    assert said("inspect", "--format", "{{.State.Status}}", CONTAINER) == "running", made
    left = inside(f"mv /root/.cache/huggingface/hub /root/.cache/huggingface/away && ln -s {folder} /root/.cache/huggingface/hub")
    assert left.returncode == 0, left.stderr
    outputs = {"refused": site.play("provision", code=2, **restricted)}
    hub.unlink()
    hub.with_name("away").rename(hub)
    outputs["made again"] = site.play("provision", **restricted)
    outputs["again"] = site.play("provision", **restricted)
    return outputs


@pytest.mark.test_all("hosts of versions before the first release; two more servers are started")
def test_a_host_of_an_earlier_version_is_taken_over_without_losing_a_file(migrated: dict[str, str], site: Site) -> None:
    assert f"{site.root}/.cache/huggingface/hub is a link." in migrated["refused"]
    assert modes(site.folder / "second-victim") == [0o711, 0o644]
    for place in ("/root/.cache/huggingface/hub", "/root/.xinference/huggingface"):
        assert inside(f"cat {place}/kept").stdout == "downloaded"
    assert stat.S_IMODE(site.root.stat().st_mode) == 0o700
    assert "Stop the container that can choose what of the host is mounted" in migrated["made again"]
    assert changes(migrated["again"]) == [0]
