#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record an upgrade of a server, and end it: the new server stays, or the previous one comes back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade
short_description: Record an upgrade of a server, and end it or go back
version_added: 0.1.0
description:
  - Keeps on the host which versions wrote the server's data, and how far an upgrade is, so that the next run ends what one began that was cut off.
  - Between O(state=begun) and O(state=kept), role P(inferops.xinference.server#role) lets a container of the new image take the place of the one of before,
    which is kept, stopped.
  - With O(state=undone), the container of before is back in its place, and the data of before come back from their backup.
  - Role P(inferops.xinference.upgrade#role) calls it in the order that is needed; it is of little use alone.
author:
  - inferops contributors (@inferops)
attributes:
  check_mode:
    description: Reports whether a record would be written or removed, and touches nothing.
    support: full
  diff_mode:
    description: The role reports the versions.
    support: none
  idempotent:
    description: What is recorded, or has ended, is left as it is.
    support: full
  platform:
    description: Hosts with a Docker Engine behind a Unix socket.
    support: full
    platforms: linux
options:
  container:
    description: Name of the server's container.
    type: str
    required: true
  docker_host:
    description: Socket of the Docker Engine.
    type: str
    default: unix:///var/run/docker.sock
  directory:
    description: Directory of the host for the records, C(versions.json) and C(upgrade.json), which everybody may read.
    type: path
    required: true
  state:
    description:
      - With V(recorded), the versions that run are recorded.
      - With V(begun), an upgrade to O(image) is recorded. A container may take the place of the one that runs from then on.
      - >-
        With V(kept), the new server stays. The previous container is removed, and so is the image that an earlier upgrade left. The previous image stays. It
        fails where no upgrade is under way.
      - With V(undone), the previous server is back, with its data, and healthy. Nothing happens where no upgrade is under way.
    type: str
    choices: [recorded, begun, kept, undone]
    required: true
  image:
    description: Reference of the new image, with O(state=begun). It must be on the host.
    type: str
  snapshot:
    description: ID of the snapshot with the data of before, with O(state=begun).
    type: str
  settings_path:
    description: File with the settings of the host's backups, with O(state=begun) and O(state=undone).
    type: path
  collection_version:
    description: Version of this collection, which is recorded.
    type: str
    default: ""
  client_version:
    description: Version of the client on the host, which is recorded.
    type: str
    default: ""
  timeout:
    description: Seconds for which the health of a container is waited for.
    type: float
    default: 300
seealso:
  - module: inferops.xinference.upgrade_info
  - module: inferops.xinference.server_container
"""

EXAMPLES = r"""
- name: Record which versions run
  inferops.xinference.upgrade:
    container: xinference
    directory: /var/lib/xinference-upgrade
    state: recorded
    collection_version: 0.1.0
    client_version: 4.1.0
"""

RETURN = r"""
versions:
  description: What is recorded of the versions; null where nothing is.
  returned: success
  type: dict
  contains:
    server:
      description: Version of the server; empty where its image does not say.
      type: str
      returned: success
    image:
      description: Reference of the image.
      type: str
      returned: success
    image_id:
      description: Identifier of the image.
      type: str
      returned: success
    collection:
      description: Version of this collection.
      type: str
      returned: success
    client:
      description: Version of the client.
      type: str
      returned: success
    time:
      description: When it was recorded, in UTC.
      type: str
      returned: success
      sample: "2026-01-31T12:00:00Z"
    refused:
      description: Identifier of the image from which the last upgrade was rolled back; empty for none.
      type: str
      returned: success
    previous:
      description: The same of what ran before the last upgrade; null for none.
      type: dict
      returned: success
upgrade:
  description: An upgrade that has not ended, as module M(inferops.xinference.host_info) returns it; null for none.
  returned: success
  type: dict
image_left:
  description: Why the image of an earlier upgrade is left on the host, in Docker's words; empty where it was removed, or there was none.
  returned: success
  type: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, sentence
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import Restic
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restore import Restore
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import read_secrets, read_settings
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.staging import staging
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import docker_words
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.versions import upgrade_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade.upgrade import Recorder, Upgrade


def run(module: AnsibleModule) -> tuple[bool, str]:
    """Do it: whether anything was changed, and why an image is left."""
    given = module.params
    docker, state = DockerSocket(given["docker_host"]), given["state"]
    recorder = Recorder(docker, given["container"], given["directory"], given["collection_version"], time.time)
    upgrade = Upgrade(recorder, lambda: _restore(given["settings_path"], given["timeout"]), given["timeout"])
    if state == "recorded":
        return recorder.predict(given["client_version"]) if module.check_mode else recorder.record(given["client_version"]), ""
    if module.check_mode:
        return (upgrade.under_way is None) == (state == "begun"), ""
    if state == "begun":
        # A backup that is being made ends before, and the next one reads what is recorded.
        with staging(read_settings(given["settings_path"])):
            return upgrade.begin(given["image"], given["snapshot"]), ""
    return (True, upgrade.keep(given["client_version"])) if state == "kept" else (upgrade.undo(), "")


def _restore(settings_path: str, timeout: float) -> Restore:
    """What brings data back."""
    settings = read_settings(settings_path)
    return Restore(settings, DockerSocket(settings.docker_host), Restic(settings, read_secrets(settings.secrets)), timeout)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "required": True},
            "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
            "directory": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["recorded", "begun", "kept", "undone"], "required": True},
            "image": {"type": "str"},
            "snapshot": {"type": "str"},
            "settings_path": {"type": "path"},
            "collection_version": {"type": "str", "default": ""},
            "client_version": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 300.0},
        },
        required_if=[("state", "begun", ["image", "snapshot", "settings_path"]), ("state", "undone", ["settings_path"])],
        supports_check_mode=True,
    )
    try:
        changed, left = run(module)
    except BackupError as error:
        module.fail_json(msg=sentence(error))
    except XinferenceError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"Docker at '{module.params['docker_host']}', or the file system, does not do it: {docker_words(error)}.")
    module.exit_json(changed=changed, image_left=left, **upgrade_facts(module.params["directory"]))


if __name__ == "__main__":
    main()
