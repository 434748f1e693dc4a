#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a backup of what a server cannot download again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Make a backup of what a server cannot download again
version_added: 0.1.0
description:
  - Saves accounts with their keys, autostart and launch history, registrations and settings of the server, and the declaration and records of this
    collection, as a snapshot in a repository of C(restic). Model files are not in it; those that no hub has are named, and saved apart on request.
  - The server goes on serving. Its databases are copied by SQLite itself, in a container of the server's image without network, so that each is whole.
  - The snapshot is read back and compared before the module calls it made.
  - Role P(inferops.xinference.backup#role) writes the settings and calls it; it is of little use alone.
author:
  - inferops contributors (@inferops)
attributes:
  check_mode:
    description: With O(state=ready) it predicts whether the repository would be made. With O(state=made) it reports a change and makes nothing.
    support: full
  diff_mode:
    description: A backup changes nothing that could be shown.
    support: none
  idempotent:
    description: O(state=ready) is. Each run with O(state=made) makes a snapshot.
    support: partial
  platform:
    description: Hosts with a Docker Engine behind a Unix socket, and C(restic).
    support: full
    platforms: linux
options:
  settings_path:
    description: File with the settings of the host's backups, which the role wrote.
    type: path
    required: true
  state:
    description:
      - With V(made), a snapshot is made. Once a day, old ones are removed as the settings have it, and the repository is checked.
      - With V(ready), the repository can be opened, and is made where there is none.
    type: str
    choices: [made, ready]
    default: made
  archive_path:
    description: File of the host into which the snapshot is written as well, as a tar archive that is not encrypted. One that is there is replaced.
    type: path
  model_files:
    description:
      - Whether local files of declared models are saved, too, where the settings say so. What the repository holds already is named in any case.
      - That comes after a first snapshot, and before a second one that names it, so that nothing else waits for gigabytes.
    type: bool
    default: true
seealso:
  - module: inferops.xinference.restore
"""

EXAMPLES = r"""
- name: Make a backup now
  inferops.xinference.backup:
    settings_path: /etc/xinference-backup/settings.json
"""

RETURN = r"""
snapshot:
  description: The snapshot that was made; null in check mode, and with O(state=ready).
  returned: success
  type: dict
  contains:
    id:
      description: The first 8 digits of its ID in the repository.
      type: str
      returned: always
    host:
      description: Name of the host that it is of.
      type: str
      returned: always
    time:
      description: When it was made, in UTC.
      type: str
      returned: always
      sample: "2026-01-31T03:00:00Z"
    files:
      description: The files in it, each with C(path) and C(size) in bytes.
      type: list
      elements: dict
      returned: always
    bytes:
      description: Bytes of all files.
      type: int
      returned: always
    server_version:
      description: Version of the server.
      type: str
      returned: always
    image:
      description: Reference of the server's image.
      type: str
      returned: always
    image_id:
      description: ID of the server's image.
      type: str
      returned: always
    collection_version:
      description: Version of this collection.
      type: str
      returned: always
    model_files:
      description:
        - Local files of declared models, which are not among its files, each with C(uid), C(path) inside the container, and C(size) in bytes or null.
        - Where the settings say that they are taken along, C(snapshot) is the ID of another snapshot of the repository that holds them, else null, and
          C(problem) is why there is none, else empty.
      type: list
      elements: dict
      returned: always
    warnings:
      description: What is odd about it, a sentence each.
      type: list
      elements: str
      returned: always
files_failed:
  description: Why files of models could not be saved, a sentence; empty where they were, or were not to be.
  returned: success
  type: str
snapshots:
  description: The snapshots of this host that are kept, the oldest first, each with C(id), C(host) and C(time). None in check mode.
  returned: success
  type: list
  elements: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.backup import make
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, described, sentence
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import read_secrets, read_settings
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "settings_path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["made", "ready"], "default": "made"},
            "archive_path": {"type": "path"},
            "model_files": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    if parameters["archive_path"] and parameters["state"] != "made":
        module.fail_json(msg="archive_path is for state made.")
    try:
        settings = read_settings(parameters["settings_path"])
        restic = Restic(settings, read_secrets(settings.secrets))
        if parameters["state"] == "ready":
            module.exit_json(changed=restic.ready(check=module.check_mode), snapshot=None, snapshots=[], files_failed="")
        if module.check_mode:
            module.exit_json(changed=True, snapshot=None, snapshots=[], files_failed="")
        archive = Path(parameters["archive_path"]) if parameters["archive_path"] else None
        made = make(settings, DockerSocket(settings.docker_host), restic, archive=archive, model_files=parameters["model_files"])
    except BackupError as error:
        module.fail_json(msg=sentence(error))
    try:
        rows = [each.row() for each in restic.snapshots(settings.host)]
    except BackupError as error:
        # It was made and read back all the same.
        module.warn(f"The snapshots cannot be listed: {sentence(error)}")
        rows = []
    module.exit_json(changed=True, snapshot=described(made.id, made.manifest), snapshots=rows, files_failed=made.failure)


if __name__ == "__main__":
    main()
