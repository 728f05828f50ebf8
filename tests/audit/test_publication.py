"""The writer's own publication: copies in files, over HTTP and in an S3 store, and only what was cosigned."""

import asyncio
import hashlib
import hmac
import re
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from lawspeaker.audit import places
from lawspeaker.audit.log import Log, lock_writer, open_log
from lawspeaker.audit.places import Credentials, check_place, put, sign
from lawspeaker.audit.publication import Plan, load_plan, save_plan
from lawspeaker.audit.reader import LogReader, read_vkeys
from lawspeaker.audit.verify import verify
from lawspeaker.audit.witness import CosignerKey, Witness, cosignatures, open_witness, request_body
from lawspeaker.errors import LogError
from tests.audit.logs import append_some, make_log

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXAMPLE = Credentials("AKIAIOSFODNN7EXAMPLE", SECRET, "us-east-1")


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "signature"),
    [
        (
            "PUT",
            "/test%24file.text",
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/test.txt",
            {"Range": "bytes=0-9"},
            b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    ],
)
def test_signatures_are_those_that_amazon_publishes(method, path, headers, body, signature):
    host = "examplebucket.s3.amazonaws.com"
    moment = datetime(2013, 5, 24, tzinfo=UTC)
    made = sign(method, f"https://{host}{path}", {"Host": host, **headers}, body, EXAMPLE, moment)
    assert made["authorization"].rpartition("Signature=")[2] == signature


