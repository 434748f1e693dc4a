# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's line to its server: logged in, lost, refused, and back. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable

from ..base.errors import AuthenticationError, ClientMissing, ConnectionFailed, NoAnswer, XinferenceError
from ..server.api import Api
from .intervals import Intervals

__all__ = ["Connection"]

#: Status of an answer to whoever the server does not know (any more); others it knows, and does not let in.
_UNKNOWN = 401
#: Polls in a row that must fail before a server that listens counts as lost.
_STUMBLES = 2
#: Reasons why a server cannot be asked that the journal gets, one after the other.
_REASONS = 20


class Connection:
    """What is known of the server as a whole.

    :param connect: makes a client that is logged in.
    :param log: called with one line for each change.
    :param listens: whether anything listens where the server should; asked while the server refuses the credentials, because it takes none.
    :param intervals: how often it is polled.
    :param clock: seconds from some moment on.
    """

    def __init__(
        self, connect: Callable[[], Api], log: Callable[[str], None], listens: Callable[[], bool], intervals: Intervals, clock: Callable[[], float]
    ) -> None:
        self.connect = connect
        self.log = log
        self.listens = listens
        self.intervals = intervals
        self.clock = clock
        self.client: Api | None = None
        #: Whether the client was of use for a whole poll since it logged in.
        self.proven = False
        #: Whether it logged in at a server that is gone, and was not of use since.
        self.inherited = False
        #: What keeps the service from polling; empty while the server answers.
        self.trouble = "not polled yet"
        #: Whether that is that the server does not know the account, or its password.
        self.refused = False
        #: Reasons that the journal has since the server was there; that nothing listens explains nothing.
        self.explained: set[str] = set()
        #: Since when nothing listens where the server should, on the service's clock; None while something does.
        self.unreachable: float | None = None
        #: Since when the server listens, but can do nothing for anybody, on the service's clock; None while it can.
        self.useless: float | None = None
        #: Polls in a row that failed, though something listened.
        self.stumbles = 0
        #: Its workers, as it reported them last; None where that is not known.
        self.workers: int | None = None
        #: Until when the server is left alone, because it refused the credentials.
        self.banned = 0.0

    def is_banned(self) -> bool:
        """Whether the server is left alone. One that went down bans nobody when it comes back, and whoever starts it must see that it is down."""
        if self.clock() < self.banned and self.listens():
            return True
        self.banned = 0.0
        return False

    def use(self) -> Api:
        """A client that is logged in.

        :raises XinferenceError: when the server cannot be asked.
        """
        if self.client is None:
            self.client = self.connect()
        elif self.inherited:
            # Tried once, because the next poll is soon; everything else is asked for by a patient client.
            self.client.status(patient=False)
        return self.client

    def has_worker(self, client: Api) -> bool:
        """Whether a server that was lost can launch models again; the journal gets a line that it is there.

        :param client: what :meth:`use` gave.

        :raises XinferenceError: when the server cannot be asked.
        """
        if self.trouble:
            self.count_workers(client)
            if not self.workers:
                self.trouble = "the server has no worker yet"
                return False
            self.log("the server is there")
            self.trouble, self.refused, self.explained = "", False, set()
        return True

    def count_workers(self, client: Api) -> None:
        """Ask how many workers the server has.

        :param client: what :meth:`use` gave.

        :raises XinferenceError: when the server cannot be asked.
        """
        self.workers = len(client.status().get("workers") or {})

    def forget(self) -> None:
        """Give the client up, so that the next poll logs in again."""
        if self.client is not None:
            self.client.close()
        self.client, self.proven, self.inherited = None, False, False

    def worked(self, useless: float | None, *, alone: bool) -> None:
        """A whole poll went well.

        :param useless: since when the server had been of no use before it; None when it was of use.
        :param alone: whether nobody else is changing the models.
        """
        self.stumbles = 0
        self.proven = True
        if not self.trouble and alone:
            self.inherited = False
        if self.trouble:
            self.useless = self.clock() if useless is None else useless

    def is_outdated(self, error: AuthenticationError) -> bool:
        """Whether what worked until now has become invalid: the account has another password, which is stored where each login reads it."""
        return self.inherited or (self.proven and error.status == _UNKNOWN)

    def refuse(self, error: AuthenticationError) -> None:
        """The server refuses the credentials."""
        self.lose(f"the server refuses the credentials: {error}", refused=error.status == _UNKNOWN)
        self.banned = self.clock() + self.intervals.refused

    def fail(self, error: XinferenceError, since: float | None, useless: float | None) -> tuple[bool, bool, float]:
        """A poll failed.

        :param since: since when nothing had listened before it; None when something did.
        :param useless: since when the server had been of no use before it; None when it was of use.
        :returns: whether the server counts as lost now, whether nothing listens any more, and the seconds until the next poll.
        """
        # Of a server that cannot be asked no more is known than whether it is there: it may do well, and is not to be started again.
        blind = isinstance(error, ClientMissing)
        gone = not error.listens if isinstance(error, ClientMissing) else isinstance(error, ConnectionFailed) and not isinstance(error, NoAnswer)
        if gone:
            self.unreachable = self.clock() if since is None else since
        elif not blind:
            self.useless = self.clock() if useless is None else useless
        self.stumbles += 1
        lost = gone or blind or self.stumbles >= _STUMBLES
        if lost:
            self.lose(str(error), gone=gone, usual=gone and not blind)
        # Each poll of one that answers nothing of use begins with a login, which is work for it.
        pause = self.intervals.down if gone else self.intervals.idle if self.stumbles >= _STUMBLES else self.intervals.moving
        return lost, gone, pause

    def lose(self, reason: str, *, gone: bool = False, usual: bool = False, refused: bool = False) -> None:
        """The server cannot be asked. The journal has each other reason once, until the server is there again.

        :param usual: whether it is so whenever a host starts, and is no news of a server that was not there before.
        :param gone: whether nothing listens any more: what comes back is a new server, for which nothing counts that was before.
        :param refused: whether the server does not know the account, or its password.
        """
        if gone:
            # All but the login, which mostly counts after a restart too, and takes a moment in which a launch could be on its way.
            self.proven, self.inherited = False, self.client is not None
        else:
            self.forget()
        if not self.trouble:
            self.log(f"lost the server: {reason}")
            self.explained = {reason}
        elif not usual and reason not in self.explained and len(self.explained) < _REASONS:
            self.log(f"the server cannot be asked: {reason}")
            self.explained.add(reason)
        self.trouble, self.refused = reason, refused
