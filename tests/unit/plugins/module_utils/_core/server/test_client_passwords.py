# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several passwords of one account, of which one is accepted."""

from __future__ import annotations

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.client import first_accepted


def refused(status: int) -> AuthenticationError:
    """What the server says."""
    return AuthenticationError("POST", "http://x/token", status, "no")


@pytest.mark.parametrize(
    ("answers", "tried"),
    [
        ({"new": None}, ["new"]),
        ({"new": refused(401), "old": None}, ["new", "old"]),
        ({"new": refused(401), "old": refused(401)}, ["new", "old"]),
        # Another one would not help a client that is banned.
        ({"new": refused(429), "old": None}, ["new"]),
    ],
)
def test_the_first_password_that_is_accepted(answers: dict[str, AuthenticationError | None], tried: list[str]) -> None:
    asked: list[str | None] = []

    def log_in(password: str | None) -> str:
        asked.append(password)
        answer = answers[str(password)]
        if answer is not None:
            raise answer
        return f"client with {password}"

    last = answers[tried[-1]]
    if last is None:
        assert first_accepted(list(answers), log_in) == f"client with {tried[-1]}"  # type: ignore[arg-type,comparison-overlap]
    else:
        with pytest.raises(AuthenticationError) as error:
            first_accepted(list(answers), log_in)  # type: ignore[arg-type]
        # That of the one that should work.
        assert error.value is answers[tried[0]]
    assert asked == tried
