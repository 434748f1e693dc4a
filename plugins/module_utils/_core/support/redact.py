# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts and data without secrets: those that are known by their value, and those that look like one. Pure. Private to this collection.

What is read may come from a container and be made to take long, so no pattern goes on without a bound.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from ..base.messages import without_environment

__all__ = ["MASK", "SHORTEST", "Redactor", "is_secret_name", "secrets_of_file", "spellings"]

MASK = "********"
#: Characters of the shortest value that is masked wherever it stands; a shorter one stands in too many words.
SHORTEST = 6
#: Characters of an encoding that are compared: fewer are there by chance.
_SHORTEST_ENCODED = 6
#: Values that are taken from one file: whoever writes it could name every word.
_MOST_LINES = 64
#: What is cut from the beginning of base64 that begins within three bytes, and from an end that does not fill them.
_BEGINNINGS, _ENDS = (0, 2, 3), (0, 3, 2)

#: Names of what holds a secret. Numbers of tokens are none.
_NAMES = (
    r"(?:pass(?:word|wd|phrase)|secret|token(?!s\b|s_|iz)|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|credential|authorization|cookie|jwt|"
    r"[_-]key(?![a-z]))"
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
#: What stands behind one: in quotes, or up to the next white space; nothing where there is none.
_VALUE = (
    r"""(?!(?:""|''|null|None|true|false)(?![^\s,;}\])]))"""
    r"""(?:\\{0,4}"(?:[^"\\]|\\.){0,4000}"?[^\s,;&"'}\])]{0,400}|"""
    r"""\\{0,4}'(?:[^'\\]|\\.){0,4000}'?[^\s,;&"'}\])]{0,400}|"""
    r"""[^\s,;&"'}\])]{1,4000})"""
)
#: Keys of dictionaries that hold environment variables.
_ENVIRONMENTS = frozenset({"environment", "env", "envs"})
_FLAG = re.compile(r"--?(?:[a-z]{1,20}-){0,4}(?:password|passwd|passphrase|token|secret|key)\Z", re.IGNORECASE)

#: What looks like a secret, and what stands in its place.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # Of an address: all up to the last @ where there is a password, which may hold anything. A proxy may make one slash of two.
    (re.compile(r"""(://)[^\s/?#@'"<>]{1,500}@"""), rf"\1{MASK}@"),
    (re.compile(r"""(:/{1,3})[^\s/?#@:'"<>]{0,200}:[^\s@'"<>]{1,500}@"""), rf"\1{MASK}@"),
    (re.compile(r"(?i)(%3A(?:%2F){2})[^\s/?#@&'\"<>]{1,500}?%40"), rf"\1{MASK}%40"),
    (
        re.compile(r"""(?i)\b((?:proxy-)?authorization|x-api-key|api-key|(?:set-)?cookie)(\\{0,4}['"]?\s{0,4}[:=]\s{0,4}\\{0,4}['"]?)[^\r\n'"\\]{1,4000}"""),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer)(\s{1,4}|%20|\+)[A-Za-z0-9._~+/=%-]{6,4000}"), rf"\1\2{MASK}"),
    (re.compile(r"\b([Bb]asic|BASIC)(\s{1,4}|%20)(?=[A-Za-z0-9+/_-]{0,200}[A-Z0-9=])[A-Za-z0-9+/_-]{6,4000}={0,2}"), rf"\1\2{MASK}"),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{6,500}"), MASK),
    (re.compile(r"\b(?:hf_|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA)[A-Za-z0-9_-]{16,500}"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,4000}(?:\.[A-Za-z0-9_-]{0,4000}){0,4}"), MASK),
    # Hashes of passwords.
    (re.compile(r"""\$(?:2[abxy]|[1567y]|apr1|argon2[a-z]{0,2}|scrypt|pbkdf2[a-z0-9-]{0,10})\$(?:[^\s'",]|,(?=[a-z]{1,9}=\d)){8,500}"""), MASK),
    (re.compile(r"\{S?SHA[0-9]{0,3}\}[A-Za-z0-9+/=_-]{8,500}"), MASK),
    (re.compile(rf"""(?i)({_NAMES}[\w.-]{{0,40}}\\{{0,4}}['"]?\s{{0,4}}(?:=>|%3D|[=:])\s{{0,4}}){_VALUE}"""), rf"\1{MASK}"),
    (re.compile(r"(?i)(--(?:[a-z]{1,20}-){0,4}(?:password|passwd|passphrase|token|secret|key)[ =]\s{0,4})[^\s-]\S{0,4000}"), rf"\1{MASK}"),
)
_KEY_BEGINS, _KEY_ENDS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"), re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
#: Characters of the longest key, with what a journal writes before each of its lines.
_KEY = 1 << 16


def is_secret_name(name: str) -> bool:
    """Whether what has this name is a secret, such as HF_TOKEN or XOSCAR_AUTH_KEY."""
    return _NAME.search(name) is not None


def spellings(secret: str) -> set[str]:
    """A secret as programs write it: itself, quoted for JSON, Python, HTML and addresses, in base64 and in hexadecimal digits."""
    raw = secret.encode("utf-8", "surrogatepass")
    percent = {quote(raw, safe=""), quote(raw), quote_plus(raw), "".join(f"%{byte:02X}" for byte in raw)}
    found = {secret, html.escape(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1], ascii(secret)[1:-1]}
    found |= percent | {re.sub(r"%[0-9A-F]{2}", lambda digits: digits[0].lower(), text) for text in percent} | {raw.hex(), raw.hex().upper()}
    for before, cut in enumerate(_BEGINNINGS):
        # Of a text in which it stands somewhere, what depends on it alone.
        whole = base64.b64encode(b"\0" * before + raw).decode()
        sure = whole[cut : len(whole) - _ENDS[(before + len(raw)) % 3]]
        if len(sure) >= _SHORTEST_ENCODED:
            found |= {sure, sure.translate(str.maketrans("+/", "-_")), quote(sure, safe="")}
    return found


def secrets_of_file(text: str) -> set[str]:
    """The secrets that a file keeps: its lines, what stands behind the first equals sign of each, and the texts in it where it is JSON."""
    found: set[str] = set()
    try:
        waiting = [json.loads(text)]
    except (ValueError, RecursionError):
        waiting = []
    while waiting and len(found) < _MOST_LINES:
        part = waiting.pop()
        if isinstance(part, (dict, list)):
            waiting += part.values() if isinstance(part, dict) else part
        elif isinstance(part, (str, int)):
            found.add(str(part))
    for line in text.splitlines()[:_MOST_LINES]:
        _name, _equals, value = line.partition("=")
        found |= {line.strip(), value.strip().strip("'\"")}
    return {each for each in found if len(each) >= SHORTEST}


class Redactor:
    """Masks secrets.

    :param secrets: values that are known; those that are too short are left out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._spelt: list[str] = []
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask further values."""
        for secret in secrets:
            # Of one in several lines, such as a key, each line.
            parts = {secret, secret.strip(), *(secret.splitlines() if "\n" in secret.strip() else ())}
            self._known |= {part for part in parts if len(part) >= SHORTEST}
        # One may be a part of another one.
        self._spelt = sorted(set().union(*map(spellings, self._known)), key=lambda each: (-len(each), each))

    def text(self, text: str) -> str:
        """A text, of any number of lines, with a mask in place of each secret."""
        for spelling in self._spelt:
            text = text.replace(spelling, MASK)
        if "envs" in text:
            text = "\n".join(map(without_environment, text.split("\n")))
        text = _without_keys(text)
        for shape, mask in _SHAPES:
            text = shape.sub(mask, text)
        return text

    def value(self, value: Any) -> Any:
        """Data as of JSON, with a mask in place of each secret, of what has the name of one, and of the values of environment variables."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._named(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            # An option of a program, and its value as the next word.
            before = [None, *value][: len(value)]
            return [MASK if isinstance(item, str) and isinstance(flag, str) and _FLAG.match(flag) else self.value(item) for flag, item in zip(before, value)]
        return self.text(value) if isinstance(value, str) else value

    def _named(self, name: str, item: Any) -> Any:
        return _masked(item) if is_secret_name(name) or (name.lower() in _ENVIRONMENTS and isinstance(item, Mapping)) else self.value(item)


def _without_keys(text: str) -> str:
    """A text with a mask in place of each private key. One may be cut off: a log begins in its middle, or ends there."""
    end = _KEY_ENDS.search(text)
    if end is not None and not _KEY_BEGINS.search(text, 0, end.start()):
        text = MASK + text[end.end() :]
    parts, at = [], 0
    while begin := _KEY_BEGINS.search(text, at):
        end = _KEY_ENDS.search(text, begin.end(), begin.end() + _KEY)
        parts += [text[at : begin.start()], MASK]
        at = end.end() if end is not None else begin.end() + _KEY
    return "".join([*parts, text[at:]])


def _masked(value: Any) -> Any:
    """Data with a mask in place of each text and number."""
    if isinstance(value, Mapping):
        return {str(key): _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return value if value is None or isinstance(value, bool) or value == "" else MASK
