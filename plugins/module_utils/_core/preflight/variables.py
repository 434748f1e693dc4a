# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of the roles: whether each is of the kind that is documented, and what containers are given as texts. Pure. Private to this collection."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ..base.messages import shown

__all__ = ["LOOPBACK", "as_text", "check_allowed", "check_kinds", "check_texts", "past_proxies", "plain", "texts"]

#: How many hosts a playbook takes at a time: a number, or a share.
_BATCHES = frozenset({"xinference_provision_serial", "xinference_restart_serial", "xinference_rotate_serial", "xinference_upgrade_serial"})
#: Texts for which a whole number or a date stands as well, because nobody can mean anything else by it.
_DIGITS = frozenset(
    {
        *("xinference_admin_password", "xinference_new_admin_password", "xinference_image_tag", "xinference_threads"),
        *("xinference_memory", "xinference_shm_size", "xinference_log_max_size", "xinference_server_log_max_size"),
        *("xinference_proxy_max_body_size", "xinference_proxy_max_upload_size"),
        *(*_BATCHES, "xinference_provision_max_fail_percentage", "owner", "group"),
    }
)
#: How a boolean may be written.
TRUE, _FALSE = frozenset({"y", "yes", "on", "1", "true", "t"}), frozenset({"n", "no", "off", "0", "false", "f"})
_BATCH = re.compile(r"[1-9][0-9]{0,5}|[1-9][0-9]?%|100%|")
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(\.[0-9]{1,18})?")
#: What Docker reads as the end of a name, or what is no character of one.
_NOT_IN_A_NAME = re.compile(r"[=\s\x00-\x1f\x7f]")
#: Variables by which programs find a proxy.
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "ftp_proxy"})
#: Names and addresses of a container by which its own processes call each other.
LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104  where a request goes, not where anything listens
#: Where Docker takes the addresses of networks from.
_PRIVATE = tuple(ipaddress.ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def _kind(value: Any) -> str:
    """What a value is, in the words of YAML."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, date):
        return "a date"
    return "a dictionary" if isinstance(value, Mapping) else "a text" if isinstance(value, str) else "a list"


def _text_wrong(name: str, value: Any, option: Mapping[str, Any]) -> str:
    if isinstance(value, str):
        return ""
    if isinstance(value, bool) and option.get("choices"):
        # Ansible itself takes an unquoted no for the choice of that name.
        return "" if (TRUE if value else _FALSE).intersection(option["choices"]) else "must be a text"
    if isinstance(value, (int, date)) and not isinstance(value, (bool, datetime)) and name in _DIGITS:
        return ""
    return "must be a text"


def _list_wrong(value: Any, option: Mapping[str, Any]) -> str:
    if not isinstance(value, (list, tuple)):
        return "must be a list"
    return "" if option.get("elements") != "str" or all(isinstance(each, str) for each in value) else "must be a list of texts"


def _wrong(name: str, value: Any, option: Mapping[str, Any]) -> str:
    """What a value must be instead; empty for one that is of the documented kind."""
    kind = option.get("type", "str")
    if kind in ("str", "path"):
        wrong = _text_wrong(name, value, option)
        return wrong or ("" if name not in _BATCHES or _BATCH.fullmatch(str(value)) else "must be a number of hosts, or a share of them such as 25%")
    if kind == "bool":
        right = isinstance(value, bool) or (isinstance(value, (str, int, float)) and str(value).lower() in TRUE | _FALSE)
        return "" if right else "must be true or false"
    if kind in ("int", "float"):
        pattern, what = (_WHOLE, "a whole number") if kind == "int" else (_NUMBER, "a number")
        finite = not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)))
        right = (finite and (kind == "float" or value == int(value))) or (isinstance(value, str) and bool(pattern.fullmatch(value.strip())))
        return "" if right else f"must be {what}"
    if kind == "list":
        return _list_wrong(value, option)
    if kind == "dict":
        return "" if isinstance(value, Mapping) else "must be a dictionary"
    return ""


def plain(value: Any) -> Any:
    """A value with texts in place of what a vault holds, which older versions of Ansible decrypt only when it is asked for."""
    if getattr(value, "__ENCRYPTED__", False):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _fields(name: str, value: Any, option: Mapping[str, Any]) -> list[tuple[str, str, Any, Mapping[str, Any]]]:
    """Where a value stands, its own name, itself and what is documented about it: of a variable, and of the fields of the dictionaries in it."""
    found = [(name, name, value, option)]
    if isinstance(value, (list, tuple)) and option.get("elements") == "dict" and option.get("options"):
        for place, item in enumerate(value):
            if not isinstance(item, Mapping):
                found.append((f"{name}[{place}]", "", item, {"type": "dict"}))
                continue
            found += [(f"{name}[{place}] {key}", str(key), item[key], known) for key, known in option["options"].items() if key in item]
    return found


def check_kinds(values: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One sentence for each variable that is not of the kind that the roles document. Without this check, the roles would fail in the middle of a run.

    :param values: of the variables that are set, by name.
    :param options: what is documented, by name, as in an argument specification of a role.
    """
    problems = []
    for variable, value in values.items():
        option = options.get(variable)
        for where, name, each, known in _fields(variable, value, option) if option else []:
            must = _wrong(name, each, known)
            # What stands in place of a dictionary or a list, or in them, may be an item of it that is secret.
            secret = (
                (option or {}).get("no_log")
                or known.get("type") == "dict"
                or known.get("elements") in ("dict", "raw")
                or isinstance(each, (Mapping, list, tuple))
            )
            is_ = _kind(each) if secret or each is None else f"the{_kind(each)[1:]} {shown(each)}"
            quotes = "; write it in quotes" if must == "must be a text" and each is not None and not isinstance(each, (Mapping, list, tuple)) else ""
            choices = known.get("choices")
            if must:
                problems.append(f"{where} {must}, but is {is_}{quotes}.")
            elif choices and isinstance(each, str) and each not in choices:
                problems.append(f"{where} '{shown(each)}' is unknown; allowed: {', '.join(map(str, choices))}.")
    return problems


def as_text(value: Any) -> str | None:
    """A value of an environment variable or a label as people mean it; None for what has no such text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(value) if math.isfinite(value) else None
    return str(value) if isinstance(value, (str, int, date)) else None


def check_texts(name: str, values: Any) -> list[str]:
    """One sentence for each item of a dictionary that a container cannot be given. Values may be secret, so none is repeated.

    :param name: of the variable.
    """
    if not isinstance(values, Mapping):
        return [f"{name} must be a dictionary, but is {_kind(values)}."]
    problems = []
    for key, value in values.items():
        if not isinstance(key, str) or not key or _NOT_IN_A_NAME.search(key):
            problems.append(f"{name}: '{shown(key)}' is no name; write a text in quotes, without '=' and spaces.")
        elif as_text(value) is None:
            what = "a number that is none" if isinstance(value, float) else _kind(value)
            problems.append(f"{name}: {key} is {what}, but must be a text, a number, true or false; remove it, or write '' for an empty text.")
        elif "\x00" in str(value):
            problems.append(f"{name}: {key} holds a zero byte, which no container can be given.")
    return problems


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """Environment variables or labels with texts for values: true for a boolean, 1 for a number.

    :raises ValueError: with what :func:`check_texts` says of one that has no text.
    """
    problems = check_texts("value", values)
    if problems:
        raise ValueError(problems[0])
    return {key: as_text(value) or "" for key, value in values.items()}


def past_proxies(environment: Mapping[str, str], others: Iterable[str] = ()) -> dict[str, str]:
    """An environment in which no request to the container itself goes through a proxy that it names.

    :param others: names of other machines for which that holds, too.

    Programs read the name in capitals, in small letters, or one before the other, so both get the same value.
    """
    found = dict(environment)
    if any(name.lower() in _PROXIES and value for name, value in found.items()):
        given = [part.strip() for name in ("NO_PROXY", "no_proxy") for part in found.get(name, "").split(",")]
        found["NO_PROXY"] = found["no_proxy"] = ",".join(dict.fromkeys([*filter(None, given), *LOOPBACK, *others]))
    return found


def _allowed(text: str) -> tuple[list[ipaddress.IPv4Network | ipaddress.IPv6Network], list[str]]:
    """The networks of a list as the server reads it, and the parts that it would leave out."""
    found, wrong = [], []
    for part in map(str.strip, text.split(",")):
        try:
            found.append(ipaddress.ip_network(part if "/" in part else f"{part}/32"))
        except ValueError:
            wrong.append(part)
    return found, wrong


def check_allowed(value: Any, gateway: str | None) -> list[tuple[str, str]]:
    """What is wrong with XINFERENCE_ALLOWED_IPS: problems and what to do. Whoever is not in it gets 403 from the server, the roles and the health check too.

    :param gateway: address of this host on the container's network; None where that is made yet, with addresses that Docker chooses.
    """
    text = as_text(value) or ""
    if not text:
        return []
    found, wrong = _allowed(text)
    name = "xinference_environment: XINFERENCE_ALLOWED_IPS"
    if wrong:
        problem = f"{name}: '{shown(wrong[0])}' is no IPv4 address and no network, so the server would leave it out."
        return [(problem, "Write addresses such as 192.0.2.10 and networks such as 10.0.0.0/8, with commas between; one address of IPv6 as fd00::1/128.")]

    def holds(address: str) -> bool:
        return any(ipaddress.ip_address(address) in network for network in found)

    def all_of(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
        return any(other.version == network.version and network.subnet_of(other) for other in found)  # type: ignore[arg-type]

    lacking: Sequence[str] = [address for address in ("127.0.0.1", gateway) if address and not holds(address)]
    if gateway is None and not all(map(all_of, _PRIVATE)):
        subnet, first = "192.168.240.0/28", "192.168.240.1"
        right = ",".join([text, *lacking, *([] if holds(first) else [first])])
        problem = f"{name} '{shown(text)}' cannot be seen to hold the address of this host on the container's network, because Docker chooses it."
        return [(problem, f"Set xinference_network_subnet, for instance to {subnet}, and write '{right}'.")]
    if lacking:
        whose = {"127.0.0.1": "from which the health check asks"}
        missing = ", and ".join(f"{address}, {whose.get(address, 'from which this host asks')}" for address in lacking)
        return [(f"{name} '{shown(text)}' does not hold {missing}.", f"Write '{','.join([text, *lacking])}'.")]
    return []
