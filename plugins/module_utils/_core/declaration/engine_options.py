# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of engines that take a misspelt one in silence. Private to this collection.

A server answers 200 to an option of llama.cpp that does not exist, or whose value it cannot set, and writes one line into its log. So the
names and values are known here: the attributes of ``xllamacpp.CommonParams`` that mean something to a server, and what Xinference itself
reads. Transformers and sentence_transformers take what they do not know in silence, too; of these only names that look misspelt are refused,
because models bring options of their own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..base.compare import same_value
from ..base.messages import LARGEST, called, is_place, nearest, not_whole, other_spelling, shown

__all__ = ["LLAMA_CPP", "check_options", "ignored_options", "without_effect"]

#: Arguments of a launch that choose workers and devices; the server reads them itself, whatever the engine.
_PLACEMENT = ("gpu_idx", "replica_config", "virtual_env_find_links")
#: Whole numbers and the least that each may be.
_WHOLE = {
    "n_ctx": 1,
    "context_length": 1,
    "n_parallel": 1,
    "n_threads": 1,
    "n_threads_http": 1,
    "n_batch": 1,
    "n_ubatch": 1,
    "n_predict": -2,
    "n_keep": -1,
    "n_gpu_layers": -1,
    "n_worker": 1,
    "main_gpu": 0,
    "n_cache_reuse": 0,
    "n_ctx_checkpoints": 0,
    "n_outputs_max": 0,
    "checkpoint_min_step": -1,
    "cache_ram_mib": -1,
    "moe_cache_size": 0,
    "kv_unified_per_slot": 0,
    "mtmd_batch_max_tokens": 1,
    "fit_params_min_ctx": 1,
    "grp_attn_n": 1,
    "grp_attn_w": 1,
    "yarn_orig_ctx": 0,
    "num_speculative_tokens": 1,
    "image_min_tokens": -1,
    "image_max_tokens": -1,
    "embd_normalize": -1,
    "enable_reasoning": -1,
    "sleep_idle_seconds": -1,
    "timeout_read": 1,
    "timeout_write": 1,
    "verbosity": 0,
    "control_vector_layer_start": -1,
    "control_vector_layer_end": -1,
    "n_gqa": 1,
    "cpuparams.poll": 0,
    "cpuparams_batch.poll": 0,
    "speculative.draft.n_max": 0,
    "speculative.draft.n_min": 0,
    "speculative.draft.n_gpu_layers": -1,
    "sampling.top_k": 0,
    "sampling.n_prev": 0,
    "sampling.n_probs": 0,
    "sampling.min_keep": 0,
    "sampling.penalty_last_n": -1,
    "sampling.mirostat": 0,
    "sampling.dry_allowed_length": 0,
    "sampling.dry_penalty_last_n": -1,
    "sampling.reasoning_budget_tokens": -1,
    "sampling.seed": 0,
}
#: The one that is kept without a sign.
_MOST = {"sampling.seed": 2**32 - 1}
_SWITCHES = (
    *("warmup", "cont_batching", "ctx_shift", "swa_full", "kv_unified", "no_kv_offload", "no_op_offload", "no_extra_bufts", "no_host", "no_perf"),
    *("check_tensors", "use_jinja", "use_mmap", "use_mlock", "embedding", "special", "escape", "prefill_assistant", "lora_init_without_apply"),
    *("cache_prompt", "cache_idle_slots", "mmproj_use_gpu", "no_mmproj", "enable_chat_template", "reasoning_content", "no_alloc", "parse_special"),
    *("endpoint_slots", "endpoint_props", "endpoint_metrics", "offline", "fit_params", "enable_thinking", "flash_attn", "force_pure_content_parser"),
    *("cpuparams.strict_cpu", "cpuparams_batch.strict_cpu", "preserve_reasoning_specified", "load_mtp", "enable_mtp", "sampling.ignore_eos"),
    *("sampling.backend_sampling", "sampling.timing_per_token", "sampling.reasoning_control"),
)
_NUMBERS = (
    *("rope_freq_base", "rope_freq_scale", "yarn_ext_factor", "yarn_attn_factor", "yarn_beta_fast", "yarn_beta_slow", "slot_prompt_similarity"),
    *("sampling.temp", "sampling.top_p", "sampling.min_p", "sampling.typ_p", "sampling.penalty_repeat", "sampling.penalty_freq"),
    *("sampling.penalty_present", "sampling.dynatemp_range", "sampling.dynatemp_exponent", "sampling.xtc_probability", "sampling.xtc_threshold"),
    *("sampling.dry_multiplier", "sampling.dry_base", "sampling.mirostat_tau", "sampling.mirostat_eta", "sampling.adaptive_target"),
    *("sampling.adaptive_decay", "speculative.draft.p_min", "speculative.draft.p_split", "video_fps"),
)
_TEXTS = (
    *("chat_template", "system_prompt", "slot_save_path", "media_path", "mmproj_device", "embd_out", "embd_sep", "cls_sep", "tensor_buft_overrides"),
    *("draft_model_path", "draft_quantization", "mmproj.path", "speculative.draft.mparams.path", "sampling.samplers", "sampling.grammar.grammar"),
    "sampling.reasoning_budget_message",
)
#: Lists and dictionaries; their values are checked by the engine.
_OTHERS = ("model_alias", "model_tags", "tensor_split", "cpuparams.cpumask", "cpuparams_batch.cpumask", "fit_params_target", "speculative.types")
_CACHE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30}
_PRIORITIES = {"low": -1, "normal": 0, "medium": 1, "high": 2, "realtime": 3}
#: Enumerations, which the engine takes as numbers only; a text is ignored in silence.
_ENUMERATIONS: dict[str, dict[str, int]] = {
    "cache_type_k": _CACHE_TYPES,
    "cache_type_v": _CACHE_TYPES,
    "speculative.draft.cache_type_k": _CACHE_TYPES,
    "speculative.draft.cache_type_v": _CACHE_TYPES,
    "flash_attn_type": {"auto": -1, "off": 0, "on": 1},
    "numa": {"disabled": 0, "distribute": 1, "isolate": 2, "numactl": 3, "mirror": 4},
    "load_mode": {"auto": -1, "none": 0, "mmap": 1, "mlock": 2, "mmap+mlock": 3, "direct_io": 4},
    "lazy_mode": {"off": 0, "auto": 1, "on": 2},
    "split_mode": {"none": 0, "layer": 1, "row": 2, "tensor": 3},
    "rope_scaling_type": {"unspecified": -1, "none": 0, "linear": 1, "yarn": 2, "longrope": 3},
    "pooling_type": {"unspecified": -1, "none": 0, "mean": 1, "cls": 2, "last": 3, "rank": 4},
    "attention_type": {"unspecified": -1, "causal": 0, "non-causal": 1},
    "reasoning_format": {"none": 0, "auto": 1, "deepseek-legacy": 2, "deepseek": 3},
    "cpuparams.priority": _PRIORITIES,
    "cpuparams_batch.priority": _PRIORITIES,
}
#: Options that exist and are always overwritten, or cannot be set from outside, and what to use instead.
_USELESS = {
    "cpuparams.n_threads": "n_threads",
    "cpuparams_batch.n_threads": "n_threads",
    "mmproj": "mmproj.path",
    "speculative": "speculative.draft.n_max",
    "sampling.grammar": "sampling.grammar.grammar",
}
#: Every option of llama.cpp that a server does not ignore.
LLAMA_CPP = frozenset({*_WHOLE, *_SWITCHES, *_NUMBERS, *_TEXTS, *_OTHERS, *_ENUMERATIONS, *_PLACEMENT, "default_template_kwargs"})
_NUMERAL = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)
_TORCH_TYPES = ("float16", "bfloat16", "float32")
#: Options that Xinference reads for engines that ignore others, by model type and engine in lower case.
_READ = {
    ("LLM", "transformers"): frozenset(
        {
            *("torch_dtype", "device", "max_num_seqs", "enable_tensorizer", "reasoning_content", "quantization_config", "context_length", "revision"),
            *("trust_remote_code", "enable_flash_attn", "min_pixels", "max_pixels", "max_slice_nums", "gptq_ckpt", "gptq_wbits", "gptq_groupsize"),
            *("gptq_act_order", "enable_mtp", "draft_model_path", "draft_quantization", "num_speculative_tokens", "n_worker", *_PLACEMENT),
        }
    ),
    ("embedding", "sentence_transformers"): frozenset(
        {"torch_dtype", "dimensions", "batch_size", "batch_interval", "enable_flash_attn", "trust_remote_code", "device", "n_worker", *_PLACEMENT}
    ),
}
#: Options that some engine has.
_ANYWHERE = (*sorted(LLAMA_CPP), *sorted(frozenset().union(*_READ.values()) - LLAMA_CPP))
#: What the server's own command line sends for every model, and what holds without it: the one changes nothing.
_AS_WITHOUT = {"trust_remote_code": True, "n_worker": 1}
#: Declares how it is asked, not what is launched.
_OF_THE_REQUEST = "wait_ready"


