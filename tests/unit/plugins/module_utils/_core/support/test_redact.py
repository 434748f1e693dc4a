# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is masked: secrets that are known, however they are written, and what looks like one."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.inferops.xinference.plugins.module_utils._core.support.redact import MASK, Redactor, secrets_of_file, spellings

SECRET = "p@ss wörd/with \"all\" & 'signs'+<1>"


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps({"x": SECRET}),
        json.dumps({"x": SECRET}, ensure_ascii=False),
        repr([SECRET]),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        *(base64.b64encode(f"{before}{SECRET}{after}".encode()).decode() for before in ("", "a", "ab", "admin:") for after in ("", "b", "bc", "bcd")),
        base64.urlsafe_b64encode(f"user:{SECRET}".encode()).decode(),
    ],
)
def test_a_known_secret_is_masked_however_it_is_written(written: str) -> None:
    redacted = Redactor([SECRET]).text(f"before {written} behind")
    assert MASK in redacted
    assert redacted.startswith("before ")
    assert redacted.endswith(" behind")
    assert not [spelling for spelling in spellings(SECRET) if spelling in redacted]


@given(st.text(min_size=6, max_size=40), st.text(max_size=5), st.text(max_size=5))
def test_no_spelling_of_a_secret_stays(secret: str, before: str, behind: str) -> None:
    if "\r" in secret or len(secret.strip()) < 6 or secret in MASK:
        return
    whole = f"{before}{secret}{behind}"
    redacted = Redactor([secret])
    for written in (whole, quote(whole.encode("utf-8", "surrogatepass"), safe=""), json.dumps(whole)):
        for spelling in (secret, quote(secret.encode("utf-8", "surrogatepass"), safe=""), json.dumps(secret)[1:-1]):
            if not set(spelling) <= set(MASK):
                assert spelling not in redacted.text(written)


def test_a_short_value_is_not_masked_in_every_word() -> None:
    assert Redactor(["abc", "", "12345"]).text("abcdef 12345") == "abcdef 12345"


def test_a_key_in_several_lines_is_masked_line_by_line() -> None:
    assert Redactor(["first-line\nsecond-line\n"]).text("x first-line y\nz second-line") == f"x {MASK} y\nz {MASK}"


def test_the_longer_one_of_two_secrets_is_masked_whole() -> None:
    assert Redactor(["secret1", "secret1-and-more"]).text("secret1-and-more secret1") == f"{MASK} {MASK}"


