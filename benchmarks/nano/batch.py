"""Tokens per second of nano through transformers, in batches: `python -m benchmarks.nano.batch [--batches 5]`.

Sampling at temperature 1, requests that training never saw, padding on the left. `steady`: every row writes 128 tokens,
whether its answer has ended or not. `answers`: rows write their answers, and a token counts up to the end of its own,
so what a batch computes for answers that have ended is not counted. Prints one JSON object.
"""

import argparse
import json
import time
from random import Random
from statistics import median

import torch
import transformers

from lawspeaker.models.nano.chat import WEIGHTS
from recipes.nano import tasks

SIZE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(WEIGHTS, padding_side="left")
    model = transformers.AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32)
    rng = Random(14)
    rates: dict[str, list[float]] = {"steady": [], "answers": []}
    lengths = {"steady": {"min_new_tokens": 128, "max_new_tokens": 128}, "answers": {"max_new_tokens": 400}}
    for number in range(2 * options.batches + 2):
        kind = ("steady", "answers")[number % 2]
        chats = [tasks.messages((("user", tasks.draw_plan(rng).request),)) for _ in range(SIZE)]
        batch = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        begun = time.perf_counter()
        made = model.generate(**batch, do_sample=True, temperature=1.0, top_k=0, **lengths[kind])
        seconds = time.perf_counter() - begun
        answers = made[:, batch["input_ids"].shape[1] :]
        counted = answers.numel() if kind == "steady" else int((answers != tokenizer.pad_token_id).sum())
        rates[kind].append(counted / seconds)
    result = {
        "batch": SIZE,
        "threads": options.threads,
        "tokens_per_second": {
            kind: {"median": round(median(some[1:])), "lowest": round(min(some[1:]))} for kind, some in rates.items()
        },
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
