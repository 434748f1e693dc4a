# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, typed. Private to this collection."""

from __future__ import annotations

__all__ = [
    "ApiError",
    "AuthenticationError",
    "ClientMissing",
    "ConnectionFailed",
    "DeclarationError",
    "NoAnswer",
    "NotReached",
    "XinferenceError",
    "with_words",
]


class XinferenceError(Exception):
    """Base of every error that the core raises; its text is one sentence for the operator."""


class DeclarationError(XinferenceError):
    """The declaration is wrong; nothing was changed.

    :param problems: one sentence per problem, each naming item, field, value and what is allowed.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class ConnectionFailed(XinferenceError):
    """No answer from the server: refused, unresolved, interrupted or not in time."""


class ClientMissing(XinferenceError):
    """This interpreter cannot import the client, so nothing is known of the server.

    :param listens: whether anything listens where the server should.
    """

    def __init__(self, text: str, *, listens: bool) -> None:
        super().__init__(text)
        self.listens = listens


class NotReached(ConnectionFailed):
    """Nobody took the request, so nothing became of it."""


class NoAnswer(ConnectionFailed):
    """The server took the request and did not answer in time; it may go on with it."""


class ApiError(XinferenceError):
    """The server answered with an error.

    :param method: HTTP method of the request.
    :param url: address of the request, without credentials.
    :param status: HTTP status of the answer.
    :param detail: the server's own words.
    """

    def __init__(self, method: str, url: str, status: int, detail: str) -> None:
        super().__init__(f"{method} {url} answered {status}: {detail or 'the server gave no reason'}")
        self.method = method
        self.url = url
        self.status = status
        self.detail = detail


class AuthenticationError(ApiError):
    """The server refused the credentials, or asked for some that were not given."""


def with_words(error: XinferenceError, words: str) -> XinferenceError:
    """The same error with a sentence more."""
    if isinstance(error, ApiError):
        return type(error)(error.method, error.url, error.status, f"{error.detail.rstrip('.')}. {words}")
    return type(error)(f"{error} {words}")
