# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored declaration, as the service reads it. Private to this collection."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

from ..base.errors import XinferenceError
from ..base.private_file import kept_secrets, marks
from ..declaration.check import parse_models
from ..declaration.model import DeclaredModel
from ..host.declaration_file import StoredDeclaration
from ..reconcile.options import ReconcileOptions, reconcile_options
from ..server.client import Client, connection_arguments, first_accepted

__all__ = ["Declaration", "DeclarationReader"]

#: Options that say where the server is and who logs in.
_CONNECTION = ("endpoint", "username", "password", "password_path", "timeout", "validate_certs", "ca_path", "listener_users", "allow_plain_http")
#: Options that a declaration has where a service is to use it.
_FOR_A_SERVICE = frozenset({"endpoint", "username", "password"})


class DeclarationReader:
    """The declaration as it lies on the host now; the same object as long as nobody replaced it, or the password that goes with it.

    :param log: called with a line when it cannot be read.
    """

    def __init__(self, stored: StoredDeclaration, log: Callable[[str], None]) -> None:
        self.stored = stored
        self.log = log
        self.marks: Any = None
        self.declaration: Declaration | None = None
        self.options: dict[str, Any] = {}

    def __call__(self) -> Declaration | None:
        """The declaration; what was read last when both copies were damaged since, and then they are made again from it."""
        # Taken before the reading, so that what is replaced meanwhile is read again.
        stored = self._marks(str(self.stored.path))
        if (stored, self._marks(self.options.get("password_path"))) == self.marks:
            return self.declaration
        try:
            options = self.stored.load()
            if options is not None and not options.keys() >= _FOR_A_SERVICE:
                # Of a run for which there was no service. The next one, which put this service here, is about to store another one.
                options = None
            # The engine belongs to root, and this service does not; it only would show why a process died.
            run_options = None if options is None else reconcile_options({**options, "container": None})
            declaration = None
            if options is not None and run_options is not None:
                connection = [options.get(name) for name in _CONNECTION]
                declaration = Declaration(tuple(parse_models(options["models"], strict=False)), run_options, connection)
        except (OSError, KeyError, TypeError, ValueError, AttributeError, XinferenceError) as error:
            self.log(f"the declaration cannot be used: {error}")
            options, declaration = self.options, self.declaration
            if options:
                with contextlib.suppress(XinferenceError):
                    self.stored.save(options)
                    stored = self._marks(str(self.stored.path))
                    self.log("the declaration is written again as it was read before")
        self.options, self.declaration = options or {}, declaration
        self.marks = (stored, self._marks(self.options.get("password_path")))
        return declaration

    @staticmethod
    def _marks(path: str | None) -> tuple[Any, ...] | None:
        try:
            return marks(path) if path else None
        except OSError:
            return None

    def listens(self) -> bool:
        """Whether anything listens where the server should; it is asked for nothing."""
        address = urlparse(self.options["endpoint"])
        try:
            socket.create_connection((address.hostname, address.port or {"https": 443}.get(address.scheme, 80)), timeout=5).close()
        except OSError:
            return False
        return True

    def connect(self) -> Client:
        """A client that is logged in as declared."""
        given = self.options
        passwords = [given["password"]]
        if not given["password"] and given.get("password_path"):
            # Read at each login, so that a new one counts from the next on.
            passwords = kept_secrets("password_path", given["password_path"]) or passwords

        def log_in(password: str | None) -> Client:
            # It is there for days, and is not what a restart should wait for.
            return Client(given["endpoint"], password=password, keep_alive=False, **connection_arguments(given))

        return first_accepted(passwords, log_in)


@dataclass(frozen=True)
class Declaration:
    """What is to be kept running.

    :param models: checked, in the order of the declaration.
    :param run_options: how; waiting and checking are the watcher's own matter.
    :param connection: where the server is and who logs in; compared only.
    """

    models: tuple[DeclaredModel, ...] = ()
    run_options: ReconcileOptions = field(default_factory=ReconcileOptions)
    # It may hold a password.
    connection: Any = field(default=None, repr=False)

    def by_priority(self) -> list[DeclaredModel]:
        """What is absent, which frees memory, then what is present: what the server would start first comes first."""

        def rank(model: DeclaredModel) -> tuple[bool, int]:
            policy = model.autostart(True) or {}
            return model.state == "present", policy.get("priority", 100)

        return sorted(self.models, key=rank)
