#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a host is and has."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Read what the roles of this collection need to know about a host
version_added: 0.1.0
description:
  - Reads processor, memory, file systems, listening ports, the Docker Engine with one container and one image, and the virtual
    environment of the client, all in one module execution. Needs nothing but Python on the host, and changes nothing.
  - The roles call it once per play and skip every task that has nothing to do.
author:
  - inferops contributors (@inferops)
attributes:
  check_mode:
    description: Reads the same as without it.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Linux hosts, because most of it is read from C(/proc).
    support: full
    platforms: linux
options:
  docker_host:
    description: Address of the Docker Engine, as the Unix socket of this host.
    type: str
    default: unix:///var/run/docker.sock
  container:
    description: Name of a container to describe.
    type: str
  image:
    description: Reference of an image to look for in Docker.
    type: str
  paths:
    description: Absolute paths to describe. They need not exist.
    type: list
    elements: path
    default: []
  client_environment:
    description: Directory of the virtual environment that holds C(xinference-client).
    type: path
  data_root:
    description: >-
      Directory that the server's container can write to. Where O(users_database) and O(server_environment_file) lie in it, no link below it is followed to
      them.
    type: path
  users_database:
    description: File in which the server keeps its accounts, to list their names.
    type: path
  server_environment_file:
    description: File with environment variables of the server that are secret, to list their names.
    type: path
  declaration:
    description: File in which module M(inferops.xinference.models) stored the host's declaration.
    type: path
  service:
    description: The recovery service to describe.
    type: dict
    suboptions:
      units:
        description: Names of its units. The first is the service itself.
        type: list
        elements: str
        required: true
      user:
        description: User that it runs as.
        type: str
        required: true
      program:
        description: Directory with its program.
        type: path
        required: true
      state:
        description: File in which it writes what it knows.
        type: path
        required: true
  proxy:
    description: The proxy to describe.
    type: dict
    suboptions:
      unit:
        description: Name of its unit.
        type: str
        required: true
      user:
        description: User that its workers run as.
        type: str
        required: true
      config:
        description: Its configuration file.
        type: path
        required: true
      certificates:
        description: Files with certificates that it uses, in PEM format. They need not exist.
        type: list
        elements: path
        default: []
  firewall:
    description: The firewall rules to describe, and the units that keep them.
    type: dict
    suboptions:
      units:
        description: Names of the units. The first sets the rules, and the last is the timer that has them checked.
        type: list
        elements: str
        required: true
      comment:
        description: Comment of the rules. That of a single rule may go on behind a colon.
        type: str
        required: true
      directory:
        description: Directory with the files that the first unit reads.
        type: path
        required: true
  backup:
    description: The backups to describe.
    type: dict
    suboptions:
      units:
        description: Names of the units. The first makes a backup, and the last is its timer.
        type: list
        elements: str
        required: true
      directory:
        description: Directory with the settings.
        type: path
        required: true
      program:
        description: Directory with the program.
        type: path
        required: true
      status:
        description: File in which a backup writes what became of it.
        type: path
        required: true
      package:
        description: Whether to ask the package manager for C(restic), where it is not installed.
        type: bool
        default: false
      schedule:
        description: What to ask systemd whether it takes it as C(OnCalendar), unless the timer has it already.
        type: str
  upgrade:
    description: Directory with the record of the versions that wrote the server's data, as module M(inferops.xinference.upgrade) makes it.
    type: path
  addresses:
    description: IP addresses; for each, whether this host can listen on it is returned.
    type: list
    elements: str
    default: []
  log_lines:
    description: Number of lines at the end of the container's log to return, in C(docker.container.log).
    type: int
    default: 0
seealso:
  - module: inferops.xinference.models_info
"""

EXAMPLES = r"""
- name: Read the host
  inferops.xinference.host_info:
    container: xinference
    paths: [/srv/xinference_data]
  register: found

- name: Require 20 GiB of free disk space
  ansible.builtin.assert:
    that: found.host.paths['/srv/xinference_data'].free_mib >= 20480
    fail_msg: There is too little disk space.
