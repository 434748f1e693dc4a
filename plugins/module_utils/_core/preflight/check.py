# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason why a host cannot become what was declared: a pure function of its facts and the settings. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..host.volumes import check as check_volumes
from . import combined
from .backup import check_backup
from .cluster import check_cluster
from .container import check_container, check_image, check_sizes, check_start, check_texts, check_variables, check_versions
from .host import check_disk, check_docker, check_home, check_machine, check_recovery, declared_volumes
from .models import check_declared_models
from .monitoring import check_monitoring
from .network import check_metrics_port, check_network, check_port
from .proxy import check_proxy
from .settings import Failure, Settings
from .upgrade import check_upgrade
from .users import check_account, check_declared_accounts

__all__ = ["check_host"]


def check_host(host: Mapping[str, Any], settings: Settings) -> list[Failure]:
    """Every reason why the host cannot become what was declared; an empty list when it can.

    :param host: facts as module ``host_info`` returns them.
    :param settings: what was declared.
    """
    return [
        *check_variables(settings),
        *check_container(settings),
        *check_texts(host, settings),
        *check_sizes(settings.values),
        *(Failure("joined", problem, remedy) for problem, remedy in combined.check(settings.values)),
        *check_machine(host, settings),
        *check_docker(host, settings),
        *check_port(host, settings),
        *check_metrics_port(host, settings),
        *check_network(host, settings),
        *check_start(host, settings),
        *check_home(host, settings),
        *check_recovery(host, settings),
        *check_proxy(host, settings, settings.proxy),
        *check_monitoring(settings, settings.monitoring),
        *check_backup(host, settings, settings.backup),
        *check_cluster(host, settings, settings.cluster),
        *check_upgrade(host, settings),
        *check_disk(host, settings),
        *(
            Failure("volumes", problem, remedy)
            for problem, remedy in check_volumes(declared_volumes(settings), settings.data_root, host["paths"], settings.files)
        ),
        *check_image(host, settings),
        *check_versions(settings),
        *check_account(settings),
        *check_declared_accounts(settings),
        *check_declared_models(host, settings),
    ]
