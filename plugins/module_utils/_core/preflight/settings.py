# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that a host is checked against, and what a failed check is. Private to this collection."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..base.sizes import MIB

__all__ = ["LEAST_MEMORY", "BackupSettings", "ClusterSettings", "Failure", "ProxySettings", "Settings", "gateway_of", "installs", "lacks", "manages"]

MANAGED_DOCKER = frozenset({"debian", "ubuntu"})
#: The least that Docker takes for a limit, in bytes.
LEAST_MEMORY = 6 * MIB
#: What playbooks hand on with set_stats: in a workflow of AWX it is an extra variable of the next job.
HANDED_ON = frozenset({"xinference_status", "xinference_diagnosis", "xinference_support_bundles"})
#: What options of the modules are called as variables of the roles.
OPTION_NAMES = {
    "models": "xinference_models",
    "keep": "xinference_models",
    "validate_engine_options": "xinference_models_validate_engine_options",
    "check_memory": "xinference_models_check_memory",
    "download": "xinference_models_download",
    "wait_timeout": "xinference_models_wait_timeout",
    "progress_interval": "xinference_models_progress_interval",
    "max_concurrent_launches": "xinference_models_max_concurrent_launches",
    "earlier_models": "xinference_models_earlier",
}


@dataclass(frozen=True)
class Failure:
    """One reason why the host cannot be provisioned.

    :param check: what was checked.
    :param problem: what is wrong, one sentence.
    :param remedy: what to do about it, one sentence.
    """

    check: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Problem and remedy."""
        return f"{self.problem} {self.remedy}".strip()


@dataclass(frozen=True)
class ProxySettings:
    """The settings of the proxy.

    :param address: of this host on which it listens.
    :param port: of this host on which it listens, with TLS.
    :param http_port: port that only redirects; 0 for none.
    :param names: names and addresses by which clients call it.
    :param certificate: file of the host with a certificate that was given; empty for one of the local CA.
    :param certificate_key: file of the host with its key.
    :param client_ca: file of the host with the CAs of clients' certificates; empty where clients need none.
    :param queue: number of places for requests that wait; 0 for none.
    :param queue_seconds: for which one waits at most.
    :param sizes: settings that are sizes as nginx writes them, by name.
    :param numbers: settings that must be 1 or more, by name.
    """

    address: str
    port: int
    http_port: int
    names: list[str]
    certificate: str
    certificate_key: str
    client_ca: str
    queue: int
    queue_seconds: int
    sizes: Mapping[str, str]
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class BackupSettings:
    """The settings of backups.

    :param password_length: characters of the password, which itself is not needed here.
    :param repository: a directory of the host, or a place elsewhere as restic has it.
    :param environment: variables for restic, as they were written.
    :param schedule: when a timer makes a snapshot; empty for no timer.
    :param keep_daily: for how many days the last snapshot of each is kept.
    :param keep_weekly: for how many weeks the last snapshot of each is kept.
    :param restore_from: which snapshot is restored: latest, the beginning of an ID, or an archive of the controller.
    :param restore_host: name of the host whose snapshot is restored; empty for this one.
    :param directories: of the host, which the roles make for backups and the recovery service.
    :param restoring: whether the play restores a snapshot.
    """

    password_length: int
    repository: str
    environment: Any
    schedule: str
    keep_daily: int
    keep_weekly: int
    restore_from: str
    restore_host: str
    directories: Sequence[str]
    restoring: bool = False


@dataclass(frozen=True)
class MonitoringSettings:
    """The credentials with which figures are read through the proxy.

    :param username: of whoever reads them.
    :param password_length: characters of the password, which itself is not needed here.
    :param password_is_plain: whether it is of printable ASCII without spaces.
    """

    username: str
    password_length: int
    password_is_plain: bool


@dataclass(frozen=True)
class ClusterSettings:
    """The settings of a host that is in a cluster, and of its other members. They are known by their names in the inventory.

    :param name: of this host.
    :param supervisors: hosts of group ``xinference_supervisor``.
    :param workers: hosts of group ``xinference_workers``.
    :param addresses: by host, where the other members reach it; empty where none is given.
    :param images: by host, its image with tag and digest.
    :param key_length: characters of the key, which itself is not needed here.
    :param key_characters: whether it has no others than are allowed.
    :param same_key: whether all members have the same.
    :param without_key: whether the network alone keeps others out.
    :param version: tag of the image.
    :param supervisor_port: of the supervisor's host, for workers.
    :param worker_port: of each worker's host, for the supervisor.
    :param replica_ports: of each worker's host, as in 30100-30149.
    :param address: of this host on which the API is published.
    :param port: of this host on which the API is published.
    :param firewall: whether the roles make firewall rules on this host.
    :param serial: how many hosts a run of ``provision`` changes at a time.
    :param models: the list of models that the cluster serves, as it was written.
    """

    name: str
    supervisors: Sequence[str]
    workers: Sequence[str]
    addresses: Mapping[str, Any]
    images: Mapping[str, Any]
    key_length: int
    key_characters: bool
    same_key: bool
    without_key: bool
    version: str
    supervisor_port: int
    worker_port: int
    replica_ports: str
    address: str
    port: int
    firewall: bool
    serial: str
    models: Any


@dataclass(frozen=True)
class Settings:
    """The settings that a host is checked against; sizes in MiB.

    :param data_root: absolute path of the host under which the volume tree stands.
    :param address: address of this host on which the server is published.
    :param port: port of this host on which the server is published.
    :param container: name of the server's container.
    :param manage_docker: whether Docker is installed where there is none.
    :param minimum_disk_mib: free space that the host must have, in MiB.
    :param minimum_memory_mib: memory that the host must have, in MiB.
    :param memory: what the container may use: a size with a unit, such as 12g, or auto.
    :param image_tag: tag of the image.
    :param image_digest: digest of the image, such as sha256:…; empty where the tag alone counts.
    :param image_archive: file of the host that holds the image; empty where it is pulled.
    :param authentication: whether the server asks for accounts.
    :param admin_password_length: characters of the administrator's password, which itself is not needed here.
    :param models: the list of models, as it was written.
    :param validate_engine_options: whether options of llama.cpp that are not known are refused.
    :param volumes: the volume tree, each entry with ``path`` and optionally ``target``.
    :param recovery: what brings the models back: auto, service, autostart or none.
    :param recovery_address: address of this host on which the service answers load balancers.
    :param recovery_port: port for load balancers; 0 for none.
    :param variables: every variable of the play whose name starts with the collection's prefix.
    :param known_variables: the names that the roles document.
    :param container_user: numbers of the container's user and group; empty for the image's own user.
    :param values: the documented variables that are set, by name; those of roles that come later are among them only where a play sets them.
    :param proxy: the proxy; None where there should be none.
    :param backup: the backups; None where there should be none.
    :param monitoring: the credentials for figures; None where nobody reads them through the proxy.
    :param cluster: the cluster that the host is in; None where it is in none.
    :param admin_username: name of the administrator.
    :param service_account: name of the account that launches models; empty for the administrator.
    :param accounts: further accounts, each with ``name`` and fields of :class:`~.resources.users.Account`.
    :param api_keys: keys, each with ``name`` and fields of :class:`~.resources.api_keys.ApiKey`.
    :param files: paths of the host that the server writes and the roles read.
    :param places: paths that are written into units and the proxy's configuration, by the name of their variable.
    :param cpus: processors that the container may use; 0 for all.
    :param networks: names of further networks of Docker that the container joins.
    :param network_subnet: addresses of the container's network; empty for those that Docker chooses.
    :param blocked_destinations: what the container must not reach.
    :param allowed_destinations: exceptions of that.
    :param client_version: version of the client on the host.
    :param check_memory: whether models are refused that by estimate do not fit.
    :param home: directory of the server inside its container.
    :param upgrading: whether the play is an upgrade.
    :param metrics_port: port of loopback on which the figures of the server's worker are published; 0 for none.
    """

    data_root: str
    address: str
    port: int
    container: str
    manage_docker: bool
    minimum_disk_mib: int
    minimum_memory_mib: int
    memory: str
    image_tag: str
    image_digest: str
    image_archive: str
    authentication: bool
    admin_password_length: int
    models: Any
    validate_engine_options: bool
    volumes: list[dict[str, Any]]
    recovery: str
    recovery_address: str
    recovery_port: int
    variables: list[str]
    known_variables: list[str]
    container_user: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    proxy: ProxySettings | None = None
    backup: BackupSettings | None = None
    monitoring: MonitoringSettings | None = None
    cluster: ClusterSettings | None = None
    admin_username: str = "admin"
    service_account: str = "automation"
    accounts: Any = ()
    api_keys: Any = ()
    files: Sequence[str] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    cpus: float = 0.0
    networks: Sequence[str] = ()
    network_subnet: str = ""
    blocked_destinations: Any = ()
    allowed_destinations: Any = ()
    client_version: str = ""
    check_memory: bool = True
    home: str = "/root/.xinference"
    upgrading: bool = False
    metrics_port: int = 0


def gateway_of(host: Mapping[str, Any], subnet: str) -> str | None:
    """Address of this host on the container's network; None where Docker has still to choose it."""
    network = host["docker"].get("network") or {}
    if subnet and subnet not in network.get("subnets", []):
        try:
            return str(next(iter(ipaddress.ip_network(subnet).hosts())))
        except (ValueError, StopIteration):
            return None
    gateway: str | None = host["docker"].get("gateway")
    return gateway


def manages(host: Mapping[str, Any], settings: Settings) -> bool:
    """Whether role docker may install packages on this host."""
    return settings.manage_docker and bool({host["distribution"]["id"], *host["distribution"]["like"]} & MANAGED_DOCKER)


def installs(host: Mapping[str, Any], settings: Settings) -> bool:
    """Whether the roles install packages of the distribution on this host, and the play's Python sees them."""
    return manages(host, settings) and bool(host["python"]["distribution"])


def lacks(host: Mapping[str, Any], what: str, remedy: str) -> tuple[str, str]:
    """What the host's Python lacks, and what to do: the distribution's packages help its own Python alone."""
    python = host["python"]
    if python["distribution"]:
        return f"The host's Python {python['version']} lacks {what}.", remedy
    problem = f"The host's Python {python['version']} ({python['executable']}) lacks {what}, and it is not the distribution's, so it sees none of its packages."
    return problem, "Let ansible_python_interpreter name the distribution's, /usr/bin/python3, or install them with this one's own pip."
