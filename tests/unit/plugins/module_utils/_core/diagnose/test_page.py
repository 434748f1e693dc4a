# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnoses as a page: nothing of them becomes markup, and it asks for nothing. Where Chromium is installed, it opens the page, too."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.page import html_page
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.page_script import SCRIPT
from ansible_collections.inferops.xinference.plugins.module_utils._core.diagnose.page_style import COLOURS, STYLE
from ansible_collections.inferops.xinference.tests.unit.plugins.module_utils._core.diagnose.fleets import (
    FILES,
    HEALTHY,
    HOSTILE,
    MEMORY,
    MOUNT,
    THREADS,
    diagnosed,
    large,
    mixed,
    small,
)

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE_ROW = dict.fromkeys(("check", "severity", "subject", "seen", "meaning", "remedy", "uid", "state", "message", "reason"), HOSTILE)
HOSTILE_HOST = {
    **dict.fromkeys(("time", "severity", "server", "image"), HOSTILE),
    "findings": [HOSTILE_ROW],
    "models": [{**HOSTILE_ROW, "differences": [HOSTILE]}, {**HOSTILE_ROW, "state": "as declared"}],
    "checks": [HOSTILE],
    "unchecked": [HOSTILE_ROW],
}
#: Elements that have no end tag, and those whose end tag HTML lets a page leave out.
OPEN = {"meta", "input", "br", "li", "dt", "dd", "tr", "th", "td", "thead", "tbody"}


