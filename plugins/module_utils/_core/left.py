# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration that a converge leaves on the host, for the service that keeps it true. Private to this collection.

It holds the options of module ``models``, credentials included, so only its owner can read it. A second copy is written after the first: a file that
somebody damaged is replaced by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .bounded import parse_json, read_regular
from .errors import XinferenceError
from .private_file import both, replace_private

__all__ = ["EARLIER", "FORGET", "KEEP", "LeftDeclaration", "earlier_models", "stored_uids"]

#: What becomes of models that an earlier declaration had, and the one of this run has not.
KEEP, FORGET = "keep", "forget"
EARLIER = (KEEP, FORGET)

_VERSION = 1


def earlier_models(stored: Mapping[str, Any] | None, declared: Sequence[Any]) -> list[Any]:
    """Models that an earlier declaration wanted to run, and that another one does not name at all.

    :param stored: options of module ``models`` as they were left; None where none were.
    :param declared: models of the other one, checked or not.
    """
    named = {str(item.get("uid")) for item in declared if isinstance(item, Mapping)}
    items = (stored or {}).get("models")
    found = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
    return [item for item in found if item.get("state", "present") == "present" and str(item.get("uid")) not in named]


class LeftDeclaration:
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
        text = json.dumps({"version": _VERSION, "options": dict(options)}, sort_keys=True)
        try:
            if all(self._text(place) == text for place in (self.path, self.copy)):
                return False
            replace_private(self.path, text)
            replace_private(self.copy, text)
        except OSError as error:
            raise XinferenceError(f"declaration_path '{self.path}' cannot be written: {error.strerror}.") from error
        return True

    def load(self, repair: bool = True) -> dict[str, Any] | None:
        """The options, None where nothing was left. A copy that is missing or damaged is made again from the other one, where that is possible.

        :param repair: whether to do that.
        :raises XinferenceError: when there is something, and neither copy can be read.
        """
        found: dict[str, Any] | None = None
        reasons: list[str] = []
        for place in (self.path, self.copy):
            try:
                content = parse_json(read_regular(place))
                if content["version"] == _VERSION and isinstance(content["options"], dict):
                    found = found or dict(content["options"])
                else:
                    reasons.append(f"'{place}' is of another version")
            except FileNotFoundError:
                reasons.append("")
            except OSError as error:
                reasons.append(f"'{place}' cannot be read: {error.strerror}")
            except (ValueError, KeyError, TypeError):
                reasons.append(f"'{place}' is damaged")
        if found is None and any(reasons):
            raise XinferenceError("; ".join(filter(None, reasons)) + ".")
        if found is not None and reasons and repair:
            with suppress(XinferenceError):
                self.save(found)
        return found

    @staticmethod
    def _text(place: Path) -> str | None:
        try:
            return read_regular(place)
        except (OSError, UnicodeDecodeError):
            return None


def stored_uids(path: str | None) -> list[str]:
    """Uids of the models that a declaration on the host wants to run; none where there is none, or none that can be read.

    :param path: of the declaration; None for none. Nothing is written.
    """
    try:
        stored = LeftDeclaration(path).load(repair=False) if path else None
    except XinferenceError:
        return []
    return [str(item["uid"]) for item in earlier_models(stored, ()) if isinstance(item.get("uid"), str)]
