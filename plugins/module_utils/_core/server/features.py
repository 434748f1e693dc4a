# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server can do what: one table, for messages and for the documentation. Private to this collection.

Versions are not trusted: each feature is probed on the server itself, because a package index, an image and a fork may claim any version.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ACCOUNTS", "ADD_REPLICA", "AUTOSTART", "DOWNLOADS", "FEATURES", "MANAGED_USERS", "Feature"]
#: Route of a server that adds replicas of a running model, and takes a worker for each, in a launch as well.
ADD_REPLICA = "POST /v1/models/{model_uid}/replicas"


@dataclass(frozen=True)
class Feature:
    """Something that a server can do since some version.

    :param name: what it is.
    :param since: the first version of Xinference that has it.
    :param probe: how the server is probed for it.
    :param without: what follows where it is missing.
    """

    name: str
    since: str
    probe: str
    without: str


RECOVERY_FILE = Feature(
    "the worker's file of launch requests",
    "2.8",
    "the file `worker_recovery/<address>/models.json`",
    "its autostart entry is read, if there is one",
)
ACCOUNTS = Feature(
    "authentication with an administrator", "2.9", "the command that makes the administrator, in the image", "only `xinference_authentication: false` is served"
)
HISTORY = Feature("launch history", "2.10", "`GET /v1/launch_history`", "what models were launched with is kept in a file of the host")
AUTOSTART = Feature("autostart", "2.12", "`GET /v1/autostart/models`", "`autostart` of a model has no effect; the recovery service brings models back")
MANAGED_USERS = Feature("users and API keys that can be managed", "3.0", "`GET /v1/admin/setup/status`", "modules `user` and `api_key` fail and change nothing")
ENGINE_REPORT = Feature("reports the engine of a running model", "3.1", "field `model_engine` of a model", "the engine is compared with what was launched")
REPLICAS = Feature("adds and removes replicas of a running model", "3.2", "the routes of its OpenAPI description", "another `replica` relaunches the model")
DOWNLOADS = Feature(
    "downloads without launching", "3.4", "the routes of its OpenAPI description", "files are downloaded by the launch; `download: only` is refused"
)
INNER_KEY = Feature(
    "a key between its own processes", "4.0.1", "xoscar of the image takes `XOSCAR_AUTH_KEY`", "`preflight` and `status` warn: a user of the host may run code"
)
FEATURES = (RECOVERY_FILE, ACCOUNTS, HISTORY, AUTOSTART, MANAGED_USERS, ENGINE_REPORT, REPLICAS, DOWNLOADS, INNER_KEY)
