# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a model did not load, from what the server and its engine wrote. Pure. Private to this collection."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..base.messages import one_line

__all__ = ["Cause", "first_cause"]


@dataclass(frozen=True)
class Cause:
    """Why a model did not load.

    :param name: in a few words, such as missing file.
    :param line: that says it.
    :param remedy: what to do about it.
    """

    name: str
    line: str
    remedy: str


#: What a line says, in a few words, and what to do. Those that only follow from others stand last.
_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        "missing package",
        r"ModuleNotFoundError|No module named|ImportError: (?!.*offline)|please install|is not installed",
        "Choose another engine, or an image that has the package.",
    ),
    (
        "damaged file",
        r"invalid magic|not within the file bounds|data is corrupt|corrupted or incomplete|SafetensorError|InvalidHeader|HeaderTooLarge|"
        r"failed to read (?:tensor|header)|MetadataIncompleteBuffer|PytorchStreamReader failed|truncated",
        "Delete the model's files with module cached_models, or copy yours again, and provision.",
    ),
    (
        "missing file",
        r"No such file or directory|FileNotFoundError|does not exist|failed to open GGUF|does not appear to have a file named|no file named|"
        r"cannot find the file",
        "Put the file where the declaration names it, or correct the path.",
    ),
    (
        "processor",
        r"Illegal instruction|SIGILL|signal 4\b",
        "The engine needs instructions that this processor, or its virtual machine, does not offer: choose another engine or host.",
    ),
    (
        "memory",
        r"MemoryError|Cannot allocate memory|can't allocate memory|failed to allocate|unable to allocate|std::bad_alloc|out of memory|"
        r"not enough memory|SIGKILL|signal 9\b|exit(?:ed)? (?:code |with )?-9",
        "Lower n_ctx or replica, choose a smaller quantization, or raise xinference_memory.",
    ),
    (
        "unsupported model",
        r"unknown model architecture|unsupported model architecture|unknown quantization|unsupported quantization|unknown pre-tokenizer|"
        r"[Qq]uantization .* (?:is not supported|not found)|cannot be run on engine|not supported by the engine",
        "Choose another quantization or engine, or an image whose engine knows the model.",
    ),
    (
        "hub unreachable",
        r"Max retries exceeded|NameResolutionError|name resolution|Name or service not known|ConnectionError|ConnectTimeout|LocalEntryNotFoundError|"
        r"outgoing traffic has been disabled|Network is unreachable|Failed to establish a new connection|Read timed out",
        "Let the container reach the hub, name a mirror in xinference_environment, or declare files of your own.",
    ),
    ("port in use", r"[Aa]ddress already in use", "Restart the container; if that does not help, look for what holds the port."),
    ("no permission", r"PermissionError|[Pp]ermission denied|Operation not permitted", "Run provision, which sets owner and modes of the tree again."),
    ("no space", r"No space left on device|disk quota exceeded", "Free space below xinference_data_root."),
)
#: Levels of lines that report no failure: after the time, and in older servers after name and process as well.
_HARMLESS = re.compile(r"^\S+ (?:\S+ )?(?:\S+ +\d+ )?(?:DEBUG|INFO) ")
_KNOWN = tuple((name, re.compile(pattern, re.IGNORECASE), remedy) for name, pattern, remedy in _CAUSES)


def first_cause(lines: Iterable[str]) -> Cause | None:
    """The first line that names a reason of its own; None where none does.

    :param lines: what the server wrote about one launch, in their order.
    """
    for line in lines:
        if _HARMLESS.search(line):
            continue
        for name, pattern, remedy in _KNOWN:
            if pattern.search(line):
                return Cause(name, one_line(line.strip()), remedy)
    return None
