# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration that a run stores on the host, for the service that keeps it true. Private to this collection.

It holds the options of module ``models``, credentials included, so only its owner can read it. A second copy is written after the first: a file that
was damaged is replaced by it. A number that grows with each writing shows which one is newer where the power failed in between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..base.bounded import parse_json, read_regular
from ..base.errors import XinferenceError
from ..base.private_file import both, replace_private

__all__ = ["EARLIER", "FORGET", "KEEP", "StoredDeclaration", "earlier_models", "stored_uids"]

#: What becomes of models that an earlier declaration had, and the one of this run has not.
KEEP, FORGET = "keep", "forget"
EARLIER = (KEEP, FORGET)
_VERSION = 1


def earlier_models(stored: Mapping[str, Any] | None, declared: Sequence[Any]) -> list[Any]:
    """Models that an earlier declaration wanted to run, and that another one does not name at all.

    :param stored: options of module ``models`` as they were stored; None where none were.
    :param declared: models of the other one, checked or not.
    """
    named = {str(item.get("uid")) for item in declared if isinstance(item, Mapping)}
    items = (stored or {}).get("models")
    found = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    return [item for item in found if item.get("state", "present") == "present" and str(item.get("uid")) not in named]


def _generation(content: Mapping[str, Any]) -> int:
    """How often the declaration had been written when a copy was; 0 where that is not known."""
    number = content.get("generation")
    return number if isinstance(number, int) else 0


class StoredDeclaration:
    """The file with the declaration.

    :param path: where; the second copy has the same name with ``.copy`` behind it.
    """

    def __init__(self, path: str) -> None:
        self.path, self.copy = both(path)

    def save(self, options: Mapping[str, Any]) -> bool:
        """Leave a declaration; False where the same one lies there already.

        :param options: options of module ``models``.
        :raises XinferenceError: when it cannot be written.
        """
        found = [content for content in map(self._read, (self.path, self.copy)) if isinstance(content, dict)]
        # As it is read again.
        wanted = parse_json(json.dumps(dict(options)))
        kept = [content for content in found if content["options"] == wanted]
        if len(kept) == 2 and kept[0] == kept[1]:
            return False
        generation = 1 + max((_generation(content) for content in found), default=0)
        text = json.dumps({"version": _VERSION, "generation": generation, "options": dict(options)}, sort_keys=True)
        try:
            replace_private(self.path, text)
            replace_private(self.copy, text)
        except OSError as error:
            raise XinferenceError(f"declaration_path '{self.path}' cannot be written: {error.strerror}.") from error
        return True

    def load(self, repair: bool = True) -> dict[str, Any] | None:
        """The options, None where nothing was stored. A copy that is missing or damaged is made again from the other one, where that is possible.

        :param repair: whether to do that.
        :raises XinferenceError: when there is something, and neither copy can be read.
        """
        read = [self._read(place) for place in (self.path, self.copy)]
        reasons = [content for content in read if isinstance(content, str)]
        found = [content for content in read if isinstance(content, dict)]
        if not found:
            if any(reasons):
                raise XinferenceError("; ".join(filter(None, reasons)) + ".")
            return None
        options: dict[str, Any] = max(found, key=_generation)["options"]
        if repair and (reasons or found[0] != found[1]):
            with suppress(XinferenceError):
                self.save(options)
        return options

    @staticmethod
    def _read(place: Path) -> dict[str, Any] | str:
        """What a copy holds, or why it cannot be used; an empty reason where there is none."""
        try:
            content = parse_json(read_regular(place))
            if content["version"] == _VERSION and isinstance(content["options"], dict):
                return dict(content)
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"'{place}' cannot be read: {error.strerror}"
        except (ValueError, KeyError, TypeError):
            return f"'{place}' is damaged"
        return f"'{place}' is of another version"


def stored_uids(path: str | None) -> list[str]:
    """Uids of the models that a declaration on the host wants to run; none where there is none, or none that can be read.

    :param path: of the declaration; None for none. Nothing is written.
    """
    try:
        stored = StoredDeclaration(path).load(repair=False) if path else None
    except XinferenceError:
        return []
    return [str(item["uid"]) for item in earlier_models(stored, ()) if isinstance(item.get("uid"), str)]
