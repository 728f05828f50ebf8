"""Tokens per second of nano through transformers, in batches: `python -m benchmarks.nano.batch [--batches 5]`.

Sampling at temperature 1, requests that training never saw, padding on the left; a token counts up to the end of its
own answer, so what a batch computes for answers that have ended is not counted. Prints one JSON object.
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
    rng, rates = Random(14), []
    for _ in range(options.batches + 1):
        chats = [tasks.messages((("user", tasks.draw_plan(rng).request),)) for _ in range(SIZE)]
        batch = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        begun = time.perf_counter()
        made = model.generate(**batch, do_sample=True, temperature=1.0, top_k=0, max_new_tokens=400)
        seconds = time.perf_counter() - begun
        answers = made[:, batch["input_ids"].shape[1] :]
        rates.append(int((answers != tokenizer.pad_token_id).sum()) / seconds)
    result = {
        "batch": SIZE,
        "threads": options.threads,
        "tokens_per_second": {"median": round(median(rates[1:])), "lowest": round(min(rates[1:]))},
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
