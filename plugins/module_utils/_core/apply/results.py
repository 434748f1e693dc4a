# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each model. Private to this collection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..observed.models import ABSENT, READY
from ..plan.plan import CANCEL, DOWNLOAD, KEEP, LAUNCH, RELAUNCH, SCALE, TERMINATE, WAIT, Action, Plan

__all__ = ["OUTCOMES", "Result", "predict", "result_of"]

#: Action → result when it succeeds.
OUTCOMES = {
    KEEP: "unchanged",
    WAIT: "waited",
    LAUNCH: "launched",
    RELAUNCH: "relaunched",
    SCALE: "scaled",
    TERMINATE: "terminated",
    CANCEL: "cancelled",
    DOWNLOAD: "downloaded",
}


@dataclass
class Result:
    """What became of one model.

    :param uid: the model.
    :param result: unchanged, updated, downloaded, launched, relaunched, scaled, waited, terminated, cancelled or failed.
    :param changed: whether something was written for it.
    :param state: the state in which it was seen last.
    :param before: what was there, in the terms of a declaration; None when nothing was.
    :param after: what should be there; None when nothing should.
    :param drift: fields in which it differed from its declaration.
    :param unverified: declared fields that could not be compared with anything.
    :param seconds: time that it took, in seconds.
    :param answered: seconds that its answer to the smoke test took; None without one.
    :param restored: whether the previous model runs again, after a relaunch that failed.
    :param message: the server's words, for a failure.
    :param log: the last lines of the server's log, and what the engine printed as errors, for a failure.
    """

    uid: str
    result: str
    changed: bool
    state: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    drift: dict[str, Any] = field(default_factory=dict)
    unverified: list[str] = field(default_factory=list)
    seconds: float = 0.0
    answered: float | None = None
    restored: bool = False
    message: str = ""
    log: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether the model is not as declared."""
        return self.result == "failed"


def predict(plan: Plan) -> list[Result]:
    """The results that applying the plan would have, for check mode."""
    return [result_of(action) for action in plan.actions]


def result_of(action: Action) -> Result:
    """The result of an action that succeeds."""
    outcome = OUTCOMES[action.kind]
    return Result(
        uid=action.uid,
        result="updated" if action.kind == KEEP and action.changing else outcome,
        changed=action.changing,
        state=action.state if action.kind == DOWNLOAD or (action.after is None and action.kind == KEEP) else READY if action.after else ABSENT,
        before=action.before,
        after=action.after,
        drift=action.drift,
        unverified=list(action.unverified),
    )
