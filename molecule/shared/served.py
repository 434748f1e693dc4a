# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server that came back, or was upgraded, serves as before: models, the key of an account, registrations."""

from __future__ import annotations

from typing import Any

from serving import Server


class Served:
    """A scenario derives a test class of this one; it has fixtures ``server``, and ``version`` of the server that was provisioned."""

    def test_models_answer(self, server: Server) -> None:
        assert "Paris" in server.chat("What is the capital of France? Answer in one sentence.")
        assert len(server.embed("a cat sits on the mat")) == 384

    def test_the_key_of_before_works(self, host: Any, version: str) -> None:
        if version.startswith("2."):
            # Servers before 3.0 have no keys that can be managed.
            assert not host.file("/etc/shop.key").exists
            return
        status = host.check_output("curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $(cat /etc/shop.key)\" http://127.0.0.1:9997/v1/models")
        assert status == "200"

    def test_registrations_are_there(self, server: Server) -> None:
        for kind, name in (("LLM", "smollm2-135m-instruct"), ("embedding", "all-minilm-l6-v2")):
            status, answer = server.call(f"/v1/model_registrations/{kind}/{name}")
            assert (status, answer["model_name"]) == (200, name)
