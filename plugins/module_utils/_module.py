# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thin bridge between Ansible and the core. Private to this collection."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NoReturn, TypeVar

from ansible.module_utils.basic import AnsibleModule, env_fallback, missing_required_lib

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError, XinferenceError, with_words
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.lock import Lock
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.messages import one_line
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.private_file import kept_secrets
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import Client, connection_arguments, first_accepted
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.session import MISSING

__all__ = ["attempt", "connect", "connection_spec", "fail", "lock_spec", "locked", "names_spec"]

_T = TypeVar("_T")
#: What reading an answer of an unexpected shape ends in.
_UNEXPECTED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def connection_spec() -> dict[str, dict[str, Any]]:
    """Options of the connection; documented by the fragment ``_connection``."""
    return {
        "endpoint": {"type": "str", "default": "http://127.0.0.1:9997", "fallback": (env_fallback, ["XINFERENCE_ENDPOINT"])},
        "username": {"type": "str", "fallback": (env_fallback, ["XINFERENCE_USERNAME"])},
        "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["XINFERENCE_PASSWORD"])},
        # A path is no secret.
        "password_path": {"type": "path", "no_log": False, "fallback": (env_fallback, ["XINFERENCE_PASSWORD_PATH"])},
        "validate_certs": {"type": "bool", "default": True, "fallback": (env_fallback, ["XINFERENCE_VALIDATE_CERTS"])},
        "ca_path": {"type": "path", "fallback": (env_fallback, ["XINFERENCE_CA_PATH"])},
        "timeout": {"type": "float", "default": 30.0, "fallback": (env_fallback, ["XINFERENCE_TIMEOUT"])},
        "listener_users": {"type": "list", "elements": "str", "default": ["root"], "fallback": (env_fallback, ["XINFERENCE_LISTENER_USERS"])},
        "allow_plain_http": {"type": "bool", "default": False, "fallback": (env_fallback, ["XINFERENCE_ALLOW_PLAIN_HTTP"])},
    }


def names_spec() -> dict[str, dict[str, Any]]:
    """The option that names other options; documented by the fragment ``_names``."""
    return {"option_names": {"type": "dict", "default": {}}}


def lock_spec() -> dict[str, dict[str, Any]]:
    """The option that keeps two writers apart; documented by the fragment ``_lock``."""
    return {"lock_path": {"type": "path"}}


def locked(module: AnsibleModule, report: Callable[[str, float], None] | None = None) -> AbstractContextManager[None]:
    """A context in which nobody else changes the server; in check mode one that keeps nobody out.

    :param report: called again and again with what is waited for, and the seconds so far.
    :raises XinferenceError: when another process does it for longer than ``wait_timeout``.
    """
    lock = Lock(None if module.check_mode else module.params["lock_path"])

    def waits(seconds: float) -> None:
        if report is not None:
            report(f"another run is {lock.holder}", seconds)

    held: AbstractContextManager[None] = lock.hold(module.params["wait_timeout"], waits)
    return held


def fail(module: AnsibleModule, error: XinferenceError, **returned: Any) -> NoReturn:
    """End the module with an error of the core: its sentence, and what the server answered."""
    for name in ("status", "url", "problems"):
        if hasattr(error, name):
            returned[name] = getattr(error, name)
    module.fail_json(msg=str(error), **returned)
    raise AssertionError("fail_json returned")


def attempt(module: AnsibleModule, work: Callable[[], _T]) -> _T:
    """What a function returns; what it raises is the failure of the task.

    :param work: talks to the server.
    """
    try:
        return work()
    except XinferenceError as error:
        fail(module, error)
    except _UNEXPECTED as error:
        # What a server answers is taken as it is documented, so one of another kind ends anywhere.
        words = f"{module.params['endpoint']} gave an answer that this module does not understand ({one_line(f'{type(error).__name__}: {error}')})."
        advice = "Check that it is an Xinference server of a version in the table of the README."
        report = "If it is, report this with the traceback that a run with ANSIBLE_DISPLAY_TRACEBACK=error shows (-vvv before ansible-core 2.19)."
        module.fail_json(msg=f"{words} {advice} {report}", exception=traceback.format_exc())
    raise AssertionError("fail_json returned")


def _passwords(module: AnsibleModule, parameters: Mapping[str, Any]) -> list[str | None]:
    """The password of the options, or those of its file."""
    password, path = parameters["password"], parameters["password_path"]
    if password or not path:
        return [password]
    kept = kept_secrets("password_path", path)
    if not kept:
        raise XinferenceError(f"password_path '{path}' does not exist, or is empty.")
    module.no_log_values.update(kept)
    return list(kept)


def connect(module: AnsibleModule, password: str | None = None, account: Mapping[str, Any] | None = None) -> Any:
    """A :class:`Client` from the connection options.

    :param password: in place of the option's.
    :param account: ``username``, ``password`` and ``password_path`` in place of the options'.
    :raises XinferenceError: when there is no connection, or the credentials are refused.
    """
    if MISSING is not None:
        module.fail_json(msg=missing_required_lib("xinference-client"), exception="".join(traceback.format_exception_only(type(MISSING), MISSING)))
    parameters = {**module.params, **(account or {})}
    if parameters["timeout"] <= 0:
        module.fail_json(msg=f"timeout '{parameters['timeout']:g}' must be more than 0 seconds.")
    authorities = parameters["ca_path"] if parameters["validate_certs"] else None
    if authorities and not os.path.isfile(authorities):
        module.fail_json(msg=f"ca_path '{authorities}' is not a file on this host.")

    def log_in(tried: str | None) -> Client:
        return Client(parameters["endpoint"], password=tried, **connection_arguments(parameters))

    kept = parameters["password_path"] if password is None and not parameters["password"] else None
    try:
        return first_accepted([password] if password is not None else _passwords(module, parameters), log_in)
    except AuthenticationError as error:
        if error.status != 401 or not kept:
            raise
        # Such as that of a server whose accounts are of another time or another host.
        way = f"The password is the one that password_path '{kept}' keeps. Remove that file and its copy, and provision again: the account gets another one."
        raise with_words(error, way) from error
