#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the recovery service's program on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_program
short_description: Put the program of the recovery service on a host
version_added: 0.1.0
description:
  - The service of role P(inferops.xinference.recovery#role) runs the same code as module M(inferops.xinference.models). This module puts that code into a
    directory of the host, and replaces the whole directory in one step.
  - The role calls it; it is of little use alone.
author:
  - inferops contributors (@inferops)
attributes:
  check_mode:
    description: Predicts whether the directory would be replaced.
    support: full
  diff_mode:
    description: Shows the fingerprint of the program before and after.
    support: full
  idempotent:
    description: A directory that holds the program already is left as it is.
    support: full
  platform:
    description: Hosts with systemd, because the service needs it.
    support: full
    platforms: linux
options:
  path:
    description: Directory for the program. Everything in it is replaced.
    type: path
    default: /usr/local/lib/xinference-models
seealso:
  - module: inferops.xinference.models
"""

EXAMPLES = r"""
- name: Put the service's program on the host
  inferops.xinference.recovery_program:
    path: /usr/local/lib/xinference-models
"""

RETURN = r"""
fingerprint:
  description: Names the content of the program.
  returned: success
  type: str
  sample: 0a1b2c3d4e5f6071
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.fingerprint import fingerprint, folder_fingerprint
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import install, sources


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec={"path": {"type": "path", "default": "/usr/local/lib/xinference-models"}}, supports_check_mode=True)
    folder = Path(module.params["path"])
    if not folder.is_absolute() or len(folder.parts) < 3:
        module.fail_json(msg=f"path '{folder}' must be an absolute path with at least two names, because everything in it is replaced.")
    before, after = folder_fingerprint(folder), fingerprint(sources())
    if before != after and not module.check_mode:
        try:
            install(folder)
        except OSError as error:
            module.fail_json(msg=f"path '{folder}' cannot be written: {error.strerror}.")
    module.exit_json(changed=before != after, fingerprint=after, diff={"before": f"{before or ''}\n", "after": f"{after}\n"})


if __name__ == "__main__":
    main()
