# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine as one host that the playbooks provision, with marks in place of its secrets. It goes through stages, which all modules share.

A server takes longer to start than anything else here, so there is one host, and each test says by its fixtures in which stage it checks it. Tests are
sorted by stage. A module that runs alone makes the stages that it needs, and no others.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from watchers import OPEN, REFUSED, Intruder, Lurker

from ansible_collections.inferops.xinference.plugins.module_utils._core.host.listeners import listeners
from ansible_collections.inferops.xinference.tests.machine import ROOT, built, free_port, wait_until

BIN = Path(sys.executable).parent
CONTAINER = "xinference-security"
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
#: Where the roles keep what belongs to this container.
KEPT = Path(f"/var/lib/xinference-models-{CONTAINER}")
AUTOMATION = KEPT / "automation"
#: Tag of an image like those that know no accounts.
OLDER = "without-accounts"
#: Prefix of the directories of these tests.
FOLDERS = "inferops-security-"
#: A run that shows as much as it can. The lurker is there while it runs.
LOUD = ("-vvvv", "--diff")
#: A user without a name.
NUMBER = 10001
#: Nothing but a server. A key for the declared models needs one.
BARE: dict[str, Any] = {"xinference_models": [], "xinference_users": [], "xinference_api_keys": []}
#: In the order in which the host goes through them. Those that only show something leave the host as it was.
STAGES = (
    *("provisioned", "predicted", "unliftable", "rotation_checked", "tempted", "restarted", "interrupted", "rotated", "rotated_by_value", "played"),
    *("handed", "torn_down", "renewed", "restricted", "migrated"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by stage; within a stage the order stays."""

    def stage(item: pytest.Item) -> int:
        return max((STAGES.index(name) for name in getattr(item, "fixturenames", ()) if name in STAGES), default=-1)

    items.sort(key=stage)


def said(*command: str) -> str:
    """What a command of the engine says, on either output."""
    done = subprocess.run(("docker", *command), capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def gateway() -> str:
    """The address that the server sees of everything that comes from this machine."""
    return said("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", CONTAINER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the last run said."""
    report = yield
    if report.failed:
        report.sections += [(f"the last run: {command}", output[-3000:]) for site in SITES for command, output in site.outputs[-1:]]
    return report


def changes(output: str, host: str = "localhost") -> list[int]:
    """Changes of a host up to the end of each playbook of a run."""
    return [int(number) for number in re.findall(rf"^{host} +: ok=\d+ +changed=(\d+) ", output, re.MULTILINE)]


def changed_tasks(output: str) -> list[str]:
    """Names of the tasks that changed something, or would, once for each item."""
    found, task = [], ""
    for line in output.splitlines():
        if match := re.match(r"TASK \[(?:\S+ : )?(.*)\] \*", line):
            task = match[1]
        elif line.startswith("changed: ["):
            found.append(task)
    return found


def of_host(output: str, host: str) -> str:
    """Results of one host of a run."""
    kept, its_own = [], False
    for line in output.splitlines():
        if match := re.match(r"(?:\w+: \[([^\]]+)\]|(?:TASK |PLAY |\[ERROR\]: )|$)", line):
            its_own = match[1] == host
        if its_own:
            kept.append(line)
    return "\n".join(kept)


@dataclass
class Site:
    """One host.

    :param folder: everything of it.
    :param port: of the server.
    :param marks: the secrets by what they are.
    :param settings: variables of every run.
    """

    folder: Path
    port: int
    marks: dict[str, str]
    settings: dict[str, Any]
    #: Commands and outputs of all runs.
    outputs: list[tuple[str, str]] = field(default_factory=list)
    #: What the lurker found.
    found: set[str] = field(default_factory=set)
    #: What an intruder was answered, by stage.
    answers: dict[str, Counter[int]] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The volume tree."""
        return self.folder / "data"

    @property
    def key_file(self) -> Path:
        """Where the key of an application is kept."""
        return self.folder / "keys/shop"

    @property
    def password(self) -> str:
        """The administrator's, as it is declared now."""
        return str(self.settings["xinference_admin_password"])

    @property
    def endpoint(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}"

    def key(self) -> str:
        """The application's key as its file has it now."""
        return self.key_file.read_text(encoding="utf-8").strip()

    def begin(self, *words: str, hosts: Mapping[str, Mapping[str, Any]] | None = None, **variables: Any) -> subprocess.Popen[str]:
        """Begin a run of playbooks; the secrets come in a file that only its owner can read.

        :param words: names of playbooks of the collection or paths of others, and options.
        :param hosts: instead of one, each with variables of its own. All are this machine.
        :param variables: of all hosts.
        """
        playbooks = [word if "/" in word else f"inferops.xinference.{word}" for word in words if not word.startswith("-")]
        options = [word for word in words if word.startswith("-")]
        given = self.folder / ("given.json" if hosts is None else "hosts.json")
        given.touch(mode=0o600)
        common = {**self.settings, **variables}
        if hosts is None:
            given.write_text(json.dumps(common), encoding="utf-8")
            inventory = ["--inventory", "localhost,", "--extra-vars", f"@{given}"]
        else:
            content = {"all": {"hosts": {name: {**common, **own} for name, own in hosts.items()}}}
            given.write_text(json.dumps(content), encoding="utf-8")
            inventory = ["--inventory", str(given), "--extra-vars", "xinference_hosts=all"]
        # Modules go through files, as Ansible does it by default: whoever watches this machine may see them.
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_NOCOWS": "1", "ANSIBLE_PIPELINING": "false"}
        return subprocess.Popen(
            [str(BIN / "ansible-playbook"), "--connection", "local", *inventory, *options, *playbooks],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=self.folder,
        )

    def play(self, *words: str, code: int = 0, **variables: Any) -> str:
        """Output of a run, which must end as expected; what is given is as for :meth:`begin`."""
        lurker = Lurker(self.marks) if LOUD[0] in words else None
        if lurker:
            lurker.start()
        process = self.begin(*words, **variables)
        try:
            output, _none = process.communicate(timeout=2700)
        finally:
            process.kill()
            self.found |= lurker.stop() if lurker else set()
        self.outputs.append((" ".join(words), output))
        assert process.returncode == code, output[-5000:]
        return output


#: The one of this session, when it was made.
SITES: list[Site] = []


def remove() -> None:
    """Remove what these tests made, also in a run that was killed."""
    names = (CONTAINER, f"{CONTAINER}-prepare", f"{CONTAINER}-open")
    said("rm", "--force", "--volumes", *names)
    said("network", "rm", CONTAINER)
    said("rmi", f"{built('server').rpartition(':')[0]}:{OLDER}")
    for folder in (KEPT, *Path(tempfile.gettempdir()).glob(f"{FOLDERS}*")):
        shutil.rmtree(folder, ignore_errors=True)


def client_environment() -> Path:
    """Directory of a client that all runs of this checkout share; the first one makes it."""
    made_from = hashlib.sha256(f"{sys.version} {sys.base_prefix} {ROOT}".encode()).hexdigest()[:12]
    return ROOT / f"build/security-client-{made_from}"


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A host without a server, with a model's file in place, and nothing left of it afterwards."""
    remove()
    folder = Path(tempfile.mkdtemp(prefix=FOLDERS))
    # As /srv is: what nobody may read must be protected by its own mode.
    folder.chmod(0o755)
    repository, _colon, tag = built("server").rpartition(":")
    # Letters and digits only, so that no encoding hides them.
    marks = {name: f"marked{secrets.token_hex(12)}" for name in ("password", "environment", "account", "new password")}
    source = {"model_format": "ggufv2", "model_size_in_billions": "0_135", "quantization": "Q4_1", "model_id": None}
    registration = {
        "version": 2,
        "model_lang": ["en"],
        "model_ability": ["generate"],
        "model_family": "other",
        "context_length": 2048,
        "model_specs": [{**source, "model_file_name_template": MODEL, "model_uri": f"file:///models/{MODEL}"}],
    }
    model = {
        **{"uid": "text", "name": "marked-text", "engine": "llama.cpp", "format": "ggufv2", "size_in_billions": "0_135", "quantization": "Q4_1"},
        "engine_options": {"n_ctx": 512, "n_parallel": 1, "n_threads": 1},
        "environment": {"EXAMPLE_TOKEN": marks["environment"]},
        "registration": registration,
    }
    settings: dict[str, Any] = {
        "ansible_python_interpreter": sys.executable,
        "xinference_hosts": "all",
        "xinference_data_root": str(folder / "data"),
        "xinference_container_name": CONTAINER,
        "xinference_image": repository,
        "xinference_image_tag": tag,
        "xinference_port": free_port(),
        "xinference_recovery": "autostart",
        "xinference_offline": True,
        "xinference_client_environment": str(client_environment()),
        "xinference_admin_password": marks["password"],
        # Servers before 3.0 know no account but the administrator.
        "xinference_service_account": "" if OPEN else "automation",
        "xinference_minimum_disk_mib": 1024,
        "xinference_minimum_memory_mib": 2048,
        "xinference_memory": "6g",
        # Each poll takes a tenth of a second of a processor, also from the server that starts.
        "xinference_health_interval": 5,
        "xinference_start_timeout": 900,
        "xinference_models": [model],
    }
    made = Site(folder, int(settings["xinference_port"]), marks, settings)
    if {item.path.name for item in request.session.items} == {"test_first_admin.py"}:
        # It asks no model, and other versions of the server run it, too.
        settings.update(BARE)
    else:
        permissions = ["models:list", "models:read"]
        settings["xinference_users"] = [{"name": "shop", "password": marks["account"], "permissions": permissions}]
        settings["xinference_api_keys"] = [{"name": "shop", "owner": "shop", "path": str(made.key_file)}]
    SITES.append(made)
    (folder / "data/models").mkdir(parents=True)
    shutil.copy(Path(built("models")) / MODEL, folder / "data/models")
    try:
        yield made
    finally:
        remove()


def besieged(site: Site, stage: str, *runs: tuple[str, ...], **variables: Any) -> None:
    """Make runs with an intruder at the port from before the first one on, until the server has refused it often enough."""
    intruder = Intruder(site.port)
    intruder.start()
    try:
        for words in runs:
            site.play(*words, **variables)
        before = intruder.answers[REFUSED]
        wait_until(lambda: intruder.answers[REFUSED] > before + 20 or set(intruder.answers) - {0, REFUSED}, "the intruder is refused")
    finally:
        site.answers[stage] = intruder.stop()


@pytest.fixture(scope="session")
def provisioned(site: Site) -> Site:
    """The host with server, model, and an account and a key of an application."""
    checks = [("provision", "--check", *LOUD)] if site.settings["xinference_models"] else []
    besieged(site, "provisioned", *checks, ("provision", *LOUD), xinference_models_remove_cached=True)
    return site


@pytest.fixture(scope="session")
def predicted(provisioned: Site) -> str:
    """Output of a check with another account, another key, and more of the model."""
    accounts = [*provisioned.settings["xinference_users"], {"name": "other", "password": "long-enough", "permissions": ["models:list"]}]
    keys = [*provisioned.settings["xinference_api_keys"], {"name": "other", "owner": "other", "path": str(provisioned.folder / "keys/other")}]
    models = [{**provisioned.settings["xinference_models"][0], "replica": 2}]
    return provisioned.play("provision", "--check", *LOUD, xinference_users=accounts, xinference_api_keys=keys, xinference_models=models)


@pytest.fixture(scope="session")
def unliftable(provisioned: Site) -> str:
    """Output of a check of, and of an attempt to lift the bans of, hosts of which one has a wrong password and one no server."""
    hosts = {"wrong": {"xinference_admin_password": f"{provisioned.password}wrong"}, "nowhere": {"xinference_container_name": "xinference-nowhere"}}
    return provisioned.play("status", "unban", *LOUD, code=2, hosts=hosts)


@pytest.fixture(scope="session")
def rotation_checked(provisioned: Site) -> str:
    """Output of a check of a rotation, once with the new password and once with a file for it."""
    hosts = {
        "value": {"xinference_new_admin_password": provisioned.marks["new password"]},
        "file": {"xinference_new_admin_password_file": str(provisioned.folder / "checked-password")},
    }
    before = (AUTOMATION.read_text(encoding="utf-8"), provisioned.key())
    output = provisioned.play("rotate_credentials", "--check", *LOUD, hosts=hosts)
    assert (AUTOMATION.read_text(encoding="utf-8"), provisioned.key()) == before
    return output


@pytest.fixture(scope="session")
def tempted(provisioned: Site) -> str:
    """Output of a run while another program listens in the server's place; before, root of the container put links in the place of all that it could.

    The next stage starts the server again.
    """
    from attackers import Impostor, inside

    folder = provisioned.folder / "tempting"
    folder.mkdir()
    (folder / "secret").write_text("of the host", encoding="utf-8")
    for place in [mount["Destination"] for mount in json.loads(said("inspect", CONTAINER))[0]["Mounts"]]:
        for each in (place, str(Path(place).parent)):
            inside(f"mv {each} {each}.away && ln -s {folder} {each}")
    said("stop", "--time", "30", CONTAINER)
    impostor = Impostor(provisioned.port)
    try:
        wait_until(lambda: any(listener.port == provisioned.port for listener in listeners()), "a program listens in the server's place")
        output = provisioned.play(str(ROOT / "tests/security/ask.yml"), *LOUD, code=2)
    finally:
        came = impostor.stop()
    assert came == ""
    return output


@pytest.fixture(scope="session")
def restarted(provisioned: Site, tempted: str) -> Site:
    """The host after its server was restarted."""
    besieged(provisioned, "restarted", ("restart", *LOUD))
    return provisioned


@pytest.fixture(scope="session")
def rotated(provisioned: Site) -> Site:
    """The host with new credentials; the administrator's password is in a file of the controller."""
    site, new = provisioned, provisioned.folder / "new-password"
    # Those before an interruption, where one was.
    site.marks.setdefault("first key", site.key())
    site.marks.setdefault("first automation", AUTOMATION.read_text(encoding="utf-8").strip())
    # From where the playbook is called.
    site.play("rotate_credentials", *LOUD, xinference_new_admin_password_file=new.name)
    site.marks["file password"] = new.read_text(encoding="utf-8").strip()
    site.marks["second key"], site.marks["second automation"] = site.key(), AUTOMATION.read_text(encoding="utf-8").strip()
    site.settings["xinference_admin_password"] = site.marks["file password"]
    return site


@pytest.fixture(scope="session")
def rotated_by_value(rotated: Site) -> Site:
    """The host after a rotation without a service account, with the new password itself."""
    before = AUTOMATION.read_text(encoding="utf-8")
    new = rotated.marks["new password"]
    rotated.play("rotate_credentials", *LOUD, xinference_service_account="", xinference_new_admin_password=new)
    rotated.settings["xinference_admin_password"] = new
    rotated.marks["key"], rotated.marks["automation"] = rotated.key(), AUTOMATION.read_text(encoding="utf-8").strip()
    assert AUTOMATION.read_text(encoding="utf-8") == before
    return rotated


@pytest.fixture(scope="session")
def torn_down(provisioned: Site) -> Site:
    """The host after server and data were removed."""
    provisioned.play("teardown", *LOUD, xinference_teardown_data=True)
    return provisioned


@pytest.fixture(scope="session")
def restricted(provisioned: Site) -> dict[str, Any]:
    """Variables of the host's last server, which runs as root and lets only listed addresses in."""
    listed = {"XINFERENCE_ALLOWED_IPS": f"127.0.0.1,{gateway()}"}
    given = {**BARE, "xinference_container_user": "", "xinference_environment": listed}
    provisioned.play("provision", **given)
    return given


@pytest.fixture
def ask(site: Site) -> Callable[..., int]:
    """Status of an answer to a client without an account; 0 for none."""
    import requests

    session = requests.Session()
    session.trust_env = False

    def call(method: str, path: str, **options: Any) -> int:
        try:
            return session.request(method, f"{site.endpoint}{path}", timeout=30, allow_redirects=False, **options).status_code
        except requests.RequestException:
            return 0

    return call
