# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration that a converge leaves on the host, for the service that keeps it true. Private to this collection.

It holds the options of module ``models``, credentials included, so only its owner can read it. A second copy is written after the first: a file that
somebody damaged is replaced by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .bounded import parse_json, read_regular
from .errors import XinferenceError
from .private_file import both, replace_private

__all__ = ["LeftDeclaration"]

_VERSION = 1


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

    def load(self) -> dict[str, Any] | None:
        """The options, None where nothing was left. A copy that is missing or damaged is made again from the other one, where that is possible.

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
        if found is not None and reasons:
            with suppress(XinferenceError):
                self.save(found)
        return found

    @staticmethod
    def _text(place: Path) -> str | None:
        try:
            return read_regular(place)
        except (OSError, UnicodeDecodeError):
            return None
