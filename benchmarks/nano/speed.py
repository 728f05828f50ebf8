"""Tokens per second of nano's NumPy runtime on one core: `python benchmarks/nano/speed.py [--out FILE]`.

Decoding is measured on whole answers to unseen requests at temperature 1, sampling included; the prompt on critiques
and comparisons, which are mostly prompt. Loading is measured in a fresh process. Only one core is allowed to work.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from statistics import median

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402

from lawspeaker.exchange import Message, Text  # noqa: E402
from lawspeaker.models.base import Sampling  # noqa: E402
from lawspeaker.models.nano import Nano  # noqa: E402
from lawspeaker.models.nano.chat import WEIGHTS  # noqa: E402
from lawspeaker.models.nano.forward import Config, Network  # noqa: E402
from recipes.nano import tasks, tokenizer  # noqa: E402
from recipes.nano.principles import Law  # noqa: E402

_LOAD = (
    "import time; t = time.perf_counter(); from lawspeaker.models.nano import Nano; a = time.perf_counter();"
    "n = Nano.load(); n._ready(); print(a - t, time.perf_counter() - a)"
)


async def decoding(nano: Nano, tokens: Tokenizer, count: int) -> list[float]:
    rng, rates = Random(12), []
    for seed in range(count):
        messages = (Message("user", (Text(tasks.draw_plan(rng).request),)),)
        began = time.perf_counter()
        said = await nano.complete(messages, Sampling(seed=seed))
        rates.append(len(tokens.encode(said.text).ids) / (time.perf_counter() - began))
    return rates


def prompting(tokens: Tokenizer, count: int) -> list[float]:
    network = Network(Config.read((WEIGHTS / "config.json").read_bytes()), (WEIGHTS / "model.safetensors").read_bytes())
    rng, law, rates = Random(13), Law(), []
    for _ in range(count):
        sample = tasks.comparison(rng, law, tasks.BREAKABLE)
        ids = tokens.encode(tokenizer.render(sample.prompt)).ids
        began = time.perf_counter()
        network.logits(ids, network.cache(len(ids)))
        rates.append(len(ids) / (time.perf_counter() - began))
    return rates


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    nano = Nano.load()
    tokens = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
    asyncio.run(decoding(nano, tokens, 3))
    spoken, read = asyncio.run(decoding(nano, tokens, options.count)), prompting(tokens, options.count)
    loads = [
        [float(x) for x in subprocess.run([sys.executable, "-c", _LOAD], capture_output=True, text=True, check=True)
         .stdout.split()] for _ in range(5)
    ]  # fmt: skip
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "hardware": "2-core AMD EPYC VM, 24 GB; one core allowed",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "model": nano.digest,
        "answers": options.count,
        "answer_tokens_per_second": {"median": round(median(spoken)), "lowest": round(min(spoken))},
        "prompt_tokens_per_second": {"median": round(median(read)), "lowest": round(min(read))},
        "import_seconds": round(median(one[0] for one in loads), 3),
        "load_seconds": round(median(one[1] for one in loads), 3),
    }
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