def _whole(name: str) -> Callable[[Any], str]:
    return lambda value: not_whole(value, _WHOLE[name], _MOST.get(name, LARGEST))


def _switch(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _number(value: Any) -> str:
    if isinstance(value, str) and _NUMERAL.fullmatch(value):
        return "must be a number, without quotes"
    return "" if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) else "must be a number"


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "must be a text"


def _template(value: Any) -> str:
    wrong = _text(value)
    return wrong or ("names a file, but must be the template itself, such as the lookup 'file' of Ansible reads it" if is_place(value) else "")


def _texts(value: Any) -> str:
    fits = isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values())
    return "" if fits else "must be a dictionary of texts, such as {enable_thinking: 'false'}"


def _enumeration(name: str) -> Callable[[Any], str]:
    meanings = _ENUMERATIONS[name]

    def check(value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and value in meanings.values():
            return ""
        allowed = ", ".join(f"{number} ({word})" for word, number in meanings.items())
        if not isinstance(value, str):
            return f"must be one of the numbers {allowed}"
        hint = f"; for {value} write {meanings[value.lower()]}" if value.lower() in meanings else ""
        return f"must be one of the numbers {allowed}, because llama.cpp ignores a text here{hint}"

    return check


_CHECKS: dict[str, Callable[[Any], str]] = {
    **{name: _whole(name) for name in _WHOLE},
    **dict.fromkeys(_SWITCHES, _switch),
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_TEXTS, _text),
    **{name: _enumeration(name) for name in _ENUMERATIONS},
    "default_template_kwargs": _texts,
    "chat_template": _template,
}


