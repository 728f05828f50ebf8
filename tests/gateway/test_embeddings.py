"""Embeddings: what is sent is judged as a request; vectors come back as they came, or a refusal that nobody retries."""

import base64
import json
import struct

import openai
import pytest
from aiohttp import web
from langchain_openai import OpenAIEmbeddings

from lawspeaker.audit.reader import LogReader
from tests.gateway.served import Served, serving

SEEN: list[dict] = []


def answer(request: web.Request, body: dict) -> web.Response:
    """Two numbers for each text: its place and its length; what is wrong goes by the first text."""
    assert request.path.endswith("/embeddings")
    SEEN.append(body)
    numbers = [[float(place), float(len(text))] for place, text in enumerate(body["input"])]
    first = body["input"][0]
    if first == "reject":
        return web.json_response({"error": {"message": "too long"}}, status=400)
    if first == "junk":
        return web.json_response({"data": [{"index": 0, "embedding": "<script>"}]})
    if first == "few":
        numbers = []
    values: list = numbers
    if body.get("encoding_format") == "base64":
        values = [base64.b64encode(struct.pack("<2f", *each)).decode() for each in numbers]
    data = [{"object": "embedding", "index": n, "embedding": value} for n, value in enumerate(values)]
    return web.json_response({"data": data[::-1], "model": "secret", "usage": {"prompt_tokens": 4, "total_tokens": 4}})


@pytest.mark.parametrize("encoding", ["float", "base64", None])
@pytest.mark.client("openai-python, Embeddings", feature="answer and usage")
def test_vectors_come_back_in_order(oai: openai.OpenAI, encoding: str | None) -> None:
    more = {"encoding_format": encoding} if encoding else {}
    raw = oai.embeddings.with_raw_response.create(model="tiny", input=["one", "three"], dimensions=2, **more)
    said = raw.parse()
    if encoding != "base64":
        assert [each.embedding for each in said.data] == [[0.0, 3.0], [1.0, 5.0]]
    assert (said.model, said.usage.total_tokens) == ("tiny", 4)
    assert (SEEN[-1]["dimensions"], SEEN[-1]["input"]) == (2, ["one", "three"])
    assert len(raw.headers["x-lawspeaker-decision"]) == 32


@pytest.mark.client("langchain-openai", feature="embeddings")
def test_langchain(up: Served) -> None:
    model = OpenAIEmbeddings(
        model="tiny", base_url=f"{up.base}/v1", api_key="any", check_embedding_ctx_length=False, max_retries=0
    )
    assert model.embed_documents(["ab", "c"]) == [[0.0, 2.0], [1.0, 1.0]]


@pytest.mark.parametrize("text", ["swordfish", ["fine", "the swordfish"]])
@pytest.mark.client("openai-python, Embeddings", feature="refusal is an error that nobody retries")
def test_what_is_forbidden_is_refused_and_recorded(up: Served, oai: openai.OpenAI, text: object) -> None:
    SEEN.clear()
    with pytest.raises(openai.BadRequestError) as told:
        oai.embeddings.create(model="tiny", input=text)
    assert not SEEN
    assert told.value.code == "content_filter"
    assert "no-codeword" in told.value.message
    assert "swordfish" not in told.value.message
    assert told.value.response.headers["x-should-retry"] == "false"
    with LogReader(up.home) as reader:
        leaves = [leaf.record for leaf in reader.history(told.value.response.headers["x-lawspeaker-decision"])]
        assert "swordfish" in reader.texts(leaves[0].id)["request"].text
    assert [record.kind for record in leaves] == ["opened", "decision"]
    assert leaves[1].facts["action"] == "refuse"


def test_a_release_is_recorded(up: Served, oai: openai.OpenAI) -> None:
    raw = oai.embeddings.with_raw_response.create(model="tiny", input="fine")
    with LogReader(up.home) as reader:
        leaves = [leaf.record for leaf in reader.history(raw.headers["x-lawspeaker-decision"])]
    assert [record.kind for record in leaves] == ["opened", "decision"]
    assert leaves[1].facts["action"] == "release"


@pytest.mark.parametrize(
    ("text", "status", "again"), [("reject", 400, "false"), ("junk", 502, None), ("few", 502, None)]
)
@pytest.mark.client("openai-python, Embeddings", feature="errors are native and not retried")
def test_an_upstream_that_fails(up: Served, text: str, status: int, again: str | None) -> None:
    with (
        openai.OpenAI(base_url=f"{up.base}/v1", api_key="any", max_retries=0) as client,
        pytest.raises(openai.APIStatusError) as told,
    ):
        client.embeddings.create(model="tiny", input=text)
    headers = told.value.response.headers
    assert (told.value.status_code, headers.get("x-should-retry")) == (status, again)
    with LogReader(up.home) as reader:
        kinds = [leaf.record.kind for leaf in reader.history(headers["x-lawspeaker-decision"])]
    assert kinds == ["opened", "failed"]


@pytest.mark.parametrize(
    "body",
    [
        {"input": []},
        {"input": ""},
        {"input": ["fine", ""]},
        {"input": [1, 2]},
        {"input": [[1, 2]]},
        {"input": ["x"] * 2049},
        {"input": {"text": "x"}},
        {"input": "x", "dimensions": 0},
        {"input": "x", "encoding_format": "hex"},
        {"input": "x", "file": "f"},
    ],
    ids=lambda body: json.dumps(body)[:40],
)
def test_bad_input(oai: openai.OpenAI, body: dict) -> None:
    SEEN.clear()
    with pytest.raises(openai.BadRequestError) as told:
        oai.post("/embeddings", cast_to=object, body={"model": "tiny", **body})
    assert told.value.response.headers["x-should-retry"] == "false"
    assert not SEEN


def test_counted_for_metrics(up: Served, oai: openai.OpenAI) -> None:
    text = oai.with_options(base_url=up.base).get("/metrics", cast_to=str)
    assert 'surface="embeddings"' in text


def test_a_model_without_embeddings(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        serving(tmp_path_factory.mktemp("nano")) as served,
        openai.OpenAI(base_url=f"{served.base}/v1", api_key="any") as client,
        pytest.raises(openai.BadRequestError, match="makes no vectors"),
    ):
        client.embeddings.create(model="nano", input="x")
