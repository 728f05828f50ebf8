"""The guard itself: a test run that could reach the network would not notice."""

import subprocess
import sys

import pytest

# Raised as events, so that nothing is sent even where the guard is broken.
OUTSIDE = [("socket.connect", (None, ("192.0.2.1", 443))), ("socket.getaddrinfo", ("example.org", 443, 0, 0, 0))]
INSIDE = [("socket.connect", (None, ("127.0.0.1", 1))), ("socket.connect", (None, "/tmp/socket"))]


@pytest.mark.parametrize(("event", "args"), OUTSIDE)
def test_the_network_is_refused_here_and_in_every_process_that_a_test_starts(event: str, args: tuple) -> None:
    with pytest.raises(ConnectionRefusedError, match="only loopback"):
        sys.audit(event, *args)
    child = [sys.executable, "-c", f"import sys; sys.audit({event!r}, *{args!r})"]
    assert b"only loopback" in subprocess.run(child, capture_output=True, check=False).stderr


@pytest.mark.parametrize(("event", "args"), INSIDE)
def test_loopback_is_not(event: str, args: tuple) -> None:
    sys.audit(event, *args)
