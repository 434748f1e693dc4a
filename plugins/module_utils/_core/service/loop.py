# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping the declared models running without anybody: the same plan, carried out whenever the server is not as declared. Private to this collection.

One look follows the other. While all is well a look is one request; when something moved, the run of :mod:`converge` does what is needed, but without
waiting: it asks for the launches and goes on, so that a model that takes long or fails keeps no other one down.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from ..admission.sizing import choose_options
from ..apply.context import Waiting
from ..apply.download import ROUTE as DOWNLOAD
from ..apply.results import Result
from ..apply.smoke_test import Unanswered
from ..base.errors import ApiError, AuthenticationError, ClientMissing, ConnectionFailed, DeclarationError, NoAnswer, XinferenceError
from ..declaration.fields import AUTO
from ..declaration.model import DeclaredModel
from ..observed.models import ABSENT, BUSY, ERROR, PATIENCE, READY, RECOVERING, SETTLING, UNLISTED, Observed, ObservedModel, observe
from ..reconcile.options import Wishes
from ..reconcile.reconcile import Server, converge, server_limits
from .intervals import PACE, Pace
from .model_status import Care, Question, Seen, asked
from .stored import Declaration

__all__ = ["Watcher"]

#: How often in a row a server may refuse a model's answer before the model is launched anew.
_REFUSALS = 2
#: Seconds for which a turn waits for what is being terminated; the next one goes on with it.
_TURN = 10.0
#: Status of an answer to whoever the server does not know (any more); others it knows, and does not let in.
_UNKNOWN = 401
#: Seconds after which a model that the server makes again by itself has not been made.
_RECOVERY = 600.0
#: Seconds without progress after which a launch is given up, at least; twice the time after each that was, a few times. A converge may be less patient:
#: it only reports, and the model comes up all the same.
_LAUNCH, _LONGER = 1800.0, 3
#: Tries in a row after which a model that fails keeps the others from nothing any more.
_HOPELESS = 3
#: Looks in a row that must fail before a server that listens counts as lost.
_STUMBLES = 2
#: Reasons why a server cannot be asked that the journal gets, one after the other.
_REASONS = 20