#: What looks like a secret: a text, and what must be gone from it.
SHAPES = [
    ("Authorization: Bearer abc.def-123", "abc.def-123"),
    ("{'authorization': 'Bearer tok_1234567'}", "tok_1234567"),
    ("curl -H 'X-API-Key: zzzzzz99'", "zzzzzz99"),
    ("Cookie: session=deadbeef; other=cafe", "deadbeef"),
    ("GET /?a=Bearer%20abcdef123456 HTTP/1.1", "abcdef123456"),
    ("auth Basic YWRtaW46aHVudGVyMg== sent", "YWRtaW46aHVudGVyMg"),
    ("key sk-Abc123_def-456 was used", "sk-Abc123"),
    ("HF says hf_abcdefghijklmnopqrstuvwxyz", "hf_abcdefghij"),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln rest", "eyJ"),
    ("password=hunter2", "hunter2"),
    ("PASSWORD = hunter2", "hunter2"),
    ('{"password": "hunter 2 \\" x", "user": 1}', "hunter"),
    ('"{\\"password\\": \\"hunter2\\"}"', "hunter2"),
    ("passwd: 'hunter2'", "hunter2"),
    ("Environment=HF_TOKEN=hunter2", "hunter2"),
    ("export XOSCAR_AUTH_KEY=hunter2", "hunter2"),
    ("MY_API_KEY: hunter2", "hunter2"),
    ("OPENAI_KEY=hunter2", "hunter2"),
    ("password=null-and-more", "and-more"),
    ("password=''hunter2", "hunter2"),
    ("client_secret%3Dhunter2&x=1", "hunter2"),
    ("?access_token=hunter2&x=1", "hunter2"),
    ("run --api-token hunter2 now", "hunter2"),
    ("run --password=hunter2 now", "hunter2"),
    ("http://user:hunter2@hub.example/x", "hunter2"),
    ("http://user:hun/ter@2@hub.example/x", "hun"),
    ("https://ghost@hub.example/x", "ghost"),
    ("GET /v1/models/http:/user:hunter2@hub.example/ 404", "hunter2"),
    ("?mirror=https%3A%2F%2Fuser%3Ahunter2%40hub.example", "hunter2"),
    ("s3:https://key:hunter2@s3.example", "hunter2"),
    ("$2b$12$abcdefghijklmnopqrstuv", "abcdefghijk"),
    ("hash $argon2id$v=19$m=65536$c2FsdHNhbHQ$aGFzaA rest", "c2FsdHNhbHQ"),
    ("hash $argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaA rest", "c2FsdHNhbHQ"),
    ("user:$apr1$c2FsdHNh$aGFzaGhhc2g", "aGFzaGhhc2g"),
    ("user:{SSHA}c2FsdHNhbHRoYXNo", "c2FsdHNhbHRoYXNo"),
    ("launch envs={'EXAMPLE': 'hunter2', 'B': 'x'} done", "hunter2"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nAAAA\n-----END PRIVATE KEY-----\nrest", "MIIEvQ"),
    ("-----BEGIN RSA PRIVATE KEY-----\\nMIIEvQIBADANBg\\n-----END RSA PRIVATE KEY-----", "MIIEvQ"),
    ("12:00 nginx: MIIEvQIBADANBg\n12:00 nginx: -----END EC PRIVATE KEY-----\nrest", "MIIEvQ"),
    ("log\n-----BEGIN OPENSSH PRIVATE KEY-----\nMIIEvQIBADANBg", "MIIEvQ"),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOYBF\n-----END PGP PRIVATE KEY BLOCK-----\n", "lQOYBF"),
]


@pytest.mark.parametrize(("text", "gone"), SHAPES)
def test_what_looks_like_a_secret_is_masked(text: str, gone: str) -> None:
    redacted = Redactor().text(text)
    assert gone not in redacted
    assert MASK in redacted
    assert gone not in Redactor().text(redacted)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29 12:00:00,1 xinference.core.worker 77 INFO Leave launch_builtin_model, elapsed time: 3 s",
        "max_tokens=512 prompt_tokens: 17 total_tokens 5 tokenizer: fast",
        "GET /v1/models 200 17 0.003",
        "Fix: Run provision, or correct xinference_volumes. See http://127.0.0.1:9997/docs",
        "Basic authentication is off; a basic model; the bearer of news",
        '{"api_key_name": "", "api_key_prefix": null, "user": "automation"} password=None, token=true',
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "hf_transfer is not installed; sk-learn",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_data() -> None:
    found = Redactor(["known-value"]).value(
        {
            "password": "short",
            "nothing_password": "",
            "tokens": 5,
            "secret": {"a": ["b", 7, None, True]},
            "environment": {"EXAMPLE": "value", "OTHER": 1},
            "list": ["--token", "value", "--password=hunter2", "has known-value"],
            "known-value": 1,
            "n_ctx": 4096,
        }
    )
    assert found == {
        "password": MASK,
        "nothing_password": "",
        "tokens": 5,
        "secret": {"a": [MASK, MASK, None, True]},
        "environment": {"EXAMPLE": MASK, "OTHER": MASK},
        "list": ["--token", MASK, f"--password={MASK}", f"has {MASK}"],
        MASK: 1,
        "n_ctx": 4096,
    }


def test_secrets_of_files() -> None:
    assert secrets_of_file('{"environment": {"PIN": 12345678}}') >= {"12345678"}
    assert secrets_of_file("first-secret\nsecond-secret\nabc\n") == {"first-secret", "second-secret"}
    assert secrets_of_file("XOSCAR_AUTH_KEY='the-value'\n") == {"XOSCAR_AUTH_KEY='the-value'", "the-value"}
    assert {"the-password", "of-restic"} <= secrets_of_file('{"password": "the-password", "environment": {"A": "of-restic", "B": "x"}}')
    assert secrets_of_file("") == set()
    assert len(secrets_of_file("\n".join(f"line-number-{number}" for number in range(10_000)))) <= 200
    assert secrets_of_file("[" * 100_000) == {"[" * 100_000}


@pytest.mark.parametrize(
    "piece", ["-----BEGIN PRIVATE KEY-----", "://a:", "password", "basic ", "envs={'", "eyJ", "--a-", "secret_", "authorization:\\\\", "$2b$"]
)
def test_no_text_takes_long(piece: str) -> None:
    """A container could write it. Twice as much takes about twice as long, and not four times, at sizes of logs."""

    def seconds(length: int) -> float:
        began = time.process_time()
        Redactor(["known-secret"]).text(piece * (length // len(piece)))
        return time.process_time() - began

    assert min(seconds(200_000) for _run in range(3)) < 12 * max(min(seconds(50_000) for _run in range(3)), 0.01)
