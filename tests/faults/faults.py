# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that happens to a test machine, without anybody who repairs it. docs/reliability.md says what each fault is.

Each fault is a function that does it and returns the second in which the clock begins: that of the fault, or that in which its cause is gone.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from host import DATA, Broken, Host

SERVICE = "/var/lib/xinference-models"
#: Makes of a server one that loads no model of llama.cpp, and does not say so before.
_BREAKS = r"""
cat >> "$(python3 -c 'import importlib.util as u; print(u.find_spec("xllamacpp").origin)')" <<'LINES'

class Server:
    def __init__(self, *_arguments, **_options):
        raise RuntimeError("this engine is broken")
LINES
"""


@dataclass
class Case:
    """What a fault is given.

    :param host: the machine.
    :param converge: begins a converge with other variables, or another playbook, and returns its process.
    :param uids: models that should answer in the end; a fault that declares other models changes it.
    """

    host: Host
    converge: Callable[..., subprocess.Popen[str]]
    uids: list[str] = field(default_factory=lambda: ["chat", "embed"])

    @staticmethod
    def end(process: subprocess.Popen[str]) -> None:
        """Wait until a playbook has ended.

        :raises Broken: when it failed.
        """
        output, _none = process.communicate(timeout=900)
        if process.returncode:
            raise Broken(f"the playbook failed: {output[-1500:]}")

    def declare(self, **states: str) -> None:
        """Converge with other states of models.

        :raises Broken: when it fails.
        """
        self.end(self.converge({"fault_states": states}))
        self.uids = [uid for uid in ("chat", "embed") if states.get(uid, "present") == "present"]


def container_restarted(case: Case) -> float:
    """The container is restarted."""
    begun = time.time()
    case.host.run("docker restart --time 30 xinference")
    return begun


def server_killed(case: Case) -> float:
    """The server's process is killed."""
    case.host.run("pkill -9 -f '[b]in/xinference-local'")
    return time.time()


def worker_killed(case: Case) -> float:
    """The server's inner process, which holds its worker, is killed.

    Servers before 4.1 go on answering errors then, until they are restarted.
    """
    case.host.run("pkill -9 -f '[s]tart_local.py|[m]ultiprocessing.spawn import spawn_main'")
    return time.time()


def model_killed(case: Case) -> float:
    """The process of a model is killed."""
    case.host.run("pkill -9 -f '^Model: chat'")
    return time.time()


def container_killed(case: Case) -> float:
    """The container is killed (`docker kill`).

    Docker takes that for a wish of the user and does not start it again.
    """
    case.host.run("docker kill xinference")
    return time.time()


def docker_restarted(case: Case) -> float:
    """Docker is restarted."""
    begun = time.time()
    case.host.run("systemctl restart docker")
    return begun


def docker_killed(case: Case) -> float:
    """Docker's process is killed."""
    case.host.run("pkill -9 -x dockerd")
    return time.time()


def host_rebooted(case: Case) -> float:
    """The machine is rebooted."""
    begun = time.time()
    case.host.reboot()
    return begun


def power_cut_at_launch(case: Case) -> float:
    """The power fails while a model is launched."""
    case.host.run("docker restart --time 30 xinference")
    case.host.wait_for("a launch", 600, chat=lambda known: known["state"] in ("creating", "loading"))
    begun = time.time()
    case.host.cut_power()
    return begun


def power_cut_at_converge(case: Case) -> float:
    """The power fails while a run relaunches a model."""
    process = case.converge({"fault_context": 1024})
    try:
        case.host.wait_for("the relaunch", 600, chat=lambda known: known["state"] in ("absent", "creating", "loading", "terminating"))
        begun = time.time()
        case.host.cut_power()
    finally:
        process.kill()
        process.communicate()
    return begun


def power_cut_at_backup(case: Case) -> float:
    """The power fails during a backup; the next one succeeds."""
    # It takes a few seconds, so it is begun again until it was seen on its way.
    state = "$(systemctl show --property=ActiveState --value xinference-backup.service)"
    seen = "test -d /run/xinference-backup/work/snapshot/home && exit 0"
    case.host.run(f"while systemctl start --no-block xinference-backup; do while [ {state} = activating ]; do {seen}; done; done; exit 1", timeout=600)
    begun = time.time()
    case.host.cut_power()
    case.host.until("the machine", "systemctl is-active docker")
    case.host.run('systemctl start xinference-backup.service && grep -q \'"failed": ""\' /var/lib/xinference-backup/status.json', timeout=600)
    return begun


