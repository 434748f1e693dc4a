# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying a plan out. Private to this collection."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from .applied import RECORD, Record, StateFile, cleaned
from .download import Downloader, download
from .errors import ApiError, AuthenticationError, ConnectionFailed, NoAnswer, NotReached, XinferenceError
from .home import Home
from .host import Deaths
from .observed import ABSENT, BUSY, ERROR, PATIENCE, READY, SCALING, SETTLING, TERMINATING, UNLISTED, Observed, Reader, observe
from .plan import CANCEL, CHANGING, DOWNLOAD, KEEP, LAUNCH, RELAUNCH, SCALE, TERMINATE, WAIT, Action, Plan
from .smoke import Asker, Unanswered, smoke_test

__all__ = ["SMOKE_TESTS", "Keeper", "Result", "Surroundings", "Waiting", "Writer", "apply_plan", "predict"]

SMOKE_TESTS = ("launched", "all", "none")

_ALREADY = "already in the model list"
_NOT_FOUND = "not found in the model list"
_NOT_LAUNCHED = "has not been launched yet"
_REGISTERED = ("already registered", "conflicts with existing model")
#: What a model's process that was killed leaves behind; the reason stands earlier in the log.
_DIED = "bytes read on a total of"
#: A model that is there for the server and for nobody else.
_LEFT_BEHIND = "the server calls it ready, but does not list or serve it, and it cannot be cleared away; restart the server, then run again"

#: What the operator is told of a model that shall answer.
_ASKED = "smoke test"
#: Seconds between two looks: at least, and as a share of the time since something happened, so that small models are not waited for in vain.
_SHORTEST, _SHARE = 0.2, 0.03
#: Seconds before the time for the plan is over: the last look comes when it is.
_LEAST = 0.01

#: Action → result when it succeeds.
_OUTCOMES = {
    KEEP: "unchanged",
    WAIT: "waited",
    LAUNCH: "launched",
    RELAUNCH: "relaunched",
    SCALE: "scaled",
    TERMINATE: "terminated",
    CANCEL: "cancelled",
    DOWNLOAD: "downloaded",
}


class Writer(Reader, Asker, Downloader, Protocol):
    """The whole client, as far as a plan needs it."""

    def register(self, model_type: str, specification: dict[str, Any]) -> None:
        """Register a custom model."""

    def unregister(self, model_type: str, name: str) -> None:
        """Remove a registration."""

    def launch(self, request: dict[str, Any]) -> None:
        """Ask for a launch."""

    def clear_orphan(self, uid: str, copies: int) -> None:
        """Free what a launch left behind that was cancelled too late."""

    def terminate(self, uid: str) -> None:
        """Stop a running model."""

    def cancel(self, uid: str) -> None:
        """Stop a launch under way."""

    def progress(self, uid: str) -> dict[str, Any]:
        """How far a launch is."""

    def add_replicas(self, uid: str, count: int) -> None:
        """Add copies to a running model."""

    def remove_replica(self, uid: str, replica_id: int) -> None:
        """Take a copy away."""

    def set_autostart(self, entry: dict[str, Any]) -> None:
        """Write an autostart entry."""

    def remove_autostart(self, uid: str) -> None:
        """Remove an autostart entry."""

    def remember(self, name: str, uid: str, data: dict[str, Any]) -> bool:
        """Write a row of the launch history."""

    def forget(self, name: str, uid: str) -> None:
        """Remove a row of the launch history."""


@dataclass(frozen=True)
class Waiting:
    """How to wait for models.

    :param wait: whether to wait at all.
    :param timeout: seconds for the whole plan.
    :param sleep: seconds between two looks, at most.
    :param at_once: launches under way at the same time.
    :param smoke: which models must answer a request: launched (all that this run touched), all, or none.
    :param answer: seconds in which a model must answer.
    """

    wait: bool = True
    timeout: float = 1800.0
    sleep: float = 1.0
    at_once: int = 1
    smoke: str = "launched"
    answer: float = 120.0


