# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a server can launch what a plan would launch, asked before anything is changed. Private to this collection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..base.compare import nearest_choice, same_choice
from ..base.errors import ApiError, AuthenticationError
from ..base.messages import called, nearest, shown
from ..declaration.model import DeclaredModel
from ..server.api import CatalogueApi
from ..server.rows import EngineOffer, Engines, WorkerRow, WorkerStatus

__all__ = ["check_catalogue", "check_registrations"]

#: Fields that choose the files, and their keys in the server's answers.
_CHOICES = (
    ("format", "model_format"),
    ("size_in_billions", "model_size_in_billions"),
    ("quantization", "quantization"),
    ("multimodal_projector", "multimodal_projector"),
)
#: What a server takes where no engine is given; for the other types it looks for one itself.
_DEFAULT_ENGINES = {"embedding": "sentence_transformers"}
#: Abilities for which a custom LLM needs a family of the catalogue.
_OF_A_FAMILY = ("tools", "vision")
#: Hosts of a worker that runs together with its supervisor, which then ignores worker_ip.
_LOCAL = frozenset({"0.0.0.0", "127.0.0.1", "localhost", "[::]", "[::1]", "::", "::1"})  # noqa: S104 - compared, not bound


def _ended(text: str) -> str:
    """A text with the mark that ends it."""
    return text if text.endswith("?") else text + "."


def _offers(usable: list[EngineOffer], key: str) -> list[str]:
    """The values of a field that an engine can load; servers name quantizations in the singular or in the plural."""
    found: list[str] = []
    for offer in usable:
        values = offer.get(key) if isinstance(offer, Mapping) else None
        if values is None and isinstance(offer, Mapping):
            values = offer.get(f"{key}s")
        found += [str(value) for value in (values if isinstance(values, list) else [values]) if value is not None]
    return list(dict.fromkeys(found))


def _check_choice(model: DeclaredModel, engine: str, usable: list[EngineOffer]) -> list[str]:
    """Format, size, quantization and projector against what the engine can load; each narrows the next."""
    offers = usable
    for field_name, key in _CHOICES:
        wanted = model.given.get(field_name)
        allowed = _offers(offers, key)
        # Not every answer has every field; a projector may also be the path of a file.
        if wanted is None or not allowed or (field_name == "multimodal_projector" and str(wanted).startswith("/")):
            continue

        def fits(offer: EngineOffer, name: str = field_name, key: str = key, wanted: Any = wanted) -> bool:
            return any(same_choice(name, wanted, one, model.type) for one in _offers([offer], key))

        offers = [offer for offer in offers if fits(offer)]
        if not offers:
            hint = nearest_choice(field_name, wanted, allowed)
            return [_ended(f"{field_name} '{wanted}' is not offered for '{model.name}' with engine {engine}; allowed: {', '.join(allowed)}{hint}")]
    return []


def _check_format(model: DeclaredModel, engine: str, engines: Engines) -> list[str]:
    """Whether a server would choose files that the engine cannot load: where no format is given, it takes the first of its catalogue that fits."""
    if engine.lower() != "llama.cpp" or "format" in model.given:
        return []
    offers = [offer for usable in engines.values() if isinstance(usable, list) for offer in usable]
    for name, key in (("size_in_billions", "model_size_in_billions"), ("quantization", "quantization")):
        wanted = model.given.get(name)
        offers = [offer for offer in offers if wanted is None or any(same_choice(name, wanted, one, model.type) for one in _offers([offer], key))]
    others = [form for form in _offers(offers, "model_format") if form != "ggufv2"]
    if not others:
        return []
    return [f"format is missing; without it the server takes {others[0]} for '{model.name}', which engine llama.cpp cannot load, so give format ggufv2."]


class _Asked:
    """A server's answers, each asked for once."""

    def __init__(self, client: CatalogueApi) -> None:
        self.client = client
        self._names: dict[str, dict[str, bool]] = {}
        self._engines: dict[tuple[str, str], Engines | None] = {}
        self._workers: dict[str, WorkerRow] | None = None

    def names(self, model_type: str) -> dict[str, bool]:
        """Names of the models of a type, and whether each is built in."""
        if model_type not in self._names:
            self._names[model_type] = self.client.registered_names(model_type)
        return self._names[model_type]

    def engines(self, model_type: str, name: str) -> Engines | None:
        """Engines for a model of the catalogue; None for an unknown one."""
        key = (model_type, name)
        if key not in self._engines:
            self._engines[key] = self.client.engines(model_type, name)
        return self._engines[key]

    def workers(self) -> dict[str, WorkerStatus]:
        """The workers by address, each with its devices."""
        if self._workers is None:
            self._workers = self.client.status().get("workers") or {}
        return {address: (worker or {}).get("status") or {} for address, worker in self._workers.items()}


def _check_name(asked: _Asked, model: DeclaredModel) -> list[str]:
    """Name and engine of a model."""
    engines = asked.engines(model.type, model.name)
    if engines:
        return _check_engine(model, engines)
    names = asked.names(model.type) if model.registration is None else {}
    if model.registration is not None or model.name in names:
        return []
    hint = nearest(model.name, names) or f"; it has {len(names)} of this type, see its catalogue."
    return [f"name '{model.name}' of type {model.type} is not in the server's catalogue and has no registration{hint}"]


