"""Where copies of the log's head go: a file, an HTTP address, or an object in a store that speaks S3.

S3 takes one signed PUT (AWS Signature Version 4), which is short and fixed; a client library for it would be larger
than the log. Credentials come from the environment names that the vendors' own tools read.
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from yarl import URL

from lawspeaker.audit import storage
from lawspeaker.errors import LogError

PATIENCE = 10.0
_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(msgspec.Struct, frozen=True):
    """Whose request it is. `endpoint` is another store's address; without one it is Amazon's, of the region."""

    id: str
    secret: str
    region: str
    token: str = ""
    endpoint: str = ""

    def url(self, bucket: str, key: str) -> str:
        """The object's address: the bucket as a path below an endpoint, as a host at Amazon."""
        if self.endpoint:
            return f"{self.endpoint.rstrip('/')}/{bucket}/{quote(key, safe='/-_.~')}"
        return f"https://{bucket}.s3.{self.region}.amazonaws.com/{quote(key, safe='/-_.~')}"


def credentials(place: str, environment: Mapping[str, str]) -> Credentials:
    """Raises `LogError` where the environment has none."""
    id_, secret = environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    if not (id_ and secret and (region or endpoint)):
        raise LogError(
            f"{place}: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION (AWS_ENDPOINT_URL for another store)"
        )
    return Credentials(id_, secret, region or "us-east-1", environment.get("AWS_SESSION_TOKEN", ""), endpoint)


def check_place(place: str) -> None:
    """Refuse, with `LogError`, what names no place."""
    try:
        parts = urlsplit(place)
    except ValueError as error:
        raise LogError(f"{place[:200]}: {error}") from None
    if place.startswith("s3://") and (not parts.netloc or len(parts.path) < 2 or parts.query or parts.fragment):
        raise LogError(f"{place[:200]}: want s3://BUCKET/KEY")
    if place.startswith(("http://", "https://")) and not parts.netloc:
        raise LogError(f"{place[:200]}: want an address with a host")
    if not place or "\0" in place:
        raise LogError("a place to copy the log's head to must be a file, an http address or s3://BUCKET/KEY")


async def put(note: str, place: str) -> None:
    """Copy a head to a place, in place of the one that is there; raises `LogError` where that fails."""
    check_place(place)
    data = note.encode()
    if place.startswith("s3://"):
        who, parts = credentials(place, os.environ), urlsplit(place)
        url = who.url(parts.netloc, parts.path[1:])
        headers = {"content-type": "text/plain", "host": urlsplit(url).netloc}
        await _send(place, url, data, sign("PUT", url, headers, data, who, datetime.now(UTC)))
    elif place.startswith(("http://", "https://")):
        await _send(place, place, data, {"Content-Type": "text/plain"})
    else:
        await asyncio.to_thread(_write, Path(place), data)


def _write(path: Path, data: bytes) -> None:
    """In place of the file that is there. A disk that is far away may take its time: not on the event loop."""
    with storage.errors(path):
        temporary = path.with_name(path.name + ".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.rename(path)


async def _send(place: str, url: str, data: bytes, headers: Mapping[str, str]) -> None:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session,
            session.put(URL(url, encoded=True), data=data, headers=headers, allow_redirects=False) as response,
        ):
            if response.status >= 300:
                said = " ".join((await response.content.read(300)).decode("utf-8", "replace").split())
                raise LogError(f"{place}: the checkpoint was not taken: HTTP {response.status} {said}".rstrip())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise LogError(f"{place}: the checkpoint could not be sent: {type(error).__name__}") from error


def sign(
    method: str, url: str, headers: Mapping[str, str], data: bytes, who: Credentials, moment: datetime
) -> dict[str, str]:
    """The headers of a request to S3, with its signature. The url's path is encoded already; all headers are signed."""
    stamp, digest = moment.strftime("%Y%m%dT%H%M%SZ"), hashlib.sha256(data).hexdigest()
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed |= {"x-amz-content-sha256": digest, "x-amz-date": stamp}
    if who.token:
        signed["x-amz-security-token"] = who.token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = f"{method}\n{urlsplit(url).path}\n{urlsplit(url).query}\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{who.region}/s3/aws4_request"
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{who.secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = f"Credential={who.id}/{scope},SignedHeaders={names},Signature={key.hex()}"
    return signed | {"authorization": f"{_ALGORITHM} {credential}"}
