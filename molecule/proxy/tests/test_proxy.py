# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network sees of a provisioned host, and what it does not."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import select
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from conftest import PASSWORD
from network import open_ports
from prepared import Prepared
from serving import Server

NAME = "xinference-molecule-proxy"
#: More often than the server's guard lets anybody.
TRIES = 15
#: In the place of a status, for a request that was not refused and not answered.
LET_THROUGH = 0
#: Seconds. What has arrived together is read in less.
WAITED = 0.001


class TestPrepared(Prepared):
    """What holds for every machine that was prepared."""


def handshake(address: str, context: ssl.SSLContext, name: str = NAME) -> ssl.SSLSocket:
    """A connection that speaks TLS."""
    return context.wrap_socket(socket.create_connection((address, 443), timeout=10), server_hostname=name)


def raw(address: str, context: ssl.SSLContext, method: str, path: str) -> int:
    """Status of a request whose path is sent as it is written."""
    connection = http.client.HTTPSConnection(address, timeout=30, context=context)
    connection.request(method, path)
    status = connection.getresponse().status
    connection.close()
    return status


def test_open_ports(host: Any, address: str) -> None:
    assert open_ports(address, range(1, 65536)) == [80, 443]
    # The others listen, but not for the network.
    assert host.socket("tcp://127.0.0.1:9997").is_listening
    assert host.socket("tcp://127.0.0.1:9998").is_listening


@contextlib.contextmanager
def without_firewall(host: Any) -> Iterator[None]:
    """For a while, remove the rules, and the timer that would set them again."""
    host.check_output("systemctl stop xinference-check-firewall.timer xinference-check-firewall.service")
    # It may have asked for another start, and not waited for it.
    while "xinference-firewall" in host.check_output("systemctl list-jobs --no-legend"):
        time.sleep(0.2)
    host.check_output("sh /usr/local/lib/xinference-firewall/firewall.sh remove xinference-firewall xinference")
    try:
        yield
    finally:
        host.check_output("systemctl restart xinference-firewall xinference-check-firewall.timer")


@pytest.fixture
def container(host: Any, address: str) -> Iterator[str]:
    """The container's own address, to which a neighbour finds the way."""
    found = str(host.check_output("docker inspect --format '{{ range .NetworkSettings.Networks }}{{ .IPAddress }}{{ end }}' xinference"))
    subprocess.run(("ip", "route", "add", f"{found}/32", "via", address), check=True)
    yield found
    subprocess.run(("ip", "route", "delete", f"{found}/32"), check=True)


def test_a_neighbour_that_knows_the_way_reaches_no_port_of_the_container(host: Any, container: str) -> None:
    pid = host.check_output("docker inspect --format '{{ .State.Pid }}' xinference")
    sockets = [line.split() for line in host.check_output(f"cat /proc/{pid}/net/tcp").splitlines()[1:]]
    listening = {int(fields[1].partition(":")[2], 16) for fields in sockets if fields[3] == "0A" and not fields[1].startswith("0100007F")}
    # The server's processes talk to each other on the others, and ask for no account there.
    assert 9997 in listening
    assert len(listening) > 2
    assert open_ports(container, listening) == []
    # Nothing else keeps it out.
    with without_firewall(host):
        assert 9997 in open_ports(container, listening)
    assert open_ports(container, listening) == []


def test_nothing_is_left_of_the_firewall_of_an_earlier_version(host: Any) -> None:
    found = host.check_output("iptables -t mangle -S FORWARD").splitlines()
    assert found == ["-P FORWARD ACCEPT", "-A FORWARD -m comment --comment xinference-firewall -j xinference-forward"]


def checksum(data: bytes) -> int:
    """Of the Internet protocols."""
    total = sum(int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def loopback_answers(host: Any, address: str) -> bool:
    """Whether a neighbour that addresses its packets to the machine's 127.0.0.1 gets an answer of the server's port there.

    The kernel of an ordinary client would not send them, so they are made by hand.
    """
    route = json.loads(subprocess.run(("ip", "-json", "route", "get", address), check=True, capture_output=True).stdout)[0]
    own, there = socket.inet_aton(route["prefsrc"]), socket.inet_aton("127.0.0.1")
    (interface,) = json.loads(host.check_output("ip -json address show eth0"))
    port = 20000 + time.monotonic_ns() % 40000
    segment = struct.pack("!HHIIBBHHH", port, 9997, 1, 0, 5 << 4, 0x02, 1024, 0, 0)
    pseudo = own + there + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(segment))
    segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 1, 0, 64, socket.IPPROTO_TCP, 0, own, there)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as line:
        line.bind((route["dev"], 0x0800))
        line.settimeout(0.5)
        line.sendto(header + segment, (route["dev"], 0x0800, 0, 0, bytes.fromhex(interface["address"].replace(":", ""))))
        end = time.monotonic() + 3
        while time.monotonic() < end:
            try:
                packet = line.recv(2048)
            except TimeoutError:
                continue
            # From there, to this port, a connection that is accepted.
            begin = (packet[0] & 0x0F) * 4
            source, target = struct.unpack("!HH", packet[begin : begin + 4])
            if packet[12:16] == there and (source, target) == (9997, port) and packet[begin + 13] & 0x12 == 0x12:
                return True
    return False


