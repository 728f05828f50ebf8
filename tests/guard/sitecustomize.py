"""Refuses the network beyond loopback to this process; Python imports it at start from `PYTHONPATH`.

`tests/conftest.py` installs it for the test run and, through the environment, for every Python process that a test
starts.
"""

import ipaddress
import sys


def _loopback(host: object) -> bool:
    if host in {None, "", "localhost", b"localhost"}:
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"} and isinstance(args[1], tuple):
        host = args[1][0]
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if not _loopback(host):
        raise ConnectionRefusedError(f"tests may not reach {host!r}: only loopback")


sys.addaudithook(_refuse)
