"""Where the gateway listens: TLS, what others may reach, and counters on an address of their own."""

import asyncio
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lawspeaker.errors import InputError
from lawspeaker.gateway import protocol
from lawspeaker.gateway.binding import Binding, bind, listen
from tests.gateway.served import Served, program, serving

PUBLIC = ("--host", "0.0.0.0")
SCRIPT = "- {reply: There you are., again: true}\n"


def make_certificate(folder: Path, name: str = "cert", last: int = 1) -> tuple[str, str]:
    """A certificate for this machine that is good until `last` days from now, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.DNSName("*.example.com"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(datetime.now(UTC) - timedelta(days=9))
    made = made.not_valid_after(datetime.now(UTC) + timedelta(days=last))
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate, secret = folder / f"{name}.pem", folder / f"{name}-key.pem"
    certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    for path, sealed in (
        (secret, serialization.NoEncryption()),
        (folder / "sealed.pem", serialization.BestAvailableEncryption(b"secret")),
    ):
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))
    return str(certificate), str(secret)


def _get(base: str, path: str, trusted: ssl.SSLContext | None = None, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(base + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusted) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _ask(base: str, model: str, trusted: ssl.SSLContext | None = None, **headers: str) -> str:
    """The decision's id."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]}).encode()
    headers = {"content-type": "application/json", "authorization": "Bearer any", **headers}
    asked = urllib.request.Request(base + "/v1/chat/completions", body, headers)
    with urllib.request.urlopen(asked, timeout=30, context=trusted) as response:
        return str(response.headers["x-lawspeaker-decision"])


def _metrics_at(served: Served) -> str:
    """What the program says of where its counters are; it stands in one of the lines before the last."""
    for line in served.process.stderr:
        if found := re.search(r"/metrics on port (\d+)", line):
            return f"127.0.0.1:{found[1]}"
    raise AssertionError("it was not said where the counters are")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("binds")
    make_certificate(folder, "old", last=-1)
    make_certificate(folder)
    (folder / "script.yaml").write_text(SCRIPT, encoding="utf-8")
    (folder / "junk.pem").write_text("nothing of the kind")
    yield folder


CERT = {"certificate": "cert.pem", "key": "cert-key.pem"}
OPEN = {"host": "0.0.0.0"}


@pytest.mark.parametrize(
    ("asked", "keys", "words"),
    [
        ({**OPEN, **CERT}, (False, True), "there are no valid access keys"),
        (OPEN, (True, True), "in plain text; give --tls-cert"),
        ({**OPEN, "plain_text": True}, (True, True), "--allowed-host NAME"),
        ({"certificate": "cert.pem"}, (True, True), "belong together"),
        ({**CERT, "certificate": "nowhere.pem"}, (True, True), "nowhere.pem: No such file"),
        ({**CERT, "key": "nowhere.pem"}, (True, True), "nowhere.pem: No such file"),
        ({**CERT, "certificate": "."}, (True, True), ".: Is a directory"),
        ({**CERT, "certificate": "junk.pem"}, (True, True), "no certificate and its unencrypted key"),
        ({**CERT, "key": "old-key.pem"}, (True, True), "no certificate and its unencrypted key"),
        ({**CERT, "key": "sealed.pem"}, (True, True), "no certificate and its unencrypted key"),
        ({"certificate": "old.pem", "key": "old-key.pem"}, (True, True), "old.pem: expired on "),
        ({"metrics": "9100"}, (True, True), "write HOST:PORT"),
        ({"metrics": "127.0.0.1:99999"}, (True, True), "write HOST:PORT"),
        ({"metrics": "0.0.0.0:0"}, (True, False), "there are no valid keys for /metrics"),
        ({"metrics": "0.0.0.0:0"}, (True, True), "in plain text"),
        ({"metrics": "0.0.0.0:0", "plain_text": True}, (True, True), "--allowed-host NAME"),
        ({"hosts": ("a b",)}, (True, True), "write a host's name"),
        ({"host": "no.such.host.invalid"}, (True, True), "in plain text"),
        ({"host": "no.such.host.invalid", "plain_text": True}, (True, True), "cannot listen on no.such.host.invalid:0"),
        ({"host": "a" * 70 + ".b", "plain_text": True}, (True, True), "cannot listen on "),
        ({"host": "127.0.0.1", "port": 1}, (True, True), "cannot listen on 127.0.0.1:1: "),
    ],
)
def test_what_cannot_be_opened_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, asked: dict, keys: tuple[bool, bool], words: str
) -> None:
    monkeypatch.chdir(folder)
    paths = {name: Path(asked[name]) for name in ("certificate", "key") if name in asked}
    if asked.get("port") == 1:  # an address that is in use
        taken = listen("127.0.0.1", 0)
        asked, words = {**asked, "port": taken.getsockname()[1]}, "Address already in use"
    with pytest.raises(InputError, match=re.escape(words)) as error:
        bind(Binding(**{"port": 0, **asked, **paths}), clients=keys[0], scrapers=keys[1])
    assert "\n" not in str(error.value)
    if asked.get("port", 0):
        taken.close()


