# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hit a provisioned test machine in every way, and see each time that all comes back without anybody.

The machine is the one of Molecule's scenario ``recovery``, which finds its settings in the environment. Writes build/faults.json, and the table in
docs/reliability.md with ``--table``. Ends with 1 where a model stayed away or a file was lost, and with 2 where it cannot begin.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from faults import FAULTS, Case
from host import ROOT, Broken, Host

NAME = "xinference-molecule-recovery"
FOLDER = ROOT / "build/faults"
RESULTS = ROOT / "build/faults.json"
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- faults: written by make faults -->", "<!-- end of faults -->"
#: Seconds in which everything must be back; a server alone takes about 35, and much longer where other tests run beside it.
TIMEOUT = 900.0
VERSION = os.environ.get("XINFERENCE_TEST_VERSION", "4.1.0")


class _Unsafe(str):
    """A text that Ansible should not take for a template."""

    __slots__ = ()


class _Loader(yaml.SafeLoader):
    """Reads Ansible's tag for such texts."""


class _Dumper(yaml.SafeDumper):
    """Writes it."""


def _unsafe(loader: _Loader, node: yaml.ScalarNode) -> _Unsafe:
    return _Unsafe(loader.construct_scalar(node))


_Loader.add_constructor("!unsafe", _unsafe)
_Dumper.add_representer(_Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"'))


def variables(changes: dict[str, Any]) -> dict[str, Any]:
    """The scenario's models, with what a fault changes of them, and of the image."""
    declared: dict[str, Any] = yaml.load((ROOT / "molecule/shared/models.yml").read_text(encoding="utf-8"), _Loader)
    for model in declared["xinference_models"]:
        model["state"] = changes.get("fault_states", {}).get(model["uid"], model.get("state", "present"))
        if model["uid"] == "chat" and "fault_context" in changes:
            model["engine_options"]["n_ctx"] = changes["fault_context"]
    return {**declared, **changes.get("image", {})}


def converge(changes: dict[str, Any], playbook: str = "provision") -> subprocess.Popen[str]:
    """Begin to provision the machine, or another playbook."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    given = FOLDER / "variables.yml"
    given.write_text(yaml.dump(variables(changes), Dumper=_Dumper), encoding="utf-8")
    command = (Path(sys.executable).parent / "ansible-playbook", "--inventory", ROOT / "molecule/recovery/inventory.yml", "--limit", NAME)
    return subprocess.Popen(
        (*command, "--extra-vars", f"@{given}", f"inferops.xinference.{playbook}"), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT
    )


def hit(host: Host, name: str) -> dict[str, Any]:
    """One fault and what became of it."""
    case = Case(host, converge)
    row: dict[str, Any] = {"server": VERSION, "fault": name, "seconds": None, "tries": None, "verdict": "failed", "lost": [], "reason": ""}
    try:
        before = host.files()
        begun = FAULTS[name](case)
        answer = host.until_ready(case.uids, TIMEOUT)
        if answer["ready"] is None:
            raise Broken(str(answer["reason"]))
        row.update(seconds=round(max(answer["ready"] - begun, 0.0), 1), tries=host.launches(begun))
        after = host.files()
        row["lost"] = sorted(path for path, digest in before.items() if after.get(path) != digest)
        row["verdict"] = "failed" if row["lost"] else "passed"
        row["reason"] = f"lost {', '.join(row['lost'])}" if row["lost"] else ""
    except (Broken, subprocess.SubprocessError) as error:
        row["reason"] = str(error)
    return row


def known() -> list[dict[str, Any]]:
    """The rows of earlier runs."""
    return list(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.exists() else []


def keep(row: dict[str, Any]) -> None:
    """Put a row into the results, in place of an older one."""
    rows = [old for old in known() if (old["server"], old["fault"]) != (row["server"], row["fault"])] + [row]
    order = list(FAULTS)
    rows.sort(key=lambda each: (each["server"], order.index(each["fault"]) if each["fault"] in order else len(order)))
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def table(rows: list[dict[str, Any]]) -> str:
    """The results in Markdown: a line for each fault, a column for each server."""
    servers = sorted({row["server"] for row in rows}, key=lambda version: [int(number) for number in version.split(".")], reverse=True)
    found = {(row["server"], row["fault"]): row for row in rows}

    def cell(server: str, fault: str) -> str:
        row = found.get((server, fault))
        if row is None:
            return "not run"
        return f"{row['seconds']:.0f} s, {row['tries']} launched" if row["verdict"] == "passed" else f"FAILED: {row['reason'][:80]}"

    lines = ["| what happens | " + " | ".join(servers) + " |", "|---" * (len(servers) + 1) + "|"]
    for name, fault in FAULTS.items():
        cells = " | ".join(cell(server, name) for server in servers)
        lines.append(f"| `{name}`: {(fault.__doc__ or '').splitlines()[0]} | {cells} |")
    return "\n".join(lines)


def write_table() -> None:
    """Put the table into its page."""
    before, _begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _old, _end, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(known())}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--as-it-is", action="store_true", help="take the machine as provisioned and begin at once")
    parser.add_argument("--table", action="store_true", help="write the table in docs/reliability.md as well")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"all of them, or any of {', '.join(FAULTS)}")
    chosen = parser.parse_args()
    wrong = [name for name in chosen.faults if name not in FAULTS]
    if wrong:
        print(f"faults: there is no fault '{wrong[0]}'; there are: {', '.join(FAULTS)}", file=sys.stderr)
        return 2
    inventory = yaml.safe_load((ROOT / "molecule/recovery/inventory.yml").read_text(encoding="utf-8"))
    host = Host(NAME, inventory["xinference"]["hosts"][NAME]["xinference_admin_password"])
    failed = 0
    try:
        # Every fault begins with a machine on which all is well.
        if not chosen.as_it_is:
            Case(host, converge).declare()
        for name in chosen.faults or list(FAULTS):
            begun = time.monotonic()
            row = hit(host, name)
            keep(row)
            spent = time.monotonic() - begun
            seconds = f"ready after {row['seconds']:.1f} s, {row['tries']} launched" if row["seconds"] is not None else "not ready"
            print(f"{VERSION:8} {name:24} {row['verdict']:7} {seconds} ({spent:.0f} s in all) {row['reason']}", flush=True)
            failed += row["verdict"] != "passed"
            if name in ("power_cut_at_converge", "model_absent") or row["verdict"] != "passed":
                Case(host, converge).declare()
    except Broken as error:
        print(f"faults: cannot go on: {error}", file=sys.stderr)
        return 2
    finally:
        if chosen.table:
            write_table()
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
