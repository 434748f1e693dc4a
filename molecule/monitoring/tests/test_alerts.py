# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each alert, provoked for real, seen in Alertmanager, and resolved after a repair. In the order of this file.

Two are not among them. XinferenceSwapping: the machine shares the kernel of the one that runs the tests, which has no swap, or other people's.
XinferenceWorkerDown: in a server that runs as one program, which this collection starts, nothing ends the worker alone; its process killed, the server ends.
"""

from __future__ import annotations

import json
import shlex
import time
from functools import partial
from typing import Any

import yaml
from conftest import RULES, Prometheus, shortened
from serving import Server

from ansible_collections.inferops.xinference.tests.machine import wait_until

SOCKET = "curl --silent --fail --unix-socket /run/docker.sock"
CONTAINER = "http://localhost/containers/xinference"
CHAT_FILE = "/srv/xinference_data/models/SmolLM2-135M-Instruct.Q4_1.gguf"
STATUS_FILE = "/var/lib/xinference-backup/status.json"
REPORT = "/var/lib/xinference-start/container.json"
CERTIFICATE, CERTIFICATE_KEY = "/etc/xinference-proxy/server.crt", "/etc/xinference-proxy/private/server.key"
NOT_PROVOKED = {"XinferenceSwapping", "XinferenceWorkerDown"}
#: Alerts about what happened in the time that they look back: they are resolved when that is over.
LOOK_BACK = {"XinferenceModelFlapping", "XinferenceContainerRestarts", "XinferenceOomKill"}


def figure(prometheus: Prometheus, name: str, labels: str = "") -> float:
    """The value of a series of the service, as Prometheus read it last; -1 for none."""
    found = prometheus.query(f'xinference_service_{name}{{job="xinference-service"{labels}}}')
    return float(found[0]["value"][1]) if found else -1


def all_is_well(host: Any) -> bool:
    """Whether all models answer."""
    return bool(host.run("curl --silent --fail http://127.0.0.1:9998/ready").rc == 0)


def docker(host: Any, request: str, **body: Any) -> str:
    """An answer of Docker to a request that changes the container."""
    content = f"--header 'Content-Type: application/json' --data {shlex.quote(json.dumps(body))}" if body else ""
    return str(host.check_output(f"{SOCKET} --request POST {content} {CONTAINER}/{request}"))


def changed_file(host: Any, path: str, **changes: Any) -> None:
    """Change values of a JSON file of the machine, and neither its owner nor its mode."""
    content = {**json.loads(host.file(path).content_string), **changes}
    host.check_output(f"cat >{path} <<'END'\n{json.dumps(content)}\nEND")


def test_only_times_are_shortened() -> None:
    text = RULES.read_text(encoding="utf-8")
    rules = [rule for group in yaml.safe_load(shortened(text, "20s"))["groups"] for rule in group["rules"]]
    assert {rule["for"] for rule in rules if "for" in rule} == {"4s"}
    assert "[1h]" not in str(rules) and "[20s]" in str(rules)
    for wrong in (text.replace("> 0.9", "> 0.8"), text.replace("[1h]) >= 3", "[1h]) >= 2")):
        assert shortened(wrong) != shortened(text)


def test_each_alert_is_provoked_or_named() -> None:
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"] if "alert" in rule}
    tried = {name[len("test_") :].replace("_", "").lower() for name in globals() if name.startswith("test_")}
    assert {alert for alert in alerts if alert.removeprefix("Xinference").lower() not in tried} == NOT_PROVOKED


def test_backup_missing(host: Any, prometheus: Prometheus) -> None:
    """The host is new, and makes its first backup."""
    wait_until(lambda: all_is_well(host), "all models answer", pause=1)
    assert prometheus.wait_for("XinferenceBackupMissing")["instance"] == "xinference-molecule-monitoring"
    host.check_output("systemctl start xinference-backup")
    prometheus.wait_for_none("XinferenceBackupMissing")


def test_nothing_else_fires(prometheus: Prometheus) -> None:
    """On a host on which all is well."""
    time.sleep(10)
    assert prometheus.firing() == {}


def test_backup_too_old(host: Any, prometheus: Prometheus) -> None:
    """Backups stop. The one that was made grows old by what its file says: nobody waits two days."""
    host.check_output("systemctl stop xinference-backup.timer")
    changed_file(host, STATUS_FILE, last_success=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3 * 86400)))
    prometheus.wait_for("XinferenceBackupTooOld")
    host.check_output("systemctl start xinference-backup.timer xinference-backup")
    prometheus.wait_for_none("XinferenceBackupTooOld")


def test_disk_nearly_full(host: Any, prometheus: Prometheus) -> None:
    host.check_output("head --bytes 15500K /dev/zero >/srv/xinference_data/.cache/modelscope/large")
    assert prometheus.wait_for("XinferenceDiskNearlyFull")["path"] == "/srv/xinference_data/.cache/modelscope"
    host.check_output("rm /srv/xinference_data/.cache/modelscope/large")
    prometheus.wait_for_none("XinferenceDiskNearlyFull")


def test_certificate_ends(host: Any, prometheus: Prometheus) -> None:
    """It is replaced by one that holds for a week, and renewed."""
    host.check_output(f"cp --preserve {CERTIFICATE} /root/kept.crt")
    week = f"openssl x509 -in /root/kept.crt -signkey {CERTIFICATE_KEY} -days 7 -out {CERTIFICATE}"
    host.check_output(f"{week} && systemctl reload xinference-proxy")
    prometheus.wait_for("XinferenceCertificateEnds")
    host.check_output(f"cp --preserve /root/kept.crt {CERTIFICATE} && systemctl reload xinference-proxy")
    prometheus.wait_for_none("XinferenceCertificateEnds")


def test_proxy_down(host: Any, prometheus: Prometheus) -> None:
    host.check_output("systemctl stop xinference-proxy")
    prometheus.wait_for("XinferenceProxyDown")
    host.check_output("systemctl start xinference-proxy")
    prometheus.wait_for_none("XinferenceProxyDown")


def test_known_bad_version(host: Any, prometheus: Prometheus) -> None:
    """The report of root's unit names an older server, as it would with its image; such an image is not built for this scenario."""
    version = json.loads(host.file(REPORT).content_string)["version"]
    changed_file(host, REPORT, version="2.6.1")
    assert prometheus.wait_for("XinferenceKnownBadVersion")["severity"] == "critical"
    changed_file(host, REPORT, version=version)
    prometheus.wait_for_none("XinferenceKnownBadVersion")


