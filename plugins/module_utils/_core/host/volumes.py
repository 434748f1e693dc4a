# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The volume tree as data: directories on the host, mounts of the container. Private to this collection."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

__all__ = ["check", "folders", "host_path", "is_host_path", "may_be_root", "mounts", "place"]

_DEFAULTS = {"owner": "root", "group": "root", "mode": "0755", "setype": "container_file_t"}
#: What Docker reads as the end of a path, or what ends a line of a file.
_NOT_IN_A_PATH = re.compile(r"[:,\x00-\x1f\x7f]")
_MODE = re.compile(r"[0-7]{3,4}")
#: Of the kernel, of what runs, and keys of the host: nothing in them is a file that a server needs.
_NEVER = tuple(map(PurePosixPath, ("/dev", "/proc", "/root/.ssh", "/run", "/sys", "/var/lib/containerd", "/var/lib/docker", "/var/run")))
#: Whoever can write there is root of the host.
_NEVER_WRITTEN = tuple(map(PurePosixPath, ("/bin", "/boot", "/etc", "/lib", "/lib32", "/lib64", "/sbin", "/usr", "/var/spool")))
#: Directories in which others keep theirs.
_SHARED = frozenset(f"/var/{name}" for name in ("backups", "cache", "local", "log", "mail", "opt", "tmp", "www"))
#: They hold such directories, or what their owners keep for themselves; what is below them may be mounted.
_TOPS = frozenset({"/", "/etc", "/home", "/root", "/var", "/var/lib"})


def may_be_root(data_root: str) -> bool:
    """Whether a directory may be the data root: none of the system's, and nobody's home."""
    plain = PurePosixPath(os.path.normpath(data_root))
    below = any(top == plain or top in plain.parents for top in (*_NEVER, *_NEVER_WRITTEN))
    return not below and str(plain) not in _TOPS | _SHARED and plain.parent != PurePosixPath("/home")


def is_host_path(path: str) -> bool:
    """Whether a directory of the tree is given by its path on the host: one that the roles do not manage, whose owner, mode and label are left alone."""
    return path.startswith("/")


def place(data_root: str, path: str) -> str:
    """Absolute path on the host of a directory that is given relative to the data root, or by its path on the host."""
    root = data_root.rstrip("/")
    return path if is_host_path(path) else root if path in (".", "") else f"{root}/{path}"


def _below(path: str, top: str) -> bool:
    """Whether a directory lies below another one, both of the tree or both of the host."""
    return PurePosixPath(top) in PurePosixPath(path).parents


def _mounted(volumes: Iterable[Mapping[str, Any]], *, writable: bool = False) -> list[Mapping[str, Any]]:
    """The volumes that the container sees, or those that it can write."""
    return [volume for volume in volumes if volume.get("target") and not (writable and volume.get("read_only"))]


def _inside(path: str, volumes: Sequence[Mapping[str, Any]]) -> str:
    """Where the container sees a directory that lies below one that it can write; empty for every other directory."""
    for volume in _mounted(volumes, writable=True):
        # One that is left out now and then is mounted elsewhere, too.
        if _below(path, str(volume["path"])) and not volume.get("unless_used"):
            return str(PurePosixPath(str(volume["target"]), PurePosixPath(path).relative_to(str(volume["path"]))))
    return ""


