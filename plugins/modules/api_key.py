#!/usr/bin/python
# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ensure that an API key is as declared."""

from __future__ import annotations

DOCUMENTATION = r"""
module: api_key
short_description: Manage an API key of an Xinference server
version_added: 0.1.0
description:
  - Makes an API key, compares one that exists with the declaration, changes what differs, replaces it by a new one, or removes it.
  - >-
    A key is known by O(name) and O(owner). It can list models and ask them, within O(models) and O(model_types), and nothing else: a server lets no key
    launch a model, whatever its owner may do.
  - >-
    The key itself is a secret. Give O(path) to keep it in a file on the host, or set C(no_log=true) on the task, register its result and take RV(secret)
    from it. Without either, the module refuses to make a key, because Ansible would print it.
  - >-
    Needs a server that has accounts, which is 3.0 or later with its authentication switched on. O(username) must be an account with the permission V(admin),
    or with V(keys:create) and V(keys:manage). For the keys of another O(owner), it needs V(users:manage) besides.
author:
  - inferops contributors (@inferops)
extends_documentation_fragment:
  - inferops.xinference._connection
  - inferops.xinference._connection.actiongroup
attributes:
  check_mode:
    description: Predicts the same change and the same diff, and writes nothing. The number and the prefix of a new key are not known beforehand.
    support: full
  diff_mode:
    description: Shows the key as it is described, or of one that is changed the fields that differ, before and after. It never shows the key itself.
    support: full
  idempotent:
    description: A second run with the same declaration changes nothing, except with O(rotate=true).
    support: partial
  platform:
    description: Where the module runs. The server may be elsewhere.
    support: full
    platforms: posix
options:
  name:
    description:
      - Name of the key.
      - >-
        Newer servers, such as 4.1.0, give each name once, whoever owns the key and whatever the case of its letters. So does this module on every server: it
        makes no key whose name another one has.
    type: str
    required: true
  owner:
    description:
      - Name of the account that the key belongs to. The owner of a key cannot be changed.
      - If not set, it is O(username).
      - While its owner is disabled, a key does not work. When its owner is removed, the key is removed too.
    type: str
  state:
    description: Whether there should be such a key. The file of O(path) is not removed with the key.
    type: str
    choices: [present, absent]
    default: present
  description:
    description: What the key is for. If not set, it is left as it is. An empty text removes it.
    type: str
  models:
    description:
      - Uids of the models that the key may ask. The one item V(*) stands for all models.
      - >-
        If neither O(models) nor O(model_types) is set, a key that exists is left as it is, and a new one may ask all models. If one of them is set, the key
        may ask these and no others.
      - A key can list all models in any case.
    type: list
    elements: str
  model_types:
    description:
      - Types of model that the key may ask, whatever their uids. Known are V(LLM), V(embedding), V(rerank), V(image), V(audio), V(video) and V(world).
      - >-
        The server takes the type from the route: a request for chat counts as V(LLM). Models of type C(flexible) have none; name their uids.
    type: list
    elements: str
  expires_at:
    description:
      - >-
        When the key ends, as a time of ISO 8601 such as V(2027-01-31T12:00:00Z), to the second. A time without an offset is UTC, and a date alone is its first
        moment.
      - V(never) takes the expiry of a key away.
      - If not set, a key that exists is left as it is, and a new one does not expire.
      - A key is not made when that time has passed. One that exists and has expired is unchanged.
    type: str
  enabled:
    description:
      - Whether the key can be used.
      - If not set, a key that exists is left as it is, and a new one is enabled.
    type: bool
  rotate:
    description:
      - Whether a new key takes the place of one that exists, with all that is not declared as it was. Every run with it makes another one.
      - >-
        A server cannot do that itself. The old one is renamed, the new one is made and kept, and then the old one is removed. When anything
        fails before, the old one gets its name back and goes on working.
    type: bool
    default: false
  path:
    description:
      - Absolute path of a file that should hold the key and a line feed, on the host that the module runs on.
      - >-
        It is written in one step with mode V(0600) and keeps the owner that it has. A new one gets the owner of its directory, and a directory that is not
        there is made for its owner alone.
      - >-
        It is compared in every run: the server shows the key to whoever may manage it. A file that is gone, holds something else, or can be read by others
        is written again. Where the server cannot show the key any more, the task fails unless O(rotate=true).
      - With it, RV(secret) is not returned.
    type: path
seealso:
  - module: inferops.xinference.user
"""

