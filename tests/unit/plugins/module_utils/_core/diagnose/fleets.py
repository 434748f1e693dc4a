# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnoses of fleets, as the table and the page get them; the documentation's picture is made of them too."""

from __future__ import annotations

from typing import Any

#: What a server, a file name or a hostile host may hold: markup, quotes, an escape of terminals, a direction mark, a line end, a long word.
HOSTILE = "</script></style><script>document.title='owned'</script><img src=x onerror=alert(1)>\"' onmouseover=x \x1b[31m\u202egnp\n" + "W" * 3000

MOUNT = {
    "check": "mounts",
    "severity": "critical",
    "subject": "chat",
    "seen": "/models is mounted from /srv/old-models; declared is /srv/xinference_data/models.",
    "meaning": "The server reads other files than those in the data root, so this model does not load.",
    "remedy": "ansible-playbook -i inventory --ask-vault-pass inferops.xinference.provision --limit {host}",
}
FILES = {
    "check": "files",
    "severity": "critical",
    "subject": "embed",
    "seen": "model.safetensors has 412 MiB; the hub's index says 1340 MiB.",
    "meaning": "A download was interrupted, and the server takes what is there for the whole file.",
    "remedy": "rm /srv/xinference_data/.cache/huggingface/hub/models--BAAI--bge-m3/blobs/3f1c9d2b",
}
LOG = {
    "check": "log",
    "severity": "critical",
    "subject": "chat",
    "seen": "ImportError: Failed to import xllamacpp: No module named 'xllamacpp'",
    "meaning": "The image lacks the package of this engine.",
    "remedy": "Use an image that has it, such as xprobe/xinference:v4.1.0-cpu.",
}
MEMORY = {
    "check": "memory",
    "severity": "warning",
    "subject": "",
    "seen": "1.2 GiB of 31 GiB are available, and 3.4 GiB of swap are in use.",
    "meaning": "Models whose memory is swapped out answer slowly, and the kernel may kill one at the next launch.",
    "remedy": "Declare fewer models for this host, or give it more memory.",
}
CERTIFICATE = {
    "check": "certificate",
    "severity": "warning",
    "subject": "/etc/xinference-proxy/tls/certificate.pem",
    "seen": "It expires in 9 days.",
    "meaning": "After that, clients refuse the connection.",
    "remedy": "ansible-playbook -i inventory --ask-vault-pass inferops.xinference.provision --tags proxy --limit {host}",
}
THREADS = {
    "check": "threads",
    "severity": "note",
    "subject": "chat, coder",
    "seen": "Together the models use 24 threads; this host has 16 cores.",
    "meaning": "They slow each other down when both are asked at once.",
    "remedy": "Set n_threads of both to 8.",
}
KINDS = (MOUNT, FILES, LOG, MEMORY, CERTIFICATE, THREADS)
CHECKS = [
    "api",
    "backup",
    "bans",
    "certificate",
    "clock",
    "cpu",
    "disk",
    "dns",
    "docker",
    "files",
    "hub",
    "log",
    "memory",
    "mounts",
    "oom",
    "permissions",
    "threads",
    "units",
]
AS_DECLARED: list[dict[str, Any]] = [{"uid": uid, "state": "as declared", "differences": [], "message": ""} for uid in ("chat", "coder", "embed")]
#: A host without findings.
HEALTHY: dict[str, Any] = {
    "time": "2026-11-29T17:20:00Z",
    "severity": "ok",
    "server": "4.1.0",
    "image": "xprobe/xinference:v4.1.0-cpu",
    "findings": [],
    "models": AS_DECLARED,
    "checks": CHECKS,
    "unchecked": [],
}


def diagnosed(name: str, *kinds: dict[str, str], **fields: Any) -> dict[str, Any]:
    """What a host of this name returns that has these findings."""
    findings = [{field: text.replace("{host}", name) for field, text in kind.items()} for kind in kinds]
    worst = min((finding["severity"] for finding in findings), key=("critical", "warning", "note").index, default="ok")
    return {**HEALTHY, "severity": worst, "findings": findings, **fields}


def small() -> dict[str, Any]:
    """Three hosts, the last of them in the worst state."""
    models = [
        {"uid": "chat", "state": "failed", "differences": [], "message": "No module named 'xllamacpp'"},
        {"uid": "coder", "state": "differs", "differences": ["n_ctx: 4096 → 2048"], "message": ""},
        {"uid": "embed", "state": "as declared", "differences": [], "message": ""},
    ]
    unchecked = [{"check": "permissions", "reason": "The audit log of this host cannot be read."}]
    return {
        "web1": diagnosed("web1"),
        "web2": diagnosed("web2", CERTIFICATE),
        "web3": diagnosed("web3", MEMORY, LOG, THREADS, models=models, unchecked=unchecked, time="2026-11-29T17:21:00Z"),
    }


def large(hosts: int, each: int) -> dict[str, Any]:
    """Many hosts, with as many findings each."""
    return {f"web{number}": diagnosed(f"web{number}", *(KINDS[(number + place) % len(KINDS)] for place in range(each))) for number in range(1, hosts + 1)}


def mixed(hosts: int) -> dict[str, Any]:
    """Many hosts, most of them healthy, always the same ones."""
    return {
        f"web{number}": diagnosed(
            f"web{number}", *(kind for place, kind in enumerate(KINDS) if (number * 7 + place * 5) % 13 == 0 or number * (place + 3) % 29 == 0)
        )
        for number in range(1, hosts + 1)
    }
