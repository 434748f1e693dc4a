# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proxy shows of figures to other machines: with credentials of their own, and to nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from ansible_collections.inferops.xinference.tests.machine import wait_until

PATHS = {"/metrics/service": "xinference_service_ready", "/metrics/server": "xinference:workers_total"}


class RemoteFigures:
    """A scenario derives a test class of this one, with constants ``CREDENTIALS`` and ``ADMINISTRATOR``, each a name and a password.

    It has the fixtures ``base``, the proxy's URL, and ``outsider``, a client in the network that trusts the CA.
    """

    CREDENTIALS: tuple[str, str]
    ADMINISTRATOR: tuple[str, str]

    @pytest.fixture
    def token(self, outsider: requests.Session, base: str) -> str:
        """A token of the server's administrator."""
        name, password = self.ADMINISTRATOR
        answer = outsider.post(f"{base}/token", json={"username": name, "password": password}, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    @pytest.mark.parametrize(("path", "name"), PATHS.items())
    def test_the_credentials_open_the_figures(self, outsider: requests.Session, base: str, path: str, name: str) -> None:
        answer = patient(outsider, "GET", f"{base}{path}", auth=self.CREDENTIALS)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
        assert name in {family.name for family in text_string_to_metric_families(answer.text)}

    @pytest.mark.parametrize("path", PATHS)
    def test_nothing_else_opens_them(self, outsider: requests.Session, base: str, token: str, path: str) -> None:
        name, password = self.CREDENTIALS
        for wrong in (None, (name, f"{password}x"), (name, ""), (name, password[:-1]), ("admin", password), (f"{name}:x", password), self.ADMINISTRATOR):
            assert patient(outsider, "GET", f"{base}{path}", auth=wrong).status_code == 401, wrong
        bearer = {"Authorization": f"Bearer {token}"}
        assert patient(outsider, "GET", f"{base}{path}", headers=bearer).status_code == 401

    @pytest.mark.parametrize("path", PATHS)
    def test_they_are_only_read(self, outsider: requests.Session, base: str, path: str) -> None:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert patient(outsider, method, f"{base}{path}", auth=self.CREDENTIALS).status_code == 403

    def test_the_credentials_open_nothing_else(self, outsider: requests.Session, base: str) -> None:
        assert outsider.get(f"{base}/metrics", auth=self.CREDENTIALS, timeout=30).status_code == 403
        for path in ("/v1/models", "/v1/admin/users", "/v1/workers", "/v1/cluster/info"):
            assert outsider.get(f"{base}{path}", auth=self.CREDENTIALS, timeout=30).status_code == 401
        name, password = self.CREDENTIALS
        assert outsider.post(f"{base}/token", json={"username": name, "password": password}, timeout=30).status_code == 401

    def test_guessing_is_slow(self, outsider: requests.Session, base: str) -> None:
        """More often than once a second nobody tries, but for the first ones. On a slow machine they do not come faster by themselves."""

        def guess(number: int) -> int:
            return outsider.get(f"{base}/metrics/server", auth=("figures", f"guess-{number}"), timeout=60).status_code

        seen: set[int] = set()

        def limited() -> bool:
            with ThreadPoolExecutor(40) as pool:
                seen.update(pool.map(guess, range(80)))
            return 429 in seen

        wait_until(limited, "guesses are refused")
        # Where tests before have used up the first ones, all of them are too many.
        assert seen <= {401, 429}, seen

    def test_the_host_keeps_a_hash(self, host: Any) -> None:
        name, password = self.CREDENTIALS
        kept = host.file("/etc/xinference-proxy/monitoring.passwords")
        assert (kept.user, kept.group, kept.mode) == ("root", "xinference-proxy", 0o640)
        assert kept.content_string.startswith(f"{name}:$6$")
        assert len(kept.content_string.splitlines()) == 1
        assert host.run(f"grep --recursive --fixed-strings --quiet {password} /etc/xinference-proxy").rc == 1


def patient(client: requests.Session, method: str, url: str, **arguments: Any) -> requests.Response:
    """An answer to a request that is made again for as long as there were too many."""

    def answered() -> requests.Response | None:
        answer = client.request(method, url, timeout=30, **arguments)
        return None if answer.status_code == 429 else answer

    found = wait_until(lambda: [answer] if (answer := answered()) is not None else None, f"{method} {url} is answered", pause=1)
    assert isinstance(found, list)
    response = found[0]
    assert isinstance(response, requests.Response)
    return response
