# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calls of restic, and what is made of what it answers; scenario backup runs a real one."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import command as command_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup import restic as restic_module
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.command import Answer
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.contents import BackupError, sentence
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.restic import NoRepository, Restic, Snapshot
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.settings import Secrets, Settings
from ansible_collections.inferops.xinference.plugins.module_utils._core.backup.snapshot import changed

PASSWORD, KEY = "marked password", "marked-key"
ID = "0123456789abcdef" * 4
BACKUP = ["backup", "--json", "--host", "one", "--tag", "inferops.xinference", "--tag", "container=xinference"]
NONE = "Fatal: unable to open config file: stat /r/config: no such file or directory\nIs there a repository at the following location?\n/r\n"
LOCKED = "unable to create lock in backend: repository is already locked by PID 74049 on one by root (UID 0, GID 0)\nlock was created at 2026-01-31\n"


class Calls:
    """Takes calls of restic, and answers with what was prepared.

    :param answers: for one call each; without one it is an empty success.
    """

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.arguments: list[list[str]] = []
        self.environments: list[dict[str, str]] = []
        self.seconds: list[float | None] = []

    def __call__(self, arguments: Sequence[str], environment: dict[str, str], gate: int | None = None, seconds: float | None = None) -> Answer:
        # As the shell: a line lets it go on, and an end without one stops it.
        if gate is not None and not os.read(gate, 1):
            self.arguments.append(["stopped", *arguments[1:]])
            return Answer(130, "", "")
        self.arguments.append(list(arguments[1:]))
        self.environments.append(environment)
        self.seconds.append(seconds)
        if not self.answers:
            return Answer(0, "", "")
        answer = self.answers.pop(0)
        if isinstance(answer, Answer):
            return answer
        raise answer


