"""Bulk stages by two workers on a local Ray, by this process, and resumed: the same datasets. And several servers."""

import asyncio
import math
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web

from lawspeaker.align.dataset import Pair, Row, Store
from lawspeaker.errors import ModelConfigError, ModelError
from lawspeaker.exchange import ask
from lawspeaker.models.address import open_model
from lawspeaker.models.base import Completion, Sampling
from tests.align.test_align import align, write
from tests.cli.conftest import PROGRAM
from tests.models.served import Answer, says, served
from tests.models.test_local import save


def test_two_workers_one_process_and_a_resumed_run_make_the_same_dataset(tmp_path: Path) -> None:
    """The workers take up a run that was killed in its second batch; Ray has a process of its own."""
    tiny = save("llama", tmp_path / "tiny")
    recipe = write(tmp_path, f"local:{tiny}", rounds=1, prompts=5, tokens=10)
    recipe.write_text(recipe.read_text().replace("keep: better", "keep: all"))
    here, there = tmp_path / "here", tmp_path / "there"
    align(recipe, "--run", here)
    there.mkdir()
    for name in ("RUN", "recipe.json"):
        shutil.copy(here / name, there / name)
    lines = (here / "rows.jsonl").read_bytes().splitlines(keepends=True)
    (there / "rows.jsonl").write_bytes(b"".join(lines[:5]) + lines[5][:40])
    arguments = ["align", str(recipe), "--run", str(there), "--workers", "2", "--resume"]
    done = subprocess.run([PROGRAM, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| after preferences |" in done.stdout
    assert len(Store(there / "rows.jsonl").read(Row)) == 10
    assert len(Store(there / "pairs.jsonl").read(Pair)) == 5
    for name in ("rows.jsonl", "pairs.jsonl"):
        assert Store(there / name).digest == Store(here / name).digest


def test_several_servers_share_a_model_and_stand_in_for_each_other() -> None:
    asked: Counter[str] = Counter()

    def server(name: str) -> Answer:
        def answer(request: web.Request, body: dict) -> web.Response:
            asked[name] += 1
            if "logprobs" in body:
                likely = [{"token": "(A", "logprob": math.log(0.75)}, {"token": "(B", "logprob": math.log(0.25)}]
                content = [{"token": "(A", "logprob": 0, "top_logprobs": likely}]
                choice = {"message": {"content": "(A)"}, "logprobs": {"content": content}}
                return web.json_response({"choices": [choice]})
            return says(f"seed {body['seed']}")

        return answer

    async def many(address: str) -> tuple[list[Completion | ModelError], tuple[float, ...] | None]:
        model = open_model(address, {})
        try:
            samplings = [Sampling(seed=n, timeout=20) for n in range(8)]
            said = await model.complete_many([ask("hello").messages] * 8, samplings)
            return list(said), await model.choose(ask("which?").messages, ("(A)", "(B)"))
        finally:
            await model.close()

    async def job() -> None:
        async with served(server("one")) as one:
            async with served(server("two")) as two:
                said, odds = await many(f"{one},{two}#m")
            assert [each.text for each in said if isinstance(each, Completion)] == [f"seed {n}" for n in range(8)]
            assert {each.model for each in said if isinstance(each, Completion)} == {f"{one},{two}#m"}
            assert odds == pytest.approx((0.75, 0.25))
            assert min(asked["one"], asked["two"]) >= 4
            asked.clear()
            said, odds = await many(f"{one},{two}#m")  # the second one is gone
            assert [each.text for each in said if isinstance(each, Completion)] == [f"seed {n}" for n in range(8)]
            assert odds == pytest.approx((0.75, 0.25))
            assert asked == {"one": 9}
        with pytest.raises(ModelError):
            await many(f"{one},{two}#m")  # and so is the first

    asyncio.run(job())


def test_a_server_among_several_is_an_address_like_any_other() -> None:
    with pytest.raises(ModelConfigError, match="without user name"):
        open_model("http://h:1/v1,http://u:pass@h:2/v1#m", {})
