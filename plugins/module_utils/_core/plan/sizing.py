# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the declared models fit the host, and engine options that fit it. Private to this collection.

An estimate, in MiB, made of what was measured: the server itself, one process per copy of a model, the weights, and for llama.cpp the
memory of its context, which it takes whole when it loads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from ..base.messages import called
from ..base.sizes import MIB
from ..declaration.fields import AUTO
from ..declaration.gguf import whole_of
from ..declaration.local_files import loaded_besides
from ..declaration.model import DeclaredModel
from ..declaration.specification import chosen, file_names, local_path
from ..observed.limits import Limits
from ..observed.server_files import Files

__all__ = ["Need", "Sizes", "choose_options", "needs", "too_much"]

#: Processes of the server without any model.
SERVER_MIB = 920
#: A process without weights, by engine; each imports its libraries again.
PROCESS_MIB = {"llama.cpp": 460, "transformers": 900}
OTHER_PROCESS_MIB = 700
#: Contexts that automatic options choose from: the first with which everything fits.
CONTEXTS = (4096, 2048, 1024, 512)
#: KiB per token of context up to a size in billions, from the shape of common models of that size with 16-bit keys and values.
_CONTEXT_KIB = ((0.3, 24), (1.0, 112), (4.0, 144), (9.0, 160), (15.0, 200), (40.0, 256), (float("inf"), 320))
#: Where a quantization names its bits: Q4_K_M, UD-Q4_K_XL, i1-IQ3_XXS, TQ2_0, GPTQ-Int4, W4A16; 4-bit; MXFP4_MOE, fp8, nf4, BF16, F32.
_BITS = (
    re.compile(r"(?<![a-z0-9])(?:[it]?q|w?u?int|w)(\d{1,2})(?!\d)", re.IGNORECASE),
    re.compile(r"(?<![\d.])(\d{1,2})(?:\.\d+)?[-_ ]?(?:bits?|bpw)(?![a-z])", re.IGNORECASE),
    re.compile(r"(?:fp|bf|nf|(?<![a-z0-9])f|(?<![a-z])float)(\d{1,2})(?!\d)", re.IGNORECASE),
)
#: Formats and words that stand for bits by themselves.
_FORMAT_BITS = {"fp8": 8, "e4m3": 8, "e5m2": 8, "fp4": 4, "awq": 4, "gptq": 4, "bnb": 4}
#: Numbers of so many bits and fewer have scales.
_WITH_SCALES = 8
#: Endings of weights; of the first kind that a directory has, the others are copies for other engines.
_WEIGHTS = ((".safetensors",), (".bin", ".pt", ".pth"))


class Sizes(Protocol):
    """Who knows the sizes of files that a server sees."""

    def size(self, path: str) -> int | None:
        """Bytes of a file or a directory of the container; None where that is not known."""

    def files(self, path: str) -> Files | None:
        """The files that a path of the container stands for; None where that is not known."""


@dataclass(frozen=True)
class Need:
    """Memory of one model in MiB: for each copy a process, its weights and its context.

    :param uid: the model.
    :param replicas: how many of it.
    :param process: of one replica without its model, in MiB.
    :param weights: of one replica, in MiB; None when neither its files nor its size are known.
    :param context: of one replica, in MiB; 0 for other engines than llama.cpp.
    """

    uid: str
    replicas: int
    process: int
    weights: int | None
    context: int

    @property
    def total(self) -> int:
        """All replicas together."""
        return self.replicas * (self.process + (self.weights or 0) + self.context)

    def __str__(self) -> str:
        """The sum with its parts."""
        parts = [f"process {self.process}", f"weights {'unknown' if self.weights is None else self.weights}"]
        parts += [f"context {self.context}"] if self.context else []
        return f"{self.uid} {self.total} ({f'{self.replicas} times ' if self.replicas > 1 else ''}{' + '.join(parts)})"


