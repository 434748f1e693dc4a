# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service around the watcher: what it reads, writes, answers and reports to systemd, with real files and sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import AuthenticationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.base.private_file import keep_secrets
from ansible_collections.inferops.xinference.plugins.module_utils._core.declaration.check import parse_models
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.declaration_file import StoredDeclaration
from ansible_collections.inferops.xinference.plugins.module_utils._core.host.units import service_facts
from ansible_collections.inferops.xinference.plugins.module_utils._core.service import readiness as readiness_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.intervals import Intervals
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.loop import Watcher
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.model_status import ModelStatus
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.package import install
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.process import serve
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.readiness import _CONNECTIONS as CONNECTIONS
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.readiness import ReadinessServer
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.signals import Notifier, Stop
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.start_request import StartRequest
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.status_file import State
from ansible_collections.inferops.xinference.plugins.module_utils._core.service.stored import Declaration, DeclarationReader
from ansible_collections.inferops.xinference.plugins.modules.models import argument_spec
from ansible_collections.inferops.xinference.tests.machine import PATIENCE, free_port, wait_until
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.fake_server import FakeServer

CHAT = {"uid": "chat", "name": "qwen3", "engine": "llama.cpp"}


def options(*models: dict[str, Any], **given: Any) -> dict[str, Any]:
    """What module ``models`` leaves."""
    return {**{name: option.get("default") for name, option in argument_spec().items()}, "models": list(models), **given}


@pytest.fixture
def stored(tmp_path: Path) -> StoredDeclaration:
    """A place for the declaration."""
    return StoredDeclaration(str(tmp_path / "declaration.json"))


def test_the_declaration_is_read_again_only_when_it_was_replaced(stored: StoredDeclaration) -> None:
    logged: list[str] = []
    reader = DeclarationReader(stored, logged.append)
    assert reader() is None
    stored.save(options(CHAT, container="xinference", exclusive=True))
    first = reader()
    assert first is not None
    assert [model.uid for model in first.models] == ["chat"]
    assert first.run_options.choices.exclusive
    # The engine's socket is root's, and the service is not.
    assert first.run_options.deaths() is None
    assert reader() is first
    stored.save(options())
    second = reader()
    assert second is not None
    assert second is not first
    assert second.models == ()
    assert logged == []


def test_a_declaration_that_was_damaged_is_written_again(stored: StoredDeclaration) -> None:
    logged: list[str] = []
    reader = DeclarationReader(stored, logged.append)
    stored.save(options(CHAT))
    first = reader()
    for place in (stored.path, stored.copy):
        place.write_text("{")
    assert reader() is first
    assert reader() is first
    assert stored.load() == options(CHAT)
    assert [line.partition(":")[0] for line in logged] == ["the declaration cannot be used", "the declaration is written again as it was read before"]


def test_another_password_in_the_file_is_another_declaration(stored: StoredDeclaration, tmp_path: Path) -> None:
    kept = tmp_path / "automation"
    stored.save(options(CHAT, password_path=str(kept)))
    reader = DeclarationReader(stored, lambda line: None)
    first = reader()
    assert reader() is first
    for passwords in (["one"], ["two", "one"], ["two"], ["two"]):
        keep_secrets(str(kept), passwords)
        other = reader()
        assert other is not first
        assert other is reader()
        first = other


@pytest.mark.parametrize("wrong", [{"models": [{"uid": "chat"}]}, {"models": 3}, {"wait_timeout": "x"}])
def test_a_declaration_that_cannot_be_used_is_reported_once(stored: StoredDeclaration, wrong: dict[str, Any]) -> None:
    logged: list[str] = []
    reader = DeclarationReader(stored, logged.append)
    stored.save(options(**wrong))
    assert reader() is None
    assert reader() is None
    assert len(logged) == 1
    stored.save(options(CHAT))
    assert reader() is not None


@pytest.fixture
def watcher() -> Watcher:
    """A watcher that found a model ready and another one failing."""
    server = FakeServer()
    made = Watcher(lambda: server, lambda: None, lambda line: None, clock=server.clock)
    made.connection.trouble = ""
    made.statuses["chat"] = ModelStatus(state="ready", answered=5)
    return made


