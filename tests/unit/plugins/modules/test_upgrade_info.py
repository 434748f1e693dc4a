# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``upgrade_info`` as Ansible runs it, with two servers in memory; scenario upgrade has real ones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, File
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import ApiError, AuthenticationError, ConnectionFailed, XinferenceError
from ansible_collections.inferops.xinference.plugins.module_utils._core.server.relay import ENDPOINT, RelayAdapter
from ansible_collections.inferops.xinference.plugins.module_utils._core.upgrade.rehearsal import Rehearsal, Wanted
from ansible_collections.inferops.xinference.plugins.modules import upgrade_info
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup import conftest as backups
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.conftest import Host
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.backup.fake_engine import REFERENCE
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer
from ansible_collections.inferops.xinference.tests.unit.plugins.modules.module_runner import Runner

host = backups.host
NEW, NEW_REFERENCE = "sha256:5678", "xprobe/xinference:v4.2.0-cpu"
PASSWORD, TOKEN = "marked-pass", "marked-token"
CHAT: dict[str, Any] = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp", "environment": {"HF_TOKEN": TOKEN}}
ACCOUNT = {"username": "admin", "password": PASSWORD}


class NewServer:
    """What is asked in place of a container.

    :param monkeypatch: of the test.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = FakeServer(release="4.2.0", allowed=frozenset())
        self.wanted: list[Wanted] = []
        self.files: list[str] = []
        self.logins: list[dict[str, Any]] = []
        #: What starting it ends with.
        self.fails: Exception | None = None
        #: What the login ends with.
        self.refuses: Exception | None = None
        new = self

        @contextlib.contextmanager
        def ready(self: Rehearsal, source: Path, files: Sequence[File]) -> Iterator[None]:
            new.wanted.append(self.wanted)
            new.files = sorted(file.path for file in files)
            assert all((source / file.path).is_file() for file in files)
            if new.fails is not None:
                raise new.fails
            self.version = "4.2.0"
            yield

        def client(endpoint: str, **options: Any) -> FakeServer:
            assert isinstance(options.pop("adapter"), RelayAdapter)
            new.logins.append({"endpoint": endpoint, **options})
            if new.refuses is not None:
                raise new.refuses
            return new.server

        monkeypatch.setattr(Rehearsal, "ready", ready)
        monkeypatch.setattr(upgrade_info, "Client", client)
        monkeypatch.setattr(upgrade_info, "require_memory", lambda: None)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs the module, beside a server that runs."""
    runner = Runner(upgrade_info.main, capsys, monkeypatch)
    runner.use(FakeServer(allowed=frozenset()).run("chat", model_engine="llama.cpp"))
    return runner


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> NewServer:
    """A new server."""
    return NewServer(monkeypatch)


@pytest.fixture
def options(host: Host, tmp_path: Path) -> dict[str, Any]:
    """Options that name the host and the new image."""
    host.engine.images[NEW_REFERENCE] = NEW
    path = tmp_path / "settings.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(host.settings)))
    return {
        **{"settings_path": str(path), "image": NEW_REFERENCE, "preparation": "prepare()", "health": "check()", "prepared": {"user": "0:0", "folders": []}},
        **{"environment": {"XINFERENCE_AUTH_ADVANCED": False, "NUMBER": 1}, **ACCOUNT},
    }


def refused(run: Runner, **arguments: Any) -> str:
    """Why the module says nothing, as a whole sentence; no secret is in what it prints or logs."""
    answer = run(**arguments)
    assert answer["failed"]
    assert "marked" not in run.output + str(run.logged)
    assert "Traceback" not in run.output
    words = str(answer["msg"])
    assert words.endswith((".", "?"))
    assert words.isprintable()
    return words


@pytest.mark.parametrize("check", [True, False])
def test_what_a_new_server_says(run: Runner, host: Host, new: NewServer, options: dict[str, Any], check: bool) -> None:
    answer = run(check=check, models=[CHAT], **options)
    assert {name: answer[name] for name in ("failed", "changed", "same_image", "running_version", "server_version", "problems", "notes")} == {
        **{"failed": False, "changed": False, "same_image": False, "running_version": "4.1.0", "server_version": "4.2.0"},
        **{"problems": ["The new server does not take the registration of LLM 'mine'; remove it, or register it again."], "notes": []},
    }
    assert answer["models"] == [{"uid": "chat", "today": "llama.cpp, ggufv2, 0_6, Q4_K_M", "then": "is offered with llama.cpp", "refused": False}]
    assert "marked" not in run.output + str(run.logged)
    # The files of the server that runs are there meanwhile, and gone in the end.
    assert {"auth/auth.db", "model/v2/llm/mine.json"} <= set(new.files)
    assert list(Path(host.settings.staging_directory).iterdir()) == []


