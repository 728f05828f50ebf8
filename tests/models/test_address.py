"""Addresses: what they open, and that no key is in what a record or an error message says."""

import asyncio

import pytest

from lawspeaker.errors import ModelConfigError, ModelError
from lawspeaker.models.address import open_model
from tests.models.served import complete

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("gpt-5", "is not a model address"),
        ("openai:", "is not a model address"),
        ("openai:gpt-5", "set OPENAI_API_KEY"),
        ("gemini:gemini-2.5-pro", "set GEMINI_API_KEY or GOOGLE_API_KEY"),
        ("http://host:1/v1", "want http://HOST:PORT/v1#MODEL"),
        ("http://user:pass@host/v1#m", "without user name"),
        ("http://:pass@host/v1#m", "without user name"),
        ("http://host/v1?key=pass#m", "without user name, password or query"),
        ("http://[pass/v1#m", "want http://HOST:PORT/v1#MODEL"),
        ("http://host:99999/v1#m", "want http://HOST:PORT/v1#MODEL"),
        ("http://#m", "want http://HOST:PORT/v1#MODEL"),
        ("openai:gpt\x1b[31m", "cannot be shown"),
        ("openai:gpt\ud800", "cannot be shown"),
        ("local:", "is not a model address"),
        ("local:/does/not/exist", "no such folder"),
        ("scripted:/does/not/exist", "No such file"),
    ],
)
def test_bad_addresses_say_what_would_be_right(address: str, words: str) -> None:
    with pytest.raises(ModelConfigError, match=words) as error:
        open_model(address, {})
    assert "pass/" not in str(error.value)
    assert "pass@" not in str(error.value)
    assert "key=" not in str(error.value)


@pytest.mark.parametrize("base", ["http://u:pass@host/v1", "http://host/v1?key=pass", "host/v1", "ftp://host"])
def test_an_overridden_base_is_held_to_the_same(base: str) -> None:
    with pytest.raises(ModelConfigError, match="OPENAI_BASE_URL") as error:
        open_model("openai:gpt-5", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": base})
    assert "pass" not in str(error.value)[:40]


@pytest.mark.parametrize("key", ["two\nlines", "k\x00y", "clé"])
def test_a_key_that_no_header_can_carry(key: str) -> None:
    with pytest.raises(ModelConfigError, match="OPENAI_API_KEY") as error:
        open_model("openai:gpt-5", {"OPENAI_API_KEY": key})
    assert key not in str(error.value)


def test_a_key_of_spaces_is_no_key() -> None:
    with pytest.raises(ModelConfigError, match="no key"):
        open_model("openai:gpt-5", {"OPENAI_API_KEY": " \n"})


@pytest.mark.parametrize("address", [f"openai:{KEY}", f"http://host/{KEY}/v1#m"])
def test_a_key_in_the_address_is_refused(address: str) -> None:
    with pytest.raises(ModelConfigError, match="holds the key") as error:
        open_model(address, {"OPENAI_API_KEY": KEY, "LAWSPEAKER_MODEL_KEY": KEY})
    assert KEY not in str(error.value)


def test_the_name_is_the_address() -> None:
    model = open_model("http://ollama:1/v1#m", {"LAWSPEAKER_MODEL_KEY": "ollama\n"})  # a placeholder is no secret
    assert model.name == "http://ollama:1/v1#m"
    assert model.digest == open_model("http://ollama:1/v1#m", {}).digest != open_model("http://o:1/v1#m", {}).digest


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".test", "a b"])
def test_a_host_that_cannot_be(host: str) -> None:
    with pytest.raises((ModelConfigError, ModelError)):
        asyncio.run(complete(f"http://{host}:1/v1#m"))