def test_what_is_known_is_written_for_its_owner_when_it_changed(tmp_path: Path, watcher: Watcher) -> None:
    place = tmp_path / "state.json"
    state = State(str(place))
    watcher.connection.trouble = "no connection"
    state.take(watcher)
    assert json.loads(place.read_text()) == {"ready": False, "trouble": "no connection", "refused": False, "models": {}}
    assert place.stat().st_mode & 0o777 == 0o600
    before = place.stat().st_mtime_ns
    state.take(watcher)
    assert place.stat().st_mtime_ns == before
    watcher.connection.trouble = ""
    state.take(watcher)
    assert json.loads(place.read_text())["ready"] is True


def test_what_is_written_is_what_root_takes_for_a_state(tmp_path: Path, watcher: Watcher) -> None:
    place = tmp_path / "state.json"
    watcher.declaration = Declaration(tuple(parse_models([CHAT])))
    State(str(place)).take(watcher)
    written = json.loads(place.read_text())
    assert set(written["models"]) == {"chat"}
    assert service_facts(["a.service"], "nobody", "/none", "/state.json", root=tmp_path)["state"] == written


def test_a_state_that_cannot_be_written_is_written_later(tmp_path: Path, watcher: Watcher) -> None:
    (tmp_path / "folder").write_text("")
    state = State(str(tmp_path / "folder/state.json"))
    state.take(watcher)
    assert state.now["ready"] is True
    (tmp_path / "folder").unlink()
    state.take(watcher)
    assert json.loads((tmp_path / "folder/state.json").read_text())["ready"] is True


