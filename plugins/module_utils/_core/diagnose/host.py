# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the machine: memory, swap, processor, disk, clock, network. Pure. Private to this collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..base.sizes import MIB
from ..declaration.model import DeclaredModel
from ..declaration.threads import too_many_threads
from .container import Inside
from .evidence import Evidence, Room
from .finding import CRITICAL, NOTE, WARNING, Finding

__all__ = ["check_clock", "check_disk", "check_hub", "check_memory", "check_processor", "check_units"]

#: Hundredths of a limit from which memory counts as nearly used up, and of the machine below which too little is free.
_NEARLY_FULL, _TOO_LITTLE = 92, 4
#: Pages a second from which a machine counts as swapping: 4 MiB.
_SWAPPING = 1000.0
#: Hundredths of swap in use that are worth a note.
_SWAP_USED = 25
#: Hundredths of a file system that are free, below which it is nearly full, and full.
_FEW, _FEWEST = 10, 3
#: Seconds that two clocks may differ: tokens and certificates are tolerant of that.
_CLOCKS = 60.0
_ADVISED = "Lower n_ctx or replica of a model, choose a smaller quantization, or use a larger host."


def check_memory(facts: Mapping[str, Any], evidence: Evidence, name: str) -> list[Finding]:
    """Memory of container and machine, swap, and what was killed for it.

    :param facts: of the host.
    :param evidence: what was read of it.
    :param name: of the container.
    """
    found = []
    memory, host = facts["memory"], evidence.host
    if evidence.memory is not None:
        used, limit = evidence.memory
        if used * 100 > limit * _NEARLY_FULL:
            seen = f"The container uses {used // MIB} MiB of the {limit // MIB} MiB that it may use."
            found.append(Finding("memory", WARNING, name, seen, "With more requests the kernel kills one of its processes.", _ADVISED))
    if memory["total_mib"] and memory["available_mib"] * 100 < memory["total_mib"] * _TOO_LITTLE:
        seen = f"The machine has {memory['available_mib']} MiB of {memory['total_mib']} MiB of memory left."
        found.append(Finding("memory", WARNING, "host", seen, "The kernel may kill any process, Docker's as well.", _ADVISED))
    if host.swapped_pages > _SWAPPING:
        seen = f"The machine is swapping: {host.swapped_pages * 4 / 1024:.1f} MiB a second."
        found.append(Finding("swap", CRITICAL, "host", seen, "A model whose weights are swapped answers many times slower.", _ADVISED))
    elif memory["swap_mib"] and host.swap_used_mib * 100 > memory["swap_mib"] * _SWAP_USED:
        seen = f"{host.swap_used_mib} MiB of {memory['swap_mib']} MiB of swap are in use."
        found.append(Finding("swap", NOTE, "host", seen, "The memory was used up before; it is not swapping now.", ""))
    killed = evidence.deaths.killed if evidence.deaths is not None else 0
    if killed:
        seen = (
            f"{killed} {'process' if killed == 1 else 'processes'} of the container {'was' if killed == 1 else 'were'} killed because its memory was used up."
        )
        meaning = "A model went down in the middle of its work; the recovery service launches it again."
        found.append(Finding("oom", WARNING, name, seen, meaning, _ADVISED))
    if host.killed:
        names = ", ".join(f"{process} ({count})" if count > 1 else process for process, count in sorted(Counter(host.killed).items()))
        seen = f"Within the last day the kernel killed processes because memory was used up: {names}."
        found.append(Finding("oom", WARNING, "host", seen, "What went down may not have come back.", _ADVISED))
    return found


def check_processor(facts: Mapping[str, Any], flags: Collection[str], models: Sequence[DeclaredModel], cores: float) -> list[Finding]:
    """What engines need of the processor, and whether models ask for more threads than there are cores.

    :param facts: of the host.
    :param flags: what the processor can do; empty where that is not known.
    :param models: that are to run.
    :param cores: processor cores that the container may use.
    """
    found = []
    if flags and "avx2" not in flags and facts["architecture"] in ("x86_64", "amd64"):
        seen = "The processor, or the virtual machine, does not offer AVX2."
        meaning = "llama.cpp and PyTorch end with an illegal instruction, or are several times slower."
        found.append(Finding("processor", CRITICAL, "host", seen, meaning, "Let the virtual machine have the host's processor, or use another host."))
    for each in too_many_threads(models, cores):
        found.append(Finding("threads", WARNING if each.uid else NOTE, each.uid, each.seen, each.meaning, each.remedy))
    return found


def _nearly(room: Room) -> tuple[str, str]:
    """Severity and words where a file system is nearly full; empty where it is not."""
    for total, free, what in ((room.total_mib, room.free_mib, "MiB"), (room.inodes, room.free_inodes, "inodes")):
        if total and free * 100 < total * _FEW:
            return (CRITICAL if free * 100 < total * _FEWEST else WARNING), f"{free} of {total} {what}"
    return "", ""


def check_disk(evidence: Evidence) -> list[Finding]:
    """Room and inodes."""
    found = []
    for path, room in evidence.host.rooms.items():
        severity, words = _nearly(room)
        if severity:
            remedy = "Remove models' files that nothing needs (xinference_models_remove_cached), old images (docker image prune), or use a larger disk."
            found.append(Finding("disk", severity, path, f"The file system of {path} has only {words} left.", "Downloads fail, and databases may.", remedy))
    return found


def check_clock(evidence: Evidence) -> list[Finding]:
    """Whether the clock is right."""
    host, found = evidence.host, []
    if abs(host.clock_ahead) > _CLOCKS:
        seen = f"The clock of this host is {abs(host.clock_ahead):.0f} s {'ahead of' if host.clock_ahead > 0 else 'behind'} that of the controller."
        meaning = "Tokens and certificates count as expired, or as not valid yet."
        found.append(Finding("clock", CRITICAL, "host", seen, meaning, "Set up time synchronization, such as with package chrony."))
    elif host.synchronized is False:
        seen = "The clock is not synchronized."
        found.append(Finding("clock", NOTE, "host", seen, "It will drift away from others.", "Set up time synchronization, such as with package chrony."))
    return found


def check_hub(inside: Inside | None, missing: Sequence[str]) -> list[Finding]:
    """Whether the hub can be reached that models must be downloaded from.

    :param inside: what the container sees.
    :param missing: models whose files are not there.
    """
    if inside is None or not missing or not inside.hub_trouble:
        return []
    seen = f"The container cannot reach the hub {inside.hub} at {inside.hub_place}: {inside.hub_trouble.rstrip('.')}."
    meaning = f"Files of {', '.join(missing)} cannot be downloaded."
    return [Finding("hub", CRITICAL, inside.hub_place, seen, meaning, "Check DNS and firewall, name a mirror in xinference_environment, or copy the files.")]


def check_units(evidence: Evidence) -> list[Finding]:
    """Units of the collection that failed, by what systemd says."""
    found = []
    for unit, state in evidence.host.units.items():
        if state["ActiveState"] == "failed":
            seen = f"Unit {unit} has failed ({state['Result']})."
            found.append(
                Finding(
                    "units",
                    CRITICAL if "models" in unit else WARNING,
                    unit,
                    seen,
                    "",
                    f"Look for the reason with journalctl -u {unit}, and then run systemctl restart {unit}.",
                )
            )
    return found
