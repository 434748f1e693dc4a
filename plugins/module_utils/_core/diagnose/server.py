# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis asks the server: how its models run beside their declaration, whom it bans, which files it has. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from ..base.errors import ApiError, AuthenticationError, ConnectionFailed, XinferenceError
from ..base.messages import one_line
from ..declaration.model import DeclaredModel
from ..observed.models import Observed
from ..reconcile.options import ReconcileOptions
from ..reconcile.reconcile import read_plan
from ..server.client import Client
from ..server.rows import CachedRow
from .finding import CRITICAL, NOTE, Finding
from .models import ModelState, compare

__all__ = ["ServerReading", "check_server", "read_server"]

_BANNED = 429


@dataclass
class ServerReading:
    """What the server said.

    :param version: of the server; None where it did not answer, or the account may not see it.
    :param states: of the models.
    :param observed: the server as it is; None where it did not answer.
    :param models: the declared models, with what was chosen for them.
    :param cached: what it has of hubs' files; None where it does not say.
    :param bans: addresses that it bans.
    :param silent: why the server does not answer on the host; empty where it does, or was not asked.
    :param refused: why it refuses the account; empty where it does not.
    :param launcher_refused: why the account that launches models cannot log in; empty where it can.
    :param banned: what it says to this host where it bans that; empty where it does not.
    :param trouble: why it was not asked, or what else went wrong; a part of a sentence.
    """

    version: str | None = None
    states: list[ModelState] = field(default_factory=list)
    observed: Observed | None = None
    models: Sequence[DeclaredModel] = ()
    cached: list[CachedRow] | None = None
    bans: list[str] = field(default_factory=list)
    silent: str = ""
    refused: str = ""
    launcher_refused: str = ""
    banned: str = ""
    trouble: str = ""

    @property
    def unread(self) -> str:
        """Why its models are not known; empty where they are."""
        return self.silent or self.refused or self.banned or self.trouble


def read_server(
    connect: Callable[[], Client], connect_as_launcher: Callable[[], Client], declared: Sequence[DeclaredModel], options: ReconcileOptions
) -> ServerReading:
    """Ask the server; what goes wrong is part of the answer.

    :param connect: returns a client of the administrator.
    :param connect_as_launcher: returns a client of the account that launches models; the administrator's is used where that cannot log in.
    :param declared: the models, checked.
    :param options: of a run that only predicts.
    """
    reading = ServerReading(models=declared)
    try:
        with closing(connect()) as client, ExitStack() as stack:
            reading.version = client.version()
            launcher = client
            try:
                launcher = stack.enter_context(closing(connect_as_launcher()))
            except XinferenceError as error:
                reading.launcher_refused = one_line(str(error))
            plan, reading.observed = read_plan(launcher, declared, options)
            reading.models, reading.states = plan.models or declared, compare(plan, reading.observed)
            reading.cached = client.cached()
            reading.bans = client.bans() or []
    except ConnectionFailed as error:
        reading.silent = one_line(str(error))
    except ApiError as error:
        # What its guard answers to an address that sent too many wrong passwords, also to one that sends the right one.
        if reading.observed is not None:
            # Older servers do not have the rest.
            return reading
        if error.status == _BANNED:
            reading.banned = one_line(str(error))
        elif isinstance(error, AuthenticationError):
            reading.refused = one_line(str(error))
        else:
            reading.trouble = one_line(str(error))
    except XinferenceError as error:
        reading.trouble = one_line(str(error))
    return reading


def check_server(reading: ServerReading) -> list[Finding]:
    """Whether the server can be asked, and whom it keeps out."""
    found = []
    if reading.banned:
        meaning = "Neither runs nor the recovery service can see to its models."
        found.append(Finding("bans", CRITICAL, "", f"The server bans this host: {reading.banned.rstrip('.')}.", meaning, "Run playbook unban."))
    if reading.refused:
        seen = f"The server refuses the account of this run: {reading.refused.rstrip('.')}."
        remedy = "Set xinference_admin_password to the server's own, or run playbook rotate_credentials."
        found.append(Finding("account", CRITICAL, "", seen, "No run can see to its models.", remedy))
    if reading.launcher_refused:
        seen = f"The account that launches models cannot log in: {reading.launcher_refused.rstrip('.')}."
        found.append(
            Finding("account", CRITICAL, "", seen, "The recovery service cannot bring back models.", "Run provision, which gives it another password.")
        )
    if reading.trouble:
        found.append(Finding("server", CRITICAL, "", f"The server cannot be read: {reading.trouble.rstrip('.')}.", "Its models are not known.", ""))
    if reading.bans:
        count = "1 address" if len(reading.bans) == 1 else f"{len(reading.bans)} addresses"
        seen = f"The server bans {count}: {', '.join(map(one_line, reading.bans[:5]))}."
        found.append(Finding("bans", NOTE, "", seen, "Clients there are refused for an hour, because of wrong passwords or keys.", "Run playbook unban."))
    return found
