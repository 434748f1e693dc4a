# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloaded files: what a server has, what may be deleted, and deleting it. Private to this collection.

A server deletes what it is asked to, answers yes to everything, and old ones (seen in 2.11) follow links: for a linked file they delete the
whole cache directory, for a linked directory the operator's own files. So what runs and what is only linked is found out here, before anything
is asked, and afterwards the server is read again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from ..apply.download import ENDED
from ..base.errors import ApiError, AuthenticationError, DeclarationError, XinferenceError
from ..declaration.model import DeclaredModel
from ..declaration.specification import CUSTOM_TYPES, uris
from ..observed.models import ABSENT, ERROR, observe
from ..plan.drift import REPORTED
from ..plan.files import is_cached
from ..server.api import CacheApi, CacheReadApi
from ..server.rows import CachedRow

__all__ = ["CachedModel", "Removal", "cached_models", "plan_removal", "remove", "survey_cache"]

_DOWNLOADS = "GET /v1/downloads"
#: Directories in which hubs keep what they download, wherever the server is configured to put them.
_HUBS = frozenset({"huggingface", "modelscope", "openmind_hub", "csg", "csghub"})
_HUGGING_FACE = "models--"


@dataclass(frozen=True)
class CachedModel:
    """Files of one model on one worker.

    :param model_version: the server's name for them.
    :param name: of the model, in the catalogue or in its registration.
    :param type: type of the model; None where the server is too old to report it.
    :param format: such as ggufv2; None where it is not known.
    :param size_in_billions: billions of parameters, as the server writes them, such as 0_6; None where it is not known.
    :param quantization: None where it is not known.
    :param path: where the server expects them.
    :param real_path: directory in which they really are.
    :param size_bytes: their size in bytes; None where the server is too old to report it.
    :param worker: address of the worker, as host:port.
    :param engines: engines that can load them; None where the server does not report them.
    """

    model_version: str
    name: str
    type: str | None = None
    format: str | None = None
    size_in_billions: str | None = None
    quantization: str | None = None
    path: str = ""
    real_path: str = ""
    size_bytes: int | None = None
    worker: str = ""
    engines: list[str] | None = None

    @property
    def row(self) -> CachedRow:
        """The same in the server's terms."""
        return {
            "model_name": self.name,
            "model_type": self.type or "",
            "model_format": self.format,
            "model_size_in_billions": self.size_in_billions,
            "quantization": self.quantization,
        }

    def shown(self) -> dict[str, Any]:
        """The files for results."""
        return {**asdict(self), "linked": self.linked}

    @property
    def linked(self) -> bool:
        """Whether the files are somewhere else than a server puts what it downloads."""
        if not self.path or not self.real_path:
            return False
        path, real = PurePosixPath(self.path), PurePosixPath(self.real_path)
        if path == real or path in real.parents:
            return False
        return not any(part in _HUBS or part.startswith(_HUGGING_FACE) for part in real.parts)


@dataclass(frozen=True)
class Users:
    """Who needs downloaded files.

    :param running: the running models.
    :param names: names of models that are being launched or downloaded; which of their files is not known.
    :param linked: type and name of the custom models whose registrations name files of their own.
    """

    running: tuple[DeclaredModel, ...] = ()
    names: frozenset[str] = frozenset()
    linked: frozenset[tuple[str, str]] = frozenset()

    def of(self, files: CachedModel) -> str:
        """Why files must stay, as a half sentence; empty when nothing needs them."""
        uids = [model.uid for model in self.running if is_cached(_as_type(model, files), [files.row])]
        if uids:
            return f"used by the running {', '.join(sorted(uids))}"
        if files.name in self.names:
            return "being launched or downloaded"
        if any(name == files.name and files.type in (None, kind) for kind, name in self.linked):
            return "linked only, because the registration of the model names files of its own (model_uri)"
        if files.linked:
            return f"linked only, because the files are in {files.real_path}, where no server downloads to"
        return ""


