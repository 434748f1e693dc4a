# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words for messages: values as they may be shown, hints for misspelt ones, ranges of numbers. Private to this collection."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

__all__ = [
    "LARGEST",
    "called",
    "is_place",
    "nearest",
    "not_whole",
    "one_line",
    "other_spelling",
    "out_of_range",
    "printable",
    "shown",
    "unsendable",
    "whole",
    "without_environment",
]

#: Characters of a value in a sentence, and how deep a value is shown.
_LONGEST = 200
_DEEPEST = 3
#: What stands between the words of a name.
_BETWEEN = re.compile(r"[\W_]+")
#: Endings of files with templates.
_TEMPLATES = (".jinja", ".jinja2", ".j2", ".txt", ".json")
#: Texts that YAML reads as something else without quotes.
_NO_TEXT = re.compile(r"|~|null|true|false|yes|no|on|off|[-+]?\d[\d_]*(\.[\d_]*)?", re.ASCII | re.IGNORECASE)
#: The environment of a model where the server logs what a launch is asked with: a dictionary as Python writes it, maybe cut off.
_ENVIRONMENT = re.compile(r"""(envs['"]?[=:]\s*)\{(?:'(?:[^'\\]+|\\.)*'?|"(?:[^"\\]+|\\.)*"?|[^}'"]+)*\}?""")
#: Whole numbers are kept in 32 bits by engines and databases; a larger one is ignored in silence or ends in an error.
LARGEST = 2**31 - 1
#: Characters of a line.
_LINE = 2000
#: Digits from which a text cannot be such a number.
_DIGITS = 10


def _letters(word: str) -> str:
    """A name without what people write differently: case, and hyphens, spaces or nothing for underscores."""
    return _BETWEEN.sub("", word).lower()


def other_spelling(word: str, known: Collection[str]) -> str | None:
    """The known name that a word is another spelling of, such as enable-thinking, enableThinking or Enable_Thinking; the word itself where it is one."""
    if word in known:
        return word
    letters = _letters(word)
    return next((item for item in known if _letters(item) == letters), None) if letters else None


def nearest(word: str, known: Collection[str], likeness: float = 0.6) -> str:
    """The hint '; did you mean X?' for a misspelt word, or an empty string.

    :param likeness: from 0 to 1, how alike the two must be; another spelling of the same letters always is.
    """
    same = other_spelling(word, known)
    if same is not None:
        return f"; did you mean '{same}'?"
    lower = {item.lower(): item for item in known}
    close = difflib.get_close_matches(word.lower(), list(lower), n=1, cutoff=likeness)
    return f"; did you mean '{lower[close[0]]}'?" if close else ""


def printable(text: str) -> str:
    """A text in which what a terminal or a browser would obey, such as escapes and direction marks, stands as Python writes it."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _scalar(value: Any) -> str:
    """A value as it is written in YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    try:
        text = str(value)
    except ValueError:
        # Python writes out no number of several thousand digits.
        return "a number of thousands of digits"
    return printable(text)


def is_place(text: str) -> bool:
    """Whether a text that should be a template names a file that holds one."""
    line = text.strip()
    return bool(line) and "{" not in line and "\n" not in line and (line.startswith(("/", "./", "file:")) or line.lower().endswith(_TEMPLATES))


def called(option: str, names: Mapping[str, str]) -> str:
    """The name of an option for the reader of a message.

    :param option: as module ``models`` calls it.
    :param names: option → name, where it has another one: in another module, or as a variable of a role.
    """
    return names.get(option, option)


def without_environment(line: str) -> str:
    """A line of the server's log without the values of environment variables, which are secret."""
    return _ENVIRONMENT.sub(r"\1{********}", line)


def one_line(text: str) -> str:
    """What a container or a server wrote, for a message or a journal: of bounded length, without control characters and a model's environment."""
    # What is cut off first could be the end by which the environment is known.
    short = without_environment(text)[:_LINE]
    return "".join(character if character.isprintable() else " " for character in short).rstrip()


def shown(value: Any, depth: int = 0) -> str:
    """A value as it may stand in a sentence: as it is written in YAML, on one line and of bounded length."""
    if isinstance(value, (Mapping, list, tuple)) and depth == _DEEPEST:
        text = "…"
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{_scalar(key)}: {shown(item, depth + 1)}" for key, item in value.items()) + "}"
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(shown(item, depth + 1) for item in value) + "]"
    elif depth and isinstance(value, str) and _NO_TEXT.fullmatch(value):
        text = f'"{value}"'
    else:
        text = _scalar(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def whole(value: Any) -> Any:
    """A value, as a number where it is a whole number that was written as text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _DIGITS:
        return int(value)
    return value


def not_whole(value: Any, least: int, most: int = LARGEST) -> str:
    """The same, for a value that is sent as it is: a number in quotes is none."""
    wrong = out_of_range(value, least, most)
    return f"{wrong}, without quotes" if wrong and not out_of_range(whole(value), least, most) else wrong


def out_of_range(value: Any, least: int, most: int = LARGEST) -> str:
    """What a whole number must be, for a value that is none in this range; an empty string for one that is."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        return f"must be a whole number of at least {least}"
    return "" if value <= most else f"must be a whole number of at most {most}"


def unsendable(value: Any) -> str | None:
    """A part of a value that no request can carry, such as .nan, as it may be shown; None when there is none."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            odd = [key for key in part if not isinstance(key, str)]
            if odd:
                return shown(odd[0])
            waiting += [*part, *part.values()]
        elif isinstance(part, (list, tuple)):
            waiting += part
        elif isinstance(part, str):
            # Halves of a surrogate pair, which are no characters.
            if any("\ud800" <= letter <= "\udfff" for letter in part):
                return shown(part)
        elif isinstance(part, float):
            if not math.isfinite(part):
                return shown(part)
        elif part is not None and not isinstance(part, int):
            return shown(part)
    return None
