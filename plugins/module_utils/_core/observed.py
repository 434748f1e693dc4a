# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server reports, in one picture. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["ABSENT", "BUSY", "CREATING", "ERROR", "PATIENCE", "READY", "TERMINATING", "UNLISTED", "Observed", "ObservedModel", "Reader", "observe"]

READY = "ready"
CREATING = "creating"
LOADING = "loading"
TERMINATING = "terminating"
ERROR = "error"
#: Ready by one account and not listed by the other. For some seconds after a launch that is the age of the server's list; for longer
#: it is what a launch leaves that was cancelled in the moment in which it was ready: it can be neither used nor terminated.
UNLISTED = "unlisted"
ABSENT = "absent"
#: Somebody is launching the model: wait, do not launch a second time.
BUSY = frozenset({CREATING, LOADING})
#: Looks in a row after which a model that is not as it should be will not become so by itself.
PATIENCE = 5

_STATES = {
    "READY": READY,
    "CREATING": CREATING,
    "UPDATING": LOADING,
    "LOADING": LOADING,
    "TERMINATING": TERMINATING,
    "TERMINATED": ABSENT,
    "ERROR": ERROR,
}


class Reader(Protocol):
    """The reading half of the client."""

    def list_models(self) -> dict[str, dict[str, Any]]:
        """Descriptions of the running models by uid."""

    def list_instances(self) -> list[dict[str, Any]]:
        """Every instance that the server remembers, with its state."""

    def list_registrations(self, model_type: str) -> dict[str, bool]:
        """Names of the registered models of a type, and whether each is built in."""


@dataclass(frozen=True)
class ObservedModel:
    """One model on the server.

    :param uid: its name.
    :param state: one of ready, creating, loading, terminating, error.
    :param spec: what the server reports about it; empty while it is not ready.
    :param message: the server's words about a failed launch.
    """

    uid: str
    state: str
    spec: dict[str, Any] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class Observed:
    """The server at one moment.

    :param models: every model that is there in some state, by uid.
    :param registrations: (type, name) of the models that can be launched by name, for the types that were asked for.
    """

    models: dict[str, ObservedModel] = field(default_factory=dict)
    registrations: frozenset[tuple[str, str]] = frozenset()

    def state(self, uid: str) -> str:
        """State of a model; ``absent`` when the server does not know it."""
        found = self.models.get(uid)
        return found.state if found else ABSENT


def _message(instance: Mapping[str, Any]) -> str:
    """The server's words about a failed instance."""
    words = [str(replica.get("error_message") or "").strip() for replica in instance.get("replica_statuses") or []]
    return "; ".join(dict.fromkeys(word for word in words if word))


def observe(reader: Reader, registration_types: Iterable[str] = ()) -> Observed:
    """Read the server: two requests, and one for each model type whose registrations are wanted.

    :param reader: the client.
    :param registration_types: model types whose registered names are needed.
    :raises XinferenceError: when the server cannot be read.
    """
    models: dict[str, ObservedModel] = {}
    instances = reader.list_instances()
    listed = reader.list_models()
    for instance in instances:
        uid, state = str(instance.get("model_uid")), _STATES.get(str(instance.get("status")), str(instance.get("status")).lower())
        message = _message(instance)
        if state == READY and uid not in listed:
            state = UNLISTED
        if state != ABSENT:
            models[uid] = ObservedModel(uid, state, message=message)
    # The list names only what finished loading, and is the one place with the model's description.
    for uid, spec in listed.items():
        known = models.get(uid)
        state = known.state if known and known.state == TERMINATING else READY
        models[uid] = ObservedModel(uid, state, dict(spec))
    registrations = frozenset((kind, name) for kind in sorted(set(registration_types)) for name in reader.list_registrations(kind))
    return Observed(models, registrations)
