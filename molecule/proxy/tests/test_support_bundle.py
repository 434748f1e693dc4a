# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets in every log of a machine, and an archive of it in which none of them is."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from conftest import PASSWORD

SCENARIO = Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", Path(__file__).parents[1]))


def playbook(folder: Path, *words: str) -> str:
    """Output of the playbook, which writes into a directory."""
    given = {"xinference_support_bundle_directory": str(folder), "xinference_support_bundle_log_kib": 256}
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        *("--inventory", str(SCENARIO / "inventory.yml"), "--extra-vars", f"@{SCENARIO.parent / 'shared/models.yml'}"),
        *("--extra-vars", json.dumps(given), "inferops.xinference.support_bundle", *words),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(text: str, cut: int = 4) -> set[str]:
    """A secret as programs write it.

    :param cut: characters that are left out at both ends of base64, which what stands beside the secret changes.
    """
    inner = {base64.b64encode(f"{around}{text}{around}".encode()).decode() for around in ("", "x", "xy")}
    plain = {text, quote(text, safe=""), json.dumps(text)[1:-1], text.encode().hex()}
    return plain | {each[cut : len(each) - cut] for each in inner}


@pytest.fixture
def marks(host: Any, base: str, outsider: requests.Session) -> dict[str, str]:
    """Secrets, each of them planted in all logs of the machine, as it is and encoded."""
    found = {"administrator": PASSWORD, "service account": host.check_output("head -n 1 /var/lib/xinference-models/automation")}
    found["process key"] = host.check_output("sed -n 's/^XOSCAR_AUTH_KEY=//p' /srv/xinference_data/.xinference/auth/environment")
    # Of the inventory alone: the host keeps a hash.
    found["password for figures"] = "marked-secret-of-the-reader"
    assert all(len(value) > 20 for value in found.values()), {name: len(value) for name, value in found.items()}
    lines = [each for value in found.values() for each in written(value, 0)]
    # These are in no file: what they look like gives them away.
    shapes = {name: f"marked{secrets.token_hex(12)}" for name in ("bearer", "key", "option", "address", "private key")}
    lines += [
        f"Authorization: Bearer {shapes['bearer']}",
        f"sk-{shapes['key']}",
        f"password={shapes['option']}",
        f"http://user:{shapes['address']}@hub.example/",
        f"-----BEGIN PRIVATE KEY-----\n{shapes['private key']}\n-----END PRIVATE KEY-----",
    ]
    text = "\n".join(lines) + "\n"
    place = "/tmp/planted"
    host.run_expect([0], f"cat > {place} <<'END'\n{text}END\n")
    host.run_expect([0], f"cat {place} >> /srv/xinference_data/logs/xinference.log")
    host.run_expect([0], f"docker exec --interactive xinference sh -c 'cat > /proc/1/fd/1' < {place}")
    host.run_expect([0], f"logger --tag xinference_proxy --file {place}; rm {place}")
    # The path of a request is in the proxy's log; its query is not.
    for each in (*found.values(), *lines[-5:-1]):
        outsider.get(f"{base}/v1/models/{quote(each, safe='')}?token=in-the-query", timeout=30)
    return found | shapes


def test_no_secret_is_in_the_archive(tmp_path: Path, marks: dict[str, str], host: Any) -> None:
    output = playbook(tmp_path / "bundles", "-vvvv", "--diff")
    [archive] = (tmp_path / "bundles").iterdir()
    assert archive.name.startswith("xinference-molecule-proxy-xinference-2")
    assert archive.stat().st_mode & 0o777 == 0o600
    assert archive.parent.stat().st_mode & 0o777 == 0o700
    with tarfile.open(archive) as packed:
        members = {member.name.partition("/")[2]: packed.extractfile(member) for member in packed if member.isreg()}
        texts = {name: file.read().decode() for name, file in members.items() if file is not None}
    texts["the output"] = output
    for name, text in texts.items():
        assert [mark for mark, value in marks.items() if any(each in text for each in written(value))] == [], name
        assert "in-the-query" not in text
    for name in ("container/log.txt", "server/log-01.txt", "journal/xinference_proxy.txt"):
        assert "********" in texts[name], name
    assert json.loads(texts["diagnosis.json"])["server"] == os.environ["XINFERENCE_TEST_VERSION"]
    versions = json.loads(texts["versions.json"])
    assert versions["packages"]["xinference-client"]
    assert versions["docker"]["Version"]
    assert versions["controller"]["ansible"]
    units = json.loads(texts["units/states.json"])
    assert units["xinference-models.service"]["ActiveState"] == "active"
    assert {"configuration/etc_xinference-proxy_nginx.conf", "configuration/declaration.json", "units/xinference-models.service.journal.txt"} <= set(texts)
    assert json.loads(texts["contents.json"])["left_out"] == {}
    # Nothing stays on the host.
    assert host.check_output("find /run -maxdepth 1 -name 'xinference-support-*'") == ""


def test_a_check_says_what_would_be_written_and_writes_nothing(tmp_path: Path, host: Any) -> None:
    output = playbook(tmp_path / "bundles", "--check")
    assert "would be written, with:" in output
    assert "diagnosis.json, " in output
    assert not (tmp_path / "bundles").exists()
    assert host.check_output("find /run -maxdepth 1 -name 'xinference-support-*'") == ""
