# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of machine, disk, certificate, memory, bans and backups: the finding names each and says what to do, and is gone when it is mended.

What the kernel of the whole machine would have to do is read from files in place of its own: a processor without AVX2, swap, memory that is used up.
Denials of SELinux are not among them, because no kernel of the tests has it; unit tests read its log. Known weaknesses of a server's version are seen in
scenario models with older servers.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

import pytest
from diagnosed import Diagnosed, faults, is_ready

from ansible_collections.inferops.xinference.tests.machine import wait_until

ROOT = "/srv/xinference_data"
DOWNLOADS = f"{ROOT}/.cache/huggingface"
#: What of it the container writes.
HUB = f"{DOWNLOADS}/hub"
CERTIFICATE, CERTIFICATE_KEY = "/etc/xinference-proxy/server.crt", "/etc/xinference-proxy/private/server.key"
REPOSITORY, STATUS = "/var/backups/of-this-scenario", "/var/lib/xinference-backup/status.json"
ADVICE = "Lower n_ctx or replica of a model, choose a smaller quantization, or use a larger host."
#: Takes memory until the container has nearly used up what it may have, and keeps it.
HOLDER = """
import time
from pathlib import Path

group = Path("/sys/fs/cgroup")
second = (group / "memory.current").exists()
group = group if second else group / "memory"
usage, limit, cache = ("memory.current", "memory.max", "inactive_file ") if second else (
    "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file ")
kept = []
while True:
    inactive = next(int(line.split()[1]) for line in (group / "memory.stat").read_text().splitlines() if line.startswith(cache))
    if int((group / usage).read_text()) - inactive < int((group / limit).read_text()) * 0.95:
        kept.append(bytearray(16 << 20))
    else:
        time.sleep(0.2)
"""
#: Takes more memory than the container may have, under a name of its own, and before all others.
GREEDY = """
open("/proc/self/comm", "w").write("{}")
open("/proc/self/oom_score_adj", "w").write("1000")
bytearray(8 << 30)
"""
#: Counts pages that come from swap: 150 MiB a second.
SWAPPING = """
import time

with open("/run/vmstat", "r+") as file:
    number = 0
    while True:
        number += 2000
        file.seek(len("pswpin "))
        file.write("%015d" % number)
        file.flush()
        time.sleep(0.05)
"""


def finding(diagnosis: dict[str, Any], check: str, subject: str) -> dict[str, str]:
    """The only finding of this check about that subject."""
    found = [each for each in diagnosis["findings"] if (each["check"], each["subject"]) == (check, subject)]
    assert len(found) == 1, diagnosis["findings"]
    return dict(found[0])


def words(diagnosis: dict[str, Any], check: str, subject: str) -> tuple[str, str, str]:
    """Severity, what was seen, and what to do."""
    found = finding(diagnosis, check, subject)
    return found["severity"], found["seen"], found["remedy"]


def test_nothing_is_found_on_a_healthy_machine(host: Any, diagnose: Diagnosed) -> None:
    assert words(diagnose(), "backup", "") == ("warning", "No backup was made yet.", "Run playbook backup.")
    host.check_output("systemctl start xinference-backup")
    found = diagnose()
    assert found["findings"] == []
    assert found["unchecked"] == []
    assert {"memory", "processor", "disk", "clock", "proxy", "backup", "mounts", "server", "versions"} <= set(found["checks"])


