# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host on which each place that a support bundle reads holds a marked secret."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from ansible_collections.inferops.xinference.plugins.module_utils._core.support.redact import spellings
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.exec_engine import ExecEngine, frame

#: Name of the place → a secret that the host or the inventory keeps; no shape gives it away.
MARKS = {
    name: f"mark & '{name}' ä+{number}"
    for number, name in enumerate(("admin", "user", "backup", "restic", "service", "old", "xoscar", "jwt", "cipher", "model", "token", "url", "image"))
}


class MarkedHost:
    """A host.

    :param folder: where its file system begins.
    :param engine: its Docker.
    """

    def __init__(self, folder: Path, engine: ExecEngine) -> None:
        self.root, self.engine = folder, engine
        self.home = folder / "srv/xinference_data/.xinference"
        # Each text repeats all of them, as they are and encoded.
        self.everything = "\n".join(self.repeated())
        self.commands: list[list[str]] = []
        #: Status of every command of systemd.
        self.status = 0
        self.write("var/lib/xinference-models/automation", f"{MARKS['service']}\n{MARKS['old']}\n")
        self.write("var/lib/xinference-models/automation.copy", f"{MARKS['service']}\n")
        self.write("etc/xinference-backup/secrets.json", json.dumps({"password": MARKS["backup"], "environment": {"AWS": MARKS["restic"]}}))
        models = [{"uid": "chat", "name": self.everything, "environment": {"EXAMPLE": MARKS["model"]}}]
        self.write("var/lib/xinference-models/declaration.json", json.dumps({"version": 1, "options": {"models": models}}))
        self.write("etc/xinference-proxy/nginx.conf", self.everything)
        self.write("var/lib/xinference-models/state.json", json.dumps({"trouble": self.everything, self.everything: 1}))
        self.write("srv/xinference_data/.xinference/auth/environment", f"XOSCAR_AUTH_KEY={MARKS['xoscar']}\n")
        self.write("srv/xinference_data/.xinference/auth/jwt_secret_key", MARKS["jwt"])
        self.write("srv/xinference_data/.xinference/auth/encryption_key", f"{MARKS['cipher']}\n")
        self.write("srv/xinference_data/.xinference/logs/xinference.log", self.everything)
        self.write("srv/xinference_data/.xinference/logs/local_1/old.log", self.everything)
        address = f"http://proxy:{quote(MARKS['url'], safe='')}@proxy.example:3128"
        given = ["PATH=/bin", "XINFERENCE_HOME=/root/.xinference", f"HF_TOKEN={MARKS['token']}", f"HTTPS_PROXY={address}", f"IMAGE_KEY={MARKS['image']}"]
        container = {
            "Id": "0" * 64,
            "Image": "sha256:1",
            "Args": ["--password", "marked-argument", self.everything],
            "State": {"Status": "running", "Health": {"Log": [{"Output": self.everything}]}},
            "Config": {"Env": given, "Labels": {"made": self.everything}, "Cmd": [self.everything]},
            "HostConfig": {"Binds": [self.everything], "Secret": self.everything, "LogConfig": {"Config": {"a": self.everything}}},
            "NetworkSettings": {"Networks": {"x": {"IPAddress": "10.0.0.2"}}},
            "Mounts": [{"Source": self.everything}],
        }
        engine.answers["/containers/xinference/json"] = container
        engine.answers["/images/sha256:1/json"] = {"Id": "sha256:1", "RepoTags": ["xprobe/xinference:v4.1.0-cpu"], "Config": {"Env": ["PATH=/bin"]}}
        engine.answers["/version"] = {"Version": "28.0", "Components": [self.everything]}
        self.log(frame(1, f"{self.everything}\nlast words\n".encode()) + frame(2, b"an error\n"))

    def repeated(self) -> Iterator[str]:
        """Lines with each mark, and its encodings."""
        for mark in MARKS.values():
            yield f"a line with {mark} in it"
            for around in ("", "x", "xy"):
                yield base64.b64encode(f"{around}{mark}{around}".encode()).decode()
            yield f"GET /?x={quote(mark, safe='')} {quote(mark)} {json.dumps({'x': mark})} {mark.encode().hex()}"

    def log(self, frames: bytes) -> None:
        """Let the container have written this."""
        reply = self.engine.reply
        self.engine.reply = lambda path, body: (200, frames) if path.endswith("/logs") else reply(path, body)  # type: ignore[method-assign]

    def write(self, path: str, text: str) -> Path:
        """Write a file of the host."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def run(self, command: list[str]) -> tuple[int, str, str]:
        """What systemd says."""
        words = command[2:] if command[0].endswith("env") else command
        while words and "=" in words[0]:
            words = words[1:]
        self.commands.append(words)
        if self.status:
            return self.status, "", f"it does not run: {MARKS['admin']}"
        if words[:2] == ["systemctl", "show"]:
            units = [word for word in words[2:] if not word.startswith("-") and "absent" not in word]
            blocks = [f"Id={unit}\nLoadState=loaded\nActiveState=active\nResult={MARKS['admin']}" for unit in units]
            return 0, "\n\n".join([*blocks, "LoadState=not-found"]) + "\n", ""
        return 0, self.everything, ""

    @property
    def asked(self) -> dict[str, Any]:
        """What is collected, with paths of this host's root."""
        return {
            "container": "xinference",
            "docker_host": self.engine.address,
            "units": ["xinference-models.service", "absent.service"],
            "identifiers": ["xinference_proxy"],
            "configuration": ["/etc/xinference-proxy/nginx.conf", "/etc/absent"],
            "status": ["/var/lib/xinference-models/state.json"],
            "declaration": "/var/lib/xinference-models/declaration.json",
            "secrets": ["/var/lib/xinference-models/automation", "/etc/xinference-backup/secrets.json"],
        }


def leaked(content: bytes) -> set[str]:
    """Names of the marks that stand in a text, as they are or encoded in any way, also once more behind each other."""
    found = set()
    texts = [content.decode("utf-8", "replace")]
    texts.append(unquote(texts[0]))
    try:
        texts.append(json.dumps(json.loads(texts[0]), ensure_ascii=False))
    except ValueError:
        texts.append(texts[0].encode("ascii", "replace").decode("unicode_escape", "replace"))
    for name, mark in MARKS.items():
        if any(spelling in text for text in texts for spelling in spellings(mark)):
            found.add(name)
    return found


def unpacked(archive: bytes) -> dict[str, bytes]:
    """Members of an archive, all of them regular files for their owner alone in one directory."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as packed:
        for member in packed:
            assert member.isreg()
            assert (member.uid, member.gid, member.mode) == (0, 0, 0o600)
            assert not member.name.startswith("/")
            assert ".." not in member.name.split("/")
            file = packed.extractfile(member)
            assert file is not None
            found[member.name] = file.read()
    assert len({name.split("/")[0] for name in found}) == 1
    return {name.partition("/")[2]: content for name, content in found.items()}