def failed(words: str) -> Answer:
    """An answer with which restic fails."""
    return Answer(1, "", words)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a repository in a directory."""
    names = ("repository", "secrets", "state_directory", "staging_directory", "service_directory", "upgrade_directory")
    places = {name: str(tmp_path / name) for name in names}
    given = {**places, "container": "xinference", "docker_host": "unix:///x", "host": "one", "collection_version": "0.1.0"}
    return Settings(keep_daily=7, keep_weekly=4, model_files=False, **given)


def saved(restic: Restic) -> str:
    """The ID of a snapshot of a directory that is complete."""
    with restic.saving(Path("/run/x")) as finish:
        return finish()


def made(settings: Settings, *answers: Answer | Exception) -> tuple[Restic, Calls]:
    """A repository, and its calls."""
    calls = Calls(*answers)
    return Restic(settings, Secrets(PASSWORD, {"AWS_SECRET_ACCESS_KEY": KEY, "REGION": "eu"}), calls), calls


def test_each_call_is_one_that_all_versions_take(settings: Settings) -> None:
    """From 0.11, of Debian 11, to 0.18; the order of options and arguments as their documentation has it."""
    restic, calls = made(settings, Answer(0, json.dumps({"message_type": "summary", "snapshot_id": ID}), ""))
    assert saved(restic) == ID
    restic.fetch(ID, Path("/run/y"))
    restic.fetch_fresh(ID, Path("/run/y"))
    restic.read(Snapshot(ID, "one", "", "/run/x"), "manifest.json")
    restic.forget()
    restic.check()
    restic.snapshots("one")
    restic.snapshots()
    calls.answers = [Answer(0, json.dumps({"message_type": "summary", "snapshot_id": ID}), "")]
    restic.save_files(["/m/a.gguf", "/m/dir"], ID)
    restic.listed(ID)
    restic.fetch_files(ID, "/proc/7/fd/8/files", ["/m/a.gguf", "/m/[1]*?\\x"])
    restic.with_files()
    restic.forget_files()
    both, files = "inferops.xinference,container=xinference", "inferops.xinference.models"
    exclude = ["--exclude", ".xinference-restore"]
    assert calls.arguments == [
        [*BACKUP, "--exclude-file", "/proc/self/fd/0", "/run/x"],
        ["restore", ID, "--target", "/run/y"],
        ["restore", "--no-lock", ID, "--target", "/run/y"],
        ["dump", "--no-lock", ID, "/run/x/manifest.json"],
        ["forget", "--host", "one", "--tag", both, "--group-by", "host", "--keep-last", "3", "--keep-daily", "7", "--keep-weekly", "4", "--prune"],
        ["check"],
        ["snapshots", "--json", "--no-lock", "--tag", both, "--host", "one"],
        ["snapshots", "--json", "--no-lock", "--tag", both],
        ["backup", "--json", "--host", "one", "--tag", files, "--tag", "container=xinference", *exclude, "--parent", ID, "/m/a.gguf", "/m/dir"],
        ["ls", "--json", "--no-lock", ID],
        ["restore", ID, "--target", "/proc/7/fd/8/files", "--include", "/m/a.gguf", "--include", "/m/\\[1\\]\\*\\?\\\\x"],
        ["snapshots", "--json", "--no-lock", "--tag", f"{files},container=xinference", "--host", "one"],
        ["snapshots", "--json", "--no-lock", "--tag", both, "--tag", f"{files},container=xinference", "--host", "one"],
    ]


def test_a_snapshot_names_the_one_with_the_files_of_its_models(settings: Settings) -> None:
    summary = Answer(0, json.dumps({"message_type": "summary", "snapshot_id": ID}), "")
    restic, calls = made(settings, summary)
    with restic.saving(Path("/run/x"), ID) as finish:
        finish()
    assert calls.arguments[0][: len(BACKUP) + 2] == [*BACKUP, "--tag", f"models={ID}"]


def test_files_of_models_may_take_a_day(settings: Settings) -> None:
    summary = Answer(0, json.dumps({"message_type": "summary", "snapshot_id": ID}), "")
    restic, calls = made(settings, summary, summary, Answer(None, "", "slow"), failed(LOCKED), Answer(0, "", ""), Answer(None, "", ""))
    saved(restic)
    restic.save_files(["/m"])
    with pytest.raises(BackupError, match=r"restic restore did not end within 86400 s"):
        restic.fetch_files(ID, "/x", ["/m"])
    with pytest.raises(BackupError, match=r"restic restore did not end within 86400 s"):
        restic.fetch_files(ID, "/x", ["/m"])
    assert calls.seconds == [None, 86400.0, 86400.0, 86400.0, None, 86400.0]


def test_no_room_for_files_of_models_is_another_sentence_than_none_in_memory(settings: Settings) -> None:
    restic, _calls = made(settings, *[failed("write: no space left on device")] * 2)
    with pytest.raises(BackupError, match=r"^there is no room for the files of models that restic reads back: "):
        restic.fetch_files(ID, "/x", ["/m"])
    with pytest.raises(BackupError, match=r"^there is no room in memory for what restic reads back: "):
        restic.fetch(ID, Path("/x"))


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        (
            [{"type": "file", "path": "/m/a", "size": 7, "mtime": "2026-01-31T12:00:00Z"}, {"type": "file", "path": "/m/empty"}, {"type": "dir", "path": "/m"}],
            {"/m/a": (7, "2026-01-31T12:00:00Z"), "/m/empty": (0, "None")},
        ),
        ([{"struct_type": "snapshot", "paths": ["/m"]}, [], 7, {"type": "file", "path": "/m/a", "size": "7"}], {"/m/a": (-1, "None")}),
        ([], {}),
    ],
)
def test_files_are_read_of_each_line(settings: Settings, lines: list[object], files: dict[str, tuple[int, str]]) -> None:
    restic, _calls = made(settings, Answer(0, "\n".join(map(json.dumps, lines)), ""))
    assert restic.listed(ID) == files


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "1970-01-01T00:00:00Z"), (1_767_225_600_000_000_000, "2026-01-01T00:00:00Z"), (1_500_000_010, "1970-01-01T00:00:01.50000001Z"), (-1, None)],
)
def test_times_are_written_as_restic_does(nanoseconds: int, text: str | None) -> None:
    assert changed(nanoseconds) == (text or "1969-12-31T23:59:59.999999999Z")


def test_a_line_that_is_no_json_is_a_sentence(settings: Settings) -> None:
    restic, _calls = made(settings, Answer(0, "{", ""))
    with pytest.raises(BackupError, match="restic ls gave an answer that is no JSON"):
        restic.listed(ID)


@pytest.mark.parametrize("tags", [None, "x", [7], ["models="], ["models=../x"], ["models=0123"]])
def test_a_tag_that_names_no_snapshot_is_none(settings: Settings, tags: object) -> None:
    restic, _calls = made(settings, Answer(0, json.dumps([{"id": ID, "tags": tags}]), ""))
    assert [each.files for each in restic.snapshots()] == [""]


def test_no_weekly_snapshot_need_be_kept(settings: Settings) -> None:
    """Restic refuses 0."""
    restic, calls = made(replace(settings, keep_weekly=0))
    restic.forget()
    assert "--keep-weekly" not in calls.arguments[0]


def test_secrets_are_in_the_environment_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANSIBLE_VAULT_PASSWORD_FILE", "MARKED_OF_OURS", "RESTIC_PASSWORD_COMMAND", "HOME", "TZ"):
        monkeypatch.setenv(name, "marked-of-ours")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    restic, calls = made(settings)
    restic.ready()
    restic.check()
    assert PASSWORD not in str(calls.arguments)
    assert KEY not in str(calls.arguments)
    (environment,) = {tuple(sorted(each.items())) for each in calls.environments}
    found = dict(environment)
    assert "marked-of-ours" not in found.values()
    assert {name: found[name] for name in ("RESTIC_PASSWORD", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "RESTIC_REPOSITORY", "RESTIC_CACHE_DIR")} == {
        **{"RESTIC_PASSWORD": PASSWORD, "AWS_SECRET_ACCESS_KEY": KEY, "HTTPS_PROXY": "http://proxy:3128", "RESTIC_REPOSITORY": settings.repository},
        "RESTIC_CACHE_DIR": f"{settings.state_directory}/cache",
    }
    known = {"PATH", "LANG", "HOME", "TZ", "REGION", "AWS_SECRET_ACCESS_KEY", "SSL_CERT_FILE", "RESTIC_PROGRESS_FPS"}
    assert {name for name in found if not name.lower().endswith("_proxy")} - known == {"RESTIC_REPOSITORY", "RESTIC_PASSWORD", "RESTIC_CACHE_DIR"}


def test_credentials_do_not_choose_another_repository(settings: Settings) -> None:
    calls = Calls()
    Restic(settings, Secrets(PASSWORD, {"RESTIC_REPOSITORY": "/other", "RESTIC_PASSWORD": "other", "TZ": "Europe/Berlin"}), calls).check()
    assert (calls.environments[0]["RESTIC_REPOSITORY"], calls.environments[0]["RESTIC_PASSWORD"]) == (settings.repository, PASSWORD)
    # Snapshots are sorted by their times as texts.
    assert calls.environments[0]["TZ"] == "UTC"


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        ("Fatal: wrong password or no key found\n", "xinference_backup_password does not open the repository REPO: "),
        ('{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}', "xinference_backup_password does not open"),
        (NONE, "There is no repository at REPO: "),
        ("Fatal: repository does not exist: unable to open config file: stat", "There is no repository at REPO: "),
        ("Save() failed: write /r/data/x: no space left on device\n", "There is no room in the repository REPO: "),
        ("Fatal: unable to create lock in backend: open /r/locks/x: No space left on device\n", "There is no room in the repository REPO: "),
        ("Fatal: unable to create lock in backend: open /r/locks/x: read-only file system\n", "Restic check failed for the repository REPO: "),
        ("Fatal: unable to open repository at s3:https://x: dial tcp: connection refused\n", "Restic check failed for the repository REPO: "),
        ("", "Restic check failed for the repository REPO: it gave no reason."),
        ("\n\n \n", "Restic check failed for the repository REPO: it gave no reason."),
        ("\x1b[2Jone\ntwo\nthree\nfour\nfive\n", "Restic check failed for the repository REPO: three four five."),
    ],
)
def test_each_kind_of_failure_is_a_sentence(settings: Settings, words: str, begins: str) -> None:
    restic, calls = made(settings, failed(words))
    with pytest.raises(BackupError) as raised:
        restic.check()
    assert sentence(raised.value).startswith(begins.replace("REPO", settings.repository))
    assert sentence(raised.value).isprintable()
    assert len(calls.arguments) == 1


def test_what_it_says_on_its_output_is_taken_where_it_says_nothing_else(settings: Settings) -> None:
    restic, _calls = made(settings, Answer(1, "error: pack is damaged\n", ""))
    with pytest.raises(BackupError, match=r"restic check failed for the repository .*: error: pack is damaged"):
        restic.check()


@pytest.mark.parametrize(
    "words",
    [
        f"Fatal: {PASSWORD} and {KEY}\n",
        # Where a line is cut off, a part of a secret would stand.
        "x" * 1990 + f" {KEY}\n",
        "x" * 1995 + f" {PASSWORD}\n",
        f"one\n{KEY}\ntwo\n{PASSWORD}",
    ],
)
def test_secrets_are_in_no_sentence(settings: Settings, words: str) -> None:
    restic, _calls = made(settings, failed(words))
    with pytest.raises(BackupError) as raised:
        restic.check()
    assert "marked" not in str(raised.value)


def test_a_secret_that_begins_as_another_one_is_in_no_sentence(settings: Settings) -> None:
    secrets = Secrets("marked", {"A": "marked-longer", "B": "line one\nline two"})
    restic = Restic(settings, secrets, Calls(failed("Fatal: marked-longer\n"), failed("Fatal: line one\nline two\n")))
    for _call in range(2):
        with pytest.raises(BackupError) as raised:
            restic.check()
        assert str(raised.value).endswith(": Fatal: ********")


def test_a_stale_lock_is_removed_once(settings: Settings) -> None:
    restic, calls = made(settings, failed(LOCKED), Answer(0, "", ""), Answer(0, "", ""))
    restic.check()
    assert calls.arguments == [["check"], ["unlock"], ["check"]]


def test_a_lock_of_another_process_stays(settings: Settings) -> None:
    restic, calls = made(settings, *[failed(LOCKED), Answer(0, "", "")] * 200)
    waited = wait(restic)
    with pytest.raises(BackupError, match=f"the repository {settings.repository} is locked by another process: .*already locked by PID 74049 on one"):
        restic.check()
    assert 600 < sum(waited) < 640
    assert all(5 <= seconds <= 20 for seconds in waited)
    assert calls.arguments == [["check"], *[["unlock"], ["check"]] * (len(waited) + 1)]


def test_a_repository_that_another_host_uses_is_waited_for(settings: Settings) -> None:
    restic, calls = made(settings, failed(LOCKED), Answer(0, "", ""), failed(LOCKED), Answer(0, "", ""), Answer(0, "", ""))
    waited = wait(restic)
    restic.check()
    assert len(waited) == 1
    assert calls.arguments == [["check"], ["unlock"], ["check"], ["unlock"], ["check"]]


def wait(restic: Restic) -> list[float]:
    """The seconds that it waits, which pass at once."""
    waited: list[float] = []
    restic.sleep = waited.append
    restic.clock = lambda: sum(waited)
    return waited


def test_a_lock_that_cannot_be_removed_is_no_endless_loop(settings: Settings) -> None:
    restic, calls = made(settings, failed(LOCKED), failed(LOCKED))
    with pytest.raises(BackupError, match="is locked by another process"):
        restic.check()
    assert calls.arguments == [["check"], ["unlock"]]


def test_a_repository_is_made_once(settings: Settings) -> None:
    restic, calls = made(settings, failed(NONE))
    assert restic.ready()
    assert calls.arguments == [["cat", "config", "--no-lock"], ["init"]]
    assert stat.S_IMODE(Path(settings.repository).stat().st_mode) == 0o700
    assert not restic.ready()
    assert calls.arguments[2:] == [["cat", "config", "--no-lock"]]


def test_check_mode_makes_nothing(settings: Settings) -> None:
    restic, calls = made(settings, failed(NONE))
    assert restic.ready(check=True)
    assert not restic.ready(check=True)
    assert calls.arguments == [["cat", "config", "--no-lock"]] * 2
    assert not Path(settings.repository).exists()


def test_a_repository_elsewhere_has_no_directory_here(settings: Settings, tmp_path: Path) -> None:
    restic, calls = made(replace(settings, repository="sftp:backup@store:/srv/one"), failed(NONE))
    assert restic.ready()
    assert calls.arguments[-1] == ["init"]
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = tmp_path / "file/repository"
    restic, calls = made(replace(settings, repository=str(place)), failed(NONE))
    with pytest.raises(BackupError, match=f"the repository {place} cannot be made: Not a directory"):
        restic.ready()
    assert len(calls.arguments) == 1


@pytest.mark.parametrize("words", ["Fatal: wrong password or no key found", "connection refused"])
def test_a_repository_that_cannot_be_opened_is_not_made(settings: Settings, words: str) -> None:
    restic, calls = made(settings, failed(words))
    with pytest.raises(BackupError) as raised:
        restic.ready()
    assert not isinstance(raised.value, NoRepository)
    assert len(calls.arguments) == 1


@pytest.mark.parametrize(
    "output",
    [
        "",
        "no JSON",
        '"summary"',
        '["summary"]',
        '{"summary"',
        '{"message_type": "summary"}',
        '{"message_type": "summary", "snapshot_id": null}',
        '{"message_type": "summary", "snapshot_id": 7}',
        '{"message_type": "summary", "snapshot_id": ["0123456789"]}',
        '{"message_type": "summary", "snapshot_id": "--host"}',
        '{"message_type": "summary", "snapshot_id": "0123"}',
        '{"message_type": "status", "snapshot_id": "0123456789"}',
    ],
)
def test_a_backup_that_names_no_snapshot_has_failed(settings: Settings, output: str) -> None:
    restic, _calls = made(settings, Answer(0, output, ""))
    with pytest.raises(BackupError, match=r"restic backup (named no snapshot|gave an answer that is no JSON)"):
        saved(restic)


def test_the_last_summary_counts(settings: Settings) -> None:
    lines = [json.dumps({"message_type": "summary", "snapshot_id": each}) for each in ("f" * 8, ID)]
    restic, _calls = made(settings, Answer(0, "\n".join(["scanning", *lines, '{"message_type": "status"}', ""]), ""))
    assert saved(restic) == ID


@pytest.mark.parametrize("output", ["", "null", "{}", "[]", "7", '"x"', "[7, null, []]"])
def test_a_list_without_snapshots_is_empty(settings: Settings, output: str) -> None:
    restic, _calls = made(settings, Answer(0, output, ""))
    assert restic.snapshots("one") == []


@pytest.mark.parametrize("output", ["[{}]", '[{"id": null}]', '[{"id": 12345678.5}]', '[{"id": "../../x"}]', "[", "no JSON", "[" * 200 + "]" * 200])
def test_an_odd_list_of_snapshots_is_refused(settings: Settings, output: str) -> None:
    restic, _calls = made(settings, Answer(0, output, ""))
    with pytest.raises(BackupError, match=r"restic (listed a snapshot without an ID|snapshots gave an answer that is no JSON)"):
        restic.snapshots("one")


def test_snapshots_are_sorted_by_their_times(settings: Settings) -> None:
    rows = [
        {"id": "b" * 64, "hostname": "one\n", "time": "2026-01-02T00:00:00Z", "paths": ["/run/x", "/run/y"]},
        {"id": ID, "hostname": "one", "time": "2026-01-01T00:00:00Z", "paths": None, "tags": ["more"]},
        {"id": "c" * 64, "time": "2026-01-03T00:00:00Z", "paths": [7]},
    ]
    restic, _calls = made(settings, Answer(0, json.dumps(rows), ""))
    found = restic.snapshots()
    assert found == [
        Snapshot(ID, "one", "2026-01-01T00:00:00Z", ""),
        Snapshot("b" * 64, "one", "2026-01-02T00:00:00Z", "/run/x"),
        Snapshot("c" * 64, "None", "2026-01-03T00:00:00Z", ""),
    ]
    assert found[0].row() == {"id": "01234567", "host": "one", "time": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(2, "No such file or directory"), "restic is not installed on this host; provision it with xinference_backup"),
        (PermissionError(13, "Permission denied"), "restic check cannot be run: Permission denied"),
        (ValueError("embedded null byte"), "restic check cannot be run: embedded null byte"),
    ],
)
def test_what_cannot_be_run_is_a_sentence(settings: Settings, error: Exception, words: str) -> None:
    restic, _calls = made(settings, error)
    restic.program = "/nowhere/restic"
    with pytest.raises(BackupError, match=words):
        restic.check()


def test_a_variable_that_no_environment_can_hold_is_a_sentence(settings: Settings) -> None:
    """With the real call, and a program that ends at once."""
    for environment in ({"A": "a\0b"}, {"A=B": "x"}, {"A": "\ud800"}):
        restic = Restic(settings, Secrets(PASSWORD, environment))
        restic.program = sys.executable
        with pytest.raises(BackupError, match="restic check cannot be run: "):
            restic.check()


def test_a_command_that_did_not_end_says_what_it_waited_for(settings: Settings) -> None:
    words = "Load(<config/0>) returned error, retrying after 4s: dial tcp: connection refused\n"
    restic, _calls = made(replace(settings, repository="s3:https://x/y"), Answer(None, "", words))
    with pytest.raises(BackupError) as error:
        restic.ready()
    assert not isinstance(error.value, NoRepository)
    assert str(error.value) == f"restic cat did not end within 120 s for the repository s3:https://x/y: {words.strip()}"


def test_the_same_repository_for_another_host(settings: Settings) -> None:
    restic, calls = made(replace(settings, host="two", container="other"))
    restic.snapshots("two")
    assert calls.arguments == [["snapshots", "--json", "--no-lock", "--tag", "inferops.xinference,container=other", "--host", "two"]]
    assert calls.environments[0]["RESTIC_PASSWORD"] == PASSWORD


def test_a_snapshot_waits_until_its_directory_is_complete(tmp_path: Path, settings: Settings) -> None:
    """With the real call: the program reads its input to the end, as restic does, and looks then."""
    program, waits, place = tmp_path / "restic", tmp_path / "waits", tmp_path / "snapshot"
    summary = json.dumps({"message_type": "summary", "snapshot_id": ID})
    program.write_text(f"#!/bin/sh\ntouch {waits}\ncat >/dev/null\ncat {place}/file >&2 && echo '{summary}'\n")
    program.chmod(0o700)
    restic = Restic(settings, Secrets(PASSWORD, {}))
    restic.program = str(program)
    place.mkdir()
    with restic.saving(place) as finish:
        until(waits.exists)
        (place / "file").write_text("complete")
        assert finish() == ID


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, a minute at most."""
    for _try in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")


