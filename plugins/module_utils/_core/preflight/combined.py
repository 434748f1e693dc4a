# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that the roles join with others, or hand on to programs that read more into them. Pure. Private to this collection."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..base.messages import shown

__all__ = ["address_hint", "check", "tag_hint"]

_Problems = list[tuple[str, str]]
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
#: A registry, with a dot, a port, or the one name without either, and the name of a repository in it.
_REPOSITORY = re.compile(rf"(?:(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+(?=:)|\[[0-9A-Fa-f:]+\])(?::[0-9]{{1,5}})?/)?{_PART}(?:/{_PART})*")
_RELEASE = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc|\.post|\.dev|\+)[0-9a-z.]+)*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_INDEX_SCHEMES = ("http", "https", "file")
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
#: Directories of the host that the roles make, or give a mode.
_FOLDERS = ("xinference_data_root", "xinference_client_environment", "xinference_proxy_ca_directory")


def address_hint(name: str, text: str) -> str:
    """What to do with more than an address in the place of one; empty where that is not what is wrong.

    :param name: of the variable.
    """
    if "://" in text:
        return "Write the address alone, without a scheme, a port or a path."
    if text.startswith("[") and text.endswith("]"):
        return "Write it without brackets."
    port = name.replace("_address", "_port")
    return (
        f"Write the address alone; the port belongs in {port}." if re.fullmatch(r"[0-9.]+:[0-9]+|\[[0-9A-Fa-f:.]+\]:[0-9]+|[A-Za-z0-9.-]+:[0-9]+", text) else ""
    )


def tag_hint(text: str) -> str:
    """What to do with more than a tag in the place of one; empty where that is not what is wrong."""
    if "@" in text:
        return "Write the tag alone; what is behind the '@' belongs in xinference_image_digest."
    return "Write the tag alone; what is before the ':' belongs in xinference_image." if ":" in text or "/" in text else ""


def _image(values: Mapping[str, Any]) -> _Problems:
    image = values.get("xinference_image", "x")
    if _REPOSITORY.fullmatch(image):
        return []
    name = f"xinference_image '{shown(image)}'"
    if _SCHEME.match(image):
        return [(f"{name} is a URL, but must be a repository.", "Write it without the scheme, such as registry.example:5000/xprobe/xinference.")]
    if "@" in image:
        return [(f"{name} holds a digest, and xinference_image_tag would be joined to it.", "Put what is behind the '@' into xinference_image_digest.")]
    if ":" in image.rpartition("/")[2]:
        return [(f"{name} holds a tag, and xinference_image_tag would be joined to it.", "Put what is behind the last ':' into xinference_image_tag.")]
    return [(f"{name} is no repository of images.", "Write one such as xprobe/xinference, in small letters.")]


def _socket(values: Mapping[str, Any]) -> _Problems:
    address = values.get("xinference_docker_host", "unix:///x")
    # Sockets on other machines are reported by the check for Docker.
    if address.startswith("unix:///") or (_SCHEME.match(address) and not address.startswith("unix:")):
        return []
    return [(f"xinference_docker_host '{shown(address)}' is no address of a Unix socket.", "Write it as unix:///var/run/docker.sock.")]


def _client(values: Mapping[str, Any]) -> _Problems:
    problems: _Problems = []
    version = values.get("xinference_client_version", "1")
    if not _RELEASE.fullmatch(version):
        problems.append((f"xinference_client_version '{shown(version)}' is no version.", "Write the number alone, such as 4.1.0."))
    index, proxy = values.get("xinference_client_index_url", ""), values.get("xinference_client_proxy", "")
    # Both may hold a password.
    if index and not _is_url(index, _INDEX_SCHEMES):
        problems.append(("xinference_client_index_url is no URL of a package index.", "Write one such as https://packages.example.com/simple."))
    if proxy and not _is_url(proxy if _SCHEME.match(proxy) else f"http://{proxy}", _PROXY_SCHEMES, path=False):
        problems.append(("xinference_client_proxy is no URL of a proxy.", "Write scheme, name and port alone, such as http://proxy.example:3128."))
    links = values.get("xinference_client_find_links", "")
    if links and not (links.startswith("/") or _SCHEME.match(links)):
        problems.append((f"xinference_client_find_links '{shown(links)}' is no absolute path.", "Write it from the root of the host's file system."))
    return problems


def _is_url(text: str, schemes: tuple[str, ...], *, path: bool = True) -> bool:
    """Whether a text is a URL of one of some schemes, which may stand in a line of a file.

    :param path: whether it may have one.
    """
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        return False
    try:
        found = urlsplit(text)
        named = found.port != 0 and bool(found.hostname)
    except ValueError:
        return False
    rest = path or (found.path in ("", "/") and not found.query and not found.fragment)
    return found.scheme in schemes and rest and (named or found.scheme == "file")


def _folders(values: Mapping[str, Any]) -> _Problems:
    problems: _Problems = []
    for name in filter(values.__contains__, _FOLDERS):
        folder = values[name]
        if not folder.startswith("/"):
            # Of the data root it is reported elsewhere.
            if name != "xinference_data_root":
                problems.append((f"{name} '{shown(folder)}' is no absolute path.", "Write it from the root of the host's file system."))
        elif ".." in folder.split("/"):
            problems.append((f"{name} '{shown(folder)}' leads upwards.", "Write it without '..'."))
        elif (plain := "/" + posixpath.normpath(folder).lstrip("/")) != folder:
            problems.append((f"{name} '{shown(folder)}' holds a '/' or '.' too many.", f"Write it as {shown(plain)}."))
        elif name != "xinference_data_root" and folder.count("/") < 2:
            problems.append(
                (f"{name} '{shown(folder)}' is not a directory of its own, but the roles set its mode.", f"Name one below it, such as {folder}/xinference.")
            )
    return problems


def check(values: Mapping[str, Any]) -> _Problems:
    """Problems and what to do.

    :param values: of variables, by name, each of the documented kind; one that is not set is fine.
    """
    return [*_image(values), *_socket(values), *_client(values), *_folders(values)]