def test_memory_of_the_container_that_is_nearly_used_up(host: Any, diagnose: Diagnosed) -> None:
    limit = host.check_output("docker inspect --format '{{ .HostConfig.Memory }}' xinference")
    stats = json.loads(host.check_output("curl -s --unix-socket /run/docker.sock 'http://localhost/containers/xinference/stats?stream=false&one-shot=true'"))
    little = stats["memory_stats"]["usage"] + (2 << 30)

    def is_used_up() -> bool:
        used = host.check_output("docker stats --no-stream --format '{{ .MemPerc }}' xinference")
        return float(used.rstrip("%")) > 93

    with faults(host) as fault:
        fault(
            f"docker update --memory {little} --memory-swap {little} xinference",
            f"docker update --memory {limit} --memory-swap {limit} xinference",
        )
        fault(f"docker exec --detach xinference python3 -c '{HOLDER}'", "pkill --full '[t]otal_inactive_file'")
        wait_until(is_used_up, "the memory is nearly used up", pause=1)
        severity, seen, remedy = words(diagnose(), "memory", "xinference")
    assert (severity, remedy) == ("warning", ADVICE)
    assert f" MiB of the {little >> 20} MiB that it may use." in seen
    assert diagnose()["findings"] == []


def test_a_process_that_the_kernel_killed(host: Any, diagnose: Diagnosed) -> None:
    # The kernel remembers those of other runs.
    setting, name = "/etc/systemd/journald.conf.d/kernel.conf", f"greedy-{secrets.token_hex(4)}"
    limit = host.check_output("docker inspect --format '{{ .HostConfig.Memory }}' xinference")
    used = host.check_output("docker exec xinference sh -c 'cat /sys/fs/cgroup/memory.current 2>/dev/null || cat /sys/fs/cgroup/memory/memory.usage_in_bytes'")
    little = int(used) + (2 << 30)
    with faults(host) as fault:
        # Docker's count is of one start.
        fault("true", "docker restart xinference")
        fault("true", "journalctl --rotate --vacuum-time=1s")
        fault(
            f"sed -i s/=no/=yes/ {setting} && systemctl restart systemd-journald",
            f"sed -i s/=yes/=no/ {setting} && systemctl restart systemd-journald",
        )
        assert name not in str(diagnose()["findings"])
        fault(
            f"docker update --memory {little} --memory-swap {little} xinference",
            f"docker update --memory {limit} --memory-swap {limit} xinference",
        )
        assert host.run(f"docker exec xinference python3 -c '{GREEDY.format(name)}'").rc == 137
        found = diagnose()
    in_container = ("warning", "1 process of the container was killed because its memory was used up.", ADVICE)
    assert words(found, "oom", "xinference") == in_container
    severity, seen, remedy = words(found, "oom", "host")
    assert (severity, remedy) == ("warning", ADVICE)
    # With others before it that share the kernel, if there are any.
    assert seen.startswith("Within the last day the kernel killed processes because memory was used up: ")
    assert name in seen
    wait_until(lambda: is_ready(host), "all models answer", pause=1)
    assert diagnose()["findings"] == []


def test_a_full_disk(host: Any, diagnose: Diagnosed) -> None:
    """Not that of the data root, but one that is mounted below it, as caches often are."""
    with faults(host) as fault:
        fault(f"fallocate --length 60M {DOWNLOADS}/large", f"rm {DOWNLOADS}/large")
        severity, seen, remedy = words(diagnose(), "disk", HUB)
        assert (severity, seen) == ("warning", f"The file system of {HUB} has only 4 of 64 MiB left.")
        assert "xinference_models_remove_cached" in remedy and "docker image prune" in remedy
        fault(f"fallocate --length 3M {DOWNLOADS}/larger", f"rm {DOWNLOADS}/larger")
        found = diagnose()
        assert words(found, "disk", HUB)[:2] == ("critical", f"The file system of {HUB} has only 1 of 64 MiB left.")
        assert [each["subject"] for each in found["findings"]] == [HUB]
    with faults(host) as fault:
        fault(f"mkdir {DOWNLOADS}/many && seq 970 | xargs -I N touch {DOWNLOADS}/many/N", f"rm -r {DOWNLOADS}/many")
        severity, seen, _remedy = words(diagnose(), "disk", HUB)
        assert severity == "critical"
        assert seen.endswith(" of 1000 inodes left.")
    assert diagnose()["findings"] == []


