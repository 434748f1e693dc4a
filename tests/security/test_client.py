# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client on a host, installed by hashes: what has another content is refused before it runs."""

from __future__ import annotations

import hashlib
import stat
import sys
from pathlib import Path

import pytest
from conftest import Site

from ansible_collections.inferops.xinference.tests.machine import built

REFUSED = "THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE"


def hashes(wheels: Path) -> str:
    """What pip-compile --generate-hashes writes of these wheels."""
    lines = []
    for wheel in sorted(wheels.glob("*.whl")):
        name, version, *_tags = wheel.name.split("-")
        lines.append(f"{name.replace('_', '-')}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return "".join(lines)


@pytest.fixture(scope="module")
def pinned(site: Site) -> Path:
    """Requirements with hashes, of a host without a package index and without a server yet."""
    wheels = Path(built("wheels", "--python", f"{sys.version_info.major}.{sys.version_info.minor}"))
    path = site.folder / "client.txt"
    path.write_text(hashes(wheels), encoding="utf-8")
    site.settings.update(xinference_models=[], xinference_client_find_links=str(wheels), xinference_client_requirements=str(path))
    return path


def installed(site: Site) -> list[str]:
    """The client's folders in the environment, which carry its version."""
    return [path.name for path in (site.folder / "client").glob("lib/python3*/site-packages/xinference_client-*")]


def test_a_wrong_hash_is_refused_before_the_models(site: Site, pinned: Path) -> None:
    right = pinned.read_text(encoding="utf-8")
    # Of a package that the client needs: what it depends on is checked, too.
    before, name, after = right.partition("requests==")
    digest = after.partition("sha256:")[2][:64]
    pinned.write_text(before + name + after.replace(digest, digest[::-1], 1), encoding="utf-8")
    # What pip says, a check cannot foresee.
    site.play("inferops.xinference.provision", "--check")
    output = site.play("inferops.xinference.provision", code=2)
    assert REFUSED in output
    assert digest in output
    assert "Ensure the declared models" not in output
    assert installed(site) == []
    pinned.write_text(right, encoding="utf-8")


def test_the_right_ones_are_installed_once(site: Site, pinned: Path) -> None:
    assert "Ensure the declared models" in site.play("inferops.xinference.provision")
    assert installed(site) == ["xinference_client-4.1.0.dist-info"]
    assert stat.S_IMODE((site.folder / "client/requirements.txt").stat().st_mode) == 0o600
    assert "changed=0 " in site.play("inferops.xinference.provision")


def test_what_is_there_is_installed_again_when_the_hashes_change(site: Site, pinned: Path) -> None:
    """An environment from before there were hashes, or from other ones."""
    right = pinned.read_text(encoding="utf-8")
    pinned.write_text(right + "# another one\n", encoding="utf-8")
    (meddled,) = (site.folder / "client").glob("lib/python3*/site-packages/requests/__init__.py")
    whole = meddled.read_bytes()
    meddled.write_bytes(whole + b"# meddled with\n")
    assert "changed=0 " not in site.play("inferops.xinference.provision", "--check")
    site.play("inferops.xinference.provision")
    assert meddled.read_bytes() == whole
    assert "changed=0 " in site.play("inferops.xinference.provision")


def test_what_pins_no_client_of_that_version_is_one_sentence(site: Site, pinned: Path) -> None:
    words = f"xinference_client_requirements '{pinned}' does not pin xinference-client==4.1.1, which xinference_client_version asks for; change one of them."
    assert words in site.play("inferops.xinference.provision", code=2, xinference_client_version="4.1.1")
    # Another version that begins alike.
    assert "does not pin xinference-client==4.1," in site.play("inferops.xinference.provision", code=2, xinference_client_version="4.1")
    nowhere = site.play("inferops.xinference.provision", code=2, xinference_client_requirements="/nowhere/client.txt")
    assert "xinference_client_requirements '/nowhere/client.txt' is empty or no file on the controller that can be read." in nowhere
    assert installed(site) == ["xinference_client-4.1.0.dist-info"]