class Keeper:
    """Where records are written: the server's launch history, or a file of this host for a server without one.

    :param client: the server.
    :param history: whether it has a launch history.
    :param file: the file of this host.
    """

    def __init__(self, client: Writer, history: bool, file: StateFile) -> None:
        self.client = client
        self.history = history
        self.file = file

    def write(self, uid: str, record: Record) -> None:
        """Remember what a model was launched with."""
        if self.history:
            self.client.remember(RECORD, uid, record.data())
        else:
            self.file.save({**self.file.load(), uid: record})

    def drop(self, uid: str) -> None:
        """Forget a model that does not run any more."""
        if self.history:
            self.client.forget(RECORD, uid)
        else:
            records = self.file.load()
            if records.pop(uid, None) is not None:
                self.file.save(records)


@dataclass(frozen=True)
class Surroundings:
    """What carrying a plan out needs besides the server.

    :param observed: the server when the plan was made.
    :param home: its files, as far as this host sees them.
    :param file: where records go for a server without a launch history.
    :param report: told at each look how far a launch is: uid, state, the server's answer, seconds. None asks no server for it.
    :param missing: models whose files are downloaded before anything else happens.
    :param engine_errors: what the engines printed as errors since a second; empty where this host cannot see it.
    :param deaths: what ended in the server's container so far; None where this host cannot see it.
    """

    observed: Observed = field(default_factory=Observed)
    home: Home = field(default_factory=Home)
    file: StateFile = field(default_factory=lambda: StateFile(None))
    report: Callable[[str, str, dict[str, Any], float], None] | None = None
    missing: frozenset[str] = frozenset()
    deaths: Callable[[], Deaths | None] = lambda: None
    engine_errors: Callable[[int], list[str]] = lambda since: []