def folders(volumes: Sequence[Mapping[str, Any]], data_root: str, facts: Mapping[str, Mapping[str, Any]], user: str = "") -> list[dict[str, Any]]:
    """Directories that are missing, or differ in owner, group or mode. Those of the host's own are never among them.

    :param volumes: the tree.
    :param data_root: where it stands on the host.
    :param facts: facts of the paths as ``host_info`` returns them; a path without facts counts as different.
    :param user: numbers of user and group of the container, as ``user:group``, whom what it writes belongs to; empty for root.
    :returns: for each the declared fields, ``place`` (absolute path on the host) and ``inside``: where the container sees it, if it lies below a directory
        that the container can write. Such a directory is made in a container, where a link leads to no directory of the host.
    """
    written = {str(volume["path"]) for volume in _mounted(volumes, writable=True)}
    owner, _colon, group = user.partition(":")
    theirs = {"owner": owner, "group": group}
    wanted = {
        place(data_root, path): {**_DEFAULTS, **(theirs if user and any(path == top or _below(path, top) for top in written) else {}), **volume}
        for path, volume in ((str(volume["path"]), volume) for volume in volumes)
        if not is_host_path(path)
    }
    differing: list[dict[str, Any]] = []
    for path, volume in wanted.items():
        seen = facts.get(path) or {}
        # A number may have a name on this host.
        owned = all(str(volume[key]) in (seen.get(key), str(seen.get(number))) for key, number in (("owner", "uid"), ("group", "gid")))
        same = seen.get("directory") and owned and seen.get("mode") == str(volume["mode"]).zfill(4)
        if not same:
            differing.append({**volume, "place": path, "inside": _inside(str(volume["path"]), volumes)})
    return differing


def mounts(
    volumes: Iterable[Mapping[str, Any]], data_root: str, facts: Mapping[str, Mapping[str, Any]], *, selinux: bool = False, outer: bool = False
) -> list[str]:
    """Mounts of the container, as Docker writes them: ``host:container:options``.

    A mount with ``unless_used`` is left out while that directory holds files, which it would hide.

    :param outer: leave out mounts that stand inside another one, and hide a directory there.
    """
    found: list[str] = []
    mounted = _mounted(volumes)
    for volume in mounted:
        if outer and any(_below(str(volume["target"]), str(other["target"])) for other in mounted):
            continue
        used = volume.get("unless_used")
        if used and not (facts.get(place(data_root, used)) or {}).get("empty", True):
            continue
        # A label of ours would deny access to all others that use a directory of the host.
        options = ["ro" if volume.get("read_only") else "rw"] + (["Z"] if selinux and not is_host_path(str(volume["path"])) else [])
        found.append(f"{place(data_root, str(volume['path']))}:{volume['target']}:{','.join(options)}")
    return found


def _check_folder(volume: Mapping[str, Any]) -> tuple[str, str] | None:
    """What is wrong with a directory below the data root, and what to do."""
    path, mode = str(volume["path"]), str(volume.get("mode", _DEFAULTS["mode"]))
    if ".." in PurePosixPath(path).parts or str(PurePosixPath(path)) != path or _NOT_IN_A_PATH.search(path) or path.startswith("~"):
        problem = f"xinference_volumes: path {path!r} is no directory below xinference_data_root."
        return problem, "Write it as .cache/huggingface, or from the root as /mnt/models."
    if not _MODE.fullmatch(mode):
        return f"xinference_volumes ('{path}'): mode '{mode}' is none.", 'Write four octal digits in quotes, such as "0755".'
    return None


