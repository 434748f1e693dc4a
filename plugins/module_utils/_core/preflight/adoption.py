# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the declared container would find what a container keeps that the roles did not make. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..base.messages import shown
from ..host.listeners import collide
from ..host.volumes import host_path, mounts, place

__all__ = ["check", "holder"]

#: What lies in a server's home, of whatever version it is.
_OF_A_HOME = ("auth", "cache", "launch_history.db", "model/v2", "worker_recovery")
#: What is mounted for something else than data.
_NO_DATA = re.compile(r"/(dev|proc|sys)(/.*)?|/etc/(localtime|timezone)|(/var)?/run/[^/]+\.sock|/usr/share/zoneinfo(/.*)?")
#: The page with more about it.
_PAGE = "docs/adopt.md"


def holder(others: Sequence[Mapping[str, Any]], address: str, port: int) -> Mapping[str, Any] | None:
    """The container that holds a port of the host; None where it is none of these."""
    return next((other for other in others if any(end["port"] == port and collide(end["address"], address) for end in other["ports"])), None)


def _located(path: str, seen: Mapping[str, str]) -> str | None:
    """Where a path of a container lies on the host; None where it lies in the container itself.

    :param seen: source by target.
    """
    wanted = PurePosixPath(path)
    within = [target for target in seen if PurePosixPath(target) == wanted or PurePosixPath(target) in wanted.parents]
    if not within:
        return None
    target = max(within, key=len)
    return str(PurePosixPath(seen[target], wanted.relative_to(target)))


def _entry(volume: Mapping[str, Any], data_root: str) -> str:
    """The entry of xinference_volumes that mounts the same."""
    source, root = PurePosixPath(str(volume["source"])), PurePosixPath(data_root)
    path = str(source.relative_to(root)) if source == root or root in source.parents else str(source)
    return f"{{path: {path}, target: {volume['target']}{', read_only: true' if volume['read_only'] else ''}}}"