def _check_registration(asked: _Asked, model: DeclaredModel) -> list[str]:
    """A registration against the models that the server brings itself."""
    specification = model.registration or {}
    names = asked.names(model.type)
    if names.get(model.name):
        return [f"name '{model.name}' is a model of the server's own catalogue, which no registration can replace; give the custom model another name."]
    ability, family = specification.get("model_ability") or [], str(specification.get("model_family"))
    builtin = {name for name, own in names.items() if own}
    wanted = [one for one in _OF_A_FAMILY if one in ability]
    template = specification.get("chat_template") or (model.options.get("chat_template") if model.engine == "llama.cpp" else None)
    if "chat" in ability and not template:
        wanted.append("chat")
    if model.type != "LLM" or not wanted or not builtin or family in builtin:
        return []
    reason = "without chat_template, the server takes the template of the family" if wanted == ["chat"] else f"model_ability asks for {wanted[0]}"
    return [_ended(f"registration.model_family '{family}' is not in the server's catalogue, and {reason}{nearest(family, builtin)}")]


def _check_engine(model: DeclaredModel, engines: Engines) -> list[str]:
    """The engine, and what it should load."""
    able = [name for name, offers in engines.items() if isinstance(offers, list) and offers]
    given = model.given.get("engine")
    engine = given or _DEFAULT_ENGINES.get(model.type)
    if engine is None:
        # The server looks for one; there must be one that it can find.
        reasons = ", ".join(f"{name} ({words})" for name, words in engines.items())
        return [] if able or model.given.get("enable_virtual_env") else [f"no engine of this server can run '{model.name}': {reasons}."]
    usable = {name.lower(): offers for name, offers in engines.items()}.get(str(engine).lower())
    if isinstance(usable, list) and usable:
        return _check_choice(model, str(engine), usable) or _check_format(model, str(engine), engines)
    if model.given.get("enable_virtual_env"):
        # Its environment may bring the engine, whatever the server has by itself.
        return []
    reason = f" ({usable})" if isinstance(usable, str) else ""
    which = f"engine '{engine}'" if given else f"engine {engine}, which the server takes where none is given,"
    return [f"{which} cannot run '{model.name}' on this server{reason}; usable: {', '.join(able) or 'none'}."]


def _check_place(asked: _Asked, model: DeclaredModel, awaited: Collection[str] = ()) -> list[str]:
    """Devices and workers.

    :param awaited: names of workers that may be away.
    """
    problems: list[str] = []
    wanted = model.given.get("n_gpu")
    if isinstance(wanted, int):
        most = max((sum(1 for device in devices if device != "cpu") for devices in asked.workers().values()), default=0)
        if wanted > most:
            problems.append(f"n_gpu '{wanted}' is more than the {most} GPUs of this server; leave it out{' on a host without GPU' if not most else ''}.")
    if "worker_ip" in model.given:
        problems += _check_workers(str(model.given["worker_ip"]), list(asked.workers()))
    if "workers" in model.given:
        problems += _check_worker_names([name for name in model.given["workers"] if name not in awaited], list(asked.workers()))
    return problems


def _check_workers(given: str, addresses: Sequence[str]) -> list[str]:
    """Workers that are asked for against those that are there."""
    hosts = {address.rpartition(":")[0] for address in addresses}
    if not addresses or hosts & _LOCAL:
        return []
    missing = [one.strip() for one in given.split(",") if one.strip() not in {*addresses, *hosts}]
    return [f"worker_ip '{one}' is no worker of this server; allowed: {', '.join(sorted(hosts))}." for one in missing]


def _check_worker_names(given: Sequence[str], addresses: Sequence[str]) -> list[str]:
    """Names of workers that are asked for against those that have joined; a server without supervisor would ignore them in silence."""
    hosts = sorted({address.rpartition(":")[0] for address in addresses})
    if not hosts or not given:
        return []
    if set(hosts) & _LOCAL:
        return [f"workers '{shown(given)}' cannot be chosen, because this server runs all models itself; leave it out, or declare a cluster."]
    return [_ended(f"workers '{one}' is no worker of this server; allowed: {', '.join(hosts)}{nearest(one, hosts)}") for one in given if one not in hosts]


def _check(client: CatalogueApi, models: Iterable[DeclaredModel], names: Mapping[str, str], *checks: Callable[[_Asked, DeclaredModel], list[str]]) -> list[str]:
    """The problems of all models; a server that does not answer one question refuses nothing by it."""
    asked = _Asked(client)
    problems: list[str] = []
    for model in models:
        for check in checks:
            try:
                problems += [f"{called('models', names)} (uid '{model.uid}'): {problem}" for problem in check(asked, model)]
            except AuthenticationError:
                raise
            except ApiError:
                # Not every server answers for every type; its launch will show.
                continue
    return problems


def check_catalogue(
    client: CatalogueApi,
    models: Iterable[DeclaredModel],
    names: Mapping[str, str] = MappingProxyType({}),
    awaited: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[str]:
    """One sentence for each model that the server would refuse: unknown name, engine that does not run here, size that is not offered, too many GPUs.

    :param client: the server; one request per model, one per type with an unknown name, and one where a model names devices or workers.
    :param models: those that are about to be launched, as they are registered.
    :param names: what options are called, as of :func:`~.base.messages.called`.
    :param awaited: by uid of a model, names of workers that refuse nothing while they are away: one that is lost must not keep the others from a change.
    """
    return _check(client, models, names, _check_name, lambda asked, model: _check_place(asked, model, awaited.get(model.uid, ())))


def check_registrations(
    client: CatalogueApi,
    models: Iterable[DeclaredModel],
    names: Mapping[str, str] = MappingProxyType({}),
    awaited: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[str]:
    """One sentence for each registration that the server would refuse: the name of a model of its own, a family that it does not have.

    :param client: the server; one request per type, and one where a model names devices or workers.
    :param models: those whose registration is about to be made or replaced; the server does not know yet what can load them.
    :param names: as of :func:`check_catalogue`.
    :param awaited: as of :func:`check_catalogue`.
    """
    return _check(client, models, names, _check_registration, lambda asked, model: _check_place(asked, model, awaited.get(model.uid, ())))