def test_what_is_not_complete_becomes_no_snapshot(tmp_path: Path, settings: Settings) -> None:
    """The program is stopped as restic is, by an interrupt, and its lock is removed."""
    program, said = tmp_path / "restic", tmp_path / "said"
    program.write_text(f'#!/bin/sh\n[ "$1" = unlock ] && echo unlocked >>{said} && exit\ntouch {said}\ncat >/dev/null\necho saved >>{said}\n')
    program.chmod(0o700)
    restic = Restic(settings, Secrets(PASSWORD, {}))
    restic.program = str(program)
    with pytest.raises(BackupError, match="the server has no files"), restic.saving(tmp_path):
        until(said.exists)
        raise BackupError("the server has no files")
    assert said.read_text() == "unlocked\n"


def test_one_that_does_not_end_is_killed_with_its_shell(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    program, number = tmp_path / "restic", tmp_path / "number"
    program.write_text(f"#!/bin/sh\necho $$ >{number}\nexec sleep 600\n")
    program.chmod(0o700)
    monkeypatch.setattr(command_module, "_LONGEST", 2.0)
    restic = Restic(settings, Secrets(PASSWORD, {}))
    restic.program = str(program)
    with pytest.raises(BackupError, match="restic backup did not end within 2 s"):
        saved(restic)
    # A machine that is very slow has not even started it.
    if number.exists():
        place = Path(f"/proc/{number.read_text().strip()}/stat")
        until(lambda: not place.exists() or " Z " in place.read_text())


def test_a_snapshot_that_is_not_asked_for_is_none(settings: Settings) -> None:
    restic, calls = made(settings)
    with restic.saving(Path("/run/x")):
        pass
    assert [each[0] for each in calls.arguments] == ["stopped", "unlock"]


def test_a_snapshot_of_half_of_the_files_is_forgotten(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was not stopped in time has the tags of a good one, and would take its place."""
    restic, calls = made(settings)
    summary = Answer(0, json.dumps({"message_type": "summary", "snapshot_id": ID}), "")
    calls.answers = [Answer(0, "", "")]
    monkeypatch.setattr(
        restic_module.Restic, "_answer", lambda _self, arguments, gate=None, seconds=None: summary if gate is not None else calls(["restic", *arguments], {})
    )
    with pytest.raises(BackupError, match="the server has no files"), restic.saving(Path("/run/x")):
        raise BackupError("the server has no files")
    assert calls.arguments == [["forget", ID]]


def test_what_ends_the_call_for_a_snapshot_is_said_when_its_directory_is_complete(settings: Settings) -> None:
    restic, _calls = made(settings, failed("Fatal: wrong password or no key found\n"))
    with pytest.raises(BackupError, match="xinference_backup_password does not open the repository"):
        saved(restic)
    restic, _calls = made(settings, ValueError("embedded null byte"))
    with pytest.raises(BackupError, match="restic backup cannot be run: embedded null byte"):
        saved(restic)


def test_a_snapshot_that_finds_the_repository_locked_is_made_again_and_waits_for_nothing(settings: Settings) -> None:
    summary = Answer(0, json.dumps({"message_type": "summary", "snapshot_id": ID}), "")
    restic, calls = made(settings, failed(LOCKED), Answer(0, "", ""), summary)
    assert saved(restic) == ID
    assert calls.arguments == [[*BACKUP, "--exclude-file", "/proc/self/fd/0", "/run/x"], ["unlock"], [*BACKUP, "/run/x"]]


def test_without_restic_a_snapshot_is_a_sentence(settings: Settings) -> None:
    restic = Restic(settings, Secrets(PASSWORD, {}))
    restic.program = "/nowhere/restic"
    with pytest.raises(BackupError, match="restic is not installed on this host"):
        saved(restic)


def test_what_was_moved_since_is_read_with_a_lock(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "back/half").mkdir(parents=True)
    restic, calls = made(settings, failed("Fatal: load pack: does not exist\n"), Answer(0, "", ""))
    restic.fetch_fresh(ID, tmp_path / "back")
    place = str(tmp_path / "back")
    assert calls.arguments == [["restore", "--no-lock", ID, "--target", place], ["restore", ID, "--target", place]]
    assert not (tmp_path / "back").exists()
    restic, _calls = made(settings, failed("one\n"), failed("two\n"))
    with pytest.raises(BackupError, match="two"):
        restic.fetch_fresh(ID, tmp_path / "back")
