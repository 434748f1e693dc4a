# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out. Private to this collection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from .errors import ApiError, AuthenticationError, ConnectionFailed, XinferenceError
from .observed import ABSENT, BUSY, CREATING, ERROR, PATIENCE, READY, TERMINATING, UNLISTED, Observed, Reader, observe
from .plan import CANCEL, KEEP, LAUNCH, TERMINATE, WAIT, Action, Plan

__all__ = ["Result", "Waiting", "Writer", "apply_plan", "predict"]

_ALREADY = "already in the model list"
_NOT_FOUND = "not found in the model list"
_NOT_LAUNCHED = "has not been launched yet"
_REGISTERED = ("already registered", "conflicts with existing model")
#: What a model's process that was killed leaves behind; the reason stands earlier in the log.
_DIED = "bytes read on a total of"
#: A model that is there for the server and for nobody else.
_LEFT_BEHIND = "the server calls it ready, but does not list or serve it; restart the server, then run again"

#: Action → result when it succeeds.
_OUTCOMES = {KEEP: "unchanged", WAIT: "waited", LAUNCH: "launched", TERMINATE: "terminated", CANCEL: "cancelled"}


class Writer(Reader, Protocol):
    """The whole client, as far as a plan needs it."""

    def register(self, model_type: str, specification: dict[str, Any]) -> None:
        """Register a custom model."""

    def launch(self, request: dict[str, Any]) -> None:
        """Ask for a launch."""

    def terminate(self, uid: str) -> None:
        """Stop a running model."""

    def cancel(self, uid: str) -> None:
        """Stop a launch under way."""


@dataclass(frozen=True)
class Waiting:
    """How to wait for models.

    :param wait: whether to wait at all.
    :param timeout: seconds for the whole plan.
    :param sleep: seconds between two looks.
    :param at_once: launches under way at the same time.
    """

    wait: bool = True
    timeout: float = 1800.0
    sleep: float = 2.0
    at_once: int = 1


@dataclass
class Result:
    """What became of one model.

    :param result: unchanged, launched, waited, terminated, cancelled or failed.
    :param changed: whether something was written for it.
    :param state: the state in which it was seen last.
    :param seconds: time that it took.
    :param message: the server's words, for a failure.
    """

    uid: str
    result: str
    changed: bool
    state: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    drift: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether the model is not as declared."""
        return self.result == "failed"


def predict(plan: Plan) -> list[Result]:
    """The results that carrying the plan out would have, for check mode."""
    return [_result(action) for action in plan.actions]


def _result(action: Action) -> Result:
    """The result of an action that succeeds."""
    state = READY if action.after else ABSENT
    return Result(
        uid=action.uid,
        result=_OUTCOMES[action.kind],
        changed=action.kind in (LAUNCH, TERMINATE, CANCEL),
        state=state,
        before=action.before,
        after=action.after,
        drift=action.drift,
    )


def _explain(words: str) -> str:
    """The server's words, with the usual cause where they name none."""
    if _DIED in words:
        return f"{words} (the model's process died while loading; the usual cause is too little memory)"
    return words or "the server gave no reason"