def test_a_neighbour_that_addresses_loopback_gets_no_answer(host: Any, address: str) -> None:
    assert not loopback_answers(host, address)
    # Nothing else keeps it out: the engine sends it on.
    with without_firewall(host):
        assert loopback_answers(host, address)
    assert not loopback_answers(host, address)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_spoken(address: str, context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    context.minimum_version = context.maximum_version = version
    with handshake(address, context) as connection:
        cipher = connection.cipher()
        assert cipher is not None
        assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
        names = (connection.getpeercert() or {})["subjectAltName"]
    assert names == (("DNS", NAME), ("IP Address", address))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_tls_is_not(address: str, context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
    # Without this, this side would refuse first.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
        handshake(address, context)


def test_weak_ciphers_are_not(address: str, context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake failure"):
        handshake(address, context)


def test_certificate_is_that_of_the_authority_and_the_name(address: str, context: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(address, context, "elsewhere.example.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(address, ssl.create_default_context())


def test_keys_can_be_read_by_root_only(host: Any) -> None:
    for path, folder in (("/etc/xinference-proxy/private/server.key", "/etc/xinference-proxy/private"), ("/etc/xinference-ca/ca.key", "/etc/xinference-ca")):
        assert (host.file(path).user, host.file(path).mode) == ("root", 0o600)
        assert (host.file(folder).user, host.file(folder).mode) == ("root", 0o700)


def test_plain_http_only_redirects(address: str) -> None:
    for method, path in (("GET", "/v1/models?x=1"), ("POST", "/v1/chat/completions")):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request(method, path)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Location")) == (308, f"https://{address}{path}")


def test_plain_http_sends_nobody_to_a_name_that_was_not_declared(address: str) -> None:
    connection = http.client.HTTPConnection(address, 80, timeout=30)
    for host, status in ((address, 308), (NAME, 308), ("elsewhere.example.com", 421), (f"{NAME}.example.com", 421)):
        connection.request("GET", "/ui/", headers={"Host": host})
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status == status, host
        assert status == 308 or (answer.getheader("Location") is None and "elsewhere" not in body)


#: Answers with what a client is counted as, in hexadecimal digits, from several addresses in a network of their own.
COUNTED = r"""
set -eu
folder=$(mktemp -d)
# nginx removes its file when it ends.
trap 'kill $(cat "$folder/pid"); while [ -e "$folder/pid" ]; do sleep 0.1; done; rm -r "$folder"' EXIT
{
  echo "pid $folder/pid; error_log stderr; events {} http { access_log off; client_body_temp_path $folder/a; proxy_temp_path $folder/b;"
  echo "fastcgi_temp_path $folder/c; scgi_temp_path $folder/d; uwsgi_temp_path $folder/e;"
  sed -n '/map .binary_remote_addr/,/^    }/p' /etc/xinference-proxy/nginx.conf
  echo 'server { listen [::]:8088 ipv6only=off; return 200 $client; } }'
} >"$folder/nginx.conf"
ip link set lo up
for address in 192.0.2.1/32 192.0.2.2/32 2001:db8::1/128 2001:db8::2:1/128 2001:db8:0:0:ffff::1/128 2001:db8:0:1::1/128; do
  ip address add "$address" dev lo
done
nginx -c "$folder/nginx.conf"
for address in 192.0.2.1 192.0.2.2 2001:db8::1 2001:db8::2:1 2001:db8:0:0:ffff::1 2001:db8:0:1::1; do
  case $address in *:*) there='[::1]' ;; *) there=127.0.0.1 ;; esac
  echo "$address $(curl -s --interface "$address" "http://$there:8088/" | od -An -tx1 | tr -d ' \n')"
done
"""


def test_a_network_of_ipv6_counts_as_one_client(host: Any) -> None:
    """A customer of a provider has 2^64 addresses at least; each of IPv4 is one of its own, also on a socket of both families."""
    host.run("rm -f /tmp/counted.sh")
    host.check_output("cat >/tmp/counted.sh <<'END'" + COUNTED + "END")
    found = dict(line.split() for line in host.check_output("unshare --net sh /tmp/counted.sh").splitlines())
    assert found == {
        "192.0.2.1": "c0000201",
        "192.0.2.2": "c0000202",
        **dict.fromkeys(("2001:db8::1", "2001:db8::2:1", "2001:db8:0:0:ffff::1"), "20010db800000000"),
        "2001:db8:0:1::1": "20010db800000001",
    }


def test_what_is_answered_without_an_account(outsider: requests.Session, base: str) -> None:
    answer = outsider.get(f"{base}/v1/models", timeout=30)
    assert answer.status_code == 401
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert outsider.get(f"{base}/ready", timeout=30).status_code == 200
    assert outsider.get(f"{base}/live", timeout=30).status_code == 200
    assert "nginx/" not in answer.headers["Server"]


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics", "/v1/../metrics", "/./metrics", "/metrics?x", "/METRICS/../metrics"])
def test_figures_are_not_for_the_network(address: str, context: ssl.SSLContext, path: str) -> None:
    assert raw(address, context, "GET", path) == 403


@pytest.mark.parametrize("path", ["/v1/admin/setup", "//v1/admin/setup", "/v1//admin/setup", "/v1/admin/%73etup", "/v1/x/../admin/setup"])
def test_nobody_can_call_the_setup(address: str, context: ssl.SSLContext, path: str) -> None:
    assert raw(address, context, "POST", path) == 403


def test_the_web_page_works(user: requests.Session, base: str) -> None:
    page = user.get(f"{base}/", timeout=30)
    # A server without the files of its web page answers the same on its own port.
    assert page.status_code in (200, 404)
    assert user.get(f"{base}/v1/cluster/auth", timeout=30).json()["auth"] is True
    assert {model["id"] for model in user.get(f"{base}/v1/models", timeout=30).json()["data"]} == {"chat", "embed"}


def test_an_answer_comes_piece_by_piece(user: requests.Session, base: str) -> None:
    body = {"model": "chat", "messages": [{"role": "user", "content": "Write a long story."}], "max_tokens": 200, "stream": True, "temperature": 0}
    arrived = []
    with user.post(f"{base}/v1/chat/completions", json=body, stream=True, timeout=120) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith(b"data: {"):
                arrived.append(time.perf_counter())
                json.loads(line.removeprefix(b"data: "))
    assert len(arrived) > 50
    # When the first one comes is a matter of the machine. What a proxy keeps comes in bursts of its buffer's size, here of a dozen pieces or all of them.
    waited_for = [later - earlier > WAITED for earlier, later in itertools.pairwise(arrived)]
    assert sum(waited_for) > 0.4 * len(waited_for)


def test_size_of_requests(user: requests.Session, base: str) -> None:
    fits = user.post(f"{base}/v1/embeddings", json={"model": "embed", "input": "x" * 900_000}, timeout=120)
    assert fits.status_code != 413
    assert user.post(f"{base}/v1/embeddings", json={"model": "embed", "input": "x" * 1_100_000}, timeout=120).status_code == 413
    # Files that are sent may be larger, and have an end, too.
    for size, is_refused in ((1_100_000, False), (3_200_000, True)):
        sent = user.post(f"{base}/v1/audio/transcriptions", data=b"x" * size, headers={"Content-Type": "application/json"}, timeout=120)
        assert (sent.status_code == 413) is is_refused


def test_large_files_come_one_after_the_other(address: str, context: ssl.SSLContext) -> None:
    """No account is checked before a request is complete, and until then it takes room on the disk: so many at a time, and no more."""

    def begin() -> ssl.SSLSocket:
        connection = handshake(address, context)
        lines = ("POST /v1/audio/transcriptions HTTP/1.1", f"Host: {NAME}", "Transfer-Encoding: chunked", "Content-Type: application/json", "", "1", "x", "")
        connection.sendall("\r\n".join(lines).encode())
        return connection

    # The scenario lets four come at a time, and half of them from one client. Which of them nginx reads last is a matter of its workers.
    with contextlib.ExitStack() as opened:
        connections = [opened.enter_context(begin()) for _number in range(3)]
        for connection in connections:
            connection.setblocking(False)
        answers: list[bytes] = []
        while not answers:
            # Some of what comes belongs to TLS. Nginx itself ends what it waits for in a minute.
            for connection in select.select(connections, [], [])[0]:
                with contextlib.suppress(ssl.SSLWantReadError):
                    answers.append(connection.recv(100))
    assert [answer.partition(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 429 Too Many Requests"]


def test_guessing_bans_the_guesser_and_nobody_else(host: Any, server: Server, address: str, outsider: requests.Session, base: str) -> None:
    """A client that claims to be the host itself, or the gateway through which everything on the host comes."""
    gateway = host.check_output("docker inspect --format '{{ .NetworkSettings.Gateway }}' xinference")
    assert f"XINFERENCE_TRUSTED_PROXIES={gateway}" in host.check_output("docker inspect --format '{{ .Config.Env }}' xinference")
    claimed = {"X-Forwarded-For": f"{gateway}, 127.0.0.1", "X-Real-IP": gateway, "Forwarded": f"for={gateway}", "Authorization": "Bearer guessed"}
    assert {outsider.get(f"{base}/v1/models", headers=claimed, timeout=30).status_code for _try in range(TRIES)} == {401, 429}
    # The automation and everybody else on the host go on.
    status, banned = server.call("/v1/admin/security/banned-ips")
    assert status == 200
    (ban,) = banned
    assert ban["ip"] not in (gateway, "127.0.0.1", address)
    assert server.call("/v1/admin/security/unban-all-ips", {})[0] == 200


def test_logins_are_limited(outsider: requests.Session, base: str) -> None:
    """So many at once that those which are too many come before the server, which takes its time, has answered the first ones."""

    def guess(_number: int) -> int:
        try:
            return outsider.post(f"{base}/token", json={"username": "admin", "password": "guessed"}, timeout=120).status_code
        except requests.ReadTimeout:
            # The proxy refuses at once. Whom it let through, a server that has no processor for it may not answer in time.
            return LET_THROUGH

    begun = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        statuses = list(threads.map(guess, range(60)))
    seconds = time.monotonic() - begun
    assert {401, 429} <= set(statuses) <= {401, 429, LET_THROUGH}
    # The first, a burst of ten, and from then on thirty a minute.
    assert statuses.count(401) + statuses.count(LET_THROUGH) <= 1 + 10 + seconds * 30 / 60 + 1
    # Nothing but logins.
    assert outsider.get(f"{base}/v1/models", timeout=30).status_code == 401


@pytest.mark.parametrize(
    ("options", "expected"),
    [("ca_path=/etc/xinference-proxy/ca.crt", '"uid": "chat"'), ("", "CERTIFICATE_VERIFY_FAILED"), ("validate_certs=false", '"uid": "chat"')],
)
def test_modules_through_the_proxy(host: Any, options: str, expected: str) -> None:
    done = host.ansible(
        "inferops.xinference.models_info",
        f"endpoint=https://{NAME} username=admin password={PASSWORD} {options}",
        become=False,
        check=False,
        extra_vars={"ansible_python_interpreter": "/opt/xinference-client/bin/python"},
    )
    assert expected in json.dumps(done)


def test_service_runs_as_little_as_it_can(host: Any) -> None:
    assert host.service("xinference-proxy").is_running
    assert host.service("xinference-proxy").is_enabled
    workers = [process for process in host.process.filter(comm="nginx") if "worker" in process.args]
    assert workers
    assert {process.user for process in workers} <= {"xinference-proxy", "xinfere+"}
    # The package's own service would show its page to the network.
    assert not host.service("nginx").is_running
    assert host.check_output("readlink /etc/systemd/system/nginx.service") == "/dev/null"
    exposure = host.check_output("systemd-analyze security --no-pager xinference-proxy.service | tail -1")
    assert float(exposure.split("level for xinference-proxy.service: ")[1].split()[0]) < 3


def test_journal_has_requests_and_no_secret(host: Any, user: requests.Session, base: str) -> None:
    token = str(user.headers["Authorization"]).removeprefix("Bearer ")
    user.get(f"{base}/v1/models?marked=query", timeout=30)
    # What nginx has more to say of: a request that is kept in a file, and those that are too many.
    user.post(f"{base}/v1/embeddings?marked=query", json={"model": "embed", "input": "x" * 100_000}, timeout=120)
    with ThreadPoolExecutor(32) as pool:
        statuses = set(pool.map(lambda _try: user.get(f"{base}/live?marked=query", timeout=30).status_code, range(600)))
    assert statuses == {200, 429}
    journal = host.check_output("journalctl --no-pager --output=cat SYSLOG_IDENTIFIER=xinference_proxy + UNIT=xinference-proxy.service")
    assert " GET /v1/models 200 " in journal
    assert "marked=query" not in journal
    whole = host.check_output("journalctl --no-pager --output=cat")
    assert token not in whole
    assert PASSWORD not in whole
    assert urlsplit(base).hostname
