#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the snapshots that a restore can choose from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: snapshot_info
short_description: List the snapshots that a restore can choose from
version_added: 0.1.0
description:
  - Lists the snapshots that module M(inferops.xinference.backup) has made of a host, and reads of each what it is of. Module M(inferops.xinference.restore)
    takes the IDs.
  - Whether a snapshot is whole is not checked; M(inferops.xinference.restore) does that with its state V(checked).
  - It takes C(restic) half a second to read one. Of more than 100 snapshots, only the last 100 are read.
author:
  - inferops contributors (@inferops)
attributes:
  check_mode:
    description: Lists the same as without it.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
  platform:
    description: Hosts with C(restic).
    support: full
    platforms: linux
options:
  settings_path:
    description: File with the settings of the host's backups, which role P(inferops.xinference.backup#role) wrote.
    type: path
    required: true
  source_host:
    description: Name of the host whose snapshots are listed, if that is another one.
    type: str
seealso:
  - module: inferops.xinference.backup
  - module: inferops.xinference.restore
"""

EXAMPLES = r"""
- name: List the snapshots of this host
  inferops.xinference.snapshot_info:
    settings_path: /etc/xinference-backup/settings.json
  register: listed
"""

RETURN = r"""
snapshots:
  description: The snapshots, the oldest first.
  returned: success
  type: list
  elements: dict
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
      description: When it was made, in UTC; empty where that is not known.
      type: str
      returned: always
      sample: "2026-01-31T03:00:00Z"
    server_version:
      description: Version of the server that it is of; null where it does not say.
      type: str
      returned: always
    files:
      description: How many files it holds; null where it does not say.
      type: int
      returned: always
    bytes:
      description: Bytes of all files; null where it does not say.
      type: int
      returned: always
    problem:
      description: Why it does not say; empty where it does.
      type: str
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, sentence
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.listing import listed
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import read_secrets, read_settings


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec={"settings_path": {"type": "path", "required": True}, "source_host": {"type": "str"}}, supports_check_mode=True)
    try:
        settings = read_settings(module.params["settings_path"])
        snapshots = listed(settings, Restic(settings, read_secrets(settings.secrets)), module.params["source_host"] or None)
    except BackupError as error:
        module.fail_json(msg=sentence(error))
    module.exit_json(changed=False, snapshots=snapshots)


if __name__ == "__main__":
    main()
