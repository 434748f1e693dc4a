# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the connection options. Private to this collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that every module which talks to a server has."""

    DOCUMENTATION = r"""
options:
  endpoint:
    description:
      - Base address of the server as seen from where the module runs, without an account and without C(/v1).
      - If not set, the environment variable E(XINFERENCE_ENDPOINT) is used.
    type: str
    default: http://127.0.0.1:9997
  username:
    description:
      - Account on the server. Servers since 3.0 ask for one unless their authentication is switched off.
      - An API key does not serve here, because the server lets API keys neither launch nor terminate models.
      - If not set, the environment variable E(XINFERENCE_USERNAME) is used.
    type: str
  password:
    description:
      - Password of the account. It is tried once, because the server bans an address after a few wrong ones.
      - If not set, the environment variable E(XINFERENCE_PASSWORD) is used.
    type: str
  password_path:
    description:
      - File, where the module runs, with the password, readable by its owner alone. If O(password) is set too, O(password) counts.
        Where a line does not work, the next one is tried, then those of a copy with C(.copy) behind its name.
      - If not set, the environment variable E(XINFERENCE_PASSWORD_PATH) is used.
    type: path
  validate_certs:
    description:
      - Whether the server's certificate must be trusted.
      - If not set, the environment variable E(XINFERENCE_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_path:
    description:
      - File with the CAs that the server's certificate is checked against, in PEM format.
      - If not set, the environment variable E(XINFERENCE_CA_PATH) is used.
    type: path
  timeout:
    description:
      - Seconds until a request without an answer fails.
      - If not set, the environment variable E(XINFERENCE_TIMEOUT) is used.
    type: float
    default: 30.0
  listener_users:
    description:
      - Users of this machine, by name or number, whose process may listen at an O(endpoint) of this machine without TLS. While the server is down, whoever
        else listens on its port would get the account; nothing is sent to such a process. The user who runs the module may always listen there.
      - If not set, the environment variable E(XINFERENCE_LISTENER_USERS) is used, with commas between them.
    type: list
    elements: str
    default: [root]
  allow_plain_http:
    description:
      - Whether O(password) may be sent to another machine without TLS, where others can read it on its way.
      - If not set, the environment variable E(XINFERENCE_ALLOW_PLAIN_HTTP) is used.
    type: bool
    default: false
requirements:
  - python >= 3.9
  - xinference-client
"""

    ACTIONGROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/inferops.xinference.xinference) in C(module_defaults) to set the connection once for all modules.
    support: full
    membership:
      - inferops.xinference.xinference
"""