def _ended(text: str) -> str:
    """A text with the mark that ends it."""
    return text if text.endswith("?") else text + "."


def _check_llama_cpp(options: Mapping[str, Any], anyway: str) -> list[str]:
    problems: list[str] = []
    for name, value in options.items():
        if name in _USELESS:
            problems.append(f"engine_options '{name}' has no effect; use {_USELESS[name]}.")
        elif name not in LLAMA_CPP:
            hint = nearest(name, LLAMA_CPP)
            problems.append(_ended(f"engine_options '{shown(name)}' is no option of llama.cpp, and the server would ignore it in silence{hint}") + anyway)
        else:
            wrong = _CHECKS[name](value) if name in _CHECKS else ""
            if wrong:
                problems.append(f"engine_options.{name} '{shown(value)}' {wrong}.")
    if "n_ctx" in options and "context_length" in options:
        problems.append("engine_options n_ctx and context_length exclude each other; context_length is per slot, n_ctx for all n_parallel together.")
    return problems


def _as_spelt(name: str) -> str:
    """The name that is meant: options become names of Python, which have no hyphens, and those of other engines are spelt the same everywhere."""
    return other_spelling(name, _ANYWHERE) or name.replace("-", "_")


def _check_spelling(engine: str, options: Mapping[str, Any], anyway: str) -> list[str]:
    """Options of an engine of which no names are known here."""
    return [
        f"engine_options '{shown(name)}' is no option of {engine or 'the engine'}; did you mean '{shown(_as_spelt(name))}'?" + anyway
        for name in options
        if name != _as_spelt(name)
    ]


