# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of a Docker; test_facts has the rest of what is asked of one."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket, Refused
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import docker_words
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import IMAGE, REFERENCE

OLD, NEW = "sha256:old", "registry.example:5000/xprobe/xinference:v4.2.0-cpu"


def test_an_image_is_found_by_its_reference_and_by_its_identifier(host: Host) -> None:
    host.engine.images[NEW] = "sha256:5678"
    for reference in (NEW, "sha256:5678"):
        found = host.docker.image(reference)
        assert found is not None
        assert found["Id"] == "sha256:5678"
    assert host.engine.asked == [f"GET /images/{NEW}/json", "GET /images/sha256:5678/json"]


def test_an_image_that_is_not_there_is_none(host: Host) -> None:
    assert host.docker.image(NEW) is None


def test_what_is_no_reference_is_refused(host: Host) -> None:
    host.engine.refuses["GET /images/a:b:c"] = "invalid reference format"
    with pytest.raises(Refused, match="invalid reference format"):
        host.docker.image("a:b:c")


def test_the_name_of_an_image_is_no_way_elsewhere(host: Host) -> None:
    assert host.docker.image("a?x=1 b#c") is None
    assert host.engine.asked == ["GET /images/a?x=1 b#c/json"]


def test_an_image_that_a_container_needs_is_not_called_removed(host: Host) -> None:
    """Of a container, the same answer means that it is being removed already."""
    with pytest.raises(Refused) as raised:
        host.docker.remove(f"/images/{IMAGE}")
    assert docker_words(raised.value) == "conflict: unable to delete 1234 (cannot be forced) - image is being used by running container"
    assert host.engine.images == {REFERENCE: IMAGE}


def test_an_image_that_nothing_needs_is_removed(host: Host) -> None:
    host.engine.images["old"] = OLD
    DockerSocket(host.engine.path).remove(f"/images/{OLD}")
    assert host.engine.images == {REFERENCE: IMAGE}
    # What is not there is as good as removed.
    DockerSocket(host.engine.path).remove(f"/images/{OLD}")
