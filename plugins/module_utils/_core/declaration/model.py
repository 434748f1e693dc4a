# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One declared model. Private to this collection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from .engine_options import ignored_options, without_effect
from .fields import ADAPTING, AUTOSTART, FIELDS, ONLY_FOR, SENT

__all__ = ["DeclaredModel", "effective", "ignored_fields"]


@dataclass(frozen=True)
class DeclaredModel:
    """A model as declared: checked, normalised, with only the fields that the operator set.

    :param uid: the name under which it is served.
    :param state: ``present`` or ``absent``.
    :param given: the other fields that were set, by their names in :data:`FIELDS`.
    """

    uid: str
    state: str = "present"
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the model in the server's catalogue or in its registration."""
        return str(self.given.get("name", ""))

    @property
    def type(self) -> str:
        """Model type, ``LLM`` by default."""
        return str(self.wanted("type"))

    @property
    def engine(self) -> str:
        """The engine in lower case, empty where the server chooses."""
        return str(self.given.get("engine") or "").lower()

    def wanted(self, name: str) -> Any:
        """What is declared for a field, with the defaults that hold where nothing is."""
        return self.given.get(name, {"type": "LLM", "replica": 1}.get(name))

    @property
    def registration(self) -> dict[str, Any] | None:
        """The custom model's specification as the server takes it, or None for a model of the catalogue."""
        inline = self.given.get("registration")
        return None if inline is None else {"version": 2, **inline, "model_name": self.name}

    @property
    def options(self) -> dict[str, Any]:
        """The engine options; empty while they are still to be chosen for the host."""
        given = self.given.get("engine_options")
        return given if isinstance(given, dict) else {}

    def autostart(self, default: bool) -> dict[str, int] | None:
        """How the server should start the model by itself, None where it should not.

        :param default: what holds for a model that does not declare it.
        """
        given = self.given.get("autostart", default)
        if given is False:
            return None
        return {**AUTOSTART, **(given if isinstance(given, dict) else {})}

    def launch_request(self) -> dict[str, Any]:
        """Arguments of the launch request: only what was declared, so that the server's own defaults hold."""
        request: dict[str, Any] = {"model_uid": self.uid, "model_type": self.type, "replica": self.wanted("replica")}
        for name, value in self.given.items():
            field_of = FIELDS[name]
            if field_of.sent:
                request[field_of.sent] = field_of.written(value)
        size = request.get("model_size_in_billions")
        if isinstance(size, str) and size.isdigit():
            request["model_size_in_billions"] = int(size)
        request.update(self.options)
        return request

    def shown(self) -> dict[str, Any]:
        """The declaration for results and diffs; values of environment variables are not shown."""
        shown = {"type": self.type, **{key: value for key, value in self.given.items() if key != "registration"}}
        if "environment" in shown:
            shown["environment"] = dict.fromkeys(shown["environment"], "********")
        return shown


def ignored_fields(given: Mapping[str, Any], model_type: str) -> dict[str, str]:
    """Fields that a server ignores in silence for the type or the engine, and for what they are in a sentence.

    :param given: fields of a declaration.
    """
    engine = str(given.get("engine") or "").lower()
    named = {name for name in given if given[name] is not None}
    found = {name: f"type {', '.join(types)}" for name, types in ONLY_FOR.items() if name in named and model_type not in types}
    if model_type == "LLM" and engine:
        if "multimodal_projector" in named and engine != "llama.cpp":
            found["multimodal_projector"] = "engine llama.cpp"
        if "peft_model_config" in named and (engine not in ADAPTING or given.get("format") == "ggufv2"):
            found["peft_model_config"] = "engines Transformers, vLLM and MLX and formats other than ggufv2"
    return found


def effective(request: Mapping[str, Any], spec: Mapping[str, Any], ours: Collection[str] = ()) -> dict[str, Any]:
    """A launch request without what the server ignores: its own command line sends the same options for every model.

    :param request: as it was sent; what it does not name of type, engine and format is looked up in the description.
    :param spec: the server's description of the running model, empty where there is none.
    :param ours: options that were declared; they count even where they are not known here.
    """
    known = {**spec, **{key: value for key, value in request.items() if value is not None}}
    model_type, engine = str(known.get("model_type") or "LLM"), str(known.get("model_engine") or "")
    fields = {SENT[key]: value for key, value in known.items() if key in SENT}
    options = {key: value for key, value in request.items() if key not in SENT}
    ignored = {FIELDS[name].sent for name in ignored_fields(fields, model_type)} | without_effect(options)
    ignored |= ignored_options(engine, options, model_type) - set(ours)
    if model_type == "LLM" and (not _thinks(spec) or (engine.lower() == "transformers" and request.get("enable_thinking") is False)):
        # Only of a hybrid model it can be switched, and with Transformers it is off by default.
        ignored.add("enable_thinking")
    return {key: value for key, value in request.items() if key not in ignored}


def _thinks(spec: Mapping[str, Any]) -> bool:
    """Whether thinking can be switched off, as far as is known."""
    abilities = spec.get("model_ability")
    return not isinstance(abilities, (list, tuple)) or "hybrid" in abilities
