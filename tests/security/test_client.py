# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client on a host, installed by hashes: what has another content is refused before it runs."""

from __future__ import annotations

import hashlib
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Site, changes, of_host

from ansible_collections.inferops.xinference.tests.machine import ROOT, built

REFUSED = "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE"
#: What the collection brings.
SHIPPED = ROOT / "roles/_common/files/client-4.1.0.txt"
#: The part of a run that installs the client and uses it. The last run of each story is whole.
PART = ("provision", "--tags=models")


def hashes(wheels: Path) -> str:
    """What pip-compile --generate-hashes writes of these wheels."""
    lines = []
    for wheel in sorted(wheels.glob("*.whl")):
        name, version, *_tags = wheel.name.split("-")
        lines.append(f"{name.replace('_', '-')}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return "".join(lines)


@pytest.fixture(scope="module")
def given(provisioned: Site) -> dict[str, Any]:
    """Variables of a host without a package index and without a client yet, and with requirements with hashes."""
    wheels = Path(built("wheels", "--python", f"{sys.version_info.major}.{sys.version_info.minor}"))
    path = provisioned.folder / "client.txt"
    path.write_text(hashes(wheels), encoding="utf-8")
    return {
        "xinference_client_environment": str(provisioned.folder / "client"),
        "xinference_client_find_links": str(wheels),
        "xinference_client_requirements": str(path),
    }


@pytest.fixture
def pinned(given: dict[str, Any]) -> Path:
    """The file with the requirements."""
    return Path(given["xinference_client_requirements"])


def installed(site: Site) -> list[str]:
    """The client's directories in the environment, which carry its version."""
    return [path.name for path in (site.folder / "client").glob("lib/python3*/site-packages/xinference_client-*")]


def test_a_wrong_hash_is_refused_before_the_models(provisioned: Site, given: dict[str, Any], pinned: Path) -> None:
    right = pinned.read_text(encoding="utf-8")
    # Of a package that the client needs: what it depends on is checked, too.
    before, name, after = right.partition("requests==")
    digest = after.partition("sha256:")[2][:64]
    pinned.write_text(before + name + after.replace(digest, digest[::-1], 1), encoding="utf-8")
    # What pip says, a check cannot predict.
    provisioned.play("provision", "--check", **given)
    output = provisioned.play("provision", code=2, **given)
    assert REFUSED in output
    assert digest in output
    assert "Ensure the declared models" not in output
    assert installed(provisioned) == []
    pinned.write_text(right, encoding="utf-8")


@pytest.mark.test_all("every part that provisions a host installs the client by the hashes of the collection")
def test_the_right_ones_are_installed_once(provisioned: Site, given: dict[str, Any]) -> None:
    assert "Ensure the declared models" in provisioned.play(*PART, **given)
    assert installed(provisioned) == ["xinference_client-4.1.0.dist-info"]
    assert stat.S_IMODE((provisioned.folder / "client/requirements.txt").stat().st_mode) == 0o600
    assert changes(provisioned.play(*PART, **given)) == [0]


@pytest.mark.test_all("every part that provisions a host installs the client by the hashes of the collection")
def test_what_is_there_is_installed_again_when_the_hashes_change(provisioned: Site, given: dict[str, Any], pinned: Path) -> None:
    """An environment from before there were hashes, or from other ones."""
    right = pinned.read_text(encoding="utf-8")
    pinned.write_text(right + "# another one\n", encoding="utf-8")
    (meddled,) = (provisioned.folder / "client").glob("lib/python3*/site-packages/requests/__init__.py")
    whole = meddled.read_bytes()
    meddled.write_bytes(whole + b"# meddled with\n")
    (predicted,) = changes(provisioned.play(*PART, "--check", **given))
    assert predicted
    provisioned.play(*PART, **given)
    assert meddled.read_bytes() == whole
    assert changes(provisioned.play("provision", **given)) == [0]


@pytest.mark.test_all("every part that provisions a host installs the client by the hashes of the collection")
def test_what_the_collection_brings_is_installed_once_where_there_were_no_hashes(provisioned: Site, given: dict[str, Any]) -> None:
    """It is the default. These wheels are what it names, so all versions are there already."""
    folder = provisioned.folder / "default-client"
    without = {**given, "xinference_client_environment": str(folder), "xinference_client_requirements": ""}
    default = {**without, "xinference_client_requirements": "default"}
    provisioned.play(*PART, **without)
    assert not (folder / "requirements.installed").exists()
    predicted = changes(provisioned.play(*PART, "--check", **default))
    done = changes(provisioned.play(*PART, **default))
    assert predicted == done != [0]
    assert (folder / "requirements.installed").read_bytes() == SHIPPED.read_bytes()
    # Who wants none afterwards keeps what is there.
    assert changes(provisioned.play(*PART, **without)) == [0]
    assert changes(provisioned.play("provision", **default)) == [0]


@pytest.mark.test_all("it needs the environment that the tests before make")
def test_what_pins_no_client_of_that_version_is_one_sentence(provisioned: Site, given: dict[str, Any], pinned: Path) -> None:
    hosts = {
        "another": {"xinference_client_version": "4.1.1"},
        # Another version that begins alike.
        "alike": {"xinference_client_version": "4.1"},
        "nowhere": {"xinference_client_requirements": "/nowhere/client.txt"},
    }
    output = provisioned.play(*PART, code=2, hosts=hosts, **given)
    words = f"xinference_client_requirements '{pinned}' does not pin xinference-client==4.1.1, which xinference_client_version asks for; change one of them."
    assert words in of_host(output, "another")
    assert "does not pin xinference-client==4.1," in of_host(output, "alike")
    assert "xinference_client_requirements '/nowhere/client.txt' is empty or no file on the controller that can be read." in of_host(output, "nowhere")
    assert installed(provisioned) == ["xinference_client-4.1.0.dist-info"]