def test_service_silent(host: Any, prometheus: Prometheus) -> None:
    host.check_output("systemctl stop xinference-models")
    prometheus.wait_for("XinferenceServiceSilent")
    host.check_output("systemctl start xinference-models")
    prometheus.wait_for_none("XinferenceServiceSilent")


def test_model_drift(host: Any, prometheus: Prometheus, server: Server) -> None:
    """An administrator launches a model by hand, with a smaller context, while the service is away."""
    wait_until(lambda: all_is_well(host), "all models answer", pause=1)
    host.check_output("systemctl stop xinference-models")
    remove(server)
    launch = {
        "model_uid": "chat",
        "model_name": "smollm2-135m-instruct",
        "model_engine": "llama.cpp",
        "model_format": "ggufv2",
        "model_size_in_billions": "0_135",
        "quantization": "Q4_1",
        **{"n_ctx": 1024, "n_parallel": 1, "n_threads": 1},
    }
    status, answer = server.call("/v1/models", launch)
    assert status == 200, answer
    host.check_output("systemctl start xinference-models")
    assert prometheus.wait_for("XinferenceModelDrift")["model"] == "chat"
    # The service launches it as it is declared, and does so by itself.
    prometheus.wait_for_none("XinferenceModelDrift")


def remove(server: Server) -> None:
    """Stop the chat model, as any administrator can."""
    _status, token = server.call("/token", {"username": "admin", "password": server.password}, login=False)
    answer = server.host.check_output(
        f"curl --silent --write-out ' %{{http_code}}' --request DELETE --header 'Authorization: Bearer {token['access_token']}' {server.base}/v1/models/chat"
    )
    assert answer.endswith(" 200"), answer


