#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore a server from a backup, and go back where that fails."""

from __future__ import annotations

DOCUMENTATION = r"""
module: restore
short_description: Restore a server from a backup, and go back where that fails
version_added: 0.1.0
description:
  - Puts a snapshot of module M(inferops.xinference.backup) into place. All of it is read and verified before anything is touched.
  - The server is stopped meanwhile, but not for O(state=checked) and O(state=files_placed). What was there before is kept until O(state=kept), and comes back
    with O(state=undone), or where a step fails.
  - A restore that was cut off is ended by the next one. What was not put into place whole goes back.
  - Playbook P(inferops.xinference.backup#role) calls it in the order that is needed; it is of little use alone.
author:
  - inferops contributors (@inferops)
attributes:
  check_mode:
    description: The snapshot is read and verified. It reports the change and touches nothing.
    support: full
  diff_mode:
    description: The files hold secrets.
    support: none
  idempotent:
    description: All states are, except O(state=placed), which restores each time.
    support: partial
  platform:
    description: Hosts with a Docker Engine behind a Unix socket, and C(restic).
    support: full
    platforms: linux
options:
  settings_path:
    description: File with the settings of the host's backups, which role P(inferops.xinference.backup#role) wrote.
    type: path
    required: true
  state:
    description:
      - With V(checked), the snapshot is read and verified.
      - With V(files_placed), files of models that the snapshot holds and this host lacks are put into place as well, and nothing else. The server goes on.
        What is there with the same size stays. They stay also where a later step fails.
      - With V(placed), it is put into place, and the server is healthy.
      - With V(kept), what was there before the restore is removed.
      - With V(undone), what was there before the restore is there again, and the server is healthy.
    type: str
    choices: [checked, files_placed, placed, kept, undone]
    required: true
  from:
    description: >-
      The snapshot. V(latest) is the last one of the host, other values are the beginning of an ID, or the absolute path of an archive that lies on the host.
    type: str
    default: latest
  source_host:
    description: Name of the host whose snapshot it is, if that is another one. Without it a snapshot of another host is refused.
    type: str
  restore_id:
    description: >-
      Name of this restore, chosen by who calls. Required with O(state=placed), O(state=kept) and O(state=undone). With the last two, nothing happens where the
      last restore has another one.
    type: str
  mounts:
    description: What a container that is not there yet will see of the host, as Docker writes it, such as V(/srv/xinference_data/models:/models:ro).
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds for which the health of the server's container is waited for.
    type: float
    default: 300
seealso:
  - module: inferops.xinference.backup
"""

EXAMPLES = r"""
- name: See that the last snapshot is whole
  inferops.xinference.restore:
    settings_path: /etc/xinference-backup/settings.json
    state: checked
"""

RETURN = r"""
snapshot:
  description: The snapshot that was read, as module M(inferops.xinference.backup) returns it; null with O(state=kept) and O(state=undone).
  returned: success
  type: dict
missing_files:
  description: >-
    Files of models that the snapshot holds and this host lacks, each with C(path) on the host and C(size) in bytes. With O(state=files_placed) they are there
    now, outside of check mode. None with O(state=placed), O(state=kept) and O(state=undone).
  returned: success
  type: list
  elements: dict
file_problems:
  description: Why files of models are not put into place that the snapshot holds, a sentence each.
  returned: success
  type: list
  elements: str
snapshots:
  description: >-
    The snapshots that could be chosen, the oldest first, each with C(id), C(host) and C(time). None where it is an archive, and with O(state=kept) and
    O(state=undone).
  returned: success
  type: list
  elements: dict
"""

import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, described, sentence
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.missing_files import Plan
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restore import Restore
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import read_secrets, read_settings
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import shown
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket

_FROM = re.compile(r"latest|[0-9a-f]{8,64}|/.+")
_MOUNT = re.compile(r"/[^:]*:/[^:]*:[A-Za-z,]+")


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "settings_path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["checked", "files_placed", "placed", "kept", "undone"], "required": True},
            "from": {"type": "str", "default": "latest"},
            "source_host": {"type": "str"},
            "restore_id": {"type": "str"},
            "mounts": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "float", "default": 300.0},
        },
        required_if=[("state", state, ["restore_id"]) for state in ("placed", "kept", "undone")],
        supports_check_mode=True,
    )
    parameters = module.params
    state, source, host = parameters["state"], parameters["from"], parameters["source_host"] or None
    if not _FROM.fullmatch(source):
        module.fail_json(msg=f"from '{source}' must be latest, 8 to 64 digits of an ID (0 to 9, a to f), or an absolute path.")
    odd = [mount for mount in parameters["mounts"] if not _MOUNT.fullmatch(mount)]
    if odd:
        module.fail_json(msg=f"mounts: '{shown(odd[0])}' is none; write it as /srv/xinference_data/models:/models:ro.")
    try:
        settings = read_settings(parameters["settings_path"])
        restic = Restic(settings, read_secrets(settings.secrets))
        restore = Restore(settings, DockerSocket(settings.docker_host), restic, parameters["timeout"], parameters["mounts"])
        if state in ("kept", "undone"):
            named = parameters["restore_id"]
            changed = restore.open(named) if module.check_mode else restore.keep(named) if state == "kept" else restore.undo(named)
            module.exit_json(changed=changed, snapshot=None, snapshots=[], missing_files=[], file_problems=[])
        if module.check_mode or state == "checked":
            found = restore.check(source, host)
        else:
            found = restore.place(source, host, parameters["restore_id"]) if state == "placed" else restore.place_files(source, host)
    except BackupError as error:
        module.fail_json(msg=sentence(error))
    files = Plan() if state == "placed" else found.files
    module.exit_json(
        changed=state == "placed" or (state == "files_placed" and len(files.missing) > 0),
        snapshot=described(found.id, found.manifest),
        snapshots=[each.row() for each in found.snapshots],
        missing_files=[each.row() for each in files.missing],
        file_problems=list(files.problems),
    )


if __name__ == "__main__":
    main()