def _kept(volumes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that hold something that a server may need."""
    return [volume for volume in volumes if not volume["empty"] and not _NO_DATA.fullmatch(str(volume["source"]))]


@dataclass(frozen=True)
class _Declared:
    """The declared container.

    :param name: of the container.
    :param home: of its server, inside it.
    :param root: where the tree stands on the host.
    :param wanted: what it would see of the host, source without links by target.
    """

    name: str
    home: str
    root: str
    wanted: Mapping[str, str]


def _check_home(container: Mapping[str, Any], declared: _Declared, seen: Mapping[str, str]) -> tuple[str, str] | None:
    """Whether the declared container has the home of the one that is there; the problem and what to do."""
    name, home, root = declared.name, declared.home, declared.root
    old, new = _located(container["home"], seen), _located(home, declared.wanted)
    if old == new and container["home"] == home:
        return None
    here = f"Container {name} was not made by these roles and keeps its server's home {container['home']}"
    target = new or place(root, ".xinference")
    setting = f"set xinference_home to {container['home']}, " if container["home"] != home else ""
    if old is None:
        return (
            f"{here} in itself, in no volume: accounts, registrations and downloads would be lost with it.",
            f"Stop it, run docker cp --archive {name}:{container['home']}/. {target}/, {setting}remove the container, and run again; see {_PAGE}.",
        )
    within = (PurePosixPath(old), *PurePosixPath(old).parents)
    volume = next((each for each in container["volumes"] if each["volume"] and PurePosixPath(each["real"]) in within), None)
    if volume is not None:
        return (
            f"{here} in Docker's volume {shown(volume['volume'])}; the declared container would have {target} in its place.",
            f"Stop it, run cp --archive {old}/. {target}/, {setting}remove the container, and run again; see {_PAGE}.",
        )
    if old == new:
        return (
            f"{here}; the declared one would have the same files at {home}, where neither links in its cache nor registrations find them.",
            f"Set xinference_home to {container['home']}.",
        )
    entries = ", ".join(_entry(each, root) for each in _kept(container["volumes"]))
    own = f"xinference_home to {container['home']}, and " if setting else ""
    return (
        f"{here} in {old}; the declared one would have {target} at {home}, so it would be an empty server.",
        f"Set {own}xinference_volumes to [{entries}], or another xinference_data_root; see {_PAGE}.",
    )


def _check_mounts(container: Mapping[str, Any], declared: _Declared) -> list[tuple[str, str]]:
    """What the container sees and the declared one would not: problems and what to do."""
    problems = []
    name, root, wanted = declared.name, declared.root, declared.wanted
    for volume in _kept(container["volumes"]):
        target, now = PurePosixPath(volume["target"]), _located(volume["target"], wanted)
        # Parts of it may be mounted each for itself, as those of the hub's cache are.
        parts = [place for place in wanted if target in PurePosixPath(place).parents]
        if now == volume["real"] or (
            now is None and any(wanted[place] == str(PurePosixPath(volume["real"], PurePosixPath(place).relative_to(target))) for place in parts)
        ):
            continue
        what = f"Docker's volume {shown(volume['volume'])}" if volume["volume"] else volume["source"]
        problem = f"Container {name} was not made by these roles and sees {what} at {target}; the declared one would see {now or 'nothing'} there."
        setting = "Put in the place of the entry of xinference_volumes with that target" if now else "Add to xinference_volumes"
        if volume["volume"]:
            # Docker removes a volume that no container has when a user runs prune.
            copy = place(root, target.name)
            remedy = f"Stop it, run cp --archive {volume['source']}/. {copy}/, and remove it. {setting} {_entry({**volume, 'source': copy}, root)}."
        else:
            remedy = f"{setting} {_entry(volume, root)}; or remove the container first, which leaves {volume['source']} as it is."
        problems.append((problem, remedy))
    return problems


def _check_caches(container: Mapping[str, Any], name: str, seen: Mapping[str, str], environment: Collection[str]) -> list[tuple[str, str]]:
    """Downloads that the declared container would look for elsewhere: problems and what to do."""
    usual = (container["home"], "/root/.cache/huggingface", "/root/.cache/modelscope")
    lost = {
        variable: path
        for variable, path in container["caches"].items()
        if variable not in environment and not any(path == each or path.startswith(f"{each}/") for each in usual) and _located(path, seen) is not None
    }
    if not lost:
        return []
    given = ", ".join(f"{variable}: {path}" for variable, path in lost.items())
    where = f"{' and '.join(lost)} {'points' if len(lost) == 1 else 'point'} to"
    return [
        (
            f"Container {name} was not made by these roles and has its downloads where {where}; the declared one would look elsewhere.",
            f"Add to xinference_environment {{{given}}}.",
        )
    ]


def check(
    docker: Mapping[str, Any],
    paths: Mapping[str, Mapping[str, Any]],
    *,
    name: str,
    data_root: str,
    home: str,
    volumes: Sequence[Mapping[str, Any]],
    environment: Collection[str] = (),
    known: str = "",
) -> list[tuple[str, str]]:
    """What of a server that is there the declared one would not find: problems and what to do.

    :param docker: facts of Docker as ``host_info`` returns them.
    :param paths: facts of the paths.
    :param name: of the container.
    :param data_root: where the tree stands on the host.
    :param home: of the server inside the declared container.
    :param volumes: the tree.
    :param environment: names of the declared container's further variables.
    :param known: name of a container that is refused for something else already.
    """

    def real(path: str) -> str:
        return str((paths.get(path) or {}).get("real") or path)

    mounted = [mount.rsplit(":", 2) for mount in mounts(volumes, data_root, paths)]
    declared = _Declared(name, home, data_root, {str(PurePosixPath(target)): real(source) for source, target, _options in mounted})
    new = host_path(home, data_root, volumes)
    fresh = new is not None and bool((paths.get(new) or {}).get("empty", True))
    problems = []
    for other in docker.get("neighbours") or []:
        shares = new is not None and any(source in (new, real(new)) for source in other["sources"])
        if other["xinference"] and shares and other["name"] != known:
            problems.append(
                (
                    f"Container {other['name']} runs a server of its own on {new}; two servers would damage each other's databases there.",
                    f"Set xinference_container_name to {other['name']} to adopt it, or choose another xinference_data_root.",
                )
            )
    container = docker.get("container")
    if container is None or container.get("status") == "created" or "volumes" not in container:
        found = [part for part in _OF_A_HOME if (paths.get(place(data_root, part)) or {}).get("exists")]
        own = {str(volume["path"]).partition("/")[0] for volume in volumes}
        found = [part for part in found if part.partition("/")[0] not in own]
        if container is None and found and fresh and new != place(data_root, "."):
            problems.append(
                (
                    f"xinference_data_root '{shown(data_root)}' is itself a server's home: {' and '.join(found)} {'lies' if len(found) == 1 else 'lie'} in it. "
                    f"The declared server would have {new} as its home, and be empty.",
                    "Set xinference_home to the path at which its container had it, and xinference_volumes to [{path: ., target: that path}]; "
                    f"or move what lies in it to {new}; see {_PAGE}.",
                )
            )
        return problems
    seen = {volume["target"]: volume["real"] for volume in container["volumes"]}
    if container["ours"]:
        old = next((volume for volume in container["volumes"] if volume["target"] == container["home"]), None)
        if old is not None and not old["empty"] and fresh and old["real"] != real(str(new)):
            problems.append(
                (
                    f"The server of container {name} has its home in {old['source']}; the declared one would have {new}, where there is nothing.",
                    f"Remove the container and move {old['source']}, and what lies beside it; or correct xinference_data_root or xinference_volumes.",
                )
            )
        return problems
    moved = _check_home(container, declared, seen)
    if moved is not None:
        return [*problems, moved]
    return [*problems, *_check_mounts(container, declared), *_check_caches(container, name, seen, environment)]