@dataclass
class Result:
    """What became of one model.

    :param result: unchanged, updated, downloaded, launched, relaunched, scaled, waited, terminated, cancelled or failed.
    :param changed: whether something was written for it.
    :param state: the state in which it was seen last.
    :param drift: fields in which it differed from its declaration.
    :param unverified: declared fields that could not be compared with anything.
    :param seconds: time that it took.
    :param answered: seconds that its answer to the smoke test took; None without one.
    :param restored: whether the previous model was put back after a relaunch that failed.
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
    """The results that carrying the plan out would have, for check mode."""
    return [_result(action) for action in plan.actions]


def _result(action: Action) -> Result:
    """The result of an action that succeeds."""
    outcome = _OUTCOMES[action.kind]
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


@dataclass(frozen=True)
class Passing:
    """How time passes.

    :param clock: seconds from some moment on.
    :param sleep: waits that many seconds.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class _Run:
    """One plan being carried out."""

    def __init__(self, plan: Plan, client: Writer, waiting: Waiting, around: Surroundings, passing: Passing) -> None:
        self.client = client
        self.waiting = waiting
        self.around = around
        self.keeper = Keeper(client, around.observed.history, around.file)
        self.clock = passing.clock
        self.sleep = passing.sleep
        self.begun = passing.clock()
        self.results = {action.uid: _result(action) for action in plan.actions}
        self.actions = {action.uid: action for action in plan.actions}
        self.started: dict[str, float] = {}
        #: What was known when work on a model began, so that what happened to another one before explains nothing: uid → size of the log, deaths, second.
        self.known: dict[str, tuple[int, Deaths | None, int]] = {}
        self.known_first = self.look_around()
        self.told = -math.inf
        self.registered: set[tuple[str, str]] = set()
        self.unregistered: dict[str, tuple[str, dict[str, Any]]] = {}
        self.done: set[str] = set()
        self.cleared: set[str] = set()
        #: What a late cancellation left behind is cleared away once per model.
        self.orphans: set[str] = set()
        self.unrecorded = {action.uid for action in plan.actions if action.kind in (LAUNCH, RELAUNCH, SCALE)}
        self.written: set[str] = set()
        #: Relaunches that failed and whose previous model is being put back: uid → why.
        self.restoring: dict[str, str] = {}

    # What becomes of a model.

    def finish(self, uid: str) -> None:
        """Record that a model is as declared."""
        result = self.results[uid]
        result.seconds = self.elapsed(uid)
        self.done.add(uid)
        # The state of a model says nothing of its files.
        self.say(uid, result.result if self.actions[uid].kind == DOWNLOAD else result.state)

    def look_around(self) -> tuple[int, Deaths | None, int]:
        """Size of the server's log, what ended in its container so far, and the second."""
        return self.around.home.log_size(), self.around.deaths(), int(time.time())

    def say(self, uid: str, state: str, answer: dict[str, Any] | None = None) -> None:
        """Tell the operator how far a model is."""
        if self.around.report is not None:
            self.around.report(uid, state, answer or {}, self.elapsed(uid))

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

    def write(self, uid: str, call: Callable[[], Any]) -> None:
        """A writing request. Whether one without an answer arrived is not known, unless nobody took it."""
        try:
            call()
        except NotReached:
            raise
        except ConnectionFailed:
            self.written.add(uid)
            raise
        self.written.add(uid)

    def attempt(self, uid: str, *calls: Callable[[], Any], state: str = READY) -> bool:
        """Do what concerns one model only; False when the server refuses it, and then the others go on."""
        try:
            for call in calls:
                call()
        except AuthenticationError:
            raise
        except ApiError as error:
            before = f"{self.results[uid].message}; " if self.results[uid].failed else ""
            self.fail(uid, before + self.explain(uid, str(error)), state)
            return False
        return True

    def explain(self, uid: str, words: str) -> str:
        """The server's words, with the cause where this host can see it, and the usual one where it cannot."""
        size, before, second = self.known.get(uid, self.known_first)
        self.results[uid].log = [*self.around.home.log_tail(uid, size), *self.around.engine_errors(second)]
        words = words or "the server gave no reason"
        now = self.around.deaths()
        if before is not None and now is not None:
            if now.killed > before.killed or (now.killed and now.restarts > before.restarts):
                return f"{words} (a process of the server was killed, because the container's memory was used up)"
            if now.restarts > before.restarts:
                return f"{words} (the server's container ended meanwhile and was started again)"
        if _DIED in words:
            return f"{words} (the model's process died while loading; the usual cause is too little memory)"
        return words

    # Removals.

    def remove(self, action: Action) -> None:
        """Terminate or cancel, and see the model gone."""
        self.started[action.uid] = self.clock()
        if self.clear(action.uid) and self.attempt(action.uid, lambda: self.forget(action.uid), state=ABSENT):
            self.finish(action.uid)

    def forget(self, uid: str) -> None:
        """Remove the record of a model that does not run any more."""
        if uid in self.around.observed.records:
            self.keeper.drop(uid)

    def clear(self, uid: str) -> bool:
        """Get a model off the server; False when it failed, with the reason recorded."""
        asked: set[str] = set()
        unlisted: float | None = None
        while True:
            # Looked at before each request: a launch that ended in the meantime must be terminated. To cancel a model that
            # is ready would leave its process running where nobody can reach it.
            seen = observe(self.client)
            state = seen.state(uid)
            if state in (ABSENT, ERROR):
                return True
            if state not in (TERMINATING, *SETTLING) and state not in asked:
                asked.add(state)
                if not self.ask_to_remove(uid, state):
                    return False
                continue
            if state != UNLISTED:
                unlisted = None
            elif unlisted is None:
                unlisted = self.clock()
            elif self.clock() - unlisted >= PATIENCE:
                if not self.clear_orphan(uid, seen):
                    return False
                unlisted = None
                continue
            if self.late():
                self.fail(uid, f"is still {state} after {self.waiting.timeout:g} s", state)
                return False
            self.say(uid, state)
            self.sleep(self.waiting.sleep)

    def clear_orphan(self, uid: str, seen: Observed) -> bool:
        """Clear away what a late cancellation left behind; False when that was tried before."""
        if uid in self.orphans:
            self.fail(uid, _LEFT_BEHIND, UNLISTED)
            return False
        self.orphans.add(uid)
        copies = max(len(seen.models[uid].replicas), 1)
        return self.attempt(uid, lambda: self.write(uid, lambda: self.client.clear_orphan(uid, copies)), state=UNLISTED)

    def ask_to_remove(self, uid: str, state: str) -> bool:
        """Ask for a removal; False when the server refuses."""
        try:
            self.write(uid, lambda: self.client.cancel(uid) if state in BUSY else self.client.terminate(uid))
        except AuthenticationError:
            raise
        except ApiError as error:
            # Somebody else was faster: look again whether it is gone.
            if _NOT_FOUND in error.detail or _NOT_LAUNCHED in error.detail:
                return True
            self.fail(uid, str(error), state)
            return False
        except NoAnswer as error:
            # The server is busy with this one; the others are not.
            self.fail(uid, str(error), state)
            return False
        return True

    def drop_entries(self) -> None:
        """Remove the autostart entries that must not bring a model back: before anything is terminated, or the server launches it again."""
        for action in self.actions.values():
            if action.drop_entry and not self.results[action.uid].failed:
                self.drop_entry(action)

    def drop_entry(self, action: Action) -> bool:
        """Remove one autostart entry; False when the server refuses."""
        uid = action.uid
        return self.attempt(uid, lambda: self.write(uid, lambda: self.client.remove_autostart(uid)), state=action.state)

    # Registrations.

    def register(self, action: Action) -> None:
        """Register a custom model, in place of the registration that is there; once per run."""
        if action.register is None:
            return
        model_type, specification = action.register
        key = (model_type, str(specification["model_name"]))
        if key in self.registered:
            # Written for another model of this run, and for this one as well.
            self.written.add(action.uid)
            return
        if action.replaced is not None:
            self.write(action.uid, lambda: self.client.unregister(*key))
            self.unregistered[action.uid] = (model_type, action.replaced)
        try:
            self.write(action.uid, lambda: self.client.register(model_type, specification))
        except ApiError as error:
            if not any(words in error.detail for words in _REGISTERED):
                raise
            # One that does not survive a restart, or that somebody made in the meantime. The server's own models resist.
            self.write(action.uid, lambda: self.client.unregister(*key))
            self.write(action.uid, lambda: self.client.register(model_type, specification))
        self.registered.add(key)

    def reregister(self, uid: str) -> None:
        """Put the registration back that was replaced for a model."""
        if uid in self.unregistered:
            model_type, specification = self.unregistered.pop(uid)
            name = str(specification["model_name"])
            self.client.unregister(model_type, name)
            self.client.register(model_type, specification)
            self.registered.discard((model_type, name))

    # Launches.

    def launch(self, action: Action) -> bool:
        """Ask for a launch; False when the server is not ready to take it and it shall be tried again."""
        uid = action.uid
        self.started.setdefault(uid, self.clock())
        if action.kind == RELAUNCH and uid not in self.cleared and not self.make_way(action):
            return True
        try:
            self.register(action)
            self.known[uid] = self.look_around()
            self.write(uid, lambda: self.client.launch(action.request))
        except AuthenticationError:
            raise
        except ApiError as error:
            if _ALREADY not in error.detail:
                if not self.restore(action, self.explain(uid, str(error))):
                    self.results[uid].state = ABSENT
                return True
            state = observe(self.client).state(uid)
            if state in (*BUSY, READY, UNLISTED):
                # Somebody else launched it in the meantime: the same model is waited for.
                self.results[uid].result = "waited"
                return True
            if state == action.state == ERROR:
                # Its process died, and the server failed to make it again and keeps its name: what is left must go before a launch.
                self.free_name(uid)
            return False
        return True

    def free_name(self, uid: str) -> None:
        """Terminate what is left of a model; where the server refuses, the next launch says so."""
        try:
            self.write(uid, lambda: self.client.terminate(uid))
        except AuthenticationError:
            raise
        except (ApiError, NoAnswer):
            pass

    def make_way(self, action: Action) -> bool:
        """Get the running model out of the way of its relaunch; False when that failed."""
        uid = action.uid
        self.cleared.add(uid)
        held = action.old_entry is not None and not action.drop_entry
        # While the model is down, the server must not bring the old one back.
        if held and not self.drop_entry(action):
            return False
        if self.clear(uid):
            return True
        if held:
            self.attempt(uid, lambda: self.put_entry_back(action))
        return False

    def put_entry_back(self, action: Action) -> None:
        """Write the autostart entry again that was there before."""
        old = action.old_entry
        # To other accounts than its owner's the server does not show what an entry launches; then it is what ran.
        launch = (old.launch if old is not None else None) or action.previous
        if old is not None and launch:
            self.client.set_autostart({"enabled": True, **old.policy, "launch": cleaned(launch)})

    def restore(self, action: Action, words: str) -> bool:
        """Put the previous model back after a relaunch that failed; False where there is none or that failed, too."""
        uid = action.uid
        if uid in self.restoring:
            self.fail(uid, f"{self.restoring.pop(uid)}; putting the previous model back failed: {words}", ERROR)
            return False
        if action.kind != RELAUNCH or not action.previous:
            self.fail(uid, words, ERROR)
            return False
        for again in (True, False):
            try:
                self.reregister(uid)
                self.known[uid] = self.look_around()
                self.client.launch(action.previous)
                break
            except AuthenticationError:
                raise
            except ApiError as error:
                # The new model was terminated while a copy of it was still on its way, and came back.
                if again and _ALREADY in error.detail and self.clear(uid):
                    continue
                self.fail(uid, f"{words}; putting the previous model back failed: {error}", ERROR)
                return False
        self.restoring[uid] = words
        return True

    def ready(self, uid: str, seen: Observed) -> bool:
        """A model is ready: let it answer, write down what it was launched with, and keep its autostart entry; False when it shall be waited for again."""
        action, model = self.actions[uid], seen.models[uid]
        restored = uid in self.restoring
        try:
            if self.waiting.smoke != "none":
                self.say(uid, _ASKED)
                self.results[uid].answered = smoke_test(self.client, uid, model.spec, self.waiting.answer, _launches(action, restored))
        except Unanswered as error:
            words = self.explain(uid, f"is ready, but did not answer: {error}")
            if action.kind == RELAUNCH and action.previous and not restored and self.clear(uid):
                return not self.restore(action, words)
            if restored:
                self.restore(action, words)
                return True
            self.fail(uid, words, READY)
            if action.request and model.created:
                # So that the next run asks it again.
                registration = action.model.registration if action.model is not None else None
                self.attempt(uid, lambda: self.keeper.write(uid, Record(action.request, model.created, registration, mute=True)))
            return True
        if restored:
            self.put_back(action, model.created)
            return True
        if self.attempt(uid, lambda: self.record(uid, seen), lambda: self.keep_entry(action)):
            self.finish(uid)
        return True

    def record(self, uid: str, seen: Observed) -> None:
        """Write down once what a model was launched with; a launch is known by the second in which the server made the instance."""
        model, action = seen.models.get(uid), self.actions[uid]
        if uid not in self.unrecorded or model is None or not model.created or self.results[uid].result == "waited":
            return
        self.unrecorded.discard(uid)
        registration = action.model.registration if action.model is not None else None
        self.keeper.write(uid, Record(action.request, model.created, registration))

    def put_back(self, action: Action, created: int) -> None:
        """The previous model runs again: the relaunch failed, but nobody lost a model."""
        uid = action.uid
        self.fail(uid, f"{self.restoring.pop(uid)}; the previous model was put back", READY)
        self.results[uid].restored = True
        previous = action.previous
        if previous is not None and created:
            self.attempt(uid, lambda: self.keeper.write(uid, Record(previous, created)))
        self.attempt(uid, lambda: self.put_entry_back(action))

    def keep_entry(self, action: Action) -> None:
        """Write the autostart entry; the model is there, so the server launches nothing for it."""
        if action.entry is not None:
            entry = action.entry
        elif action.kind == RELAUNCH and action.old_entry is not None and not action.drop_entry:
            # Somebody else's entry, taken away for the time of the relaunch. It brings the declared model from now on.
            entry = {"enabled": True, **action.old_entry.policy, "launch": cleaned(action.request)}
        else:
            return
        self.write(action.uid, lambda: self.client.set_autostart(entry))

    def settle(self, under_way: dict[str, float | None], seen: Observed) -> None:
        """Take out of ``under_way`` what is ready or has failed; it holds since when a model is not where it should be."""
        for uid in list(under_way):
            state = seen.state(uid)
            if state == READY:
                if not self.ready(uid, seen):
                    under_way[uid] = None
                    continue
            elif uid in self.orphans and self.actions[uid].kind == WAIT and state in (ABSENT, ERROR):
                self.results[uid].state = ABSENT
                self.finish(uid)
            elif state == ERROR:
                if self.restore(self.actions[uid], self.explain(uid, seen.models[uid].message)):
                    under_way[uid] = None
                    continue
            elif state in (ABSENT, TERMINATING, UNLISTED):
                since = under_way[uid]
                if since is None or self.clock() - since < PATIENCE:
                    under_way[uid] = self.clock() if since is None else since
                    continue
                if self.lost(uid, state, seen):
                    under_way[uid] = None
                    continue
            else:
                under_way[uid] = None
                if uid not in self.restoring:
                    self.attempt(uid, lambda uid=uid: self.record(uid, seen), state=state)  # type: ignore[misc]
                continue
            del under_way[uid]

    def lost(self, uid: str, state: str, seen: Observed) -> bool:
        """A model is not where it should be and will not come by itself; False when it is not waited for any longer."""
        action = self.actions[uid]
        if state == UNLISTED and uid not in self.restoring:
            if not self.clear_orphan(uid, seen):
                return False
            # What somebody else launched is planned anew when it is gone and all others are done.
            if action.kind != WAIT:
                self.launch(action)
            return not self.results[uid].failed
        words = _LEFT_BEHIND if state == UNLISTED else "disappeared from the server while it was launching"
        if state == ABSENT and self.restore(action, self.explain(uid, words)):
            return True
        self.fail(uid, self.results[uid].message or words, state)
        return False

    def scale(self, action: Action, seen: Observed) -> None:
        """Add copies to a running model, or take some away."""
        uid, wanted = action.uid, int(action.request["replica"])
        self.started[uid] = self.clock()
        copies = seen.models[uid].replicas
        missing = wanted - len(copies)
        if missing > 0:
            # The server answers when they are ready.
            self.say(uid, SCALING)
            self.attempt(uid, lambda: self.write(uid, lambda: self.client.add_replicas(uid, missing)))
        for copy in sorted(copies, reverse=True)[: max(-missing, 0)]:
            self.attempt(uid, lambda copy=copy: self.write(uid, lambda: self.client.remove_replica(uid, copy)))  # type: ignore[misc]

    def fetch(self, action: Action) -> None:
        """Get a model's files before anything else happens, so that nothing is down while a hub is slow."""
        uid, model = action.uid, action.model
        if model is None:
            return
        self.started.setdefault(uid, self.clock())

        words = ""
        try:
            if action.replaced is None:
                self.register(action)
            self.written.add(uid)
            words = download(self.client, model, self.late, lambda: self.sleep(self.waiting.sleep), lambda state, row: self.say(uid, state, row))
        except AuthenticationError:
            raise
        except ApiError as error:
            words = str(error)
        if words:
            self.fail(uid, self.explain(uid, words), action.state)
        elif action.kind == DOWNLOAD:
            self.finish(uid)

    # The whole.

    def leave(self, action: Action) -> None:
        """Report a model that somebody else is launching or terminating as it is, without waiting for it."""
        result = self.results[action.uid]
        result.result, result.state = "updated" if action.changing else "unchanged", action.state
        if self.attempt(action.uid, lambda: self.keep_entry(action), state=action.state):
            self.finish(action.uid)

    def ask_only(self, launches: list[Action], waits: list[Action]) -> None:
        """Ask for every launch without waiting for one."""
        asked: list[Action] = []
        silent = False
        for action in launches:
            try:
                taken = self.launch(action)
            except NoAnswer as error:
                # The server may be at work on this one, so the others are asked for all the same. Twice, it hangs.
                if silent:
                    raise
                silent = True
                self.fail(action.uid, str(error), "unknown")
                continue
            if not taken:
                self.fail(action.uid, "is still being terminated; wait for it or run again", TERMINATING)
            elif not self.results[action.uid].failed:
                asked.append(action)
        copied = [action for action in waits if action.kind == SCALE]
        seen = observe(self.client) if asked or copied else Observed()
        for action in asked + copied:
            uid = action.uid
            if uid in self.restoring:
                self.put_back(action, seen.models[uid].created if uid in seen.models else 0)
            elif self.attempt(uid, lambda uid=uid: self.record(uid, seen), lambda action=action: self.keep_entry(action)):  # type: ignore[misc]
                self.results[uid].state = seen.state(uid)
                self.finish(uid)
        for action in waits:
            if action.kind == WAIT:
                self.leave(action)

    def fill(self, queue: list[Action], under_way: dict[str, float | None]) -> bool:
        """Move launches from the queue until as many are under way as may be; False when the server is not ready to take the next."""
        while queue and len(under_way) < self.waiting.at_once:
            if not self.launch(queue[0]):
                return False
            action = queue.pop(0)
            if not self.results[action.uid].failed:
                under_way[action.uid] = None
        return True

    def give_up(self, uids: Iterable[str], seen: Observed) -> None:
        """Report what is not ready when the time is over."""
        for uid in uids:
            state = seen.state(uid)
            words = f"is {state} and not ready after {self.waiting.timeout:g} s (wait_timeout)"
            self.fail(uid, f"{self.restoring[uid]}; the previous model {words}" if uid in self.restoring else words, state)

    def tell(self, under_way: Iterable[str], seen: Observed) -> None:
        """Say how far each launch is."""
        if self.around.report is None or self.clock() < self.told + self.waiting.sleep:
            return
        self.told = self.clock()
        for uid in under_way:
            try:
                answer = self.client.progress(uid)
            except ApiError:
                # It may have ended since the last look.
                answer = {}
            self.say(uid, seen.state(uid), answer)

    def bring_up(self, launches: list[Action], waits: list[Action]) -> None:
        """Launch and wait, a bounded number at a time."""
        queue = list(launches)
        under_way: dict[str, float | None] = {action.uid: None for action in waits}
        for uid in under_way:
            self.started.setdefault(uid, self.clock())
        looked = moved = self.clock()
        size = (0, 0)
        while queue or under_way:
            taken = self.fill(queue, under_way)
            if not queue and not under_way:
                return
            # Rows of instances have been seen to lag behind the list, so that is read from time to time in any case.
            whole = self.clock() - looked >= PATIENCE
            seen = observe(self.client, () if whole else under_way)
            looked = self.clock() if whole else looked
            self.settle(under_way, seen)
            if (len(queue), len(under_way)) != size:
                size, moved = (len(queue), len(under_way)), self.clock()
            if not queue and not under_way:
                return
            self.tell(under_way, seen)
            if self.late():
                self.give_up([*under_way, *(action.uid for action in queue)], seen)
                return
            if not (taken and queue and len(under_way) < self.waiting.at_once):
                now = self.clock()
                pause = max(_SHORTEST, (now - moved) * _SHARE)
                self.sleep(min(self.waiting.sleep, pause, max(self.begun + self.waiting.timeout - now, _LEAST)))

    def keep(self, action: Action) -> None:
        """What a running model that stays still needs: its registration and its autostart entry."""
        if action.register is not None:
            self.register(action)
        self.keep_entry(action)
        if action.after is None and action.model is not None and action.model.state == "absent":
            self.forget(action.uid)
        self.done.add(action.uid)

    def carry_out(self) -> None:
        """Autostart entries that go, removals, copies, launches, and what the running models need."""
        for action in self.actions.values():
            if action.uid in self.around.missing:
                self.fetch(action)
        self.drop_entries()
        for action in self.going_on():
            if action.kind in (TERMINATE, CANCEL) or (action.kind == WAIT and action.after is None and self.waiting.wait):
                self.remove(action)
            elif action.kind == WAIT and action.after is None:
                self.leave(action)
        self.scale_all()
        launches = [action for action in self.going_on() if action.kind in (LAUNCH, RELAUNCH)]
        waits = [action for action in self.going_on() if action.kind in (WAIT, SCALE) and action.after is not None]
        if self.waiting.wait:
            self.bring_up(launches, waits)
        else:
            self.ask_only(launches, waits)
        for action in self.going_on():
            if action.kind == KEEP:
                self.attempt(action.uid, lambda action=action: self.keep(action), state=action.state)  # type: ignore[misc]
        self.smoke_all(list(self.actions.values()))

    def going_on(self) -> list[Action]:
        """The actions of models that have not failed."""
        return [action for action in self.actions.values() if not self.results[action.uid].failed]

    def scale_all(self) -> None:
        """Copies of running models."""
        scaled = [action for action in self.going_on() if action.kind == SCALE]
        seen = observe(self.client) if scaled else Observed()
        for action in scaled:
            if action.uid in seen.models:
                self.scale(action, seen)

    def may_run(self, action: Action) -> list[dict[str, Any]]:
        """Launch requests of which one is that of a model that this run did not touch: as declared, or as it was launched."""
        applied = self.around.observed.applied.get(action.uid)
        declared = [action.model.launch_request()] if action.model is not None else []
        return [*declared, applied.request if applied is not None else {}]

    def smoke_all(self, actions: list[Action]) -> None:
        """Let the models answer that this run did not touch: those that did not at their launch, or all where that was chosen."""
        if self.waiting.smoke == "none" or not self.waiting.wait:
            return
        for action in actions:
            if action.kind != KEEP or action.after is None:
                continue
            uid, model = action.uid, self.around.observed.models[action.uid]
            record = self.around.observed.records.get(uid)
            mute = record is not None and record.mute and record.created == model.created
            if self.waiting.smoke != "all" and not mute:
                continue
            try:
                self.results[uid].answered = smoke_test(self.client, uid, model.spec, self.waiting.answer, self.may_run(action))
            except Unanswered as error:
                self.fail(uid, self.explain(uid, f"is ready, but did not answer: {error}"), READY)
                continue
            if record is not None and mute:
                self.attempt(uid, lambda uid=uid, record=record: self.keeper.write(uid, replace(record, mute=False)))  # type: ignore[misc]