def test_the_program_says_so(folder: Path) -> None:
    for command in (["add", "gone"], ["revoke", "gone"], ["add", "scraper", "--metrics"]):
        program(folder, "access", *command)
    tls = ("--tls-cert", "cert.pem", "--tls-key", "cert-key.pem")
    for options, words in (
        ((*PUBLIC, *tls), "there are no valid access keys"),  # a key for /metrics lets no client in
        (("--tls-cert", "cert.pem", "--tls-key", "junk.pem"), "no certificate and its unencrypted key"),
    ):
        done = program(folder, "serve", "--port", "0", *options)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), (options, done.stderr)
        assert words in done.stderr


def test_others_need_a_key_and_the_host_name(tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text(SCRIPT, encoding="utf-8")
    key = program(tmp_path, "access", "add", "web").stdout.strip()
    model = ("--upstream", "scripted:script.yaml")
    named = ("--plain-text", "--allowed-host", "*.example.com")
    with serving(tmp_path, *model, *PUBLIC, *named) as served:
        base = f"http://127.0.0.1:{urlsplit(served.base).port}"
        bearer = {"authorization": f"Bearer {key}"}
        assert _get(base, "/healthz")[0] == 200  # by any name: whoever watches a container knows its address alone
        assert _get(base, "/v1/models", **bearer)[0] == 403
        for host, status in (
            ("api.example.com", 200),
            ("api.example.com:8443", 200),
            ("API.EXAMPLE.COM", 200),
            ("example.com", 403),
            ("a.b.example.com", 403),
            ("example.com.evil.test", 403),
            ("", 403),
        ):
            assert _get(base, "/v1/models", host=host, **bearer)[0] == status, host
        assert _get(base, "/v1/models", host="api.example.com")[0] == 401
        for each in ({}, bearer):
            assert _get(base, "/metrics", host="api.example.com", **each)[0] == (404 if each else 401)
        assert _ask(base, "script.yaml", host="api.example.com", **bearer)


def test_tls_and_counters_apart(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    (tmp_path / "script.yaml").write_text(SCRIPT, encoding="utf-8")
    scraper = program(tmp_path, "access", "add", "prometheus", "--metrics").stdout.strip()
    web = program(tmp_path, "access", "add", "web").stdout.strip()
    tls = ("--tls-cert", cert, "--tls-key", key, "--upstream", "scripted:script.yaml")
    with serving(tmp_path, *PUBLIC, *tls, "--metrics-bind", "0.0.0.0:0") as served:
        base = f"https://localhost:{urlsplit(served.base).port}"
        trusted = ssl.create_default_context(cafile=cert)
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            _get(base, "/healthz")
        with pytest.raises((OSError, http.client.HTTPException)):
            _get(base.replace("https", "http"), "/healthz")
        assert _ask(base, "script.yaml", trusted, authorization=f"Bearer {web}")
        assert _get(base, "/metrics", trusted, authorization=f"Bearer {web}")[0] == 404
        assert _get(base, "/v1/models", trusted, authorization=f"Bearer {scraper}")[0] == 403
        apart = f"https://{_metrics_at(served)}"
        assert _get(apart, "/metrics", trusted)[0] == 401
        assert _get(apart, "/metrics", trusted, authorization=f"Bearer {web}")[0] == 403
        status, text = _get(apart, "/metrics", trusted, authorization=f"Bearer {scraper}")
        assert status == 200
        assert 'lawspeaker_answers_total{outcome="release"' in text
        for path in ("/healthz", "/v1/models", "/v1/chat/completions"):
            assert _get(apart, path, trusted, authorization=f"Bearer {scraper}")[0] == 404
        program(tmp_path, "access", "revoke", "prometheus")
        assert _get(apart, "/metrics", trusted, authorization=f"Bearer {scraper}")[0] == 401
        code, err = served.stop()
    assert code == 0
    assert "Traceback" not in err


def test_the_file_says_where_to_listen_and_an_option_wins(folder: Path) -> None:
    """Two processes, TLS and counters apart, all of it in the file; its port is not taken."""
    taken = listen("127.0.0.1", 0)
    (folder / "lawspeaker.yaml").write_text(
        f"listen:\n  host: 127.0.0.1\n  port: {taken.getsockname()[1]}\n  allowed_hosts: [gateway.internal]\n"
        "  tls: {certificate: cert.pem, key: cert-key.pem}\n  metrics: 127.0.0.1:0\nworkers: 2\n"
        "routes:\n  - {name: quiet, model: 'scripted:script.yaml', constitution: infrastructure}\n"
    )
    trusted = ssl.create_default_context(cafile=folder / "cert.pem")
    with serving(folder, "--config", str(folder / "lawspeaker.yaml"), "--host", "localhost") as served:
        assert served.base.startswith("https://localhost:")
        for host, status in (("gateway.internal", 200), ("localhost", 200), ("a.example.com", 200), ("other", 403)):
            assert _get(served.base, "/v1/models", trusted, host=host, authorization="Bearer any")[0] in (status, 401)
        assert _get(served.base, "/metrics", trusted, host="gateway.internal")[0] != 200
        assert _get(f"http://{_metrics_at(served)}", "/metrics")[0] == 200
        code, err = served.stop()
        assert (code, "started again" in err) == (0, False)
    taken.close()
    for before, after, words in (
        ("cert-key.pem", "junk.pem", "no certificate and its unencrypted key in PEM"),
        ("gateway.internal", "a:b", "--allowed-host 'a:b': write a host's name"),
    ):
        text = (folder / "lawspeaker.yaml").read_text()
        (folder / "broken.yaml").write_text(text.replace(before, after))
        done = program(folder, "serve", "--config", "broken.yaml")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert words in done.stderr


def test_counters_on_loopback_are_told_to_this_machine_alone(folder: Path) -> None:
    with serving(folder, "--upstream", "scripted:script.yaml", "--metrics-bind", "127.0.0.1:0") as served:
        assert _get(served.base, "/metrics")[0] in (401, 404)
        apart = f"http://{_metrics_at(served)}"
        assert _get(apart, "/metrics")[0] == 200
        assert _get(apart, "/metrics", host="evil.example")[0] == 403


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("heads")
    (folder / "script.yaml").write_text(SCRIPT, encoding="utf-8")
    with serving(folder, "--upstream", "scripted:script.yaml") as served:
        yield served


def _resident(served: Served) -> int:
    """MiB."""
    return int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


@pytest.mark.parametrize("line", [b"x-%06d: " + b"y" * 1000 + b"\r\n", b"%06d" + b"y" * 1000])
def test_a_head_without_an_end_is_refused(plain: Served, line: bytes) -> None:
    at = urlsplit(plain.base)
    before = _resident(plain)
    with socket.create_connection((at.hostname, at.port), timeout=10) as peer:
        peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        sent = 0
        try:
            for sent in range(50_000):
                peer.sendall(line % sent)
        except ConnectionError:
            pass
        assert sent < 49_999
    assert _resident(plain) < before + 20
    assert _get(plain.base, "/healthz")[0] == 200


def test_a_head_that_is_large_and_whole(plain: Served) -> None:
    at = urlsplit(plain.base)
    for size, status in ((protocol.LARGEST_HEAD - 2000, 200), (protocol.LARGEST_HEAD, 431)):
        peer = http.client.HTTPConnection(at.hostname, at.port, timeout=10)
        for _ in range(2):  # on one connection: the bound is of each head
            try:
                peer.request("GET", "/healthz", headers={"x-large": "y" * size})
                response = peer.getresponse()
            except ConnectionError:
                assert status == 431
                break
            response.read()
            assert response.status == status
            if status == 431:
                assert response.headers["x-should-retry"] == "false"
                break
        peer.close()


def test_an_idle_connection_is_kept(plain: Served) -> None:
    """For longer than the five seconds that uvicorn keeps it: who sends into one that is being closed has an error."""
    at = urlsplit(plain.base)
    peer = http.client.HTTPConnection(at.hostname, at.port, timeout=10)
    for wait in (6, 0):
        peer.request("GET", "/healthz")
        response = peer.getresponse()
        assert (response.status, response.read()) == (200, b'{"status":"ok"}')
        before = peer.sock
        time.sleep(wait)
        assert peer.sock is before
    peer.close()


def test_a_name_that_is_there_twice_is_refused(plain: Served) -> None:
    at = urlsplit(plain.base)
    for name, other in ((b"Host", b"evil.example"), (b"Authorization", b"Bearer b"), (b"X-Api-Key", b"b")):
        with socket.create_connection((at.hostname, at.port), timeout=10) as peer:
            head = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nX-Api-Key: a\r\n"
            peer.sendall(head + name + b": " + other + b"\r\n\r\n")
            assert peer.recv(100).startswith(b"HTTP/1.1 400 "), name


class Quick(protocol.BoundedProtocol):
    """Does not wait as long, for a test."""

    patience = 0.5


def test_a_head_that_does_not_come_is_hung_up_on() -> None:
    """Many slow clients keep nobody else out, and each is gone after a while; one that is served is not."""

    async def app(scope: dict, receive: object, send: Callable[[dict], Awaitable[None]]) -> None:
        await asyncio.sleep(2.5)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def run() -> None:
        config = uvicorn.Config(app, http=Quick, ws="none", lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        with listen("127.0.0.1", 0) as sock:
            serving = asyncio.create_task(server._serve([sock]))
            at = sock.getsockname()
            peers = [await asyncio.open_connection(*at) for _ in range(100)]
            for number, (_, writer) in enumerate(peers):
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: local"[: number % 30])
            reader, writer = await asyncio.open_connection(*at)
            await asyncio.sleep(0.2)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(1)  # the loop is busy meanwhile: what has arrived by then is read first
            async with asyncio.timeout(20):
                for slow, _ in peers:
                    assert await slow.read() == b""
                assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            for _, each in [*peers, (reader, writer)]:
                each.close()
                await each.wait_closed()
            server.should_exit = True
            await serving

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
