# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a run, for the module and for the service alike."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.base.errors import DeclarationError
from ansible_collections.inferops.xinference.plugins.module_utils._core.reconcile.options import files_of, reconcile_options
from ansible_collections.inferops.xinference.plugins.modules.models import argument_spec


def options(**given: Any) -> dict[str, Any]:
    """The defaults of module ``models``, with some options given."""
    return {**{name: option.get("default") for name, option in argument_spec().items()}, **given}


def test_the_defaults() -> None:
    run_options = reconcile_options(options())
    assert (run_options.check, run_options.waiting.wait, run_options.waiting.timeout, run_options.waiting.at_once) == (False, True, 1800.0, 1)
    assert (run_options.choices.exclusive, run_options.choices.on_drift) == (False, "relaunch")
    assert run_options.deaths() is None
    assert run_options.engine_errors(0) == []
    assert run_options.file.load() == {}


def test_every_option_has_its_place() -> None:
    given = {"exclusive": True, "on_drift": "report", "autostart": False, "wait": False, "wait_timeout": 5.0, "wait_sleep": 0.5, "max_concurrent_launches": 3}
    more = {"smoke_test": "all", "smoke_test_timeout": 7.0, "download": "only", "check_memory": False, "cores": 2.0, "memory_mib": 4096}
    run_options = reconcile_options(options(**given, **more), check=True)
    assert (run_options.choices.exclusive, run_options.choices.on_drift, run_options.choices.autostart) == (True, "report", False)
    waiting = run_options.waiting
    assert (waiting.wait, waiting.timeout, waiting.sleep, waiting.at_once, waiting.smoke, waiting.answer) == (False, 5.0, 0.5, 3, "all", 7.0)
    assert (run_options.check, run_options.download, run_options.check_memory, run_options.cores, run_options.memory_mib) == (True, "only", False, 2.0, 4096)


def test_the_workers_of_a_cluster() -> None:
    assert reconcile_options(options()).workers == ()
    assert reconcile_options(options(workers=["worker-1", "worker-2"])).workers == ("worker-1", "worker-2")


@pytest.mark.parametrize("older", [{}, {"workers": None}])
def test_a_declaration_that_an_earlier_version_stored_has_no_workers(older: dict[str, Any]) -> None:
    stored = {name: value for name, value in options().items() if name != "workers"}
    assert reconcile_options({**stored, **older}).workers == ()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"wait_timeout": -1.0}, "wait_timeout '-1' is too small; it must be at least 0."),
        ({"max_concurrent_launches": 0}, "max_concurrent_launches '0' is too small; it must be at least 1."),
        ({"mounts": {"models": "/srv"}}, "mounts 'models: /srv' must hold two absolute paths, in the container and on this host."),
        ({"home": "root"}, "home 'root' must be an absolute path in the container."),
    ],
)
def test_what_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        reconcile_options(options(**given))
    assert words in str(refused.value)


def test_the_files_of_a_server() -> None:
    home, file = files_of(options(mounts={"/models": "/srv/models"}, state_path="/var/lib/x/launched.json"))
    assert str(home.on_host("/models/a.gguf")) == "/srv/models/a.gguf"
    assert str(file.path) == "/var/lib/x/launched.json"