class Reader(HTMLParser):
    """What a browser finds in a page: elements, attributes, and the texts of elements that are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.pairs: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _value in attrs}
        self.pairs += [(tag, name, value or "") for name, value in attrs]
        if tag not in OPEN:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in OPEN:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def texts_of(self, tag: str) -> list[str]:
        return [text for place, text in self.texts if place == tag]


def policy(page: str) -> dict[str, list[str]]:
    """The directives of the page's policy."""
    (found,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    return {words[0]: words[1:] for words in (part.split() for part in found.split(";"))}


def source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("hosts", [{}, small(), mixed(50), {HOSTILE: HOSTILE_HOST, "none": None}], ids=["empty", "small", "mixed", "hostile"])
def test_the_policy_lets_nothing_run_but_the_page_s_own_style_and_script(hosts: dict[str, Any]) -> None:
    page = html_page(hosts)
    assert policy(page) == {
        "default-src": ["'none'"],
        "style-src": [source(STYLE)],
        "script-src": [source(SCRIPT)],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    # It counts from where it stands on.
    assert page.index("Content-Security-Policy") < page.index("<title>")
    read = Reader(page)
    assert (read.texts_of("style"), read.texts_of("script"), read.open) == ([STYLE], [SCRIPT], [])
    assert not {name for name in read.attributes if name.startswith("on") or name in ("src", "href", "style", "action", "srcset", "data")}


def test_style_and_script_name_no_address_and_end_no_element() -> None:
    for text in (STYLE, SCRIPT):
        assert not re.search(r"</|<!--|//(?! )|@import|url\(|import\(|fetch|innerHTML|eval", text)


def test_what_a_host_wrote_becomes_no_markup() -> None:
    page = html_page({HOSTILE: HOSTILE_HOST})
    plain = html_page(
        {"web1": diagnosed("web1", MEMORY, models=[{"uid": "a", "state": "x", "differences": ["a"], "message": "b"}, *HEALTHY["models"]], unchecked=[{}])}
    )
    # The subject is the one element that the other host does not have; elements of the same kinds, as often.
    assert Reader(page).tags - Reader(plain).tags == Counter({"i": 1, "code": 1})
    assert Reader(page).attributes == Reader(plain).attributes
    assert "owned" not in re.sub("title=&#x27;owned&#x27;", "", page)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]", page)
    assert "\\x1b[31m\\u202egnp\\n" in page


def test_every_text_of_a_host_is_there() -> None:
    page = html_page(small())
    shown = " ".join(text for _place, text in Reader(page).texts)
    for name, host in small().items():
        assert name in shown
        for finding in host["findings"]:
            assert all(text in shown for text in finding.values())
        for model in host["models"]:
            assert all(text in shown for text in (model["uid"], model["message"], *model["differences"]))
        assert all(each["check"] in shown and each["reason"] in shown for each in host["unchecked"])
    assert "Xinference 4.1.0 · image xprobe/xinference:v4.1.0-cpu · 2026-11-29 17:21 UTC" in shown
    assert "Diagnosed between 2026-11-29 17:20 UTC and 2026-11-29 17:21 UTC" in shown


def test_what_logs_take_is_there() -> None:
    logs = [{"log": "container", "bytes": 3 << 20, "bound": 50 << 20}, {"log": HOSTILE, "bytes": None, "bound": None}]
    read = Reader(html_page({"web1": {"findings": [], "logs": logs}, "web2": {"findings": [], "logs": []}}))
    (shown,) = [text for text in read.texts_of("p") if text.startswith("container ")]
    assert shown.startswith("container 3 MiB of 50 MiB, ") and shown.endswith(" unknown of no bound")
    assert read.texts_of("h3").count("Logs") == 1
    assert "img" not in read.tags


def test_the_worst_host_is_first_and_a_few_hosts_are_open() -> None:
    page = html_page(small())
    assert Reader(page).texts_of("h2") == ["web3", "web2", "web1"]
    assert re.findall(r"<details class=(\w+)( open)?>", page) == [("critical", " open"), ("warning", " open"), ("ok", "")]
    assert "<title>Diagnosis: 3 inference hosts, 1 critical</title>" in page


def test_of_many_hosts_each_has_a_line_that_names_its_findings() -> None:
    page = html_page({f"web{number}": diagnosed(f"web{number}", MOUNT, FILES, FILES, MEMORY, THREADS, {**MEMORY, "check": "swap"}) for number in range(6)})
    assert " open>" not in page
    assert page.count("<span class=brief>files, mounts, memory, swap and 1 more</span><span>3 critical, 2 warnings, 1 note</span>") == 6


def test_a_command_is_to_be_copied_and_a_sentence_is_not() -> None:
    codes = Reader(html_page({"web1": diagnosed("web1", MOUNT, MEMORY)})).texts_of("code")
    assert codes == ["ansible-playbook -i inventory --ask-vault-pass inferops.xinference.provision --limit web1"]


def test_numbers_of_hosts_and_of_findings() -> None:
    page = html_page(small())
    assert Reader(page).texts_of("strong") == ["1", "1", "0", "1"]
    assert Reader(page).texts_of("span") == ["log, memory, threads", "1 critical, 1 warning, 1 note", "certificate", "1 warning", "nothing found"]
    assert "<h1>Diagnosis of 1 inference host</h1>" in html_page({"web1": HEALTHY})
    assert "No host was diagnosed." in html_page({})


def test_headings_run_from_one_to_three_and_every_field_has_a_label() -> None:
    page = html_page(small())
    tags = Reader(page).tags
    assert tags["h1"] == 1 and tags["h2"] == 3 and not tags["h4"]
    assert len(re.findall(r"<label>[^<]*<input", page)) == tags["input"] == 5
    assert ("html", "lang", "en") in Reader(page).pairs


def test_two_hundred_hosts_with_twenty_findings_are_less_than_two_megabytes() -> None:
    page = html_page(large(200, 20)).encode()
    assert page.count(b"<dt>Fix") == 4000
    assert len(page) < 2_000_000


def test_one_host_cannot_make_the_page_large() -> None:
    rows = [HOSTILE_ROW] * 10_000
    host = {**HOSTILE_HOST, "findings": rows, "models": [{**HOSTILE_ROW, "differences": [HOSTILE] * 10_000}], "checks": [HOSTILE] * 10_000, "unchecked": rows}
    assert len(html_page({"web1": host}).encode()) < 1_500_000


def luminance(colour: str) -> float:
    """Relative luminance of a colour, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_the_contrast_that_wcag_asks_for(scheme: str) -> None:
    colours = COLOURS[scheme]
    texts = [("text", behind) for behind in ("page", "card", "code")] + [("quiet", behind) for behind in ("page", "card")]
    texts += [("on", severity) for severity in ("critical", "warning", "note", "ok")]
    assert {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in texts if contrast(colours[pair[0]], colours[pair[1]]) < 4.5} == {}
    # Borders of fields and of hosts, and what shows where the keyboard is.
    shapes = [(name, "card") for name in ("field", "focus", "critical", "warning", "note", "ok")] + [("focus", "page")]
    assert {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in shapes if contrast(colours[pair[0]], colours[pair[1]]) < 3} == {}
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def opened(folder: Path, hosts: dict[str, Any], filters: str = "") -> str:
    """The page's elements after Chromium has run its script."""
    place = folder / "page.html"
    place.write_text(html_page(hosts), encoding="utf-8")
    options = ["--headless", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    # It has no sandbox for root, which the tests are in containers.
    options += ["--no-sandbox"] if os.geteuid() == 0 else []
    done = subprocess.run([str(CHROMIUM), *options, place.as_uri() + filters], check=True, capture_output=True, text=True, timeout=300)
    return done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_in_a_browser_the_script_runs_and_that_of_a_host_does_not(tmp_path: Path) -> None:
    page = opened(tmp_path, {HOSTILE: HOSTILE_HOST, "web1": HEALTHY})
    assert "<title>Diagnosis: 2 inference hosts, 0 critical</title>" in page
    assert '<form role="search">' in page
    assert ">2 of 2 hosts</output>" in page


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_in_a_browser_hosts_and_findings_are_filtered(tmp_path: Path) -> None:
    hosts = {"db1": diagnosed("db1", MOUNT), "web1": diagnosed("web1", MOUNT, MEMORY, THREADS), "web2": HEALTHY, "web3": diagnosed("web3", MEMORY)}
    page = opened(tmp_path, hosts, "#host=WEB&severity=critical,note")
    shown = re.findall(r"<details class=\"\w+\"[^>]*?( hidden=\"\")?><summary><b>\w+</b><h2>(\w+)</h2>", page)
    assert [(name, not hidden) for hidden, name in shown] == [("web1", True), ("db1", False), ("web3", False), ("web2", False)]
    findings = re.findall(r"<li class=\"(\w+)\"( hidden=\"\")?><h3>", page)
    assert findings == [("critical", ""), ("warning", ' hidden=""'), ("note", ""), ("critical", ""), ("warning", ' hidden=""')]
    assert ">1 of 4 hosts</output>" in page
