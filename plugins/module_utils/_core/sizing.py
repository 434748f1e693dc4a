# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the declared models fit the host, and engine options that fit it. Private to this collection.

An estimate, in MiB, made of what was measured: the server itself, one process per copy of a model, the weights, and for llama.cpp the
memory of its context, which it takes whole when it loads.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .declared import AUTO, DeclaredModel
from .home import Home
from .registered import uris

__all__ = ["Limits", "Need", "choose_options", "needs", "too_much"]

#: Processes of the server without any model.
SERVER_MIB = 920
#: A process without weights, by engine; each imports its libraries anew.
PROCESS_MIB = {"llama.cpp": 460, "transformers": 900}
OTHER_PROCESS_MIB = 700
#: Contexts that automatic options choose from: the first with which everything fits.
CONTEXTS = (4096, 2048, 1024, 512)
#: KiB per token of context up to a size in billions, from the shape of common models of that size with 16-bit keys and values.
_CONTEXT_KIB = ((0.3, 24), (1.0, 112), (4.0, 144), (9.0, 160), (15.0, 200), (40.0, 256), (float("inf"), 320))
_BITS = re.compile(r"(?:i?q|int|w)(\d)", re.IGNORECASE)
_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What the server may use.

    :param cores: processor cores.
    :param memory_mib: memory in MiB.
    """

    cores: float
    memory_mib: int


@dataclass(frozen=True)
class Need:
    """Memory of one model in MiB: for each copy a process, its weights and its context.

    :param weights: None when neither its files nor its size are known.
    """

    uid: str
    copies: int
    process: int
    weights: int | None
    context: int

    @property
    def total(self) -> int:
        """All copies together."""
        return self.copies * (self.process + (self.weights or 0) + self.context)

    def __str__(self) -> str:
        """The sum with its parts."""
        parts = [f"process {self.process}", f"weights {'unknown' if self.weights is None else self.weights}"]
        parts += [f"context {self.context}"] if self.context else []
        return f"{self.uid} {self.total} ({f'{self.copies} times ' if self.copies > 1 else ''}{' + '.join(parts)})"


def _whole(value: Any) -> int:
    """A number of tokens or slots; 0 for what is none, which the engine will refuse itself."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _billions(model: DeclaredModel) -> float | None:
    try:
        return float(str(model.given["size_in_billions"]).replace("_", "."))
    except (KeyError, ValueError):
        return None


def _bits(model: DeclaredModel) -> float:
    """Bits per weight that the quantization stands for."""
    text = str(model.given.get("quantization"))
    found = _BITS.match(text)
    if found:
        # The scales of the blocks come on top.
        return int(found.group(1)) + 0.8
    return 32.0 if "32" in text else 16.0


def _weights(model: DeclaredModel, home: Home) -> int | None:
    """Size of the weights: of the files that this host sees, else from size and quantization."""
    registration = model.registration
    places = [model.given["path"]] if model.given.get("path") else uris(registration)[:1] if registration else []
    for place in places:
        size = home.size(place[len("file://") :] if place.startswith("file://") else place)
        if size is not None:
            return size // _MIB
    billions = _billions(model)
    return None if billions is None else int(billions * 1e9 * _bits(model) / 8 / _MIB)


def _need(model: DeclaredModel, home: Home) -> Need:
    engine = str(model.given.get("engine", "")).lower()
    context = 0
    if engine == "llama.cpp" and model.type == "LLM":
        options = model.options
        tokens = _whole(options.get("n_ctx")) or _whole(options.get("context_length")) * (_whole(options.get("n_parallel")) or 1)
        tokens = tokens or _whole((model.registration or {}).get("context_length")) or CONTEXTS[0]
        per_token = next(kib for billions, kib in _CONTEXT_KIB if (_billions(model) or 1.0) <= billions)
        context = tokens * per_token // 1024
    return Need(model.uid, int(model.given.get("replica", 1)), PROCESS_MIB.get(engine, OTHER_PROCESS_MIB), _weights(model, home), context)


def needs(models: Sequence[DeclaredModel], home: Home) -> list[Need]:
    """What each model that shall run needs."""
    return [_need(model, home) for model in models if model.state == "present"]


def too_much(models: Sequence[DeclaredModel], limits: Limits, home: Home) -> list[str]:
    """One sentence with the whole sum when the declared models cannot fit the memory, else nothing."""
    found = needs(models, home)
    total = SERVER_MIB + sum(need.total for need in found)
    if total <= limits.memory_mib or not found:
        return []
    parts = " + ".join([f"server {SERVER_MIB}", *map(str, found)])
    return [
        f"models: they need about {total} MiB of memory, but the server has {limits.memory_mib}: {parts}."
        " Declare fewer copies or smaller contexts (engine_options n_ctx), give the server more memory, or set check_memory to false."
    ]


def choose_options(models: Sequence[DeclaredModel], limits: Limits, home: Home) -> list[DeclaredModel]:
    """The models with options in place of ``auto``: threads as many as cores, and the largest context with which everything fits.

    The context of one model does not depend on the others as long as memory suffices for the largest, so that adding a model does
    not change those that run.
    """

    def chosen(model: DeclaredModel, context: int) -> DeclaredModel:
        if model.given.get("engine_options") != AUTO:
            return model
        longest = (model.registration or {}).get("context_length")
        tokens = min(context, longest) if isinstance(longest, int) and longest > 0 else context
        options: dict[str, Any] = {"n_ctx": tokens, "n_parallel": 1, "n_threads": max(1, int(limits.cores))}
        return DeclaredModel(model.uid, model.state, {**model.given, "engine_options": options})

    for context in CONTEXTS:
        resolved = [chosen(model, context) for model in models]
        if not too_much(resolved, limits, home):
            return resolved
    return resolved
