#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that an account is as declared."""

from __future__ import annotations

DOCUMENTATION = r"""
module: user
short_description: Manage an account of an Xinference server
version_added: 0.1.0
description:
  - Makes an account, compares one that exists with the declaration, changes what differs, or removes it.
  - >-
    Only accounts that log in with a password are managed. One of the same name that comes from an identity provider is another account, and left alone.
  - >-
    Nobody is locked out. The task fails before anything is changed when it would remove the account that the module logs in with, disable it or take away
    the permission that lets it manage accounts, or when it would do the same to the last enabled administrator.
  - >-
    Needs a server that has accounts, which is 3.0 or later with its authentication switched on. O(username) must be an account with the permission
    V(admin), or with V(users:manage), which may not touch administrators nor grant what it does not have itself.
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
attributes:
  check_mode:
    description: Predicts the same change and the same diff, and writes nothing. It tries the declared password as well.
    support: full
  diff_mode:
    description: Shows the account, or of one that is changed the fields that differ, before and after. It never shows a password.
    support: full
  idempotent:
    description: A second run with the same declaration changes nothing.
    support: full
  platform:
    description: Where the module runs. The server may be elsewhere.
    support: full
    platforms: posix
options:
  name:
    description:
      - Name of the account. Upper and lower case count.
      - It is not O(username), which is the account that the module logs in with.
    type: str
    required: true
  state:
    description:
      - Whether there should be such an account.
      - With an account, the server removes all its API keys too.
    type: str
    choices: [present, absent]
    default: present
  account_password:
    description:
      - Password of the account. It is not O(password), which is that of the account that the module logs in with.
      - Required for an account that does not exist yet. The server decides how many characters it must have, by default at least 8.
      - >-
        A server shows no password, so this one is tried, by logging in once and out again. It is set only when the server refuses it. Such tries do not
        count among those after which a server bans an address.
      - >-
        Nobody can log in to a disabled account, so there the password is not compared. When the account is enabled, it gets this one first.
      - >-
        When it is set, every token of the account ends at once. Its API keys go on working.
      - >-
        When O(name) is the account that the module logs in with, its password is changed last. The module then logs in with the new one, and
        RV(msg) reports that O(password) is out of date. A second run with the old O(password) is refused once, logs in with the new one, and changes nothing.
        Every other task needs the new one.
    type: str
  account_password_path:
    description:
      - File where the module runs that keeps the password, in place of O(account_password). Without such a file a random password is made and kept there,
        readable
        by its owner alone.
      - For accounts of programs, which read it there. A copy has C(.copy) behind its name, for a file that is damaged; remove both for a new password.
      - Where the file has several lines, the first one counts. While a password is changed, the old one stands in the second line, until the new one has
        worked.
    type: path
  rotate:
    description: Whether an account that exists gets a new random password, kept in O(account_password_path). Every run with it makes another one.
    type: bool
    default: false
  update_password:
    description:
      - When an account that exists gets O(account_password).
      - V(always) sets it whenever it does not work.
      - V(on_create) only gives it to a new account, for people who choose their own afterwards. It is not tried then.
    type: str
    choices: [always, on_create]
    default: always
  permissions:
    description:
      - All that the account may do. All other permissions are removed; an empty list removes every one.
      - If not set, those of an account that exists are left as they are, and a new account has none. Without any, it can only log in.
      - >-
        Known are V(admin), which includes all others, V(models:list), V(models:read) (ask models), V(models:write) (launch and terminate),
        V(models:register), V(keys:create), V(keys:manage), V(users:manage), V(cache:list), V(cache:delete), V(virtualenv:list), V(virtualenv:delete),
        V(logs:list), V(model_requests:read_body), V(monitor:view), V(settings:read), V(settings:write), V(routers:list), V(routers:read),
        V(routers:write) and V(routers:operate). The module refuses any other, because a server takes it in silence.
      - >-
        On an older server, such as 3.5.0, whoever is no administrator any more goes on as one until the token expires, after 30 minutes by default.
        Disabling the account or giving it another password ends that at once.
    type: list
    elements: str
  enabled:
    description:
      - Whether the account can be used. With a disabled account, its API keys do not work either.
      - If not set, an account that exists is left as it is, and a new one is enabled.
    type: bool
seealso:
  - module: inferops.xinference.api_key
"""

EXAMPLES = r"""
- name: An account that may ask models and see which there are
  inferops.xinference.user:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: app
    account_password: "{{ vault_app_password }}"
    permissions: ["models:list", "models:read"]

- name: A second administrator, who chooses a password of her own later
  inferops.xinference.user:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: berta
    account_password: "{{ vault_first_password }}"
    update_password: on_create
    permissions: [admin]

- name: Change the password that the other tasks log in with
  inferops.xinference.user:
    username: admin
    password: "{{ vault_old_admin_password }}"
    name: admin
    account_password: "{{ vault_xinference_admin_password }}"

- name: Disable an account without losing it
  inferops.xinference.user:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: app
    enabled: false

- name: Remove an account and its API keys
  inferops.xinference.user:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: app
    state: absent
"""

