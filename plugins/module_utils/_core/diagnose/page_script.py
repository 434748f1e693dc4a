# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script of the page: it filters hosts and findings. Without it everything is shown. Private to this collection."""

from __future__ import annotations

__all__ = ["SCRIPT"]

#: Reads what is in the page, and makes no markup of texts. The filters are in the page's address too, so that a link can name them.
SCRIPT = """
"use strict";
const form = document.querySelector("form");
const hostName = form.elements.host;
const boxes = [...form.querySelectorAll("[type=checkbox]")];
const count = form.querySelector("output");
const nothing = document.querySelector("#nothing");
const hosts = [...document.querySelectorAll("details")].map((node) => ({
  node,
  name: node.querySelector("h2").textContent.toLowerCase(),
  findings: [...node.querySelectorAll("li[class]")],
}));

function filter() {
  const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const text = hostName.value.trim().toLowerCase();
  let shown = 0;
  for (const host of hosts) {
    let some = host.findings.length === 0 && wanted.has("ok");
    for (const finding of host.findings) {
      finding.hidden = !wanted.has(finding.className);
      some = some || !finding.hidden;
    }
    host.node.hidden = !(some && host.name.includes(text));
    shown += host.node.hidden ? 0 : 1;
  }
  count.textContent = shown + " of " + hosts.length + (hosts.length === 1 ? " host" : " hosts");
  nothing.hidden = shown > 0 || hosts.length === 0;
}

function read() {
  const asked = new URLSearchParams(location.hash.slice(1));
  hostName.value = asked.get("host") || "";
  const severities = asked.get("severity");
  for (const box of boxes) {
    box.checked = severities === null || severities.split(",").includes(box.value);
  }
  filter();
}

function write() {
  const asked = new URLSearchParams();
  if (hostName.value.trim()) asked.set("host", hostName.value.trim());
  const checked = boxes.filter((box) => box.checked);
  if (checked.length < boxes.length) asked.set("severity", checked.map((box) => box.value).join(","));
  try {
    history.replaceState(null, "", "#" + asked);
  } catch {
    // A browser may refuse it for a file; the filters work all the same.
  }
  filter();
}

form.addEventListener("input", write);
form.addEventListener("submit", (event) => event.preventDefault());
for (const button of form.querySelectorAll("button")) {
  button.addEventListener("click", () => {
    for (const host of hosts) if (!host.node.hidden) host.node.open = button.value === "open";
  });
}
let before = null;
addEventListener("beforeprint", () => {
  before = hosts.map((host) => host.node.open);
  for (const host of hosts) host.node.open = true;
});
addEventListener("afterprint", () => {
  if (before) hosts.forEach((host, number) => (host.node.open = before[number]));
  before = null;
});
addEventListener("hashchange", read);
form.hidden = false;
read();
"""