class _Run:
    """One plan being carried out."""

    def __init__(self, plan: Plan, client: Writer, waiting: Waiting, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.client = client
        self.waiting = waiting
        self.clock = clock
        self.sleep = sleep
        self.begun = clock()
        self.results = {action.uid: _result(action) for action in plan.actions}
        self.actions = plan.actions
        self.started: dict[str, float] = {}
        self.registered: set[tuple[str, str]] = set()
        self.done: set[str] = set()
        self.written: set[str] = set()

    def finish(self, uid: str) -> None:
        """Record that a model is as declared."""
        self.results[uid].seconds = self.elapsed(uid)
        self.done.add(uid)

    def fail(self, uid: str, words: str, state: str) -> None:
        """Record that a model is not as declared."""
        result = self.results[uid]
        result.result, result.state, result.message = "failed", state, words
        result.seconds = self.elapsed(uid)

    def elapsed(self, uid: str) -> float:
        """Seconds since work on a model began."""
        return round(self.clock() - self.started.get(uid, self.begun), 1)

    def late(self) -> bool:
        """Whether the time for the plan is over."""
        return self.clock() - self.begun >= self.waiting.timeout

    def remove(self, action: Action) -> None:
        """Terminate or cancel, and see the model gone."""
        self.started[action.uid] = self.clock()
        asked: set[str] = set()
        unlisted = 0
        while True:
            # Looked at before each request: a launch that ended in the meantime must be terminated. To cancel a model that
            # is ready would leave its process running where nobody can reach it.
            state = observe(self.client).state(action.uid)
            if state in (ABSENT, ERROR):
                self.finish(action.uid)
                return
            if state != TERMINATING and state not in asked:
                asked.add(state)
                if not self.ask_to_remove(action.uid, state):
                    return
                continue
            unlisted = unlisted + 1 if state == UNLISTED else 0
            if unlisted >= PATIENCE:
                self.fail(action.uid, _LEFT_BEHIND, state)
                return
            if self.late():
                self.fail(action.uid, f"is still {state} after {self.waiting.timeout:g} s", state)
                return
            self.sleep(self.waiting.sleep)

    def ask_to_remove(self, uid: str, state: str) -> bool:
        """Ask for a removal; False when the server refuses."""
        try:
            if state in BUSY:
                self.client.cancel(uid)
            else:
                self.client.terminate(uid)
        except AuthenticationError:
            raise
        except ApiError as error:
            # Somebody else was faster: look again whether it is gone.
            if _NOT_FOUND in error.detail or _NOT_LAUNCHED in error.detail:
                return True
            self.fail(uid, error.detail, state)
            return False
        except ConnectionFailed:
            # Whether the request arrived is not known.
            self.written.add(uid)
            raise
        self.written.add(uid)
        return True

    def launch(self, action: Action) -> bool:
        """Ask for a launch; False when the server is not ready to take it and it shall be tried again."""
        uid = action.uid
        self.started.setdefault(uid, self.clock())
        try:
            if action.register is not None:
                self.register(uid, *action.register)
            self.client.launch(action.request)
        except AuthenticationError:
            raise
        except ApiError as error:
            if _ALREADY not in error.detail:
                self.fail(uid, _explain(error.detail), ABSENT)
                return True
            state = observe(self.client).state(uid)
            if state in (*BUSY, READY, UNLISTED):
                # Somebody else launched it in the meantime: the same model is waited for.
                self.results[uid].result = "waited"
                return True
            return False
        except ConnectionFailed:
            # Whether the request arrived is not known.
            self.written.add(uid)
            raise
        self.written.add(uid)
        return True

    def register(self, uid: str, model_type: str, specification: dict[str, Any]) -> None:
        """Register a custom model once per run; a registration that is there already is what was wanted."""
        key = (model_type, str(specification["model_name"]))
        if key in self.registered:
            return
        try:
            self.client.register(model_type, specification)
        except ApiError as error:
            if not any(words in error.detail for words in _REGISTERED):
                raise
        else:
            self.written.add(uid)
        self.registered.add(key)

    def settle(self, under_way: dict[str, int], seen: Observed) -> None:
        """Take out of ``under_way`` what is ready or has failed; it counts how often in a row a model was not seen."""
        for uid in list(under_way):
            state = seen.state(uid)
            if state == READY:
                self.finish(uid)
            elif state == ERROR:
                self.fail(uid, _explain(seen.models[uid].message), ERROR)
            elif state in (ABSENT, TERMINATING, UNLISTED):
                under_way[uid] += 1
                if under_way[uid] < PATIENCE:
                    continue
                self.fail(uid, _LEFT_BEHIND if state == UNLISTED else "disappeared from the server while it was launching", state)
            else:
                under_way[uid] = 0
                continue
            del under_way[uid]

    def leave(self, action: Action) -> None:
        """Report a model that somebody else is launching or terminating as it is, without waiting for it."""
        self.results[action.uid].result, self.results[action.uid].state = "unchanged", action.state
        self.finish(action.uid)

    def ask_only(self, launches: list[Action], waits: list[Action]) -> None:
        """Ask for every launch without waiting for one."""
        for action in launches:
            if not self.launch(action):
                self.fail(action.uid, "is still being terminated; wait for it or run again", TERMINATING)
            elif not self.results[action.uid].failed:
                self.results[action.uid].state = CREATING
                self.finish(action.uid)
        for action in waits:
            self.leave(action)

    def fill(self, queue: list[Action], under_way: dict[str, int]) -> None:
        """Move launches from the queue until as many are under way as may be."""
        while queue and len(under_way) < self.waiting.at_once:
            if not self.launch(queue[0]):
                return
            action = queue.pop(0)
            if not self.results[action.uid].failed:
                under_way[action.uid] = 0

    def give_up(self, uids: list[str], seen: Observed) -> None:
        """Report what is not ready when the time is over."""
        for uid in uids:
            state = seen.state(uid)
            self.fail(uid, f"is {state} and not ready after {self.waiting.timeout:g} s (wait_timeout)", state)

    def bring_up(self, launches: list[Action], waits: list[Action]) -> None:
        """Launch and wait, a bounded number at a time."""
        queue = list(launches)
        under_way = {action.uid: 0 for action in waits}
        self.started.update((uid, self.clock()) for uid in under_way)
        while queue or under_way:
            self.fill(queue, under_way)
            if not queue and not under_way:
                return
            seen = observe(self.client)
            self.settle(under_way, seen)
            if not queue and not under_way:
                return
            if self.late():
                self.give_up([*under_way, *(action.uid for action in queue)], seen)
                return
            self.sleep(self.waiting.sleep)

    def carry_out(self) -> None:
        """Removals first, then launches."""
        for action in self.actions:
            if action.kind in (TERMINATE, CANCEL) or (action.kind == WAIT and action.after is None and self.waiting.wait):
                self.remove(action)
            elif action.kind == WAIT and action.after is None:
                self.leave(action)
        launches = [action for action in self.actions if action.kind == LAUNCH]
        waits = [action for action in self.actions if action.kind == WAIT and action.after is not None]
        if self.waiting.wait:
            self.bring_up(launches, waits)
        else:
            self.ask_only(launches, waits)


def apply_plan(
    plan: Plan,
    client: Writer,
    waiting: Waiting,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Result]:
    """Carry a plan out.

    :param plan: what to do.
    :param client: the server.
    :param waiting: how long to wait, in seconds.
    :returns: one result per action, in the order of the plan. A model that failed does not keep the others from being
        tried; when the server is lost on the way, every model that was not finished is reported as failed with the reason.
    """
    run = _Run(plan, client, waiting, clock, sleep)
    try:
        run.carry_out()
    except XinferenceError as error:
        _lost(run, error)
    for result in run.results.values():
        result.changed = result.uid in run.written
    return [run.results[action.uid] for action in plan.actions]


def _lost(run: _Run, error: XinferenceError) -> None:
    """Mark what was not finished when the server was lost."""
    for action in run.actions:
        result = run.results[action.uid]
        if action.kind == KEEP or result.failed or action.uid in run.done:
            continue
        run.fail(action.uid, str(error), "unknown")
