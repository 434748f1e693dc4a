# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbook diagnose, run against a machine of a scenario on which something was broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

SCENARIO = Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", Path(__file__).parents[1] / "proxy"))
#: The file with the models that the scenarios declare. Ansible alone reads all of it.
DECLARED = (SCENARIO.parent / "shared/models.yml").read_text(encoding="utf-8")


class Diagnosed:
    """Runs the playbook.

    :param folder: where it writes its files.
    :param always: variables of all runs.
    """

    def __init__(self, folder: Path, **always: Any) -> None:
        self.folder = folder
        self.always = always
        #: What the run said.
        self.output = ""

    def __call__(self, declared: str = DECLARED, **variables: Any) -> dict[str, Any]:
        """The diagnosis of the only host.

        :param declared: text of a file of variables with the declared models.
        :param variables: of the run, in place of the inventory's.
        """
        self.play("diagnose", declared, xinference_diagnose_directory=str(self.folder), **{**self.always, **variables})
        [found] = json.loads((self.folder / "diagnosis.json").read_text(encoding="utf-8")).values()
        assert isinstance(found, dict)
        return found

    def play(self, playbook: str, declared: str = DECLARED, **variables: Any) -> None:
        """Run a playbook of the collection on the host; parameters as above."""
        models = self.folder / "models.yml"
        models.write_text(declared, encoding="utf-8")
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("--inventory", str(SCENARIO / "inventory.yml"), "--extra-vars", f"@{models}"),
            *("--extra-vars", json.dumps(variables), f"inferops.xinference.{playbook}"),
        ]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        self.output = made.stdout + made.stderr
        assert made.returncode == 0, self.output


def seen(diagnosis: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Check and subject of each finding → what was seen."""
    return {(finding["check"], finding["subject"]): finding["seen"] for finding in diagnosis["findings"]}


@contextmanager
def faults(host: Any) -> Iterator[Callable[[str, str], None]]:
    """Makes a fault by a command, and mends it by another one in the end, the last one first."""
    with ExitStack() as stack:

        def make(command: str, mend: str) -> None:
            stack.callback(host.check_output, mend)
            host.check_output(command)

        yield make


def is_ready(host: Any) -> bool:
    """Whether every declared model answers, and the container is healthy."""
    healthy = host.run("docker inspect --format '{{ .State.Health.Status }}' xinference").stdout.strip() == "healthy"
    return healthy and bool(host.run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9998/ready").stdout == "200")