def ask(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    """Status and body of the answer for load balancers; no body is an empty one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path)
    answer = connection.getresponse()
    body = json.loads(answer.read() or "{}")
    connection.close()
    return answer.status, body


def test_the_port_is_opened_without_a_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(_name: str = "") -> str:
        raise AssertionError("nobody needs the name of an address")

    monkeypatch.setattr(socket, "getfqdn", resolve)
    readiness = ReadinessServer(State(None), "127.0.0.1", free_port(), lambda line: None, Notifier(None))
    readiness.open()
    assert readiness.server is not None
    readiness.server.shutdown()
    readiness.server.server_close()


def test_load_balancers_are_answered(watcher: Watcher) -> None:
    state, port = State(None), free_port()
    readiness = ReadinessServer(state, "127.0.0.1", port, lambda line: None, Notifier(None))
    readiness.open()
    readiness.open()
    try:
        assert ask(port, "/ready") == (503, {"ready": False})
        assert ask(port, "/live") == (200, {"ready": False})
        assert ask(port, "/other")[0] == 404
        state.take(watcher)
        assert ask(port, "/ready") == (200, {"ready": True})
        assert ask(port, "/ready?from=balancer") == (200, {"ready": True})
        assert ask(port, "/ready", "HEAD") == (200, {})
        assert ask(port, "/ready", "OPTIONS") == (200, {"ready": True})
    finally:
        assert readiness.server is not None
        readiness.server.shutdown()
        readiness.server.server_close()


def test_a_port_that_is_taken_is_tried_again_and_reported_once(watcher: Watcher) -> None:
    logged: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        readiness = ReadinessServer(State(None), "127.0.0.1", port, logged.append, Notifier(None))
        readiness.open()
        readiness.open()
        assert readiness.server is None
    assert logged == [f"127.0.0.1:{port} cannot be listened on: Address already in use"]
    readiness.open()
    assert ask(port, "/live")[0] == 200
    assert readiness.server is not None
    readiness.server.shutdown()
    readiness.server.server_close()


def test_no_port_is_not_listened_on() -> None:
    readiness = ReadinessServer(State(None), "127.0.0.1", 0, lambda line: None, Notifier(None))
    readiness.open()
    assert readiness.server is None


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of systemd."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(PATIENCE)
        yield line


def test_systemd_is_notified_that_the_service_is_there_alive_and_how_it_goes(tmp_path: Path, systemd: socket.socket, watcher: Watcher) -> None:
    stopped = Stop()
    polls = 0

    def poll() -> float:
        nonlocal polls
        polls += 1
        if polls > 1:
            stopped.set()
        return 0.01

    watcher.poll = poll  # type: ignore[method-assign]
    readiness = ReadinessServer(State(None), "", 0, lambda line: None, Notifier(None))
    serve(watcher, stopped, state=State(None), notifier=Notifier(str(tmp_path / "notify")), readiness=readiness, start_request=StartRequest(None))
    assert systemd.recv(100) == b"READY=1"
    assert systemd.recv(100) == b"WATCHDOG=1\nSTATUS=1 of 0 models answer"


def test_a_service_without_a_sign_of_life_is_not_called_alive() -> None:
    notifier, port = Notifier(None), free_port()
    readiness = ReadinessServer(State(None), "127.0.0.1", port, lambda line: None, notifier)
    readiness.open()
    try:
        assert ask(port, "/live")[0] == 200
        notifier.alive -= 1000.0
        assert ask(port, "/live")[0] == 503
        notifier.notify(STATUS="busy")
        assert ask(port, "/live")[0] == 503
        notifier.notify(WATCHDOG="1")
        assert ask(port, "/live")[0] == 200
    finally:
        assert readiness.server is not None
        readiness.server.shutdown()
        readiness.server.server_close()


@pytest.fixture
def readiness(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadinessServer]:
    """A server for load balancers that listens, and takes nobody for slow because the machine is busy."""
    monkeypatch.setattr(readiness_module, "_QUESTION_SECONDS", PATIENCE)
    server = ReadinessServer(State(None), "127.0.0.1", free_port(), lambda line: None, Notifier(None))
    server.open()
    yield server
    assert server.server is not None
    server.server.shutdown()
    server.server.server_close()


def test_silent_connections_take_no_more_threads_than_there_are(readiness: ReadinessServer) -> None:
    before, port = threading.active_count(), readiness.place[1]
    silent = [socket.create_connection(("127.0.0.1", port)) for _number in range(60)]
    wait_until(lambda: threading.active_count() - before == CONNECTIONS, "as many as there are")
    for line in silent:
        line.close()
    wait_until(lambda: threading.active_count() <= before, "the threads end")
    assert ask(port, "/live")[0] == 200


@pytest.mark.parametrize("said", [b"", b"GET /live HTTP/1.1\r\nX: ", b"G"], ids=["silent", "half", "a character"])
def test_connections_that_ask_nothing_do_not_keep_others_waiting(
    readiness: ReadinessServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], said: bytes
) -> None:
    monkeypatch.setattr(readiness_module, "_QUESTION_SECONDS", 0.2)
    port, stopped = readiness.place[1], threading.Event()
    slow = [socket.create_connection(("127.0.0.1", port)) for _number in range(2 * CONNECTIONS)]

    def drip() -> None:
        """Say something now and then, so that no read of it takes long."""
        while not stopped.wait(0.05):
            for line in slow:
                with contextlib.suppress(OSError):
                    line.sendall(said)

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        assert ask(port, "/live")[0] == 200
    finally:
        stopped.set()
        dripping.join()
        for line in slow:
            line.close()
    # Nothing for the journal.
    assert capfd.readouterr().err == ""


def test_many_questions_at_once_are_all_answered(readiness: ReadinessServer) -> None:
    # Anybody can ask through the proxy, and whoever asks often must not have the host taken out of service.
    with ThreadPoolExecutor(4 * CONNECTIONS) as pool:
        assert {status for status, _body in pool.map(lambda _number: ask(readiness.place[1], "/live"), range(400))} == {200}


def test_an_answer_that_nobody_expected_does_not_end_the_service(watcher: Watcher) -> None:
    stopped = Stop()
    logged: list[str] = []
    watcher.log = watcher.connection.log = logged.append

    def poll() -> float:
        stopped.set()
        raise KeyError("model_uid")

    watcher.poll = poll  # type: ignore[method-assign]
    readiness = ReadinessServer(State(None), "", 0, lambda line: None, Notifier(None))
    serve(watcher, stopped, state=State(None), notifier=Notifier(None), readiness=readiness, start_request=StartRequest(None))
    assert logged[:2] == ["lost the server: KeyError: 'model_uid'", "Traceback (most recent call last):"]
    assert logged[-1] == "KeyError: 'model_uid'"
    assert any("raise KeyError" in line for line in logged)
    assert not watcher.ready


def test_an_error_that_comes_again_has_its_traceback_once(watcher: Watcher) -> None:
    logged: list[str] = []
    stopped, polls = Stop(), 0
    watcher.log = watcher.connection.log = logged.append
    watcher.intervals = Intervals(odd=0.0)

    def poll() -> float:
        nonlocal polls
        polls += 1
        if polls == 3:
            stopped.set()
        raise KeyError("model_uid")

    watcher.poll = poll  # type: ignore[method-assign]
    readiness = ReadinessServer(State(None), "", 0, lambda line: None, Notifier(None))
    serve(watcher, stopped, state=State(None), notifier=Notifier(None), readiness=readiness, start_request=StartRequest(None))
    assert polls == 3
    assert logged.count("Traceback (most recent call last):") == 1


def test_a_server_that_is_away_for_long_is_called_for_again_and_again(tmp_path: Path, watcher: Watcher) -> None:
    place = tmp_path / "call"
    start_request = StartRequest(str(place))
    clock = watcher.clock
    calls = 0
    for second in range(100):
        watcher.clock = lambda second=second: float(second)  # type: ignore[misc]
        watcher.connection.unreachable = 10.0 if second >= 10 else None
        start_request.ask(watcher)
        if place.exists():
            assert second >= 20
            calls += 1
            place.unlink()
    assert calls == 3
    watcher.connection.unreachable, watcher.clock = None, clock
    start_request.ask(watcher)
    assert start_request.called is None
    StartRequest(None).ask(watcher)


def test_a_report_is_asked_for_each_time_that_the_server_comes_back(tmp_path: Path, watcher: Watcher) -> None:
    place = tmp_path / "inspect"
    start_request = StartRequest(None, str(place))
    found = []
    for trouble in ("not polled yet", "", "", "no connection", "no connection", "", ""):
        watcher.connection.trouble = trouble
        start_request.ask(watcher)
        found.append(place.exists())
        place.unlink(missing_ok=True)
    assert found == [False, True, False, False, False, True, False]


def test_a_server_that_is_of_no_use_is_called_for_after_some_minutes(tmp_path: Path, watcher: Watcher) -> None:
    place = tmp_path / "call"
    start_request = StartRequest(str(place))
    calls = []
    for second in range(200):
        watcher.clock = lambda second=second: float(second)  # type: ignore[misc]
        watcher.connection.useless = 10.0 if second >= 10 else None
        start_request.ask(watcher)
        if place.exists():
            calls.append(second)
            place.unlink()
    assert calls == [130, 160, 190]


def test_a_signal_that_comes_while_the_service_waits() -> None:
    """Again and again, so that some come in every moment of the waiting."""
    stopped, came = Stop(), 0

    def logged(*_: object) -> None:
        nonlocal came
        came += 1
        stopped.set()

    before = signal.signal(signal.SIGALRM, logged)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
        while came < 2000:
            assert stopped.wait(PATIENCE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_without_systemd_nothing_is_notified() -> None:
    Notifier(None).notify(READY="1")
    Notifier("/nowhere/socket").notify(READY="1")


def test_the_whole_service_starts_says_what_it_lacks_and_ends_when_it_is_asked_to(tmp_path: Path, systemd: socket.socket) -> None:
    install(tmp_path / "program")
    StoredDeclaration(str(tmp_path / "declaration.json")).save(options(CHAT, endpoint=f"http://127.0.0.1:{free_port()}"))
    port = free_port()
    command: list[str | Path] = [sys.executable, "-I", tmp_path / "program", "--declaration", tmp_path / "declaration.json", "--lock", tmp_path / "lock"]
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "PATH": os.environ["PATH"]}
    with subprocess.Popen([*command, "--state", tmp_path / "state.json", "--port", str(port)], env=environment, stdout=subprocess.PIPE, text=True) as service:
        try:
            assert systemd.recv(100) == b"READY=1"
            while not systemd.recv(1000).startswith(b"WATCHDOG=1\nSTATUS="):
                pass
            assert ask(port, "/ready")[0] == 503
            assert ask(port, "/live")[0] == 200
            state = json.loads((tmp_path / "state.json").read_text())
            assert "no connection" in state["trouble"]
            assert state["models"]["chat"] == {"declared": "present", "state": "absent", "answered": False, "tries": 0, "message": ""}
        finally:
            service.send_signal(signal.SIGTERM)
            assert service.wait(PATIENCE) == 0


@pytest.mark.parametrize("served", [True, False])
def test_an_interpreter_without_the_client_says_so_and_calls_for_a_server_that_is_down(tmp_path: Path, systemd: socket.socket, served: bool) -> None:
    """What an upgrade of the distribution leaves: the environment's interpreter runs, and finds no packages."""
    install(tmp_path / "program")
    venv.create(tmp_path / "client", with_pip=False)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        if served:
            server.listen()
        StoredDeclaration(str(tmp_path / "declaration.json")).save(options(CHAT, endpoint=endpoint))
        command: list[str | Path] = [
            tmp_path / "client/bin/python",
            "-I",
            tmp_path / "program",
            "--declaration",
            tmp_path / "declaration.json",
            "--lock",
            tmp_path / "lock",
        ]
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "PATH": os.environ["PATH"]}
        with subprocess.Popen([*command, "--state", tmp_path / "state.json"], env=environment, stdout=subprocess.PIPE, text=True) as service:
            try:
                status = b""
                while not status.startswith(b"WATCHDOG=1\nSTATUS="):
                    status = systemd.recv(1000)
                why = f"{tmp_path}/client/bin/python (Python {platform.python_version()}) cannot import xinference-client (No module named 'requests')"
                trouble = f"{why}, so no model can be brought back; provision again"
                assert status.decode() == f"WATCHDOG=1\nSTATUS={trouble}"
                assert json.loads((tmp_path / "state.json").read_text())["trouble"] == trouble
            finally:
                service.send_signal(signal.SIGTERM)
                assert service.wait(PATIENCE) == 0
                assert service.stdout is not None
                assert f"the server cannot be asked: {trouble}\n" == service.stdout.read()