@dataclass(frozen=True)
class Removal:
    """What becomes of the downloaded files.

    :param remove: what is deleted.
    :param kept: model_version → why it stays, for what would be deleted without that reason.
    """

    remove: tuple[CachedModel, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()

    @property
    def versions(self) -> list[str]:
        """The server's names for what is deleted, each once."""
        return list(dict.fromkeys(files.model_version for files in self.remove))


def _as_type(model: DeclaredModel, files: CachedModel) -> DeclaredModel:
    """The same model; of the files' type where the server reports none, so that the name decides."""
    return model if files.type else DeclaredModel(model.uid, model.state, {**model.given, "type": ""})


def _files(row: CachedRow) -> CachedModel:
    """One row of what the server has."""
    version = str(row.get("model_version") or "")
    form, quantization = row.get("model_format"), row.get("quantization")
    if form is None and row.get("model_type") == "embedding" and version.count("--") >= 4:
        # Only its name for the files shows these: name, tokens, dimensions, format, quantization.
        form, quantization = version.split("--")[-2:]
    size, bytes_ = row.get("model_size_in_billions"), row.get("size_bytes")
    engines = row.get("model_engine")
    return CachedModel(
        model_version=version,
        name=str(row.get("model_name")),
        type=row.get("model_type"),
        format=form,
        size_in_billions=None if size is None else str(size),
        quantization=quantization,
        path=str(row.get("path") or ""),
        real_path=str(row.get("real_path") or ""),
        size_bytes=bytes_ if isinstance(bytes_, int) else None,
        worker=str(row.get("actor_ip_address") or ""),
        engines=list(engines) if isinstance(engines, list) else None,
    )


def cached_models(client: CacheReadApi, name: str | None = None) -> list[CachedModel]:
    """What is downloaded, sorted.

    :param client: the server.
    :param name: only files of the model of this name.
    """
    found = [_files(row) for row in client.cached()]
    return sorted((files for files in found if name in (None, files.name)), key=lambda files: (files.name, files.model_version, files.worker))


def _running(client: CacheReadApi) -> tuple[tuple[DeclaredModel, ...], frozenset[str]]:
    """The running models, and the names of those of which only the name is known."""
    models: list[DeclaredModel] = []
    vague: set[str] = set()
    for uid, seen in observe(client).models.items():
        if seen.state in (ABSENT, ERROR):
            continue
        given = {name: seen.spec.get(key) for name, key in REPORTED.items() if seen.spec.get(key) is not None}
        if "name" in given:
            models.append(DeclaredModel(uid, "present", given))
        else:
            vague.add(uid)
    names = {str(row.get("model_name")) for row in client.list_instances() if str(row.get("model_uid")) in vague} if vague else set()
    return tuple(models), frozenset(names)


def _linked(client: CacheReadApi, cached: Collection[CachedModel]) -> frozenset[tuple[str, str]]:
    """Custom models that name files of their own, among the downloaded ones."""
    kinds: dict[str, set[str]] = {}
    for files in cached:
        for kind in [files.type] if files.type else CUSTOM_TYPES:
            if kind in CUSTOM_TYPES:
                kinds.setdefault(str(kind), set()).add(files.name)
    found: set[tuple[str, str]] = set()
    for kind, names in sorted(kinds.items()):
        custom = [name for name, builtin in client.registered_names(kind).items() if name in names and not builtin]
        # One by one, because for several the server sends its whole catalogue.
        found |= {(kind, name) for wanted in custom for name, specification in client.registrations(kind, {wanted}).items() if uris(specification)}
    return frozenset(found)


def survey_cache(client: CacheReadApi) -> tuple[list[CachedModel], Users]:
    """What is downloaded, and who needs it."""
    cached = cached_models(client)
    if not cached:
        return [], Users()
    models, names = _running(client)
    downloads = client.downloads() if _DOWNLOADS in client.routes() else []
    names |= {str(row.get("model_name")) for row in downloads if row.get("status") not in ENDED}
    return cached, Users(models, names, _linked(client, cached))


def _together(files: CachedModel, cached: Collection[CachedModel]) -> list[CachedModel]:
    """What is deleted with files: all that has the same name for the server, and all that is in the same place."""
    found = [files]
    for one in found:
        found += [other for other in cached if other not in found and (other.model_version == one.model_version or _same_place(one, other))]
    return found


def _same_place(one: CachedModel, other: CachedModel) -> bool:
    return bool(one.path) and (one.worker, one.path) == (other.worker, other.path)


def _reasons(files: CachedModel, cached: Collection[CachedModel], users: Users) -> str:
    """Why files must stay, counting what would be deleted with them."""
    return next((reason for reason in (users.of(one) for one in _together(files, cached)) if reason), "")


def plan_removal(cached: Sequence[CachedModel], users: Users, *, keep: Sequence[DeclaredModel] | None = None, absent: Sequence[str] = ()) -> Removal:
    """What is deleted.

    :param cached: what is downloaded.
    :param users: who needs it.
    :param keep: models whose files stay, while all others that nothing needs are deleted; None to delete what ``absent`` names.
    :param absent: the server's names for what is deleted.
    :raises DeclarationError: when something that is named must not be deleted.
    """
    if keep is None:
        return _named(cached, users, absent)
    wanted = [model for model in keep if model.state == "present"]
    remove: list[CachedModel] = []
    kept: dict[str, str] = {}
    for files in cached:
        together = _together(files, cached)
        if any(is_cached(_as_type(model, one), [one.row]) for model in wanted for one in together):
            continue
        reason = _reasons(files, cached, users)
        if reason:
            kept[files.model_version] = reason
        else:
            remove.append(files)
    return Removal(tuple(remove), tuple(kept.items()))


def _named(cached: Sequence[CachedModel], users: Users, absent: Sequence[str]) -> Removal:
    """What is deleted when it was named."""
    problems: list[str] = []
    remove: list[CachedModel] = []
    for files in cached:
        if files.model_version not in absent:
            continue
        remove.append(files)
        reason = _reasons(files, cached, users)
        others = sorted({one.model_version for one in _together(files, cached)} - set(absent))
        if reason:
            problems.append(f"absent '{files.model_version}' cannot be deleted: it is {reason}.")
        elif others:
            problems.append(f"absent '{files.model_version}' shares its directory with {', '.join(others)}; name them as well, or none of them.")
    if problems:
        raise DeclarationError(list(dict.fromkeys(problems)))
    return Removal(tuple(remove))


def remove(client: CacheApi, removal: Removal) -> tuple[list[CachedModel], list[str]]:
    """Delete files, and see whether they are gone: the server answers yes to everything.

    :returns: what was deleted, and one sentence for each that was not.
    """
    asked: list[str] = []
    problems: list[str] = []
    undeleted: set[str] = set()
    try:
        for version in removal.versions:
            try:
                client.remove_cached(version)
            except AuthenticationError:
                raise
            except ApiError as error:
                problems.append(f"{version}: {str(error).rstrip('.')}.")
            else:
                asked.append(version)
        undeleted = {files.model_version for files in cached_models(client)} & set(asked) if asked else set()
    except XinferenceError as error:
        problems.append(str(error))
    problems += [f"{version}: the server reports that it was deleted, but still has it; its log shows why." for version in sorted(undeleted)]
    return [files for files in removal.remove if files.model_version in set(asked) - undeleted], problems
