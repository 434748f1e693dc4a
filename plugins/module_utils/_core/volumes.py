# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volume tree as data: folders on the host, mounts of the container. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["folders", "host_path", "mounts", "place"]

_DEFAULTS = {"owner": "root", "group": "root", "mode": "0755", "setype": "container_file_t"}


def place(data_root: str, path: str) -> str:
    """Absolute path on the host of a folder that is given relative to the data root."""
    root = data_root.rstrip("/")
    return root if path in (".", "") else f"{root}/{path}"


def folders(volumes: Sequence[Mapping[str, Any]], data_root: str, facts: Mapping[str, Mapping[str, Any]], user: str = "") -> list[dict[str, Any]]:
    """Folders that are missing, or differ in owner, group or mode.

    :param volumes: the tree.
    :param data_root: where it stands on the host.
    :param facts: facts of the paths as ``host_info`` returns them; a path without facts counts as different.
    :param user: numbers of user and group of the container, as ``user:group``, whom what it writes belongs to; empty for root.
    """
    written = {str(volume["path"]) for volume in volumes if volume.get("target") and not volume.get("read_only")}
    owner, _colon, group = user.partition(":")
    theirs = {"owner": owner, "group": group}
    wanted = {
        place(data_root, path): {**_DEFAULTS, **(theirs if user and any(path == top or path.startswith(f"{top}/") for top in written) else {}), **volume}
        for path, volume in ((str(volume["path"]), volume) for volume in volumes)
    }
    differing: list[dict[str, Any]] = []
    for path, volume in wanted.items():
        seen = facts.get(path) or {}
        # A number may have a name on this host.
        owned = all(str(volume[key]) in (seen.get(key), str(seen.get(number))) for key, number in (("owner", "uid"), ("group", "gid")))
        same = seen.get("directory") and owned and seen.get("mode") == str(volume["mode"])
        if not same:
            differing.append({**volume, "place": path})
    return differing


def mounts(volumes: Iterable[Mapping[str, Any]], data_root: str, facts: Mapping[str, Mapping[str, Any]], *, selinux: bool = False) -> list[str]:
    """Mounts of the container, as Docker writes them: ``host:container:options``.

    A mount with ``unless_used`` is left out while that folder holds files, which it would hide.
    """
    found: list[str] = []
    for volume in volumes:
        if not volume.get("target"):
            continue
        used = volume.get("unless_used")
        if used and not (facts.get(place(data_root, used)) or {}).get("empty", True):
            continue
        options = ["ro" if volume.get("read_only") else "rw"] + (["Z"] if selinux else [])
        found.append(f"{place(data_root, str(volume['path']))}:{volume['target']}:{','.join(options)}")
    return found


def host_path(path: str, data_root: str, volumes: Iterable[Mapping[str, Any]]) -> str | None:
    """Where a path inside the container lies on the host; None when no volume holds it."""
    best: tuple[int, str] | None = None
    for volume in volumes:
        target = str(volume.get("target") or "").rstrip("/")
        if target and (path == target or path.startswith(target + "/")) and (best is None or len(target) > best[0]):
            best = (len(target), place(data_root, str(volume["path"])) + path[len(target) :])
    return best[1] if best else None