def test_a_declaration_without_an_account_is_for_no_service(stored: StoredDeclaration) -> None:
    """A run stored it for the next restart, on a host without a service, and now there is one."""
    logged: list[str] = []
    reader = DeclarationReader(stored, logged.append)
    stored.save({name: value for name, value in options(CHAT).items() if name not in ("username", "password", "password_path")})
    assert reader() is None
    assert logged == []
    stored.save(options(CHAT))
    declaration = reader()
    assert declaration is not None
    assert [model.uid for model in declaration.models] == ["chat"]


def test_a_declaration_says_how_to_connect(stored: StoredDeclaration, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    module = sys.modules[DeclarationReader.__module__]
    monkeypatch.setattr(module, "Client", lambda endpoint, **given: seen.append((endpoint, given)))
    reader = DeclarationReader(stored, lambda line: None)
    for verify in (
        {"validate_certs": True, "ca_path": "/ca.pem"},
        {"validate_certs": True, "ca_path": None, "listener_users": ["caddy"]},
        {"validate_certs": False, "ca_path": "/ca.pem", "allow_plain_http": True},
    ):
        connection = {"endpoint": "https://one", "username": "admin", "password": "marked", "timeout": 30.0}
        stored.save({**options(CHAT), **connection, **verify})
        assert isinstance(reader(), Declaration)
        reader.connect()
    given: dict[str, Any] = {"username": "admin", "password": "marked", "timeout": 30.0, "keep_alive": False}
    assert seen == [
        ("https://one", {**given, "verify": "/ca.pem", "listener_users": ["root"], "allow_plain_http": False}),
        ("https://one", {**given, "verify": True, "listener_users": ["caddy"], "allow_plain_http": False}),
        ("https://one", {**given, "verify": False, "listener_users": ["root"], "allow_plain_http": True}),
    ]


def test_whether_anything_listens(stored: StoredDeclaration) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        stored.save(options(CHAT, endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}"))
        reader = DeclarationReader(stored, lambda line: None)
        reader()
        assert reader.listens()
    assert not reader.listens()


def test_a_password_that_a_file_keeps_is_read_at_each_login(stored: StoredDeclaration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, seen = tmp_path / "automation", []

    client = object()

    def connect(_endpoint: str, **given: Any) -> object:
        seen.append(given["password"])
        if given["password"] == "new":
            raise AuthenticationError("POST", "http://x/token", 401, "no")
        return client

    monkeypatch.setattr(sys.modules[DeclarationReader.__module__], "Client", connect)
    reader = DeclarationReader(stored, lambda line: None)
    stored.save({**options(CHAT), "username": "automation", "password": None, "password_path": str(kept)})
    reader()
    for text, tried in (("old\n", ["old"]), ("new\nold\n", ["new", "old"]), ("newer\n", ["newer"])):
        kept.write_text(text)
        kept.chmod(0o600)
        seen.clear()
        assert reader.connect() is client
        assert seen == tried