def _check_others(engine: str, options: Mapping[str, Any], read: frozenset[str], anyway: str) -> list[str]:
    """Options of an engine that ignores what it does not know, and may know more than is known here."""
    problems: list[str] = []
    for name, value in options.items():
        hint = nearest(name, read) or (f"; did you mean '{shown(name.replace('-', '_'))}'?" if "-" in name else "")
        if name not in read and hint:
            problems.append(_ended(f"engine_options '{name}' is no known option of {engine}, which ignores unknown ones in silence{hint}") + anyway)
        elif name == "torch_dtype" and value not in (*_TORCH_TYPES, "auto"):
            problems.append(_ended(f"engine_options.torch_dtype '{shown(value)}' is not one of {', '.join(_TORCH_TYPES)}{nearest(shown(value), _TORCH_TYPES)}"))
        elif name in ("dimensions", "batch_size", "max_num_seqs"):
            wrong = not_whole(value, 1)
            if wrong:
                problems.append(f"engine_options.{name} '{shown(value)}' {wrong}.")
    return problems


def without_effect(options: Mapping[str, Any]) -> frozenset[str]:
    """Options that declare what holds without them, whatever the engine."""
    return frozenset(name for name, value in options.items() if name == _OF_THE_REQUEST or (name in _AS_WITHOUT and same_value(value, _AS_WITHOUT[name])))


def _set_in_vain(name: str, value: Any) -> bool:
    """Whether llama.cpp cannot set a value: a text for a number, or for one of an enumeration."""
    return isinstance(value, str) and (name in _WHOLE or name in _NUMBERS or name in _ENUMERATIONS)


def ignored_options(engine: str, options: Mapping[str, Any], model_type: str = "LLM") -> frozenset[str]:
    """Options that a server takes and ignores in silence, as far as is known here; parameters as of :func:`check_options`.

    A newer server may know one of them. So they count as ignored only where nobody declared them.
    """
    if engine.lower() == "llama.cpp":
        return frozenset(name for name, value in options.items() if name in _USELESS or name not in LLAMA_CPP or _set_in_vain(name, value))
    read = _READ.get((model_type, engine.lower()))
    if read is None:
        return frozenset(name for name in options if name != _as_spelt(name))
    return frozenset(name for name in options if name not in read and ("-" in name or nearest(name, read)))


def check_options(engine: str, options: Mapping[str, Any], model_type: str = "LLM", names: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """What is wrong with the options of an engine, as texts that begin with ``engine_options``.

    :param engine: name of the engine, as declared; engines that are not known here refuse a wrong option themselves.
    :param options: as declared.
    :param model_type: type of the model.
    :param names: what options are called, as of :func:`~.base.messages.called`.
    """
    anyway = f" Set {called('validate_engine_options', names)} to false for an option that only a newer server knows."
    problems: list[str] = []
    if "context_length" in options and model_type != "LLM":
        problems.append(f"engine_options context_length is for type LLM only, not for {model_type}.")
    if engine.lower() == "llama.cpp":
        return problems + _check_llama_cpp(options, anyway)
    read = _READ.get((model_type, engine.lower()))
    return problems + (_check_others(engine, options, read, anyway) if read is not None else _check_spelling(engine, options, anyway))
