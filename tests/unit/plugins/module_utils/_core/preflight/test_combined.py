# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that are joined with others: more in one than belongs there."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.preflight.combined import address_hint, check, tag_hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", "xinference"),
        ("image", "xprobe/xinference"),
        ("image", "registry.example/xprobe/xinference"),
        ("image", "registry.example:5000/xprobe/xinference"),
        ("image", "localhost/xinference"),
        ("image", "registry:5000/xinference"),
        ("image", "127.0.0.1:5000/a/b/c_d/e--f.g"),
        ("docker_host", "unix:///var/run/docker.sock"),
        ("docker_host", "tcp://127.0.0.1:2375"),
        ("client_version", "4.1.0"),
        ("client_version", "4.1.0rc1"),
        ("client_version", "4.1.0.post1"),
        ("client_index_url", ""),
        ("client_index_url", "https://reader:secret@packages.example/simple/"),
        ("client_index_url", "file:///srv/wheels/simple"),
        ("client_proxy", "http://reader:secret@proxy.example:3128"),
        ("client_proxy", "http://proxy.example:3128/"),
        ("client_proxy", "proxy.example:3128"),
        ("client_proxy", "socks5h://127.0.0.1:1080"),
        ("client_find_links", "/srv/wheels with space"),
        ("client_find_links", "https://packages.example/wheels"),
        ("data_root", "/srv/xinference_data"),
        ("client_environment", "/opt/xinference-client"),
    ],
)
def test_what_is_fine(name: str, value: str) -> None:
    assert check({f"xinference_{name}": value}) == []


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        (
            "image",
            "xprobe/xinference:v4.1.0-cpu",
            "xinference_image 'xprobe/xinference:v4.1.0-cpu' holds a tag, and xinference_image_tag would be joined to it.",
        ),
        ("image", "registry.example:5000/a:b", "xinference_image 'registry.example:5000/a:b' holds a tag, and xinference_image_tag would be joined to it."),
        ("image", "a@sha256:00", "xinference_image 'a@sha256:00' holds a digest, and xinference_image_tag would be joined to it."),
        ("image", "a:b@sha256:00", "xinference_image 'a:b@sha256:00' holds a digest, and xinference_image_tag would be joined to it."),
        ("image", "docker://xprobe/xinference", "xinference_image 'docker://xprobe/xinference' is a URL, but must be a repository."),
        ("image", "Xprobe/Xinference", "xinference_image 'Xprobe/Xinference' is no repository of images."),
        ("image", "xprobe/xinference/", "xinference_image 'xprobe/xinference/' is no repository of images."),
        ("image", "", "xinference_image '' is no repository of images."),
        ("docker_host", "/var/run/docker.sock", "xinference_docker_host '/var/run/docker.sock' is no address of a Unix socket."),
        ("docker_host", "unix://var/run/docker.sock", "xinference_docker_host 'unix://var/run/docker.sock' is no address of a Unix socket."),
        ("docker_host", "unix:/var/run/docker.sock", "xinference_docker_host 'unix:/var/run/docker.sock' is no address of a Unix socket."),
        ("docker_host", "localhost:2375", "xinference_docker_host 'localhost:2375' is no address of a Unix socket."),
        ("client_version", "v4.1.0", "xinference_client_version 'v4.1.0' is no version."),
        ("client_version", "==4.1.0", "xinference_client_version '==4.1.0' is no version."),
        ("client_version", "xinference-client==4.1.0", "xinference_client_version 'xinference-client==4.1.0' is no version."),
        ("client_version", "", "xinference_client_version '' is no version."),
        ("client_index_url", "reader:secret@packages.example/simple", "xinference_client_index_url is no URL of a package index."),
        ("client_index_url", "https://packages.example/simple\nproxy = secret", "xinference_client_index_url is no URL of a package index."),
        ("client_proxy", "http://proxy.example:port", "xinference_client_proxy is no URL of a proxy."),
        ("client_proxy", "http://proxy.example:3128/path", "xinference_client_proxy is no URL of a proxy."),
        ("client_proxy", "http://", "xinference_client_proxy is no URL of a proxy."),
        ("client_proxy", "ftp://proxy.example", "xinference_client_proxy is no URL of a proxy."),
        ("client_find_links", "wheels", "xinference_client_find_links 'wheels' is no absolute path."),
        ("data_root", "/srv/../etc/x", "xinference_data_root '/srv/../etc/x' leads upwards."),
        ("data_root", "/srv/x/", "xinference_data_root '/srv/x/' holds a '/' or '.' too many."),
        ("data_root", "//srv/x", "xinference_data_root '//srv/x' holds a '/' or '.' too many."),
        ("data_root", "/srv/./x", "xinference_data_root '/srv/./x' holds a '/' or '.' too many."),
        ("client_environment", "client", "xinference_client_environment 'client' is no absolute path."),
        ("client_environment", "~/client", "xinference_client_environment '~/client' is no absolute path."),
        ("client_environment", "/opt", "xinference_client_environment '/opt' is not a directory of its own, but the roles set its mode."),
        ("proxy_ca_directory", "/etc", "xinference_proxy_ca_directory '/etc' is not a directory of its own, but the roles set its mode."),
        ("proxy_ca_directory", "", "xinference_proxy_ca_directory '' is no absolute path."),
    ],
)
def test_more_than_belongs_there(name: str, value: str, problem: str) -> None:
    ((sentence, remedy),) = check({f"xinference_{name}": value})
    assert sentence == problem
    assert remedy
    assert "secret" not in sentence + remedy


def test_how_to_write_a_folder() -> None:
    assert check({"xinference_data_root": "//srv//x/"})[0][1] == "Write it as /srv/x."


@pytest.mark.parametrize("text", ["::1", "::", "127.0.0.1", "lb", "", "10.0.0.0/8"])
def test_no_hint_for_what_is_no_more_than_an_address(text: str) -> None:
    assert address_hint("xinference_address", text) == ""


def test_the_port_of_each_address_has_a_name() -> None:
    assert address_hint("xinference_recovery_address", "lb.example:9998") == "Write the address alone; the port belongs in xinference_recovery_port."


@pytest.mark.parametrize("text", ["v4.1.0-cpu", "v4 cpu", ""])
def test_no_hint_for_what_is_no_more_than_a_tag(text: str) -> None:
    assert tag_hint(text) == ""