class Watcher:
    """Looks at one server, and carries the plan out when it has to.

    :param connect: makes a client that is logged in.
    :param read: the declaration as it is now, None where there is none; called at each look.
    :param tell: takes one line for each change.
    :param lock: held while something is written; None in place of a context when a converge holds it.
    :param listens: whether anything listens where the server should; asked while the server refuses the credentials, because it takes none.
    :param background: runs what may take long; by default at once.
    :param brief: seconds for which it is waited for all the same.
    :param pace: how often it looks.
    :param clock: seconds from some moment on.
    """

    def __init__(
        self,
        connect: Callable[[], Server],
        read: Callable[[], Declaration | None],
        tell: Callable[[str], None],
        *,
        lock: Callable[[], AbstractContextManager[None] | None] = nullcontext,
        listens: Callable[[], bool] = lambda: True,
        background: Callable[[Callable[[], None]], None] = lambda work: work(),
        brief: float = 0.0,
        pace: Pace = PACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connect = connect
        self.read = read
        self.tell = tell
        self.lock = lock
        self.listens = listens
        self.background = background
        self.brief = brief
        self.pace = pace
        self.clock = clock
        self.client: Server | None = None
        #: Whether the client was of use for a whole look since it logged in.
        self.proven = False
        #: Whether it logged in at a server that is gone, and was not of use since.
        self.inherited = False
        self.cares: dict[str, Care] = {}
        self.declaration: Declaration | None = None
        #: What keeps the watcher from looking; empty while the server answers.
        self.trouble = "not looked yet"
        #: Whether that is that the server does not know the account, or its password.
        self.refused = False
        #: Reasons that the journal has since the server was there; that nothing listens explains nothing.
        self.explained: set[str] = set()
        #: Since when nothing listens where the server should, on the watcher's clock; None while something does.
        self.unreachable: float | None = None
        #: Since when the server listens, but can do nothing for anybody, on the watcher's clock; None while it can.
        self.useless: float | None = None
        self.seen = Seen()
        #: What is being asked; None while nothing is.
        self.question: Question | None = None
        #: Looks in a row that failed, though something listened.
        self.stumbles = 0
        #: Until when the server is left alone, because it refused the credentials.
        self.banned = 0.0
        #: The declaration as it was read; what is kept has the options that were chosen for this host.
        self.given: Declaration | None = None
        #: Whether a converge is at work.
        self.shut_out = False
        #: Called where a look takes long, and who reads what is known shall not wait for its end.
        self.changed: Callable[[], None] = lambda: None

    @property
    def ready(self) -> bool:
        """Whether every declared model has answered since it was made."""
        return not self.trouble and all(self.cares[model.uid].answered > 0 for model in self.wanted())

    def wanted(self) -> list[DeclaredModel]:
        """The models that shall run."""
        return [model for model in (self.declaration.models if self.declaration else ()) if model.state == "present"]

    def look(self) -> float:
        """Look once, and do what is needed.

        :returns: seconds until the next look.
        """
        self.take(self.read())
        if self.declaration is None:
            self.trouble = "there is no declaration"
            return self.pace.idle
        if self.clock() < self.banned and self.listens():
            return self.pace.idle
        # A server that went down bans nobody when it comes back, and whoever starts it must be told that it is down.
        self.banned = 0.0
        since, self.unreachable = self.unreachable, None
        useless, self.useless = self.useless, None
        try:
            pause = self._look(self.declaration)
        except AuthenticationError as error:
            if self.inherited or (self.proven and error.status == _UNKNOWN):
                # What worked until now is worth nothing any more: somebody gave the account another password, and left it where it is read at each login.
                self.forget()
                return self.look()
            self.drop(f"the server refuses the credentials: {error}", refused=error.status == _UNKNOWN)
            self.banned = self.clock() + self.pace.refused
            return self.pace.idle
        except XinferenceError as error:
            # Of a server that cannot be asked no more is known than whether it is there: it may do well, and is not to be started again.
            blind = isinstance(error, ClientMissing)
            gone = not error.listens if isinstance(error, ClientMissing) else isinstance(error, ConnectionFailed) and not isinstance(error, NoAnswer)
            if gone:
                self.unreachable = self.clock() if since is None else since
            elif not blind:
                self.useless = self.clock() if useless is None else useless
            self.stumbles += 1
            if gone or blind or self.stumbles >= _STUMBLES:
                self.drop(str(error), gone=gone, usual=gone and not blind)
            # Each look at one that answers nothing of use begins with a login, which is work for it.
            return self.pace.down if gone else self.pace.idle if self.stumbles >= _STUMBLES else self.pace.moving
        self.stumbles = 0
        self.proven = True
        if not self.trouble and not self.shut_out:
            self.inherited = False
        if self.trouble:
            self.useless = self.clock() if useless is None else useless
        return pause

    def take(self, declaration: Declaration | None) -> None:
        """Take a declaration, another one or the same."""
        if declaration is self.given:
            return
        if self.given is None or declaration is None or self.given.connection != declaration.connection:
            self.forget()
        self.given = self.declaration = declaration
        self.banned = 0.0
        uids = {model.uid for model in (declaration.models if declaration else ())}
        # What failed as it was declared before may go well now.
        self.cares = {uid: replace(care, tries=0, next_try=0.0, stuck=0, drift_tries=0, drift_after=0.0) for uid, care in self.cares.items() if uid in uids}
        self.cares.update({uid: Care() for uid in uids - set(self.cares)})
        self.seen = Seen()

    def drop(self, reason: str, *, gone: bool = False, usual: bool = False, refused: bool = False) -> None:
        """The server cannot be asked. The journal has each other reason once, until the server is there again.

        :param usual: whether it is so whenever a host starts, and says nothing new of a server that was not there before.
        :param gone: whether nothing listens any more: what comes back is a new server, for which nothing counts that was before.
        :param refused: whether the server does not know the account, or its password.
        """
        if gone:
            # All but the login, which mostly counts after a restart too, and takes a moment in which a launch could be on its way.
            self.question, self.proven, self.inherited = None, False, self.client is not None
        else:
            self.forget()
        if not self.trouble:
            self.tell(f"lost the server: {reason}")
            self.explained = {reason}
        elif not usual and reason not in self.explained and len(self.explained) < _REASONS:
            self.tell(f"the server cannot be asked: {reason}")
            self.explained.add(reason)
        self.trouble, self.refused = reason, refused
        self.seen = Seen()
        if gone:
            self.cares = {uid: Care(message=care.message) for uid, care in self.cares.items()}

    def forget(self) -> None:
        """Give the client up, so that the next look logs in again."""
        # Whatever it is going to say, it says it of what was before.
        self.question = None
        if self.client is not None:
            self.client.close()
        self.client, self.proven, self.inherited = None, False, False

    def _look(self, declaration: Declaration) -> float:
        if self.client is None:
            self.client = self.connect()
        elif self.inherited:
            # Tried once, because the next look is soon; everything else is asked for by a patient client.
            self.client.status(patient=False)
        rows = self.client.list_instances()
        now = self.clock()
        heard = self.question is not None and self.question.done.is_set()
        same = rows == self.seen.rows and not self.due(now) and not heard and now - self.seen.at < self.seen.lasts
        if same and (self.seen.calm or not self.shut_out):
            return self.pace.idle if self.seen.calm else self.pace.moving
        if self.trouble:
            if not (self.client.status().get("workers") or {}):
                self.trouble = "the server has no worker yet"
                return self.pace.down
            self.tell("the server is there")
            self.trouble, self.refused, self.explained = "", False, set()
        held = self.lock()
        self.shut_out = held is None
        if held is None:
            # A converge is at work: what it does is looked at, and left to it. Whoever was asked is asked again afterwards.
            if heard:
                self.question = None
            if not same:
                self.note(observe(self.client), ours=False)
                self.seen = Seen(rows, now, lasts=self.pace.settle)
            return self.pace.moving
        with held:
            if self.read() is not self.given:
                # A converge came in between, with another declaration.
                return self.pace.moving
            if any(model.given.get("engine_options") == AUTO for model in declaration.models):
                # For all models together, because they share the memory.
                limits = server_limits(self.client, declaration.wishes)
                chosen = choose_options(declaration.models, limits, declaration.wishes.home)
                self.declaration = declaration = replace(declaration, models=tuple(chosen))
            seen, otherwise = self._tend(self.client, declaration)
        # Without the lock, because a model may take long to answer, and a converge shall not wait for that.
        self.ask(self.client, seen, declaration.wishes.waiting)
        moving = [care for model, care in self.pairs(declaration) if not self.settled(model, care)]
        calm, now = not moving and not otherwise, self.clock()
        # What was just asked for is still called absent here, so whether it is really loading is seen soon.
        waits = bool(moving) and all(care.state in BUSY or care.next_try > now for care in moving)
        self.seen = Seen(rows, now, calm=calm, lasts=self.pace.whole if calm else self.pace.loading if waits else self.pace.settle)
        if not moving:
            return self.pace.moving if otherwise else self.pace.idle
        soonest = min(care.next_try for care in moving) - now
        return max(self.pace.moving, min(soonest, self.pace.idle))

    def _tend(self, client: Server, declaration: Declaration) -> tuple[Observed, bool]:
        """Compare, and do what is needed.

        :returns: what was seen, and whether a model that runs otherwise than declared is to be relaunched as soon as all answer.
        """
        seen = observe(client)
        self.note(seen)
        # Before anything is launched, so that who failed pauses.
        self.heard(seen)
        self.free(client, seen, declaration.wishes.waiting)
        now = self.clock()
        due = [model for model in declaration.by_priority() if self.cares[model.uid].next_try <= now]
        # For a run, who is not named is not declared; who only pauses is.
        spared = frozenset(model.uid for model in declaration.models)
        wishes = replace(declaration.wishes, choices=replace(declaration.wishes.choices, spared=spared))
        results = self._launch(client, due, wishes)
        for result in results:
            self.heed(result)
            care = self.cares.get(result.uid)
            if care is not None and result.state == READY and result.result in ("unchanged", "updated") and not result.drift:
                care.drift_tries, care.drift_after = 0, 0.0
        otherwise: list[DeclaredModel] = []
        if wishes.choices.on_drift == "relaunch":
            drifted = {result.uid for result in results if result.drift and not result.failed and self.cares[result.uid].drift_after <= now}
            otherwise = [model for model in declaration.models if model.uid in drifted]
        if otherwise and all(self.settled(model, care) or care.tries >= _HOPELESS for model, care in self.pairs(declaration)):
            # One in a turn, so that a converge need not wait for all of them.
            self._relaunch(client, otherwise.pop(0), wishes)
            seen = observe(client)
            self.note(seen)
        return seen, bool(otherwise)

    def due(self, now: float) -> bool:
        """Whether the pause of a model that failed ended since the last comparison."""
        return any(self.seen.at < care.next_try <= now for care in self.cares.values())

    def pairs(self, declaration: Declaration) -> list[tuple[DeclaredModel, Care]]:
        """The declared models, each with what is known about it."""
        return [(model, self.cares[model.uid]) for model in declaration.models]

    def settled(self, model: DeclaredModel, care: Care) -> bool:
        """Whether nothing is left to be done for a model."""
        if model.state == "absent":
            return care.state in (ABSENT, ERROR)
        return care.answered > 0

    def note(self, seen: Observed, *, ours: bool = True) -> None:
        """Take down the states of the models, and what became of the launches that this watcher asked for.

        :param ours: whether nobody else is changing the models.
        """
        ready = self.ready
        for uid, care in self.cares.items():
            state, model = seen.state(uid), seen.models.get(uid)
            if model is None or (model.created or 1) != care.answered or state != READY:
                if care.answered:
                    self.tell(f"{uid}: {'lost; it is ' + state if state != READY else 'was made anew by somebody else'}")
                care.answered = 0
            if state == READY and model is not None and model.created != care.made:
                # What the one before failed at says nothing of this one.
                care.made, care.next_try = model.created, 0.0
            if state != care.state:
                care.since, care.progress = self.clock(), None
            care.state = state
            if not ours:
                care.asked = False
            elif care.asked and state in (ERROR, ABSENT, UNLISTED):
                care.asked = False
                self.failed(uid, (model.message if model else "") or f"is {state} after its launch")
            elif care.asked and state == READY:
                care.asked = False
        if ready and not self.ready:
            # What comes next may take long.
            self.changed()

    def free(self, client: Server, seen: Observed, waiting: Waiting) -> None:
        """Get out of the way what will never become a model that serves, so that it can be launched anew."""
        for uid, care in self.cares.items():
            still = self.clock() - care.since
            if care.next_try > self.clock():
                continue
            if care.state == UNLISTED and still >= PATIENCE:
                copies = max(len(seen.models[uid].replicas), 1)
                self.remove(uid, "was cancelled too late; cleared away", lambda uid=uid, copies=copies: client.clear_orphan(uid, copies))  # type: ignore[misc]
            elif care.state == RECOVERING and still >= _RECOVERY:
                self.remove(uid, f"the server did not make it again in {still:.0f} s; terminated", lambda uid=uid: client.terminate(uid))  # type: ignore[misc]
            elif care.state in BUSY - SETTLING and still >= max(waiting.timeout, _LAUNCH) * 2 ** min(care.stuck, _LONGER):
                progress = self.progress(client, uid)
                if progress != care.progress:
                    care.progress, care.since = progress, self.clock()
                    continue
                care.stuck += 1
                self.remove(uid, f"{care.state} without progress for {still:.0f} s; cancelled", lambda uid=uid: client.cancel(uid))  # type: ignore[misc]
            elif care.refusals >= _REFUSALS:
                # Servers before 2.12 make the process of a model again when it was killed, and then call it loading for ever.
                care.refusals = 0
                self.remove(uid, "terminated, to be launched anew", lambda uid=uid: client.terminate(uid))  # type: ignore[misc]

    def remove(self, uid: str, done: str, call: Callable[[], None]) -> None:
        """Get one model off the server; where it refuses, later again."""
        care = self.cares[uid]
        try:
            call()
        except AuthenticationError:
            raise
        except (ApiError, NoAnswer) as error:
            # Without an answer in time it may be gone nevertheless, which the next look shows; the others are not kept waiting for that.
            self.failed(uid, f"cannot be removed, to be launched anew: {error}")
        else:
            self.tell(f"{uid}: {done}")
            # What follows is not the end of a launch that was asked for.
            care.asked, care.state = False, ABSENT

    @staticmethod
    def progress(client: Server, uid: str) -> dict[str, Any]:
        """How far a launch is; empty where the server does not say, as after its end."""
        try:
            return client.progress(uid)
        except AuthenticationError:
            raise
        except ApiError:
            return {}

    def failed(self, uid: str, message: str) -> None:
        """A try failed: the next one comes later."""
        care = self.cares[uid]
        pause = self.pause(care.tries)
        care.tries += 1
        care.next_try = self.clock() + pause
        if message != care.message or care.tries == 1:
            self.tell(f"{uid}: {message}; next try in {pause:.0f} s")
        care.message = message

    def _launch(self, client: Server, due: Sequence[DeclaredModel], wishes: Wishes) -> list[Result]:
        """Ask for what is missing, all at once; where a model is refused, each for itself, so that it keeps no other one down."""
        choices = replace(wishes.choices, on_drift="report")
        asking = replace(wishes, choices=choices, check=False, download="with_launch", check_memory=False)
        asking = replace(asking, waiting=replace(wishes.waiting, wait=False, smoke="none", timeout=_TURN))
        try:
            return converge(client, due, asking).results
        except DeclarationError as error:
            if len(due) == 1:
                self.failed(due[0].uid, str(error))
                return []
            return [result for model in due for result in self._launch(client, [model], wishes)]

    def _relaunch(self, client: Server, model: DeclaredModel, wishes: Wishes) -> None:
        """Relaunch what somebody changed, with its way back, when all others are up."""
        first = wishes.download == "first"
        wishes = replace(wishes, choices=replace(wishes.choices, exclusive=False), check=False, download="with_launch")
        care = self.cares[model.uid]
        # Nobody shall be told that it answers while it is away.
        care.answered = 0
        self.changed()
        try:
            if first and DOWNLOAD in client.routes():
                # It serves until the files are there.
                (result,) = converge(client, [model], replace(wishes, download="only")).results
                if result.failed:
                    self.otherwise(model.uid, result.message)
                    return
            (result,) = converge(client, [model], wishes).results
        except DeclarationError as error:
            self.otherwise(model.uid, str(error))
            return
        if result.failed:
            self.otherwise(model.uid, result.message)
        else:
            self.heed(result)
            # Should it differ all the same, nothing is gained by doing it again and again.
            self.later(care)
        # It was asked by the run itself; it is taken down as any other.
        care.asked = False

    def otherwise(self, uid: str, message: str) -> None:
        """A relaunch failed, and what ran before runs again: the next one comes later, and the model is asked as any other."""
        pause = self.later(self.cares[uid])
        self.tell(f"{uid}: runs otherwise than declared, and could not be relaunched: {message}; next try in {pause:.0f} s")

    def later(self, care: Care) -> float:
        """Seconds until a model may be relaunched again."""
        pause = min(self.pace.first_drift * float(2 ** min(care.drift_tries, 20)), self.pace.most_drift)
        care.drift_tries += 1
        care.drift_after = self.clock() + pause
        return pause

    def pause(self, tries: int) -> float:
        """Seconds between tries, after so many that failed."""
        return min(self.pace.first * float(2 ** min(tries, 20)), self.pace.most)

    def heed(self, result: Result) -> None:
        """Take down what a run did for a model."""
        care = self.cares.get(result.uid)
        if result.failed and care is not None:
            self.failed(result.uid, result.message)
            return
        if result.changed:
            self.tell(f"{result.uid}: {result.result}")
        if care is not None:
            care.asked = care.asked or result.result in ("launched", "relaunched")

    def ask(self, client: Server, seen: Observed, waiting: Waiting) -> None:
        """Let every model that is ready answer, once for each time that it was made; where no smoke test is wanted, ready is enough."""
        # Who failed before comes last, and only one of these in a look.
        for model in sorted(self.wanted(), key=lambda model: self.cares[model.uid].tries):
            if not self.heard(seen):
                return
            care, running = self.cares[model.uid], seen.models.get(model.uid)
            if care.state != READY or care.answered or care.next_try > self.clock() or running is None or care.refusals >= _REFUSALS:
                continue
            if waiting.smoke == "none":
                self.answers(model.uid, running, "ready")
                continue

            launched = running.spec
            # Where a difference is only reported, it may run as it was registered.
            may_run = [model.launch_request(), {}]
            self.question = Question(model.uid, running.created, partial(asked, client.twin(), model.uid, launched, waiting.answer, may_run))
            self.background(self.question)
            # Most answer at once, and then the next one need not wait for another look.
            self.question.done.wait(self.brief)
        self.heard(seen)

    def heard(self, seen: Observed) -> bool:
        """Take down what the model said that was asked; False while it has not, and where it was of no use."""
        question = self.question
        if question is None:
            return True
        if not question.done.is_set():
            return False
        self.question = None
        care, running = self.cares.get(question.uid), seen.models.get(question.uid)
        ready = running is not None and care is not None and care.state == READY
        if care is None or (ready and running is not None and running.created != question.created):
            # It is another one by now.
            return True
        if isinstance(question.error, Unanswered):
            care.refusals = care.refusals + 1 if question.error.refused else 0
            self.failed(question.uid, f"is ready, but did not answer: {question.error}")
            return False
        if question.error is not None:
            raise question.error
        if running is None or not ready:
            # It answered, and is gone.
            return True
        self.answers(question.uid, running, f"ready, answered in {question.seconds:.2f} s")
        return True

    def answers(self, uid: str, running: ObservedModel, words: str) -> None:
        """A model serves."""
        care = self.cares[uid]
        care.answered, care.tries, care.refusals, care.stuck, care.message = running.created or 1, 0, 0, 0, ""
        self.tell(f"{uid}: {words}")