EXAMPLES = r"""
- name: A key for an application, in a file that only root can read
  inferops.xinference.api_key:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: shop
    owner: app
    description: Chat in the shop
    models: [chat, embed]
    expires_at: "2027-12-31T00:00:00Z"
    path: /etc/shop/xinference.key

- name: A new key in the place of the old one
  inferops.xinference.api_key:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: shop
    owner: app
    rotate: true
    path: /etc/shop/xinference.key

- name: A key for the next tasks, which is printed nowhere
  inferops.xinference.api_key:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: nightly
    model_types: [embedding]
  register: nightly
  no_log: true

- name: Disable a key without losing it
  inferops.xinference.api_key:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: shop
    owner: app
    enabled: false

- name: Remove a key
  inferops.xinference.api_key:
    username: admin
    password: "{{ vault_xinference_admin_password }}"
    name: shop
    owner: app
    state: absent
"""

RETURN = r"""
result:
  description: V(unchanged), V(created), V(updated), V(rotated) or V(removed). In check mode, what would become of it.
  returned: always, once the server could be read
  type: str
  sample: created
secret:
  description:
    - The key itself. It is returned this once; set C(no_log=true) on the task, without which the module makes no key.
    - A condition for later tasks is C(result.secret is defined).
  returned: when a key was made, not in check mode and without O(path)
  type: str
  sample: xf-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL
drift:
  description: >-
    Fields in which the key differed from its declaration, each with C(declared) and C(running). A key that is made is compared with one of which only the
    name is declared.
  returned: always, once the server could be read
  type: dict
  sample: {enabled: {declared: false, running: true}}
api_key:
  description: The key afterwards, without itself, null when there is none.
  returned: always, once the server could be read
  type: dict
  sample:
    id: 3
    name: shop
    owner: app
    prefix: xf-0123
    description: Chat in the shop
    enabled: true
    expires_at: "2027-12-31T00:00:00"
    models: [chat, embed]
    model_types: []
  contains:
    id:
      description: The server's number for it, null for one that check mode would make.
      type: int
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    owner:
      description: Name of its account.
      type: str
      returned: always
    prefix:
      description: The first characters of the key, by which the server shows it. Null for one that check mode would make.
      type: str
      returned: always
    description:
      description: What it is for.
      type: str
      returned: always
    enabled:
      description: Whether it can be used.
      type: bool
      returned: always
    expires_at:
      description: When it ends, in UTC. Null for never.
      type: str
      returned: always
    models:
      description: Uids of the models that it may ask, or V(*) alone for all.
      type: list
      elements: str
      returned: always
    model_types:
      description: Types of model that it may ask.
      type: list
      elements: str
      returned: always
problems:
  description: One sentence for each reason why nothing was changed.
  returned: when the declaration is wrong or cannot be applied
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

from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.api_key_changes import apply_key
from ansible_collections.inferops.xinference.plugins.module_utils._core.resources.api_keys import STATES, ApiKey, KeyChange, KeyOutcome, check, plan_key, read
from ansible_collections.inferops.xinference.plugins.module_utils._module import attempt, connect, connection_spec


def argument_spec() -> dict[str, dict[str, Any]]:
    """Options of the module."""
    return {
        **connection_spec(),
        "name": {"type": "str", "required": True},
        "owner": {"type": "str"},
        "state": {"type": "str", "choices": list(STATES), "default": "present"},
        "description": {"type": "str"},
        "models": {"type": "list", "elements": "str"},
        "model_types": {"type": "list", "elements": "str"},
        "expires_at": {"type": "str"},
        "enabled": {"type": "bool"},
        "rotate": {"type": "bool", "default": False},
        "path": {"type": "path"},
    }


def run(module: AnsibleModule) -> tuple[KeyChange, KeyOutcome]:
    """Read, compare, and unless in check mode apply."""
    given = module.params
    names = ("name", "owner", "state", "description", "models", "model_types", "expires_at", "enabled", "rotate", "path")
    wanted = ApiKey(**{name: given[name] for name in names})
    problems = check(wanted)
    if problems:
        raise DeclarationError(problems)
    client = connect(module)
    try:
        change = plan_key(wanted, read(client, wanted), datetime.now(timezone.utc).replace(tzinfo=None))
        if change.makes and wanted.path is None and not module.no_log:
            raise DeclarationError([f"The new key '{wanted.name}' would be printed; set no_log: true on the task, or give path to keep it in a file."])
        return change, KeyOutcome(change.key) if module.check_mode else apply_key(client, change)
    finally:
        client.close()


def main() -> None:
    """Entry point; the one place where errors of the core become failures of the task."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    change, outcome = attempt(module, lambda: run(module))
    module.exit_json(
        changed=change.changed,
        result=change.kind,
        drift=change.drift,
        api_key=outcome.key,
        diff={"before": change.side("before"), "after": change.side("after")},
        **({} if outcome.secret is None else {"secret": outcome.secret}),
    )


if __name__ == "__main__":
    main()
