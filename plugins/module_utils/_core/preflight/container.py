# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a container can be made as declared: name, image, sizes, environment, variables. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..base import sizes
from ..base.messages import nearest, shown
from ..base.sizes import MIB
from ..host.docker_facts import BESIDE
from ..server import advisories
from . import combined, variables
from .network import NETWORKS, is_address, network_problems
from .settings import HANDED_ON, Failure, Settings, gateway_of, manages

__all__ = ["NOT_IN_A_PLACE", "check_container", "check_image", "check_sizes", "check_start", "check_texts", "check_variables", "check_versions"]

#: Further settings that are sizes: the least that is of use, and an example.
_SIZES = {"xinference_shm_size": (MIB, "1g"), "xinference_log_max_size": (1024, "10m"), "xinference_server_log_max_size": (64 << 10, "50m")}
#: Numbers of the server's logs: for it, 0 of them has no bound.
_LOG_NUMBERS = ("xinference_server_log_max_files", "xinference_server_log_days", "xinference_server_audit_days")
_MOST = 100_000
#: The fewest processors that Docker gives a container.
FEWEST_CPUS = 0.01
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
#: A container's name as Docker wants it, of a length that names of units and directories made from it can have.
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
#: What ends a word or a line in a unit or in the configuration of nginx, or stands for something else there.
NOT_IN_A_PLACE = re.compile(r"[\s\x00-\x1f\x7f\"'\\%$;{}:,#]")
_NUMBERS = re.compile(r"[1-9][0-9]{0,9}:[1-9][0-9]{0,9}")
#: Environment variables of the server that would undo what the roles made sure of, and what to do in their place.
_OWN_VARIABLES = {
    "XINFERENCE_HOME": "Set xinference_home.",
    "XINFERENCE_AUTH_ADVANCED": "Set xinference_authentication.",
    "XINFERENCE_AUTH_JWT_SECRET_KEY": "Remove it, for who inspects the container would read it; write it into .xinference/auth/environment, mode 0600.",
    "XINFERENCE_AUTH_ENCRYPTION_KEY": "Remove it, for who inspects the container would read it; write it into .xinference/auth/environment, mode 0600.",
    "XINFERENCE_AUTH_DB_PATH": "Remove it; the first administrator is made in the usual place before the server starts.",
    "XINFERENCE_TRUSTED_PROXIES": "Remove it; xinference_proxy sets it.",
}
#: The first runc that opens what is mounted before it becomes the user whom root of the container is mapped to.
_MOUNTS_AS_ROOT = (1, 1)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def check_variables(settings: Settings) -> list[Failure]:
    known = set(settings.known_variables) | HANDED_ON
    return [
        Failure("variables", f"Variable '{name}' is unknown{nearest(name, sorted(known)) or '.'}", "Correct its name or remove it.")
        for name in sorted(set(settings.variables) - known)
    ]


def check_container(settings: Settings) -> list[Failure]:
    problems = []
    if not _CONTAINER.fullmatch(settings.container) or settings.container in NETWORKS:
        problem = f"xinference_container_name '{shown(settings.container)}' cannot be the name of a container and its network."
        remedy = f"Use letters, digits, '_', '.' and '-', beginning with a letter or digit, and none of {', '.join(sorted(NETWORKS))}."
        problems.append(Failure("container", problem, remedy))
    if settings.container_user and not _NUMBERS.fullmatch(settings.container_user):
        problem = f"xinference_container_user '{shown(settings.container_user)}' is no user and group of the kind 10001:10001."
        problems.append(Failure("container user", problem, "Give two numbers above 0, or leave it empty for the image's own user."))
    volumes = {f"xinference_volumes[{number}] path": str(volume.get("path")) for number, volume in enumerate(settings.volumes)}
    for name, place in {**settings.places, **volumes}.items():
        wrong = NOT_IN_A_PLACE.search(place)
        if wrong:
            problem = f"{name} '{shown(place)}' holds the character {wrong.group()!r}, which units of systemd and nginx would read as something else."
            problems.append(Failure("paths", problem, "Choose a path without it."))
    return problems


def check_sizes(values: Mapping[str, Any]) -> list[Failure]:
    failures = []
    for name, (least, example) in _SIZES.items():
        size = sizes.parse(values[name]) if name in values else least
        if size is None or size < least:
            wrong = "is no size" if size is None else f"is {size} bytes, which is too little"
            failures.append(Failure("sizes", f"{name} '{shown(values[name])}' {wrong}.", f"Write one such as {example}."))
    for name in _LOG_NUMBERS:
        number = int(values.get(name, 1))
        if not 1 <= number <= _MOST:
            failures.append(Failure("sizes", f"{name} {number} must be a whole number from 1 to {_MOST}.", "With 0 the server's logs would have no bound."))
    return failures