def test_how_the_new_server_is_started_and_asked(run: Runner, new: NewServer, options: dict[str, Any]) -> None:
    run(**options, start_timeout=7, timeout=9)
    assert new.wanted == [
        Wanted(
            image_id=NEW,
            environment={"XINFERENCE_AUTH_ADVANCED": "False", "NUMBER": "1"},
            preparation="prepare()",
            prepared={"user": "0:0", "folders": [], "account": {**ACCOUNT, "permissions": ["admin"]}},
            health="check()",
            seconds=7.0,
        )
    ]
    assert new.logins == [{"endpoint": ENDPOINT, **ACCOUNT, "timeout": 9.0}]
    # The one that runs is asked as by any other module.
    (connection,) = run.connections
    assert (connection["endpoint"], connection["username"], connection["password"]) == ("http://127.0.0.1:9997", "admin", PASSWORD)


def test_without_an_account_none_is_made(run: Runner, new: NewServer, options: dict[str, Any]) -> None:
    del options["username"], options["password"]
    assert not run(**options)["failed"]
    (wanted,) = new.wanted
    assert wanted.prepared["account"] is None
    assert (new.logins[0]["username"], new.logins[0]["password"]) == (None, None)


@pytest.mark.parametrize("reference", [REFERENCE, "sha256:1234"])
def test_the_image_that_runs_is_not_asked(run: Runner, host: Host, new: NewServer, options: dict[str, Any], reference: str) -> None:
    answer = run(models=[CHAT], **{**options, "image": reference})
    expected = {"same_image": True, "running_version": "4.1.0", "server_version": "", "models": [], "problems": [], "notes": [], "changed": False}
    assert {name: answer[name] for name in expected} == expected
    assert (new.wanted, new.logins, host.engine.made) == ([], [], [])


def test_a_model_that_is_refused_is_no_failure_of_the_module(run: Runner, new: NewServer, options: dict[str, Any]) -> None:
    del new.server.registered["LLM", "qwen3"]
    new.server.registered["LLM", "mine"] = False
    answer = run(models=[CHAT], option_names={"models": "xinference_models"}, **options)
    assert not answer["failed"]
    assert answer["models"][0]["refused"]
    (problem,) = answer["problems"]
    assert problem.startswith("xinference_models (uid 'chat'): name 'qwen3'")
    assert "marked" not in run.output


@pytest.mark.parametrize(("earlier", "uids"), [("keep", ["chat", "stored"]), ("forget", ["chat"])])
def test_models_that_the_host_has_stored_are_asked_for_as_well(
    run: Runner, new: NewServer, options: dict[str, Any], tmp_path: Path, earlier: str, uids: list[str]
) -> None:
    stored = [{**CHAT, "name": "other"}, {**CHAT, "uid": "stored", "name": "nothing", "environment": {"KEY": "marked-stored"}}, {"uid": "x", "state": "absent"}]
    (tmp_path / "declaration.json").touch(mode=0o600)
    (tmp_path / "declaration.json").write_text(json.dumps({"version": 1, "options": {"models": stored}}))
    for path in (str(tmp_path / "declaration.json"), str(tmp_path / "nowhere.json")):
        answer = run(models=[CHAT], declaration_path=path, earlier_models=earlier, **options)
        assert [model["uid"] for model in answer["models"]] == (uids if "nowhere" not in path else ["chat"])
        assert "marked" not in run.output + str(run.logged)


def test_secrets_are_in_nothing_that_it_prints(run: Runner, new: NewServer, options: dict[str, Any]) -> None:
    """Also where the new server repeats them."""
    assert new.server.people
    new.server.fail_next("accounts", ApiError("GET", f"{ENDPOINT}/v1/admin/users", 500, f"odd: {PASSWORD} {TOKEN}"))
    words = refused(run, models=[{**CHAT, "enviroment": {"KEY": "marked-typo"}}], **options)
    assert "enviroment" in words
    words = refused(run, models=[CHAT], **options)
    assert "answered 500: odd: ******** ********" in words