def apply_plan(
    plan: Plan,
    client: Writer,
    waiting: Waiting,
    around: Surroundings | None = None,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Result]:
    """Carry a plan out.

    :param plan: what to do.
    :param client: the server.
    :param waiting: how long to wait, in seconds.
    :param around: what else is needed; by default a server whose files this host does not see.
    :returns: one result per action, in the order of the plan. A model that failed does not keep the others from being
        tried; when the server is lost on the way, every model that was not finished is reported as failed with the reason.
    """
    run = _Run(plan, client, waiting, around or Surroundings(), Passing(clock, sleep))
    try:
        run.carry_out()
    except XinferenceError as error:
        _lost(run, error)
    for result in run.results.values():
        result.changed = result.uid in run.written
    return [run.results[action.uid] for action in plan.actions]


def _launches(action: Action, restored: bool) -> list[dict[str, Any]]:
    """The launch request of a model that this run launched, as far as it did."""
    request = action.previous if restored else action.request
    return [request] if request else []


def _lost(run: _Run, error: XinferenceError) -> None:
    """Mark what was not finished when the server was lost."""
    for action in run.actions.values():
        result = run.results[action.uid]
        if result.failed or action.uid in run.done or (action.kind not in (*CHANGING, WAIT) and not action.changing):
            continue
        words = run.explain(action.uid, str(error)) if isinstance(error, ConnectionFailed) else str(error)
        if action.uid in run.restoring:
            words = f"{run.restoring[action.uid]}; putting the previous model back was interrupted: {words}"
        run.fail(action.uid, words, "unknown")