def test_model_flapping(host: Any, prometheus: Prometheus, server: Server) -> None:
    """It is stopped by hand again and again, and launched by the service each time."""
    for _time in range(6):
        if "XinferenceModelFlapping" in prometheus.firing():
            break
        wait_until(lambda: figure(prometheus, "model_answering", ',model="chat"') == 1, "the chat model answers", pause=1)
        remove(server)
        wait_until(lambda: figure(prometheus, "model_answering", ',model="chat"') == 0, "the chat model is lost", pause=0.5)
    assert prometheus.wait_for("XinferenceModelFlapping")["model"] == "chat"


def test_model_not_ready(host: Any, prometheus: Prometheus, server: Server) -> None:
    """The file of a model is gone, so the service cannot launch it again."""
    wait_until(lambda: all_is_well(host), "all models answer", pause=1)
    host.check_output(f"mv {CHAT_FILE} /srv/kept.gguf")
    remove(server)
    assert prometheus.wait_for("XinferenceModelNotReady")["model"] == "chat"
    host.check_output(f"mv /srv/kept.gguf {CHAT_FILE}")
    prometheus.wait_for_none("XinferenceModelNotReady")


def test_memory_near_limit(host: Any, prometheus: Prometheus) -> None:
    """The limit of the container is lowered to what it uses."""
    before = json.loads(host.check_output(f"{SOCKET} {CONTAINER}/json"))["HostConfig"]
    used = int(figure(prometheus, "container_memory_working_set_bytes"))
    assert used > 0
    limit = int(used / 0.93)
    docker(host, "update", Memory=limit, MemorySwap=limit)
    prometheus.wait_for("XinferenceMemoryNearLimit")
    docker(host, "update", Memory=before["Memory"], MemorySwap=before["MemorySwap"])
    prometheus.wait_for_none("XinferenceMemoryNearLimit")


def test_oom_kill(host: Any, prometheus: Prometheus) -> None:
    """A program in the container wants more memory than the container has, and is what the kernel kills first."""
    before = json.loads(host.check_output(f"{SOCKET} {CONTAINER}/json"))["HostConfig"]
    limit = int(figure(prometheus, "container_memory_bytes")) + (256 << 20)
    docker(host, "update", Memory=limit, MemorySwap=limit)
    greedy = "import os; open('/proc/self/oom_score_adj', 'w').write('1000'); held = [os.urandom(1 << 20) for _ in range(4096)]"
    assert host.run(f"docker exec xinference python3 -c {shlex.quote(greedy)}").rc == 137
    docker(host, "update", Memory=before["Memory"], MemorySwap=before["MemorySwap"])
    prometheus.wait_for("XinferenceOomKill")


def test_server_down(host: Any, prometheus: Prometheus) -> None:
    """A container that was stopped by hand, which nobody starts."""
    docker(host, "stop")
    prometheus.wait_for("XinferenceServerDown")
    docker(host, "start")
    prometheus.wait_for_none("XinferenceServerDown")


def test_container_restarts(host: Any, prometheus: Prometheus) -> None:
    """The server is killed until it was started three times within the hour; the service has it started each time."""
    for _time in range(6):
        if "XinferenceContainerRestarts" in prometheus.firing():
            break
        wait_until(lambda: all_is_well(host), "all models answer", pause=1)
        counted = figure(prometheus, "container_restarts_total")
        docker(host, "kill?signal=KILL")
        wait_until(partial(restarted_since, prometheus, counted), "one more restart is counted", pause=1)
        # An alert that waits for nothing is made and sent within this.
        time.sleep(10)
    prometheus.wait_for("XinferenceContainerRestarts")


def restarted_since(prometheus: Prometheus, counted: float) -> bool:
    """Whether more restarts were counted than before."""
    return figure(prometheus, "container_restarts_total") > counted


def test_what_looks_back_is_resolved(host: Any, prometheus: Prometheus) -> None:
    """When the time is over in which it happened; it is shortened for that, because nobody waits an hour."""
    assert set(prometheus.firing()) >= LOOK_BACK
    wait_until(lambda: all_is_well(host), "all models answer", pause=1)
    prometheus.rules(looks_back="20s")
    for alert in LOOK_BACK:
        prometheus.wait_for_none(alert)
    assert prometheus.firing() == {}