def _host_path_problems(volume: Mapping[str, Any], data_root: str, facts: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """What is wrong with a path of the host, and what to do; the first counts."""
    path = str(volume["path"])
    name, plain, seen = f"xinference_volumes ('{path}'):", PurePosixPath("/" + path.lstrip("/")), facts.get(path) or {}
    if ".." in plain.parts or _NOT_IN_A_PATH.search(path):
        yield f"{name} leads upwards, or holds what Docker reads as the end of a path.", "Write the plain path, such as /mnt/models."
    if str(plain) != path:
        yield f"{name} holds a '/' or '.' too many.", f"Write it as {plain}."
    if plain == PurePosixPath(data_root) or _below(path, data_root):
        yield f"{name} lies in xinference_data_root.", f"Write it as {plain.relative_to(data_root)}, so that the roles make it."
    if not volume.get("target"):
        yield f"{name} is a path of the host and has no target, so that nothing would come of it.", "Add the target, or remove it."
    ours = [key for key in _DEFAULTS if key in volume]
    if ours:
        yield f"{name} {' and '.join(ours)} cannot be set, because a path of the host is left as it is.", "Set it on the host, and remove it here."
    system = [*_NEVER, *(() if volume.get("read_only") else _NEVER_WRITTEN)]
    if path in _TOPS or any(top == plain or top in plain.parents for top in system):
        yield f"{name} belongs to the system, and whoever is in the container would have the host.", "Name a directory of its own, such as /mnt/models."
    if seen.get("links"):
        yield f"{name} {seen['links'][0]} is a link.", "Write the path that it leads to."
    if path in facts and not seen.get("exists"):
        yield f"{name} does not exist on this host.", "Make it, or mount its file system there first; the roles make nothing outside xinference_data_root."


def _check_targets(volumes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What is wrong with the mounts together: problems and what to do."""
    problems: list[tuple[str, str]] = []
    first: dict[str, str] = {}
    for volume in _mounted(volumes):
        target, path = str(PurePosixPath(str(volume["target"]))), str(volume["path"])
        if target in first:
            problems.append((f"xinference_volumes ('{path}'): target '{target}' is that of '{first[target]}', too.", "Leave one of the two out."))
        first.setdefault(target, path)
    return problems


def check(volumes: Sequence[Mapping[str, Any]], data_root: str, facts: Mapping[str, Mapping[str, Any]], files: Sequence[str] = ()) -> list[tuple[str, str]]:
    """What would let the container choose what of the host is mounted: problems and what to do.

    :param volumes: the tree.
    :param data_root: where it stands on the host. A link above it, or the data root itself, was chosen by whoever runs the host.
    :param facts: facts of the paths as ``host_info`` returns them.
    :param files: further paths of the host, which the server writes and the roles read.
    """
    problems: list[tuple[str, str]] = []
    for volume in volumes:
        path, target = str(volume["path"]), str(volume.get("target") or "")
        wrong = next(_host_path_problems(volume, data_root, facts), None) if is_host_path(path) else _check_folder(volume)
        if wrong:
            problems.append(wrong)
            continue
        if target and (not target.startswith("/") or ".." in PurePosixPath(target).parts or _NOT_IN_A_PATH.search(target) or not target.strip("/")):
            problems.append((f"xinference_volumes ('{path}'): target {target!r} is no absolute path.", "Write it as /models."))
        here = place(data_root, path)
        above = next((str(each["path"]) for each in _mounted(volumes, writable=True) if target and _below(here, place(data_root, str(each["path"])))), None)
        if above is not None:
            problems.append(
                (
                    f"xinference_volumes ('{path}'): is mounted from below '{above}', which the container can write, so that it could put a link to any "
                    "directory of the host in its place.",
                    f"Mount '{path}' at both places and leave out the mount of '{above}', or mark that one read_only.",
                )
            )
    problems += _check_targets(volumes)
    root = data_root.rstrip("/") + "/"
    ours = [place(data_root, str(volume["path"])) for volume in volumes if not is_host_path(str(volume["path"]))]
    links = [link for path in (*ours, *files) for link in (facts.get(path) or {}).get("links", [])]
    for link in dict.fromkeys(link for link in links if link.startswith(root)):
        problems.append((f"xinference_data_root: {link} is a link.", "Put what it leads to in its place, or mount its file system there, if you made it."))
    return list(dict.fromkeys(problems))


def host_path(path: str, data_root: str, volumes: Iterable[Mapping[str, Any]]) -> str | None:
    """Where a path inside the container lies on the host; None when no volume holds it."""
    best: tuple[int, str] | None = None
    for volume in volumes:
        target = str(volume.get("target") or "").rstrip("/")
        if target and (path == target or path.startswith(target + "/")) and (best is None or len(target) > best[0]):
            best = (len(target), place(data_root, str(volume["path"])) + path[len(target) :])
    return best[1] if best else None
