"""Where the gateway listens, and what is asked of an address that others can reach.

Keys and TLS, or keys and a word that a proxy in front ends TLS: nothing is open to others by an oversight. A request
names the host that it means, and one that means another host (a page in a browser that had its own name point here, a
proxy that is set up wrongly) is not served.
"""

import re
import socket
import ssl
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509

from lawspeaker.errors import InputError

_BACKLOG: Final = 2048
_LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST: Final = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,252})")


class Binding(msgspec.Struct, frozen=True):
    """Where to listen, as it was asked for. `hosts` are names that requests may give beside those that follow from the
    address and the certificate, `metrics` is HOST:PORT for the counters alone."""

    host: str = "127.0.0.1"
    port: int = 8080
    certificate: Path | None = None
    key: Path | None = None
    plain_text: bool = False
    hosts: tuple[str, ...] = ()
    metrics: str = ""


class Hosts(msgspec.Struct, frozen=True):
    """The names that a request may call a server by. `*` among them is any, `*.example.com` any in that domain."""

    names: frozenset[str]

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        return name in self.names or "*" in self.names or "*" + name[name.find(".") :] in self.names


class Bound(msgspec.Struct, frozen=True):
    """What is listened on. `scraped` is where the counters are, where they have an address of their own; `guarded`
    says that others can reach it, so that it asks for a key."""

    base: str
    sock: socket.socket
    hosts: Hosts
    open: bool
    secured: ssl.SSLContext | None = None
    scraped: socket.socket | None = None
    scrapers: Hosts = Hosts(frozenset())
    guarded: bool = False

    def close(self) -> None:
        self.sock.close()
        if self.scraped is not None:
            self.scraped.close()


def bind(binding: Binding, *, clients: bool, scrapers: bool) -> Bound:
    """Listen as `binding` says. `clients` and `scrapers` say whether there are valid keys of each sort. Raises
    `InputError` where an address cannot be had, or what it needs is not there."""
    metrics = address(binding.metrics) if binding.metrics else None
    secured, certified = _tls(binding)
    named = frozenset(_name(each) for each in binding.hosts) | certified
    is_open = not is_loopback(binding.host)
    guarded = metrics is not None and not is_loopback(metrics[0])
    if is_open:
        _check(f"--host {binding.host}", secured, binding, clients, "access keys", "")
    if metrics is not None and guarded:
        _check(f"--metrics-bind {binding.metrics}", secured, binding, scrapers, "keys for /metrics", " --metrics")
    hosts, scraping = _hosts(binding.host, named), _hosts(metrics[0], named) if metrics else Hosts(frozenset())
    for host, names in ((binding.host, hosts), *(((metrics[0], scraping),) if metrics else ())):
        if not names.names:
            words = "stands for every address: give the names that clients call it by with --allowed-host NAME"
            raise InputError(f"{host} {words}")
    sock = listen(binding.host, binding.port)
    try:
        scraped = listen(*metrics) if metrics else None
    except InputError:
        sock.close()
        raise
    shown = binding.host if not _is_wildcard(binding.host) else min(hosts.names - {"*"}, default=binding.host)
    port = sock.getsockname()[1]
    base = f"http{'s' if secured else ''}://{f'[{shown}]' if ':' in shown else shown}:{port}"
    return Bound(base, sock, hosts, is_open, secured, scraped, scraping, guarded)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `InputError` where it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except (OSError, UnicodeError) as error:
        sock.close()
        why = error.strerror if isinstance(error, OSError) else "that is no host name"
        raise InputError(f"cannot listen on {host}:{port}: {why}") from None
    return sock


def address(text: str) -> tuple[str, int]:
    """`10.0.0.5:9100`, `[::1]:9100`."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise InputError(f"--metrics-bind {text[:80]!r}: write HOST:PORT, as in 10.0.0.5:9100")
    return host, int(port)


def hostname(host: str) -> str:
    """What the header `Host` names: `[::1]:8000` -> `::1`; `localhost:8000` -> `localhost`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _check(what: str, secured: ssl.SSLContext | None, binding: Binding, keys: bool, kind: str, option: str) -> None:
    if not keys:
        raise InputError(
            f"{what} can be reached by others and there are no valid {kind}; use 127.0.0.1, or make a key with"
            f" `lawspeaker access add NAME{option}`"
        )
    if secured is None and not binding.plain_text:
        raise InputError(
            f"{what} can be reached by others and keys would cross the network in plain text; give --tls-cert and"
            " --tls-key, or --plain-text where a proxy in front ends TLS"
        )


def _hosts(host: str, named: frozenset[str]) -> Hosts:
    if is_loopback(host):
        return Hosts(_LOOPBACK_NAMES | {host.lower()} | named)
    return Hosts(named if _is_wildcard(host) else named | {host.lower()})


def _is_wildcard(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _name(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    if not _HOST.fullmatch(host.lower()):
        raise InputError(f"--allowed-host {host[:80]!r}: write a host's name without a port, *.example.com, or *")
    return host.lower()


def _tls(binding: Binding) -> tuple[ssl.SSLContext | None, frozenset[str]]:
    """TLS by files in PEM, and the names that the certificate is for."""
    certificate, key = binding.certificate, binding.key
    if certificate is None and key is None:
        return None, frozenset()
    if certificate is None or key is None:
        raise InputError("--tls-cert and --tls-key belong together; give both")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        data = certificate.read_bytes()
        context.load_cert_chain(certificate, key, password=lambda: b"")  # never asks on a terminal
        leaf = x509.load_pem_x509_certificate(data)
    except ssl.SSLError:
        raise InputError(f"{certificate}, {key}: no certificate and its unencrypted key in PEM") from None
    except OSError as error:
        raise InputError(f"{error.filename or f'{certificate}, {key}'}: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{certificate}: no certificate that can be read") from None
    if leaf.not_valid_after_utc <= datetime.now(UTC):
        raise InputError(f"{certificate}: expired on {leaf.not_valid_after_utc.date()}")
    return context, _certified(leaf)


def _certified(leaf: x509.Certificate) -> frozenset[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return frozenset()
    addresses = {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    return frozenset({each.lower() for each in names.get_values_for_type(x509.DNSName)} | addresses)