"""

RETURN = r"""
host:
  description: The host. All sizes are in MiB.
  returned: success
  type: dict
  sample:
    architecture: x86_64
    processors: 8
    memory: {total_mib: 32000, available_mib: 30000, swap_mib: 0}
    selinux: disabled
    administrator: true
    client_version: 4.1.0
  contains:
    asked:
      description: O(docker_host), O(container), O(image), O(client_environment) and O(data_root), which the facts belong to.
      type: dict
      returned: always
    architecture:
      description: Machine type as the kernel names it.
      type: str
      returned: always
    processors:
      description: Number of processors that this host may use.
      type: int
      returned: always
    memory:
      description: Total and available memory, and swap, in MiB.
      type: dict
      returned: always
    distribution:
      description: C(id), C(version) and C(like) from C(/etc/os-release).
      type: dict
      returned: always
    selinux:
      description: V(enforcing), V(permissive) or V(disabled).
      type: str
      returned: always
    administrator:
      description: Whether the module ran as root.
      type: bool
      returned: always
    python:
      description: >-
        C(version), C(executable) and C(prefix) (directory of its standard library) of the interpreter that ran the module, whether packages of the
        distribution are there for it (C(distribution)), and whether it imports C(cryptography), C(packaging), C(requests) and can make virtual environments
        (C(venv)). C(executable) of the distribution's own is F(/usr/bin/python3), which is there after an upgrade, too.
      type: dict
      returned: always
    docker:
      description: >-
        The Docker Engine: C(reachable), C(error), C(version) (with a name before the number where it is another program, such as Podman),
        C(api_version), C(image_present), C(image_id) (identifier of that image, or null), C(image_mib) (size of the container's image in MiB, null where
        O(image) is there),
        C(directory) (where images and containers are kept, or null), C(free_mib) (room there, in MiB, or null),
        C(beside) (names of containers that a run left which was killed), C(stale_ports) (that Docker holds for a container that does not run), C(uid)
        (number of the user who runs it), C(rootless) (whether it runs without root, in a network of its own), C(root) (numbers that user and group 0
        of a container have on the host), C(network) (of the name of O(container), with its interface C(bridge), C(subnets), and C(ours), whether the
        roles made it, or null),
        C(runc) (version of what starts containers, or null), C(gateway) (address of this host in that network, or null),
        C(networks) (of all, by name, their addresses), C(processors) (number that a container can have, or null), C(interrupted) (whether a
        run replaced the container and did not end), C(previous) (C(labels) and C(user) of the container that is kept until a replacement has ended, or
        null), and C(container) with C(id), C(image), C(image_id), C(status), C(health), C(health_says) (the last words of
        its health check, at most 200 characters), C(started_at), C(restarts), C(labels), C(network) (name of its network), C(ports), C(held) (which
        ports it holds at this moment), C(published) (address and port), C(memory) (limit in bytes, 0 for none), C(restart_policy), C(mounts)
        (C(source:target:rw) or C(ro)), C(chooses_mounts) (whether one source lies below another one that the container can write, so that it can put
        a link to any directory of the host in its place), C(ours) (whether the roles made it), C(home) (of its server, inside it), C(caches) (variables
        that move its downloads), C(user) (that it runs as), C(volumes) (each with C(source), C(real), the same without links, C(target),
        C(read_only), C(volume), the name of Docker's volume or empty, and C(empty)), and with O(log_lines) C(log), or null; and C(neighbours), the
        other containers that run, each with C(name), C(image), C(xinference) (whether it runs that), C(ports) (of the host that it has, each with
        C(address) and C(port)) and C(sources) (what it sees of the host).
      type: dict
      returned: always
    listeners:
      description: Listening TCP sockets, each with C(address), C(port) and C(uid), the number of the user who made it.
      type: list
      elements: dict
      returned: always
    addresses:
      description: For each of O(addresses) whether this host can listen on it.
      type: dict
      returned: always
    paths:
      description: >-
        For each path C(exists), C(directory), C(size) (bytes of a regular file, else null), C(owner), C(group), their numbers C(uid) and C(gid), C(mode),
        C(public) (whether every user of the host may read it, with the directories above), C(empty), C(links) (which of the path and the directories above are
        links), C(real) (the path without links), C(nearest) (the deepest directory above that exists), and of that C(writable), C(filesystem) and C(free_mib).
      type: dict
      returned: always
    users:
      description: >-
        The accounts in O(users_database) by name, each with C(enabled) and C(permissions), sorted; none where it does not exist, null where it cannot be
        read, or something else lies in its place.
      type: dict
      returned: always
    server_environment:
      description: >-
        The variables in O(server_environment_file) by name, each with whether it has a value. An empty C(XOSCAR_AUTH_KEY) means that the image was checked
        and does not know it.
      type: dict
      returned: always
    cluster_key:
      description: >-
        SHA-256 of C(cluster), a blank and the value of C(XOSCAR_AUTH_KEY) in O(server_environment_file), by which it can be compared and is not shown. Empty
        where the file has none.
      type: str
      returned: always
    declared:
      description: Uids of the models that O(declaration) wants to run; none where it does not exist or cannot be read.
      type: list
      elements: str
      returned: always
    service:
      description: >-
        The recovery service, null without O(service): C(systemd) (whether that runs this host), C(units) (content of the unit files that are
        there, by name), C(enabled), C(active), C(behind) (whether a unit, the program or the client was written after it started), C(user) (whether there
        is one), C(program) (its fingerprint, or null), and C(state) with C(ready), C(trouble), C(refused)
        (whether the server does not know the account or its password) and for each declared model C(declared), C(state), C(answered),
        C(tries) and C(message), or null, also for anything else in its place.
      type: dict
      returned: always
    proxy:
      description: >-
        The proxy, null without O(proxy): C(nginx) (whether it is installed), C(units), C(enabled), C(active) and C(user) as of the service, C(behind)
        (whether the unit was written after it started), C(unread) (whether the configuration was written after it was read), C(config) (content of its
        configuration, or null), and C(certificates), for each file that is there C(sha256) of the file and C(not_after), the end of its first certificate in
        UTC, null for a file that holds none.
      type: dict
      returned: always
    firewall:
      description: >-
        The rules of O(firewall), null without it: C(units), C(enabled), C(active) and C(behind) as of the proxy, C(timer) (whether it runs, now and after every
        boot), C(files) (content of those in the directory, by name), and C(rules), for C(ipv4), and for C(ipv6) where the host has it, chain, comment and
        target of each rule in the table mangle, sorted, null where they cannot be read.
      type: dict
      returned: always
    backup:
      description: >-
        The backups, null without O(backup): C(restic) (whether it is installed), C(available) (whether the package manager knows it, null where that is not
        known or was not asked), C(units), C(program) as of the service, C(enabled) and C(active) of the timer, C(behind) (whether a unit was written after the
        timer was started), C(triggered) (when the timer last started its unit, in UTC, or null), C(schedule) (V(fine), V(refused), or V(never), where it will
        not come any more; null where systemd was not asked), C(settings) (SHA-256 of the settings, or null), C(restore) (whether one was cut off before
        all files were in place), C(status) with C(last_success),
        C(last_attempt) (times in UTC, or null), C(snapshot) (the ID, or null), C(verified), C(files), C(bytes), C(warnings) (a sentence each, at most
        five) and C(failed) (a sentence, empty where the last backup succeeded), or null, also for anything else in its place, and C(damaged) (whether there is
        anything else in its place).
      type: dict
      returned: always
    upgrade:
      description: >-
        What is recorded, null without O(upgrade): C(versions) as module M(inferops.xinference.upgrade) returns them, or null, and C(upgrade), one that has not
        ended, with C(state) (V(changing), V(staying), V(returning) or V(returned)), C(from) and C(to), each with C(image), C(image_id),
        C(server) and C(container_id), C(snapshot) and C(time), or null.
      type: dict
      returned: always
    client_version:
      description: Version of C(xinference-client) that the interpreter of O(client_environment) imports, null where it imports none.
      type: str
      returned: always
    client_problem:
      description: Why O(client_environment) cannot be used and is to be made again, null where it can, or nothing is there.
      type: str
      returned: always
    client_foreign:
      description: Whether O(client_environment) cannot be used and is no virtual environment, so that it is not for the roles to remove.
      type: bool
      returned: always
    client_requirements:
      description: SHA-256 of the requirements that the roles last installed O(client_environment) from, null where it was installed from none.
      type: str
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.facts import gather


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
            "container": {"type": "str"},
            "image": {"type": "str"},
            "paths": {"type": "list", "elements": "path", "default": []},
            "client_environment": {"type": "path"},
            "data_root": {"type": "path"},
            "users_database": {"type": "path"},
            "server_environment_file": {"type": "path"},
            "declaration": {"type": "path"},
            "firewall": {
                "type": "dict",
                "options": {
                    "units": {"type": "list", "elements": "str", "required": True},
                    "comment": {"type": "str", "required": True},
                    "directory": {"type": "path", "required": True},
                },
            },
            "addresses": {"type": "list", "elements": "str", "default": []},
            "log_lines": {"type": "int", "default": 0},
            "service": {
                "type": "dict",
                "options": {
                    "units": {"type": "list", "elements": "str", "required": True},
                    "user": {"type": "str", "required": True},
                    "program": {"type": "path", "required": True},
                    "state": {"type": "path", "required": True},
                },
            },
            "proxy": {
                "type": "dict",
                "options": {
                    "unit": {"type": "str", "required": True},
                    "user": {"type": "str", "required": True},
                    "config": {"type": "path", "required": True},
                    "certificates": {"type": "list", "elements": "path", "default": []},
                },
            },
            "backup": {
                "type": "dict",
                "options": {
                    "units": {"type": "list", "elements": "str", "required": True},
                    "directory": {"type": "path", "required": True},
                    "program": {"type": "path", "required": True},
                    "status": {"type": "path", "required": True},
                    "package": {"type": "bool", "default": False},
                    "schedule": {"type": "str"},
                },
            },
            "upgrade": {"type": "path"},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, host=gather(**module.params, run=module.run_command))


if __name__ == "__main__":
    main()