RETURN = r"""
result:
  description: V(unchanged), V(created), V(updated) or V(removed). In check mode, what would become of it.
  returned: always, once the server could be read
  type: str
  sample: updated
fields:
  description: What is changed of an account that was there, V(enabled), V(permissions) or V(password).
  returned: always, once the server could be read
  type: list
  elements: str
  sample: [permissions, password]
account:
  description: The account afterwards, null when there is none. It never holds a password.
  returned: always, once the server could be read
  type: dict
  sample: {name: app, enabled: true, permissions: ["models:list", "models:read"]}
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    enabled:
      description: Whether it can be used.
      type: bool
      returned: always
    permissions:
      description: All that it may do, sorted.
      type: list
      elements: str
      returned: always
msg:
  description: Why the task failed; without a failure, what the operator should know, such as that O(password) is out of date.
  returned: on failure, and when the password of the account that the module logs in with was changed
  type: str
problems:
  description: One sentence for each reason why nothing was changed.
  returned: when the declaration is wrong or would lock a user out
  type: list
  elements: str
status:
  description: HTTP status of the answer that ended the module.
  returned: when the server answered with an error
  type: int
url:
  description: Address of the request that ended the module.
  returned: when the server answered with an error
  type: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError, DeclarationError, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.users import (
    ALWAYS,
    STATES,
    UPDATE_PASSWORD,
    Account,
    AccountChange,
    KeptPassword,
    apply_account,
    check,
    other_login,
    plan_account,
    read,
)
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    return {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": list(STATES), "default": "present"},
        "account_password": {"type": "str", "no_log": True},
        # A path is no secret.
        "account_password_path": {"type": "path", "no_log": False},
        "rotate": {"type": "bool", "default": False},
        # Decides when the password is set, and is none.
        "update_password": {"type": "str", "choices": list(UPDATE_PASSWORD), "default": "always", "no_log": False},
        "permissions": {"type": "list", "elements": "str"},
        "enabled": {"type": "bool"},
    }


def login(module: AnsibleModule, wanted: Account) -> Any:
    """A client; of an account whose own password is declared again and was set by an earlier run, with the new one."""
    try:
        return connect(module)
    except AuthenticationError as error:
        password = other_login(wanted, module.params["username"], error)
        if password is None:
            raise
        return connect(module, password)


def require_works(client: Any, change: AccountChange, password: str) -> None:
    """See that a password which was set works, before the one before it is forgotten.

    :raises XinferenceError: when it does not.
    """
    if change.password and change.account and change.account["enabled"] and not client.accepts(change.wanted.name, password):
        raise XinferenceError(f"The password of '{change.wanted.name}' was set, but the server does not accept it; the file keeps it and the one before.")


def run(module: AnsibleModule) -> AccountChange:
    """Read, compare, and unless in check mode apply."""
    given = module.params
    kept = None
    if given["account_password_path"] and given["state"] == "present":
        kept = KeptPassword(given["account_password_path"], given["rotate"])
        module.no_log_values.update([kept.wanted, *kept.kept])
    password = kept.wanted if kept else given["account_password"]
    wanted = Account(given["name"], given["state"], password, given["permissions"], given["enabled"], given["update_password"] == ALWAYS)
    problems = check(wanted)
    if problems:
        raise DeclarationError(problems)
    client = login(module, wanted)
    try:
        change = plan_account(wanted, read(client, wanted))
        if not module.check_mode:
            # Of an account that gets no password, as one that is disabled, the one that was kept still counts.
            keeps = kept if change.password or change.seen.works else None
            if keeps:
                keeps.begin()
            apply_account(client, change)
            if keeps:
                require_works(client, change, keeps.wanted)
                keeps.end(change.password)
        return change
    finally:
        client.close()


def main() -> None:
    """Entry point; the one place where errors of the core become failures of the task."""
    module = AnsibleModule(
        argument_spec=argument_spec(),
        supports_check_mode=True,
        mutually_exclusive=[("account_password", "account_password_path")],
        required_if=[("rotate", True, ("account_password_path",))],
    )
    change = attempt(module, lambda: run(module))
    module.exit_json(
        **({"msg": " ".join(change.notes)} if change.notes else {}),
        changed=change.changed,
        result=change.kind,
        fields=change.fields,
        account=change.account,
        diff={"before": change.side("before"), "after": change.side("after")},
    )


if __name__ == "__main__":
    main()
