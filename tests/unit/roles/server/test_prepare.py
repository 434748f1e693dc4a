# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secret of the server's processes, as it is written for a server alone and for a member of a cluster. The rest is tried in a container."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.inferops.xinference.tests.unit.roles.templating import ROOT, made

SCRIPT = (Path(__file__).parents[4] / "roles/server/files/prepare.py").read_text(encoding="utf-8")
KEY, OTHER = "k" * 32, "Other_key-of-the-cluster-0123456789"
LINE = "XOSCAR_AUTH_KEY="


class Image:
    """A directory of a server, and a package that stands for the transport of its processes.

    :param knows: whether that asks for a key.
    """

    def __init__(self, folder: Path, knows: bool) -> None:
        self.path = folder / "packages"
        self.home = folder / "home"
        self.file = self.home / "auth" / "environment"
        package = self.path / "xoscar" / "backends"
        package.mkdir(parents=True)
        (self.path / "xoscar" / "__init__.py").touch()
        (package / "router.py").write_text('import os\nKEY = os.environ.get("XOSCAR_AUTH_KEY")\n' if knows else "KEY = None\n", encoding="utf-8")
        self.home.mkdir()

    def prepare(self, **wanted: Any) -> subprocess.CompletedProcess[str]:
        """Run it as the role does, for a member without accounts."""
        given = {
            "home": str(self.home),
            "user": f"{os.getuid()}:{os.getgid()}",
            "folders": [],
            "keeper": "",
            "account": None,
            "administrator_alone": True,
            "without_accounts": "It has none.",
            **wanted,
        }
        return subprocess.run(
            (sys.executable, "-B", "-c", SCRIPT),
            input=json.dumps(given),
            capture_output=True,
            check=False,
            text=True,
            env={"PYTHONPATH": str(self.path), "PATH": ""},
        )

    def changed(self, **wanted: Any) -> bool:
        """Whether the secrets were changed."""
        done = self.prepare(**wanted)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        answer = json.loads(done.stdout)
        assert list(answer) == ["secrets_changed"]
        assert isinstance(answer["secrets_changed"], bool)
        return bool(answer["secrets_changed"])

    def lines(self) -> list[str]:
        """What the server takes from its environment."""
        return self.file.read_text(encoding="utf-8").splitlines()


def member(key: str) -> dict[str, str]:
    """What the role says of a host in a cluster."""
    return {"cluster": "worker", "cluster_key": key}


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """One whose processes ask for a key."""
    return Image(tmp_path, knows=True)


@pytest.fixture
def old(tmp_path: Path) -> Image:
    """One whose processes know none."""
    return Image(tmp_path, knows=False)


@pytest.mark.parametrize("alone", [{}, {"cluster": "", "cluster_key": ""}, {"cluster": "", "cluster_key": KEY}])
def test_a_server_alone_makes_its_own_key_and_keeps_it(image: Image, alone: dict[str, Any]) -> None:
    assert image.changed(**alone)
    (line,) = image.lines()
    assert re.fullmatch(LINE + "[0-9a-f]{64}", line)
    assert not image.changed(**alone)
    assert image.lines() == [line]


def test_a_member_of_a_cluster_has_the_key_of_the_cluster(image: Image) -> None:
    assert image.changed(**member(KEY))
    assert image.lines() == [LINE + KEY]
    assert not image.changed(**member(KEY))
    # It replaces any other, and the server has to be started again.
    assert image.changed(**member(OTHER))
    assert image.lines() == [LINE + OTHER]


def test_a_server_alone_that_joins_a_cluster_gives_its_own_key_up(image: Image) -> None:
    image.changed()
    assert image.changed(**member(KEY))
    assert image.lines() == [LINE + KEY]


def test_a_cluster_whose_network_alone_keeps_others_out_has_no_key(image: Image) -> None:
    # Nothing is what a server reads where there is no file.
    assert not image.changed(**member(""))
    assert image.lines() == [LINE]
    image.changed(**member(KEY))
    assert image.changed(**member(""))
    assert image.lines() == [LINE]
    assert not image.changed(**member(""))


def test_a_member_that_leaves_a_cluster_without_a_key_makes_its_own(image: Image) -> None:
    image.changed(**member(""))
    assert image.changed()
    (line,) = image.lines()
    assert re.fullmatch(LINE + "[0-9a-f]{64}", line)


def test_a_server_that_knows_no_key_is_not_taken_for_a_closed_one(old: Image) -> None:
    done = old.prepare(**member(KEY))
    assert done.returncode == 1
    assert done.stderr == (
        "The server's directory could not be prepared: this server knows no key of a cluster; take one since 4.0.1, or set xinference_cluster_without_key.\n"
    )
    assert done.stdout == ""
    assert not old.file.exists()


@pytest.mark.parametrize("wanted", [{}, {"cluster": ""}, {"cluster": "worker", "cluster_key": ""}])
def test_a_server_that_knows_no_key_gets_none(old: Image, wanted: dict[str, Any]) -> None:
    assert not old.changed(**wanted)
    assert old.lines() == [LINE]


def test_whatever_else_is_in_the_file_stays(image: Image) -> None:
    image.file.parent.mkdir()
    image.file.write_text("# Written by hand.\nXINFERENCE_AUTH_JWT_SECRET_KEY=a=b\n" + LINE + "before\n", encoding="utf-8")
    assert image.changed(**member(KEY))
    assert image.lines() == ["# Written by hand.", "XINFERENCE_AUTH_JWT_SECRET_KEY=a=b", LINE + KEY]


def test_nobody_but_the_server_reads_the_key_and_no_output_shows_it(image: Image) -> None:
    done = image.prepare(**member(KEY))
    assert KEY not in done.stdout + done.stderr
    assert [stat.S_IMODE(path.stat().st_mode) for path in (image.file, image.file.parent)] == [0o600, 0o700]
    assert [path.name for path in image.file.parent.iterdir()] == ["environment"]


def test_the_key_is_written_through_no_link(image: Image, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text(LINE + OTHER + "\n", encoding="utf-8")
    image.file.parent.mkdir()
    image.file.symlink_to(other)
    image.file.with_name("environment.new").symlink_to(other)
    assert image.changed(**member(KEY))
    assert not image.file.is_symlink()
    assert image.lines() == [LINE + KEY]
    assert other.read_text(encoding="utf-8") == LINE + OTHER + "\n"


@pytest.mark.parametrize(("host", "cluster"), [("head", "supervisor"), ("worker-1", "worker"), ("alone", "")])
def test_the_role_says_in_texts_whether_there_is_a_cluster(host: str, cluster: str) -> None:
    """What is null in a dictionary of a role is an empty text for ansible-core 2.18, and an empty key of a cluster would open all ports of its processes."""
    tasks = yaml.safe_load((ROOT / "roles/server/tasks/prepare.yml").read_text(encoding="utf-8"))
    (wanted,) = [each["vars"]["_wanted"] for task in tasks for each in task.get("block", ()) if "_wanted" in each.get("vars", {})]
    given = {
        "groups": {"xinference_supervisor": ["head"], "xinference_workers": ["worker-1"]},
        "inventory_hostname": host,
        "xinference_cluster_key": KEY,
    }
    assert [made(wanted[name], "server", given) for name in ("cluster", "cluster_key")] == [cluster, KEY]