def test_a_certificate_that_ends(host: Any, diagnose: Diagnosed) -> None:
    def made(days: int) -> str:
        return f"openssl x509 -in /root/kept.crt -signkey {CERTIFICATE_KEY} -days {days} -out {CERTIFICATE} && systemctl reload xinference-proxy"

    def day(offset: int) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(time.time() + offset * 86400))

    remedy = "Run provision, which renews a certificate of the local CA; one that was given must be renewed where it comes from."
    with faults(host) as fault:
        fault(f"cp --preserve {CERTIFICATE} /root/kept.crt", f"cp --preserve /root/kept.crt {CERTIFICATE} && systemctl reload xinference-proxy")
        host.check_output(made(1))
        days, found = {day(1)}, diagnose()
        # The test may run at midnight.
        assert words(found, "certificate", CERTIFICATE) in [
            ("warning", f"The proxy's certificate {CERTIFICATE} ends on {each}.", remedy) for each in days | {day(1)}
        ]
        assert finding(found, "certificate", CERTIFICATE)["meaning"] == "After that, clients refuse it."
        host.check_output(made(-1))
        days, found = {day(-1)}, diagnose()
        assert words(found, "certificate", CERTIFICATE) in [
            ("critical", f"The proxy's certificate {CERTIFICATE} ended on {each}.", remedy) for each in days | {day(-1)}
        ]
        assert finding(found, "certificate", CERTIFICATE)["meaning"] == "Clients refuse it."
    assert diagnose()["findings"] == []


def test_anonymous_volumes(host: Any, diagnose: Diagnosed) -> None:
    """As a container has them that was made by hand."""
    image = f"{os.environ['XINFERENCE_TEST_IMAGE']}:{os.environ['XINFERENCE_TEST_TAG']}"
    run = f"docker run --detach --name xinference --volume /root/.xinference --volume /opt/kept --network none --entrypoint sleep {image} infinity"
    with faults(host) as fault:
        fault("systemctl stop xinference-models", "systemctl start xinference-models")
        fault("docker stop xinference && docker rename xinference kept", "docker rename kept xinference && docker start xinference")
        fault(run, "docker rm --force --volumes xinference")
        found = diagnose()
    other = ("warning", "/opt/kept is an anonymous volume of Docker.", "Give /opt/kept an entry in xinference_volumes.")
    assert words(found, "mounts", "/opt/kept") == other
    severity, seen, remedy = words(found, "mounts", "/root/.xinference")
    assert severity == "critical"
    assert seen.startswith("The container has the anonymous volume /var/lib/docker/volumes/")
    assert seen.endswith(f" at /root/.xinference; {ROOT}/.xinference is declared.")
    assert ":/root/.xinference DIRECTORY, and then run provision" in remedy
    wait_until(lambda: is_ready(host), "all models answer", pause=1)
    assert diagnose()["findings"] == []


def test_bans(host: Any, diagnose: Diagnosed) -> None:
    """A server bans whoever sends a wrong token ten times."""
    guess = "for try in $(seq 15); do curl -s -o /dev/null -H 'Authorization: Bearer guessed' {} http://127.0.0.1:9997/v1/models; done"
    host.check_output(guess.format("-H 'X-Forwarded-For: 192.0.2.7'"))
    found = diagnose()
    assert words(found, "bans", "") == ("note", "The server bans 1 address: 192.0.2.7.", "Run playbook unban.")
    assert len(found["findings"]) == 1
    # From the host itself, with whose address the recovery service comes as well.
    host.check_output(guess.format(""))
    severity, seen, remedy = words(diagnose(), "bans", "")
    assert (severity, remedy) == ("critical", "Run playbook unban.")
    assert seen.startswith("The server bans this host: ")
    diagnose.play("unban")
    # The recovery service asks again by itself, after ten minutes.
    host.check_output("systemctl restart xinference-models")
    wait_until(lambda: is_ready(host), "all models answer", pause=1)
    assert diagnose()["findings"] == []