def power_cut_at_restore(case: Case) -> float:
    """The power fails during a restore, which is run once more."""
    case.host.run("systemctl start xinference-backup.service", timeout=600)
    process = case.converge({}, "restore")
    try:
        case.host.until("the restore", "test -e /var/lib/xinference-backup/restore.json")
        case.host.cut_power()
    finally:
        process.kill()
        process.communicate()
    case.host.until("the machine", "systemctl is-active docker")
    case.end(case.converge({}, "restore"))
    return time.time()


def _cut_upgrade(case: Case, script: str, broken: bool = False) -> None:
    """Begin to upgrade the server to another image, and let the power fail.

    :param script: of the shell, which succeeds when it is time.
    :param broken: whether it is an image whose server loads no chat model.
    """
    tag = "broken" if broken else "other"
    case.host.run(
        f"""
        docker rm -f made >/dev/null 2>&1 || true
        change=$(cat <<'END'
{_BREAKS if broken else "touch /other"}
END
        )
        docker run --name made --network none "$(docker inspect --format '{{{{ .Image }}}}' xinference)" sh -ec "$change"
        docker commit made inferops-test/{tag}:next
        docker rm made
        """,
        timeout=600,
    )
    process = case.converge({"image": {"xinference_image": f"inferops-test/{tag}", "xinference_image_tag": "next"}}, "upgrade")
    try:
        case.host.until("the upgrade", script)
        case.host.cut_power()
    finally:
        process.kill()
        process.communicate()
    case.host.until("the machine", "systemctl is-active docker")


def _end_upgrade(case: Case, image: str) -> float:
    """Run the upgrade once more, to an image; when it had ended."""
    name, _colon, tag = image.rpartition(":")
    change = {"image": {"xinference_image": name, "xinference_image_tag": tag}}
    try:
        case.end(case.converge(change, "upgrade"))
    except Broken as error:
        # A Docker that is cut off while it starts a container may hold its port for ever; only an operator may restart it.
        if "is held by Docker for a container that does not run" not in str(error):
            raise
        case.host.run("systemctl restart docker")
        case.end(case.converge(change, "upgrade"))
    running = case.host.run("docker inspect --format '{{ .Config.Image }}' xinference").strip()
    if running != image:
        raise Broken(f"image {running} runs, and not {image}")
    left = case.host.run("docker ps --all --format '{{ .Names }}'; ls /var/lib/xinference-upgrade").split()
    if sorted(left) != ["versions.json", "xinference"]:
        raise Broken(f"the upgrade left {', '.join(left)}")
    return time.time()


def power_cut_at_question(case: Case) -> float:
    """The power fails while a new server is asked."""
    _cut_upgrade(case, "docker inspect xinference-new-server")
    return _end_upgrade(case, "inferops-test/other:next")


def power_cut_at_swap(case: Case) -> float:
    """The power fails while an upgrade swaps the containers."""
    _cut_upgrade(case, "docker inspect xinference.previous")
    return _end_upgrade(case, "inferops-test/other:next")


def power_cut_after_swap(case: Case) -> float:
    """The power fails while the upgraded server launches."""
    healthy = "[ \"$(docker inspect --format '{{ .State.Health.Status }}' xinference)\" = healthy ]"
    _cut_upgrade(case, f"docker inspect xinference.previous && {healthy}")
    return _end_upgrade(case, "inferops-test/other:next")


def power_cut_at_return(case: Case) -> float:
    """The power fails on the way back from a broken server."""
    before = case.host.run("docker inspect --format '{{ .Config.Image }}' xinference").strip()
    _cut_upgrade(case, "grep -q returning /var/lib/xinference-upgrade/upgrade.json", broken=True)
    return _end_upgrade(case, before)


def disk_full(case: Case) -> float:
    """The disk is full for 40 s, and the container restarts meanwhile.

    Server and service are on that disk.
    """
    try:
        case.host.run("for size in 1M 4k 512; do dd if=/dev/zero bs=$size >> /data/filler 2>/dev/null || true; done")
        if int(case.host.run("df --output=avail /data | tail -n 1")) > 0:
            raise Broken("the disk is not full")
        case.host.run("docker restart --time 30 xinference")
        time.sleep(40)
    finally:
        case.host.run("rm -f /data/filler")
    return time.time()


