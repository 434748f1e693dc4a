# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password as other programs of the host keep it: crypt's SHA-512. Private to this collection.

The standard library lost module crypt with Python 3.13, and Ansible's own filter wants a library that a controller need not have.
"""

from __future__ import annotations

import hashlib

__all__ = ["salt_of", "sha512_crypt"]

_ROUNDS = 5000
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SALT = 16
#: In which order the algorithm writes three bytes as four characters: each group is the one before, turned by 21.
_ORDER = [tuple((first + shift) % 63 for shift in shifts) for first, shifts in ((n, ((0, 21, 42), (21, 42, 0), (42, 0, 21))[n % 3]) for n in range(21))]


def salt_of(*parts: str) -> str:
    """A salt that is the same whenever it is made of the same parts, so that a hash that was made again can be compared."""
    found = hashlib.sha256("\0".join(parts).encode()).digest()
    return "".join(_ALPHABET[byte % 64] for byte in found[:_SALT])


def sha512_crypt(password: str, salt: str) -> str:
    """The hash of a password, with its method and salt, as crypt(3) writes it.

    :param password: what is hashed.
    :param salt: at most 16 characters of crypt's alphabet.
    """
    word, grain = password.encode(), salt.encode()[:_SALT]
    other = hashlib.sha512(word + grain + word).digest()
    first = hashlib.sha512(word + grain + _repeated(other, len(word)))
    bits = len(word)
    while bits:
        first.update(other if bits & 1 else word)
        bits >>= 1
    found = first.digest()
    words = _repeated(hashlib.sha512(word * len(word)).digest(), len(word))
    grains = _repeated(hashlib.sha512(grain * (16 + found[0])).digest(), len(grain))
    for turn in range(_ROUNDS):
        parts = [words if turn & 1 else found]
        parts += [grains] if turn % 3 else []
        parts += [words] if turn % 7 else []
        parts += [found if turn & 1 else words]
        found = hashlib.sha512(b"".join(parts)).digest()
    return f"$6${grain.decode()}${_written(found)}"


def _repeated(block: bytes, length: int) -> bytes:
    """So much of a block, again and again."""
    return (block * (length // len(block) + 1))[:length]


def _written(found: bytes) -> str:
    """Bytes in crypt's alphabet, the lowest six bits first."""
    text = ""
    for high, middle, low in _ORDER:
        number = found[high] << 16 | found[middle] << 8 | found[low]
        text += "".join(_ALPHABET[number >> shift & 63] for shift in (0, 6, 12, 18))
    return text + _ALPHABET[found[63] & 63] + _ALPHABET[found[63] >> 6]