def test_backups_that_fail_or_grow_old(host: Any, diagnose: Diagnosed) -> None:
    with faults(host) as fault:
        fault("true", "systemctl start xinference-backup")
        fault(f"mv {REPOSITORY}/config {REPOSITORY}/kept", f"mv {REPOSITORY}/kept {REPOSITORY}/config")
        assert host.run("systemctl start xinference-backup").rc != 0
        found = diagnose()
    severity, seen, remedy = words(found, "backup", "")
    assert (severity, remedy) == ("warning", "Run playbook backup when that is mended.")
    assert seen.startswith("The last backup failed: ")
    unit = "xinference-backup.service"
    look = f"Look for the reason with journalctl -u {unit}, and then run systemctl restart {unit}."
    assert words(found, "units", unit) == ("warning", f"Unit {unit} has failed (exit-code).", look)
    assert diagnose()["findings"] == []
    with faults(host) as fault:
        # Nobody waits for three days.
        fault(f"cp --preserve {STATUS} /root/status.json", f"cp --preserve /root/status.json {STATUS}")
        status = json.loads(host.file(STATUS).content_string)
        status["last_success"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3 * 86400))
        host.check_output(f"cat >{STATUS} <<'END'\n{json.dumps(status)}\nEND")
        look = "Look for the reason with journalctl -u xinference-backup."
        assert words(diagnose(), "backup", "") == ("warning", "The last backup is 3 days old.", look)
        host.check_output(f"head --bytes 20 /root/status.json >{STATUS}")
        seen = "It is not known when the last backup was made: its status is damaged."
        assert words(diagnose(), "backup", "") == ("warning", seen, "Run playbook backup.")
    assert diagnose()["findings"] == []


def test_processor_swap_and_memory_of_the_machine(host: Any, diagnose: Diagnosed) -> None:
    """Files of the kernel as another machine has them: this one's processor and memory are those of all tests."""
    swap = "s/^MemAvailable:.*/MemAvailable: 204800 kB/; s/^SwapTotal:.*/SwapTotal: 4194304 kB/; s/^SwapFree:.*/SwapFree: 2097152 kB/"
    with faults(host) as fault:
        for name, edit in (("cpuinfo", "s/ avx2//"), ("meminfo", swap), ("vmstat", "1i pswpin 000000000000000\n; /^pswpin /d")):
            fault(f"sed '{edit}' /proc/{name} >/run/{name} && mount --bind /run/{name} /proc/{name}", f"umount /proc/{name}")
        found = diagnose()
        severity, seen, remedy = words(found, "processor", "host")
        assert (severity, seen) == ("critical", "The processor, or the virtual machine, does not offer AVX2.")
        assert remedy == "Let the virtual machine have the host's processor, or use another host."
        severity, seen, remedy = words(found, "memory", "host")
        assert (severity, remedy) == ("warning", ADVICE)
        assert seen.startswith("The machine has 200 MiB of ")
        assert words(found, "swap", "host")[:2] == ("note", "2048 MiB of 4096 MiB of swap are in use.")
        fault(f"systemd-run --quiet --unit=swapping python3 -c '{SWAPPING}'", "systemctl stop swapping")
        severity, seen, remedy = words(diagnose(), "swap", "host")
        assert (severity, remedy) == ("critical", ADVICE)
        assert seen.startswith("The machine is swapping: ")
    assert diagnose()["findings"] == []


def test_a_clock_that_is_wrong(diagnose: Diagnosed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's clock is that of all machines, so it is the playbook that reads one of an hour ago."""
    (tmp_path / "sitecustomize.py").write_text("import time\n\nreal = time.time\ntime.time = lambda: real() - 3600\n", encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", f"{tmp_path}:{os.environ['PYTHONPATH']}")
        severity, seen, remedy = words(diagnose(), "clock", "host")
    assert (severity, remedy) == ("critical", "Set up time synchronization, such as with package chrony.")
    assert seen.startswith("The clock of this host is 36") and seen.endswith(" s ahead of that of the controller.")
    assert diagnose()["findings"] == []