def test_a_login_that_is_refused_means_that_accounts_are_lost(run: Runner, new: NewServer, options: dict[str, Any]) -> None:
    new.refuses = AuthenticationError("POST", f"{ENDPOINT}/token", 401, "Incorrect username or password.")
    words = refused(run, **options)
    assert words.startswith(f"Image '{NEW_REFERENCE}' cannot take the place of the one that runs: account 'admin' cannot log in to the new server")
    assert words.endswith("Incorrect username or password.")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (XinferenceError("its server does not start: no such table"), "its server does not start: no such table."),
        (XinferenceError("The first administrator could not be made."), "The first administrator could not be made."),
        (BackupError("there is no room"), "there is no room."),
        (ConnectionFailed("GET http://new-server:9997/x: no connection (it ended)."), "GET http://new-server:9997/x: no connection (it ended)."),
    ],
)
def test_a_new_server_that_does_not_serve_is_a_sentence(run: Runner, new: NewServer, options: dict[str, Any], error: Exception, words: str) -> None:
    new.fails = error
    assert refused(run, **options) == f"Image '{NEW_REFERENCE}' cannot take the place of the one that runs: {words}"


def test_docker_s_words_are_a_sentence(run: Runner, host: Host, new: NewServer, options: dict[str, Any]) -> None:
    new.fails = OSError('/containers/create answered 500: {"message": "no space left on device"}')
    assert refused(run, **options) == "Docker, or the file system, does not do it: no space left on device."
    host.engine.refuses["GET /images/"] = "the daemon is busy."
    assert refused(run, **options) == "Docker, or the file system, does not do it: the daemon is busy."


def test_without_docker_it_is_a_sentence(run: Runner, host: Host, new: NewServer, options: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({**asdict(host.settings), "docker_host": "unix:///nowhere/docker.sock"}))
    assert refused(run, **options) == "Docker, or the file system, does not do it: No such file or directory."
    assert new.wanted == []


def test_what_is_not_there_is_named(run: Runner, host: Host, new: NewServer, options: dict[str, Any]) -> None:
    assert refused(run, **{**options, "image": "nothing:1"}) == "There is no image 'nothing:1' on this host; bring it there first."
    beginning = f"Image '{NEW_REFERENCE}' cannot take the place of the one that runs: "
    words = refused(run, **{**options, "settings_path": "/nowhere.json"})
    assert words == f"{beginning}there is no '/nowhere.json'; provision this host with xinference_backup first."
    host.engine.exists = False
    assert refused(run, **options) == f"{beginning}there is no container 'xinference' on this host; provision it first."
    assert new.wanted == []


def test_a_declaration_that_is_wrong_is_refused_before_anything_is_started(run: Runner, host: Host, new: NewServer, options: dict[str, Any]) -> None:
    for check in (True, False):
        words = refused(run, check=check, models=[{"uid": "chat"}], **options)
        assert "models[0] (uid 'chat')" in words
    assert "home 'x' must be an absolute path" in refused(run, home="x", **options)
    assert (new.wanted, host.engine.made) == ([], [])


def test_memory_is_required_before_files_are_read(run: Runner, host: Host, new: NewServer, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def require() -> None:
        raise XinferenceError("The new server cannot be asked beside the one that runs.")

    monkeypatch.setattr(upgrade_info, "require_memory", require)
    assert refused(run, **options) == "The new server cannot be asked beside the one that runs."
    assert host.engine.made == []
    # Of the image that runs no second server is started.
    assert run(**{**options, "image": REFERENCE})["same_image"]


def test_a_server_that_runs_and_does_not_answer_is_a_sentence(run: Runner, new: NewServer, options: dict[str, Any]) -> None:
    run.use(ConnectionFailed("GET http://127.0.0.1:9997/x: no connection (Connection refused)."))
    assert refused(run, **options) == "GET http://127.0.0.1:9997/x: no connection (Connection refused)."
    assert new.wanted == []


@pytest.mark.parametrize("lacking", ["settings_path", "image", "preparation", "prepared", "health"])
def test_what_it_needs(run: Runner, options: dict[str, Any], lacking: str) -> None:
    del options[lacking]
    answer = run(**options)
    assert answer["failed"]
    assert lacking in answer["msg"]
    assert "marked" not in run.output + str(run.logged)