class Store:
    """A server that takes objects by PUT, signed ones only if it has a secret; and while it is `up`."""

    def __init__(self, secret: str = "") -> None:
        self.objects: dict[str, bytes] = {}
        self.puts = 0
        self.up, self._secret = True, secret

    async def put(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not self.up:
            return web.Response(status=503, text="away")
        if self._secret and not self._signed(request, body):
            return web.Response(status=403, text="SignatureDoesNotMatch")
        self.objects[request.rel_url.raw_path] = body
        self.puts += 1
        return web.Response()

    def _signed(self, request: web.Request, body: bytes) -> bool:
        """What the request says of itself, put together from what arrived."""
        said = request.headers.get("authorization", "")
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(\w+)/(.+),SignedHeaders=(.+),Signature=(\w+)", said)
        if not found:
            return False
        _, scope, names, signature = found.groups()
        day, region, service, end = scope.split("/")
        digest = hashlib.sha256(body).hexdigest()
        lines = "".join(f"{name}:{request.headers[name]}\n" for name in names.split(";"))
        whole = f"PUT\n{request.rel_url.raw_path}\n\n{lines}\n{names}\n{digest}"
        text = (
            f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{scope}\n{hashlib.sha256(whole.encode()).hexdigest()}"
        )
        key = b"AWS4" + self._secret.encode()
        for part in (day, region, service, end, text):
            key = hmac.new(key, part.encode(), "sha256").digest()
        wanted = {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names.split(";"))
        return wanted and request.headers["x-amz-content-sha256"] == digest and key.hex() == signature


class WitnessServer:
    """A real witness behind a real server, which can be `up` or not."""

    def __init__(self, witness: Witness) -> None:
        self.up, self._witness = True, witness

    async def post(self, request: web.Request) -> web.Response:
        if not self.up:
            return web.Response(status=503, text="away")
        answer = self._witness.add_checkpoint(await request.read())
        return web.Response(status=answer.status, text=answer.body)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def store_app(store: Store) -> web.Application:
    app = web.Application()
    app.router.add_put("/{path:.*}", store.put)
    return app


async def until_published(log: Log, seen: Path, size: int) -> None:
    for _ in range(400):
        if seen.exists() and seen.read_text().split("\n")[1:2] == [str(size)] and not log.unpublished:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{seen} never had the head of {size}: {log.unpublished}")


async def until_troubled(log: Log, says: str) -> None:
    for _ in range(400):
        if says in log.unpublished:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(log.unpublished)


def test_the_writer_copies_its_head_to_files_http_and_s3(tmp_path, monkeypatch):
    home, copy, plain, bucket = tmp_path / "home", tmp_path / "copy", Store(), Store(SECRET)
    make_log(home, 1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)

    async def run() -> None:
        async with served(store_app(plain)) as web_, served(store_app(bucket)) as s3:
            monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
            named = (str(copy), f"{web_}/heads/mine", "s3://logs/eu/head of mine")
            save_plan(home, Plan(named, every=0.1))
            async with await open_log(home) as log:
                await until_published(log, copy, 1)
                await append_some(log, 2)
                await until_published(log, copy, 3)
                bucket.up = False
                await append_some(log, 1)
                await until_troubled(log, "s3://logs/eu/head of mine: the checkpoint was not taken: HTTP 503 away")
                bucket.up = True
                await append_some(log, 1)
            # Closing publishes what came last, everywhere.
            assert log.unpublished == ""
        head = (home / "log" / "checkpoint").read_bytes()
        assert head.split(b"\n")[1] == b"5"
        assert plain.objects == {"/heads/mine": head}
        assert bucket.objects == {"/logs/eu/head%20of%20mine": head}
        assert copy.read_bytes() == head

    asyncio.run(run())
    assert verify(home, read_vkeys(home)[0], copy.read_text()).ok


def test_a_wrong_secret_is_refused_and_said(tmp_path, monkeypatch):
    bucket = Store(SECRET)

    async def run() -> None:
        async with served(store_app(bucket)) as s3:
            monkeypatch.setenv("AWS_ENDPOINT_URL", s3)
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
            with pytest.raises(LogError, match="HTTP 403 SignatureDoesNotMatch"):
                await put("x", "s3://logs/head")
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
            with pytest.raises(LogError, match="set AWS_ACCESS_KEY_ID"):
                await put("x", "s3://logs/head")

    asyncio.run(run())
    assert bucket.objects == {}


@pytest.mark.parametrize(
    "place", ["", "s3://", "s3://bucket", "s3://bucket/", "s3://bucket/key?x", "http://", "http://[::1", "a\0b"]
)
def test_what_names_no_place_is_refused(place):
    with pytest.raises(LogError):
        check_place(place)


def test_with_a_required_witness_only_cosigned_heads_are_published(tmp_path):
    home, copy = tmp_path / "home", tmp_path / "copy"
    make_log(home, 1)
    witness, vkey = open_witness(tmp_path / "w", "example.org/w", list(read_vkeys(home)))
    server = WitnessServer(witness)

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/add-checkpoint", server.post)
        async with served(app) as url:
            save_plan(home, Plan((str(copy),), (f"{url}={vkey}",), 1, 0.1))
            async with await open_log(home) as log:
                await until_published(log, copy, 1)
                server.up = False
                receipts = await append_some(log, 2)
                assert [receipt.index for receipt in receipts] == [1, 2]
                await until_troubled(log, "head of 3 records, 1 are required")
                for place in (copy, home / "log" / "checkpoint"):
                    assert place.read_text().split("\n")[1] == "1"
                assert verify(home).ok
                server.up = True
                await until_published(log, copy, 3)
                server.up = False
                await append_some(log, 1)
            assert "1 are required" in log.unpublished
            # Opened again, the log goes on from a published head that is behind, and catches up.
            server.up = True
            async with await open_log(home) as log:
                await until_published(log, copy, 4)

    asyncio.run(run())
    witness.close()
    for place in (copy, home / "log" / "checkpoint"):
        note = place.read_text()
        assert note.split("\n")[1] == "4"
        assert len(cosignatures(note, [CosignerKey(vkey)])) == 1
    report = verify(home, read_vkeys(home)[0], copy.read_text())
    assert report.ok, report.problems
    with LogReader(home) as reader:
        assert copy.read_text().startswith(reader.checkpoint)


def test_a_witness_that_saw_another_log_is_told_of_although_enough_signed(tmp_path, caplog):
    """The second witness has cosigned a longer log under the same key."""
    home, other, copy = tmp_path / "home", tmp_path / "other", tmp_path / "copy"
    make_log(home, 1)
    shutil.copytree(home, other)
    make_log(other, 5)
    witnesses = [open_witness(tmp_path / f"w{n}", "", list(read_vkeys(home))) for n in range(2)]
    with LogReader(other) as reader:
        assert witnesses[1][0].add_checkpoint(request_body(0, [], reader.checkpoint)).status == 200

    async def run() -> None:
        app = web.Application()
        for n, (witness, _) in enumerate(witnesses):
            app.router.add_post(f"/{n}/add-checkpoint", WitnessServer(witness).post)
        async with served(app) as url:
            named = tuple(f"{url}/{n}={vkey}" for n, (_, vkey) in enumerate(witnesses))
            save_plan(home, Plan((str(copy),), named, 1, 0.1))
            async with await open_log(home) as log:
                await until_published(log, copy, 1)
                await append_some(log, 1)
                await until_published(log, copy, 2)

    asyncio.run(run())
    told = [record.getMessage() for record in caplog.records if "did not cosign" in record.getMessage()]
    assert len(told) == 1  # once, and not with every head
    assert "/1 did not cosign the head of the audit log: it has signed a head of 6 records" in told[0]
    for witness, _ in witnesses:
        witness.close()


def test_a_place_that_hangs_keeps_nobody_waiting(tmp_path, monkeypatch):
    """As a file system in the network does when its server is away."""
    home, gate, write = tmp_path / "home", threading.Event(), places._write

    def late(path: Path, data: bytes) -> None:
        gate.wait(30)
        write(path, data)

    monkeypatch.setattr(places, "_write", late)
    make_log(home, 1)

    async def run() -> None:
        save_plan(home, Plan((str(tmp_path / "copy"),), every=0.1))
        async with await open_log(home) as log:
            await asyncio.sleep(0.3)
            receipts = await append_some(log, 2)
            assert [receipt.index for receipt in receipts] == [1, 2]
            assert not (tmp_path / "copy").exists()
            gate.set()
            await until_published(log, tmp_path / "copy", 3)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "publication.json"),
        ("{", "publication.json"),
        ('{"required": 1}', "1 of 0 different witnesses"),
        ('{"witnesses": ["http://x=no"]}', "witness"),
        ('{"witnesses": ["x"]}', "URL=VKEY"),
        ('{"places": ["s3://x"]}', "s3://BUCKET/KEY"),
        ('{"every": 0}', "0.1 to 3600"),
        ('{"palces": []}', "palces"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_keeps_the_log_from_being_written(tmp_path, text, says):
    make_log(tmp_path, 1)
    (tmp_path / "publication.json").write_text(text)
    with pytest.raises(LogError, match=says) as raised:
        make_log(tmp_path, 1)
    assert "\n" not in str(raised.value)
    lock = lock_writer(tmp_path)
    assert lock is not None
    save_plan(tmp_path, None)
    assert load_plan(tmp_path) is None
