#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace the server's container, and go back to the one before where the new one does not get healthy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_container
short_description: Replace the server's container, and roll back where the new one does not get healthy
version_added: 0.1.0
description:
  - Lets a container that was created beforehand, whose name is O(name) and C(.replacement), take the place of the container O(name), starts it, and waits
    for its health check. The container of before is kept meanwhile, stopped, as O(name) and C(.previous).
  - A container that does not get healthy is removed, and the one of before is started again in its place; the module fails then, with what the container
    that failed said.
  - A container that ends three times, or stays down, is not waited for until O(timeout).
  - Two runs at once wait for each other. What a run left that was killed is tidied up by the next one.
  - Role P(inferops.xinference.server#role) calls it; it is of little use alone.
author:
  - inferops contributors (@inferops)
attributes:
  check_mode:
    description: Predicts whether containers would be replaced, started or removed, and not whether they would get healthy.
    support: full
  diff_mode:
    description: The role shows the differences between the containers.
    support: none
  idempotent:
    description: A healthy container without a replacement is left as it is.
    support: full
  platform:
    description: Hosts with a Docker Engine behind a Unix socket.
    support: full
    platforms: linux
options:
  docker_host:
    description: Socket of the Docker Engine.
    type: str
    default: unix:///var/run/docker.sock
  name:
    description: Name of the server's container.
    type: str
    required: true
  state:
    description:
      - With V(healthy), the replacement takes the place of the container, where there is one, and the container is started and healthy.
      - >-
        With V(settled), only what an interrupted run left is tidied up: a replacement that was never started is removed; the container of before gets its
        name back if no other container has it, and is removed if the other one is healthy.
      - With V(set_aside), the container is stopped and gets the name of the one of before.
      - With V(restored), the container of before is back in its place and healthy. The other one is removed. Nothing happens where there is none.
    type: str
    choices: [healthy, settled, set_aside, restored]
    default: healthy
  roll_back:
    description: Whether to go back to the container of before in the same step, with O(state=healthy).
    type: bool
    default: true
  keep_previous:
    description: Whether the container of before is kept, stopped, also when the other one is healthy, with O(state=healthy).
    type: bool
    default: false
  timeout:
    description: Seconds for which the health of each container is waited for. Another run is waited for three times as long, because it may roll back.
    type: float
    default: 300
  log_lines:
    description: Number of lines to show from the end of the log of a container that failed.
    type: int
    default: 25
seealso:
  - module: inferops.xinference.host_info
  - module: community.docker.docker_container
"""

EXAMPLES = r"""
# A container xinference.replacement was created before.
- name: Let the replacement take the place of the container
  inferops.xinference.server_container:
    name: xinference
    timeout: 600
"""

RETURN = r"""
container:
  description: The container that did not get healthy, as module M(inferops.xinference.host_info) describes one, with C(log); null where there was none.
  returned: failure
  type: dict
restored:
  description: Whether the container of before runs again and is healthy.
  returned: failure
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.lock import Lock
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.docker import DockerSocket
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.replacement import Container, NotHealthy, docker_words, lock_path


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["healthy", "settled", "set_aside", "restored"], "default": "healthy"},
            "roll_back": {"type": "bool", "default": True},
            "keep_previous": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 300.0},
            "log_lines": {"type": "int", "default": 25},
        },
        supports_check_mode=True,
    )
    name, timeout = module.params["name"], module.params["timeout"]
    container = Container(DockerSocket(module.params["docker_host"]), name, log_lines=module.params["log_lines"])
    state = module.params["state"]
    try:
        if module.check_mode:
            module.exit_json(changed=container.predict(state))
        with Lock(lock_path(name), "replacing this container").hold(3 * timeout):
            if state == "healthy":
                changed = container.make_healthy(timeout, module.params["roll_back"], module.params["keep_previous"])
            else:
                changed = container.restore(timeout) if state == "restored" else container.settle() if state == "settled" else container.set_aside()
    except NotHealthy as error:
        module.fail_json(msg=str(error), container=error.container, restored=error.restored)
    except XinferenceError as error:
        module.fail_json(msg=str(error), container=None, restored=False)
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"Docker at '{module.params['docker_host']}' does not do it: {docker_words(error)}.", container=None, restored=False)
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