def network_gone(case: Case) -> float:
    """The machine has no network, and the container restarts meanwhile."""
    begun = time.time()
    case.host.outside("docker", "network", "disconnect", "bridge", case.host.name)
    try:
        case.host.run("docker restart --time 30 xinference")
        answer = case.host.until_ready(case.uids, 900)
        if answer["ready"] is None:
            raise Broken(f"without a network: {answer['reason']}")
        spent = float(answer["ready"]) - begun
    finally:
        case.host.outside("docker", "network", "connect", "bridge", case.host.name)
    # All is asked again with a network; what counts is the time without.
    return time.time() - spent


def files_corrupted(case: Case) -> float:
    """Files of the service are damaged; service and container restart.

    Its state and one copy each of declaration and password are overwritten, the service is killed, and the container restarts.
    """
    begun = time.time()
    for name in ("state.json", "declaration.json", "automation"):
        # Servers before 3.0 have no accounts, so there is no password.
        case.host.run(f"! test -e {SERVICE}/{name} || head -c 300 /dev/urandom > {SERVICE}/{name}")
    case.host.run("systemctl kill --signal KILL xinference-models; docker restart --time 30 xinference")
    return begun


def service_killed(case: Case) -> float:
    """The service is killed while the container restarts."""
    begun = time.time()
    case.host.run("systemctl kill --signal KILL xinference-models; docker restart --time 30 xinference; systemctl kill --signal KILL xinference-models")
    return begun


def model_in_error(case: Case) -> float:
    """A model's file is away for some tries; the other model does not wait."""
    case.host.run(f"mv {DATA}/models/SmolLM2-135M-Instruct.Q4_1.gguf /data/away; docker restart --time 30 xinference")
    try:
        case.host.wait_for("three failures", 900, chat=lambda known: known["tries"] >= 3, embed=lambda known: known["answered"])
    finally:
        case.host.run(f"mv /data/away {DATA}/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    return time.time()


def model_not_made_again(case: Case) -> float:
    """A model's process is killed while its file is away for a minute.

    So the server fails to start the process again by itself.
    """
    case.host.run(f"mv {DATA}/models/SmolLM2-135M-Instruct.Q4_1.gguf /data/away; pkill -9 -f '^Model: chat'")
    try:
        case.host.wait_for("a lost model", 300, chat=lambda known: not known["answered"])
        time.sleep(60)
    finally:
        case.host.run(f"mv /data/away {DATA}/models/SmolLM2-135M-Instruct.Q4_1.gguf")
    return time.time()


def model_terminated(case: Case) -> float:
    """A user terminates a model, through the API."""
    login = """curl -s -H 'Content-Type: application/json' -d "{\\"username\\": \\"admin\\", \\"password\\": \\"$P\\"}" http://127.0.0.1:9997/token"""
    token = """sed -n 's/.*"access_token":"\\([^"]*\\)".*/\\1/p'"""
    case.host.run(f"P='{case.host.password}'; T=$({login} | {token}); curl -sf -X DELETE -H \"Authorization: Bearer $T\" http://127.0.0.1:9997/v1/models/chat")
    return time.time()


def model_absent(case: Case) -> float:
    """The machine is rebooted after a model was declared absent.

    The other one comes back, and this one does not.
    """
    case.declare(embed="absent")
    begun = time.time()
    case.host.reboot()
    answer = case.host.until_ready(case.uids, 900)
    if answer["ready"] is None:
        raise Broken(str(answer["reason"]))
    spent = float(answer["ready"]) - begun
    # Longer than the server's own autostart needs to begin.
    time.sleep(30)
    return time.time() - spent


FAULTS: dict[str, Callable[[Case], float]] = {
    fault.__name__: fault
    for fault in (
        container_restarted,
        server_killed,
        worker_killed,
        model_killed,
        container_killed,
        docker_restarted,
        docker_killed,
        host_rebooted,
        power_cut_at_launch,
        power_cut_at_converge,
        power_cut_at_backup,
        power_cut_at_restore,
        power_cut_at_question,
        power_cut_at_swap,
        power_cut_after_swap,
        power_cut_at_return,
        disk_full,
        network_gone,
        files_corrupted,
        service_killed,
        model_in_error,
        model_not_made_again,
        model_terminated,
        model_absent,
    )
}
