# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall rules of this host. Standard library only. Private to this collection."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..base.bounded import read_regular
from .client_environment import Run
from .paths import files_below
from .units import unit_facts

__all__ = ["firewall_facts"]


def _marks(listed: str, comment: str) -> list[str]:
    """Chain, comment and target of each rule that has a comment of ours, sorted.

    :param listed: what ``iptables --list-rules`` printed.
    :param comment: that ours begin with.
    """
    found = []
    for line in listed.splitlines():
        words = shlex.split(line)
        after = dict(zip(words, words[1:]))
        if after.get("--comment", "").partition(":")[0] == comment and "-A" in after:
            found.append(f"{after['-A']} {after['--comment']} {after.get('-j', '')}")
    return sorted(found)


def firewall_facts(units: Sequence[str], comment: str, directory: str, run: Run, root: Path = Path("/")) -> dict[str, Any]:
    """The firewall rules of this host that units keep.

    :param units: names of the units; the first sets the rules, and the last is the timer that has them checked.
    :param comment: of the rules, which may go on behind a colon.
    :param directory: with the files that the first unit reads.
    :param run: runs a command.
    :param root: where the host's file system begins.
    :returns: ``units``, ``enabled``, ``active`` and ``behind`` as of a service, ``timer`` (whether it runs, and at every boot), ``files`` (content of those in
        the directory, by name), ``rules`` (by IP family that this host has, chain, comment and target of each rule in the table mangle, sorted; None where
        they cannot be read).
    """
    place = root / directory.lstrip("/")
    files: dict[str, str] = {}
    for file in files_below(place, "*"):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            files[file.name] = read_regular(file)
    found: dict[str, list[str] | None] = {}
    for family, command in (("ipv4", "iptables"), ("ipv6", "ip6tables")):
        if family == "ipv6" and not _has_ipv6(root):
            continue
        program = root / "usr/sbin" / command
        found[family] = None
        if os.access(program, os.X_OK):
            status, listed, _error = run([str(program), "--wait", "5", "--table", "mangle", "--list-rules"])
            found[family] = None if status else _marks(listed, comment)
    timer = root / "etc/systemd/system/timers.target.wants" / units[-1]
    # Of a timer, systemd leaves no mark that could be read.
    runs = timer.is_symlink() and run([str(root / "usr/bin/systemctl"), "is-active", "--quiet", units[-1]])[0] == 0
    return {
        **unit_facts(units, root, files_below(place, "*"), run=run),
        "timer": runs,
        "files": files,
        "rules": found,
    }


def _has_ipv6(root: Path) -> bool:
    """Whether the kernel of this host has IPv6 switched on."""
    try:
        return bool((root / "proc/net/if_inet6").read_text(encoding="ascii").strip())
    except OSError:
        return False
