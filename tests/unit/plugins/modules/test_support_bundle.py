# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``support_bundle`` as Ansible runs it, on a host with marked secrets everywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.modules import support_bundle
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.exec_engine import ExecEngine
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.support.marked_host import MARKS, MarkedHost, leaked, unpacked
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner


class Bundled:
    """The module, and what it is given.

    :param host: whose files it reads.
    """

    def __init__(self, host: MarkedHost, runner: Runner, folder: Path) -> None:
        self.host, self.runner, self.path = host, runner, folder / "support.tar.gz"

    def __call__(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """The module's answer."""
        asked = self.host.asked

        def below(paths: list[str]) -> list[str]:
            return [f"{self.host.root}{path}" for path in paths]

        given = {
            "path": str(self.path),
            "folder": "web1",
            "facts": {"service": {"state": self.host.everything}},
            "diagnosis": {"time": "2026-11-29T22:00:00Z", "server": "4.1.0", "findings": [{"seen": self.host.everything}]},
            "container": "xinference",
            "docker_host": asked["docker_host"],
            "units": asked["units"],
            "identifiers": asked["identifiers"],
            "configuration_paths": below(asked["configuration"]),
            "status_paths": below(asked["status"]),
            "declaration_path": below([asked["declaration"]])[0],
            "secret_paths": below(asked["secrets"]),
            "secrets": [MARKS["admin"], MARKS["user"]],
            "mounts": {"/root/.xinference": str(self.host.home)},
            "controller": {"ansible": "2.21.5"},
            **options,
        }
        return self.runner(check=check, **given)


@pytest.fixture
def bundled(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bundled]:
    """The module on a host."""
    engine = ExecEngine(tmp_path / "docker.sock")
    host = MarkedHost(tmp_path / "root", engine)
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, command, **_options: host.run(command))
    yield Bundled(host, Runner(support_bundle.main, capsys, monkeypatch), tmp_path)
    engine.close()


def test_an_archive_is_written_without_secrets(bundled: Bundled) -> None:
    answer = bundled()
    assert not answer["failed"], answer
    assert answer["changed"]
    bundle = answer["bundle"]
    content = bundled.path.read_bytes()
    assert (bundle["path"], bundle["bytes"], bundle["left_out"]) == (str(bundled.path), len(content), [])
    assert bundled.path.stat().st_mode & 0o777 == 0o600
    members = unpacked(content)
    assert {name: text for name, text in members.items() if leaked(text)} == {}
    assert {each["name"]: each["bytes"] for each in bundle["members"]} == {name: len(text) for name, text in members.items() if name != "contents.json"}
    assert {"diagnosis.json", "container/log.txt", "server/log-01.txt", "units/xinference-models.service.journal.txt"} <= set(members)
    assert json.loads(members["versions.json"])["controller"] == {"ansible": "2.21.5"}
    # Neither what it answers holds one.
    assert leaked(json.dumps(bundle).encode()) == set()


def test_a_check_says_what_would_be_in_it_and_writes_nothing(bundled: Bundled) -> None:
    predicted = bundled(check=True)
    assert predicted["changed"]
    assert (predicted["bundle"]["path"], predicted["bundle"]["bytes"]) == (None, 0)
    assert not bundled.path.exists()
    assert bundled()["bundle"]["members"] == predicted["bundle"]["members"]


def test_what_is_there_is_not_replaced(bundled: Bundled) -> None:
    bundled.path.write_text("of another user", encoding="utf-8")
    answer = bundled()
    assert answer["failed"]
    assert answer["msg"] == f"path '{bundled.path}' cannot be written: File exists."
    assert bundled.path.read_text(encoding="utf-8") == "of another user"


@pytest.mark.parametrize("kib", [15, 4097, -1])
def test_a_size_out_of_range(bundled: Bundled, kib: int) -> None:
    answer = bundled(log_kib=kib)
    assert answer["failed"]
    assert answer["msg"] == f"log_kib {kib} must be a whole number from 16 to 4096."
    assert not bundled.path.exists()