def _whole(value: Any) -> int:
    """A number of tokens or slots; 0 for what is none, which the engine will refuse itself."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _entry(model: DeclaredModel) -> Mapping[str, Any]:
    """The entry of the registration that the server takes; empty for a model of the catalogue."""
    registration = model.registration
    return {} if registration is None else chosen(registration, model.given, model.type)


def _billions(model: DeclaredModel) -> float | None:
    size = model.given.get("size_in_billions", _entry(model).get("model_size_in_billions"))
    try:
        return float(str(size).replace("_", "."))
    except ValueError:
        return None


def _bits(quantization: str, form: str = "") -> float:
    """Bits per weight that a quantization stands for, or where it names none the format of the files."""
    for pattern in _BITS:
        found = pattern.search(quantization)
        if found:
            bits = int(found.group(1))
            # The scales of the blocks come on top.
            return bits + 0.8 if bits <= _WITH_SCALES else float(bits)
    words = {word for word in re.split(r"[^a-z0-9]+", f"{quantization} {form}".lower()) if word}
    return next((bits + 0.8 for word, bits in _FORMAT_BITS.items() if word in words), 16.0)


def _in_folder(model: DeclaredModel, files: Files, spec: Mapping[str, Any]) -> int | None:
    """Bytes of the files in a directory that are loaded; the others are of other quantizations, or the same weights for other engines."""
    sizes = files.sizes
    quantization = str(model.given.get("quantization") or spec.get("quantization") or "")
    if model.engine == "llama.cpp" or spec.get("model_format") == "ggufv2":
        names = [part for name in file_names(spec) for part in whole_of(name)] if spec.get("model_format") == "ggufv2" else []
        known = [name for name in names if name in sizes]
        weights = known or [name for name in sizes if name.lower().endswith(".gguf")]
        named = [name for name in weights if quantization and _holds(name, quantization)]
        return sum(sizes[name] for name in (known or named or weights or sizes))
    if model.type in ("LLM", "embedding", "rerank"):
        for endings in _WEIGHTS:
            weights = [name for name in sizes if name.lower().endswith(endings)]
            if weights:
                return sum(sizes[name] for name in weights)
    return sum(sizes.values())


def _holds(name: str, quantization: str) -> bool:
    """Whether a file is named after a quantization: Q4_K_M is in a-Q4_K_M.gguf, and not in a-UD-Q4_K_M_L.gguf."""
    return re.search(rf"(?<![a-z0-9_]){re.escape(quantization.lower())}(?![a-z0-9_])", name.lower()) is not None


def _measured(model: DeclaredModel, server_files: Sizes, path: str, spec: Mapping[str, Any]) -> int | None:
    """Bytes of the weights at a path, all parts of a split GGUF together; None where this host does not see them."""
    sizes: list[int] = []
    for part in whole_of(path):
        files = server_files.files(part)
        if files is None:
            continue
        sizes.append(files.sizes[""] if "" in files.sizes else _in_folder(model, files, spec) or 0)
    return sum(sizes) if sizes else None


def _weights(model: DeclaredModel, server_files: Sizes) -> int | None:
    """Size of the weights in MiB: of the files that this host sees, else from size and quantization. What is loaded besides counts where it is seen."""
    spec = _entry(model)
    path = model.given.get("path") or local_path(spec.get("model_uri"))
    size = None if path is None else _measured(model, server_files, path, spec)
    if size is None:
        billions = _billions(model)
        quantization = str(model.given.get("quantization") or spec.get("quantization") or "")
        form = str(model.given.get("format") or spec.get("model_format") or "")
        size = None if billions is None else int(billions * 1e9 * _bits(quantization, form) / 8)
    if size is None:
        return None
    more = (server_files.size(place) for field_name, place in dict.fromkeys(loaded_besides(model)))
    return (size + sum(found or 0 for found in more)) // MIB


def _need(model: DeclaredModel, server_files: Sizes) -> Need:
    engine = model.engine
    context = 0
    if engine == "llama.cpp" and model.type == "LLM":
        options = model.options
        tokens = _whole(options.get("n_ctx")) or _whole(options.get("context_length")) * (_whole(options.get("n_parallel")) or 1)
        tokens = tokens or _whole((model.registration or {}).get("context_length")) or CONTEXTS[0]
        per_token = next(kib for billions, kib in _CONTEXT_KIB if (_billions(model) or 1.0) <= billions)
        context = tokens * per_token // 1024
    return Need(model.uid, int(model.given.get("replica", 1)), PROCESS_MIB.get(engine, OTHER_PROCESS_MIB), _weights(model, server_files), context)


def needs(models: Sequence[DeclaredModel], server_files: Sizes) -> list[Need]:
    """What each model that should run needs."""
    return [_need(model, server_files) for model in models if model.state == "present"]


def too_much(models: Sequence[DeclaredModel], limits: Limits, server_files: Sizes, names: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """One sentence with the whole sum when the declared models cannot fit the memory, else nothing.

    :param names: what options are called, as of :func:`~.base.messages.called`.
    """
    found = needs(models, server_files)
    total = SERVER_MIB + sum(need.total for need in found)
    if total <= limits.memory_mib or not found:
        return []
    parts = " + ".join([f"server {SERVER_MIB}", *map(str, found)])
    return [
        f"{called('models', names)}: they need about {total} MiB of memory, but the server has {limits.memory_mib}: {parts}."
        " Declare fewer replicas or smaller contexts (engine_options n_ctx), give the server more memory, or set"
        f" {called('check_memory', names)} to false."
    ]


def choose_options(models: Sequence[DeclaredModel], limits: Limits, server_files: Sizes) -> list[DeclaredModel]:
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
        if not too_much(resolved, limits, server_files):
            return resolved
    return resolved