def check_texts(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    """What the container cannot be given as environment variables or labels, or must not."""
    environment = settings.values.get("xinference_environment", {})
    failures = [
        Failure("environment", problem, "")
        for name in ("xinference_environment", "xinference_labels")
        for problem in variables.check_texts(name, settings.values.get(name, {}))
    ]
    if not isinstance(environment, Mapping):
        return failures
    failures += [
        Failure("environment", f"xinference_environment names {name}, which the roles set themselves.", remedy)
        for name, remedy in _OWN_VARIABLES.items()
        if name in environment
    ]
    allowed = environment.get("XINFERENCE_ALLOWED_IPS")
    return failures + [
        Failure("environment", problem, remedy) for problem, remedy in variables.check_allowed(allowed, gateway_of(host, settings.network_subnet))
    ]


def check_start(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    """What Docker would refuse when the container is made or started, as far as the facts show."""
    docker = host["docker"]
    problems: list[tuple[str, str]] = []
    ending = next((each for each in BESIDE if settings.container.endswith(each)), None)
    if ending is not None:
        problem = f"xinference_container_name '{settings.container}' ends like the name of a container that the roles make beside another one."
        problems.append((problem, f"Choose a name that does not end in {ending}."))
    processors = docker["processors"] or host["processors"]
    if settings.cpus and not FEWEST_CPUS <= settings.cpus <= processors:
        problem = f"xinference_cpus '{settings.cpus:g}' cannot be had: this host has {processors} {'processor' if processors == 1 else 'processors'}."
        problems.append((problem, f"Use a number from {FEWEST_CPUS} to {processors}, or 0 for all."))
    problems += _mapped(host, settings)
    used = [("xinference_address", settings.address)]
    if settings.recovery in ("auto", "service") and settings.recovery_port and host["service"]["systemd"]:
        used.append(("xinference_recovery_address", settings.recovery_address))
    if settings.proxy is not None:
        used.append(("xinference_proxy_address", settings.proxy.address))
    for name, address in used:
        if is_address(address) and not host["addresses"].get(address, True):
            problems.append((f"{name} '{address}' is no address of this host.", "Use one of an interface of this host, or 127.0.0.1."))
    return [Failure("start", problem, remedy) for problem, remedy in [*problems, *network_problems(docker, settings)]]


def _mapped(host: Mapping[str, Any], settings: Settings) -> list[tuple[str, str]]:
    """Why containers whose users are mapped mount nothing of the data root: an older runc goes there as the user whom their root is mapped to."""
    mode = next((str(volume.get("mode") or "") for volume in settings.volumes if str(volume.get("path")) == "."), "")
    if not re.fullmatch("[0-7]{3,4}", mode) or int(mode, 8) & 0o001:
        return []
    docker, distribution = host["docker"], host["distribution"]
    root = docker.get("root")
    if root not in (None, "0:0"):
        found = re.match(r"(\d+)\.(\d+)", str(docker.get("runc") or ""))
        if found is None or (int(found[1]), int(found[2])) >= _MOUNTS_AS_ROOT:
            return []
        what = f"Docker maps users on this host (userns-remap), and its runc {docker['runc']} then mounts"
    elif root is None and manages(host, settings) and str(settings.values.get("xinference_docker_userns_remap")).lower() in variables.TRUE:
        if (distribution["id"], str(distribution["version"])) != ("debian", "11"):
            return []
        what = "With xinference_docker_userns_remap, Docker of Debian 11 mounts"
    else:
        return []
    problem = f"{what} nothing from {settings.data_root}, which others may not enter (mode {mode} of '.' in xinference_volumes)."
    return [(problem, "Give it the mode 0711, or map no users: runc can do it since 1.1, the one of Debian 12.")]


def check_image(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    failures: list[Failure] = []
    if settings.image_tag.endswith("latest") or settings.image_tag.startswith("latest"):
        failures.append(Failure("image", f"xinference_image_tag '{settings.image_tag}' moves from release to release.", "Name a version such as v4.1.0-cpu."))
    elif not _TAG.fullmatch(settings.image_tag):
        remedy = combined.tag_hint(settings.image_tag) or "Name a version such as v4.1.0-cpu."
        failures.append(Failure("image", f"xinference_image_tag '{shown(settings.image_tag)}' is no image tag.", remedy))
    if settings.image_digest and not _DIGEST.fullmatch(settings.image_digest):
        failures.append(
            Failure("image", f"xinference_image_digest '{settings.image_digest}' is no digest.", "Write sha256: and 64 hexadecimal digits, or leave it empty.")
        )
    archive = settings.image_archive
    if archive and settings.image_digest:
        failures.append(
            Failure(
                "image",
                "xinference_image_archive and xinference_image_digest exclude each other: an image from an archive has no digest.",
                "Leave one of them empty.",
            )
        )
    if archive and not host["paths"].get(archive, {}).get("exists") and not host["docker"]["image_present"]:
        failures.append(Failure("image", f"xinference_image_archive '{archive}' does not exist on this host.", "Copy it there, or leave the variable empty."))
    return failures


def check_versions(settings: Settings) -> list[Failure]:
    return [
        Failure("version", advisory.of(f"{name} '{text}' names a version of Xinference that"), f"Name another one, such as {example}.")
        for name, text, example in (
            ("xinference_image_tag", settings.image_tag, "v4.1.0-cpu"),
            ("xinference_client_version", settings.client_version, "4.1.0"),
        )
        for advisory in advisories.of_version(text)
        if advisory.refused
    ]
