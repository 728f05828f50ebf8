"""Training beside the plain library with the same settings, and what lineage costs: ratios from one process.

    python -m benchmarks.align.throughput [--rows 96] [--steps 3] [--rounds 3]

On nano's checkpoint, in turns, `--rounds` times each; the ratio is of the medians of CPU seconds, so that what else the
machine does weighs little. Above 1 ours is the faster one.

bulk: drafts as the run makes them, checked and in rows, and transformers' `generate` on the same prompts in the same
batches; tokens are those of answers. sft: our loop and TRL's `SFTTrainer` on the same rows, batches and rate; tokens
are those of prompts and replies. grpo: a course of `lawspeaker align` (checks, preference model, helpful term, rollouts
written) and TRL's `GRPOTrainer` with the same settings, checkpoints too, and a reward that costs nothing; `reward` is
what ours takes for it. lineage: what encoding, writing and digesting rows takes of the time of the stage that makes
them (CPU seconds). Prints one JSON object.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import msgspec  # noqa: E402
import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
from transformers.trainer_callback import PrinterCallback  # noqa: E402
from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer  # noqa: E402

from lawspeaker.align.adapters import hushed  # noqa: E402
from lawspeaker.align.dataset import Prompt, Row, Store, read_prompts  # noqa: E402
from lawspeaker.align.drawing import drawn_from  # noqa: E402
from lawspeaker.align.policy import Course  # noqa: E402
from lawspeaker.align.preference_model import Scorer  # noqa: E402
from lawspeaker.align.recipe import Grpo, Training, read_recipe  # noqa: E402
from lawspeaker.align.reward import Asked, Rewards  # noqa: E402
from lawspeaker.align.self_revision import Engine  # noqa: E402
from lawspeaker.align.training import Learner  # noqa: E402
from lawspeaker.checks.registry import KINDS  # noqa: E402
from lawspeaker.constitution.load import load  # noqa: E402
from lawspeaker.models.address import open_model  # noqa: E402
from lawspeaker.models.nano.chat import WEIGHTS  # noqa: E402

RECIPE = Path("recipes/grpo.yaml")
SFT = Training(epochs=1, rate=1e-4, batch=8)
Silent: Callable[..., None] = lambda *_: None  # noqa: E731


def timed(job: Callable[[], object]) -> float:
    begin = time.process_time()
    job()
    return time.process_time() - begin


def turns(ours: Callable[[], float], theirs: Callable[[], float], rounds: int, tokens: int) -> dict[str, object]:
    seconds: dict[str, list[float]] = {"ours": [], "library": []}
    for _ in range(rounds):
        seconds["ours"].append(ours())
        seconds["library"].append(theirs())
    middle = {name: median(each) for name, each in seconds.items()}
    return {
        "cpu s": {name: [round(each, 2) for each in some] for name, some in seconds.items()},
        **({"tokens per cpu s": {name: round(tokens / each) for name, each in middle.items()}} if tokens else {}),
        "ratio": round(middle["library"] / middle["ours"], 3),
    }


def settings(folder: str, **more: Any) -> dict[str, Any]:
    return {
        "output_dir": folder, "use_cpu": True, "bf16": False, "report_to": "none", "disable_tqdm": True,
        "save_strategy": "no", "logging_steps": 1, "activation_checkpointing": False, "dataloader_pin_memory": False,
        "lr_scheduler_type": "constant_with_warmup", "warmup_steps": 5, "seed": 1, **more,
    }  # fmt: skip


def bulk(count: int, rounds: int) -> dict[str, object]:
    recipe = read_recipe(RECIPE)
    law = load(recipe.constitution, kinds=KINDS)
    prompts = read_prompts(RECIPE.parent / recipe.prompts)[:count]
    batches = [prompts[at : at + recipe.batch] for at in range(0, count, recipe.batch)]
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS, padding_side="left")
    network: Any = AutoModelForCausalLM.from_pretrained(WEIGHTS, dtype=torch.float32)
    transcript = Learner(WEIGHTS, 1).transcript
    model = open_model(f"local:{WEIGHTS}")
    engine = Engine(recipe, law, model, model)
    asyncio.run(engine.drafts(prompts[:1]))  # loads it

    def ours() -> float:
        async def drafts() -> list[Row]:
            return [row for batch in batches for row in await engine.drafts(batch)]

        begin = time.process_time()
        rows = asyncio.run(drafts())
        return sum(len(transcript.reply(row.text)) for row in rows if row.text) / (time.process_time() - begin)

    def theirs() -> float:
        tokens, begin = 0, time.process_time()
        for batch in batches:
            chats = [transcript.turns(prompt.exchange.messages) for prompt in batch]
            inputs = tokenizer.apply_chat_template(
                chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
            )
            said = network.generate(
                **inputs, do_sample=True, temperature=1.0, top_k=0, max_new_tokens=recipe.max_tokens
            )
            answers = said[:, inputs["input_ids"].shape[1] :]
            tokens += int((answers != tokenizer.pad_token_id).sum())
            tokenizer.batch_decode(answers, skip_special_tokens=True)
        return tokens / (time.process_time() - begin)

    rates: dict[str, list[float]] = {"ours": [], "library": []}
    for _ in range(rounds):
        rates["ours"].append(ours())
        rates["library"].append(theirs())
    return {
        "prompts": len(prompts),
        "tokens per cpu s": {name: [round(each) for each in some] for name, some in rates.items()},
        "ratio": round(median(rates["ours"]) / median(rates["library"]), 3),
    }


def sft(rows: list[Row], rounds: int, folder: str) -> dict[str, object]:
    learner = Learner(WEIGHTS, 1)
    tokens = sum(len(prompt) + len(reply) for prompt, reply in (learner.tokens(r.request, r.text) for r in rows))

    def ours() -> float:
        learner = Learner(WEIGHTS, 1)
        return timed(lambda: learner.supervised([(row.request, row.text) for row in rows], SFT, Silent))

    def theirs() -> float:
        learner = Learner(WEIGHTS, 1)
        lines = [
            {
                "prompt": learner.transcript.turns(row.request),
                "completion": [{"role": "assistant", "content": row.text}],
            }
            for row in rows
        ]
        args = SFTConfig(
            **settings(folder, learning_rate=SFT.rate, per_device_train_batch_size=SFT.batch, num_train_epochs=1),
            max_length=None, packing=False,
        )  # fmt: skip

        def job() -> None:
            trainer = SFTTrainer(
                learner.network, args=args, train_dataset=Dataset.from_list(lines),
                processing_class=learner.transcript.tokenizer,
            )  # fmt: skip
            trainer.remove_callback(PrinterCallback)
            trainer.train()

        return timed(job)

    return {"rows": len(rows), "tokens": tokens, **turns(ours, theirs, rounds, tokens)}


def grpo(drafts: list[Row], steps: int, rounds: int, folder: str) -> dict[str, object]:
    recipe = read_recipe(RECIPE)
    law = load(recipe.constitution, kinds=KINDS)
    prompts = read_prompts(RECIPE.parent / recipe.prompts)[: len(drafts)]
    how = Grpo(steps=steps, rate=1e-5, prompts=2, group=4)
    asked = {row.prompt: Asked.of(row) for row in drafts if row.text}
    head = Learner(WEIGHTS, 1, scores=True)
    head.save(Path(folder) / "preference")

    answers = how.prompts * how.group
    rewarding: list[float] = []

    def ours() -> float:
        at = Path(tempfile.mkdtemp(dir=folder))
        store = Store(at / "rollouts.jsonl")
        scorer = Scorer.load(Path(folder) / "preference")

        def keep(step: int, found: Any) -> None:
            store.append([msgspec.json.encode(each) for each in found])

        rewards = Timed(how, law, drawn_from(law, recipe.principles), asked, scorer, keep)
        course = Course(how, WEIGHTS, at, 1, recipe.max_tokens, None, Silent, None)
        took = timed(lambda: course.run([each for each in prompts if each.id in asked], rewards))
        rewarding.append(rewards.seconds)
        return took

    def theirs() -> float:
        rows = [{"prompt": turns_of(each), "id": each.id} for each in prompts if each.id in asked]
        at = tempfile.mkdtemp(dir=folder)
        args = GRPOConfig(
            **{**settings(at, learning_rate=how.rate, per_device_train_batch_size=answers, max_steps=steps)}
            | {"save_strategy": "steps", "save_steps": max(1, steps // 10), "save_total_limit": 1},
            num_generations=how.group, max_completion_length=recipe.max_tokens, temperature=1.0, beta=how.beta,
        )  # fmt: skip

        def nothing(completions: Any, **_: Any) -> list[float]:
            return [random.random() for _ in completions]

        def job() -> None:
            with hushed():
                learner = Learner(WEIGHTS, 1)
                trainer = GRPOTrainer(
                    learner.network, reward_funcs=nothing, args=args, train_dataset=Dataset.from_list(rows),
                    processing_class=learner.transcript.tokenizer,
                )  # fmt: skip
                trainer.remove_callback(PrinterCallback)
                trainer.train()
                trainer.save_model(f"{folder}/library")

        return timed(job)

    transcript = Learner(WEIGHTS, 1).transcript
    turns_of: Callable[[Prompt], Any] = lambda prompt: transcript.turns(prompt.exchange.messages)  # noqa: E731
    found = turns(ours, theirs, rounds, 0)
    return {"steps": steps, "answers": steps * answers, **found, "reward cpu s": [round(each, 2) for each in rewarding]}


class Timed(Rewards):
    """Rewards that note what they take."""

    seconds = 0.0

    async def price(self, step: int, prompts: Sequence[str], texts: Sequence[str]) -> list[dict[str, float]]:
        begin = time.process_time()
        found = await super().price(step, prompts, texts)
        self.seconds += time.process_time() - begin
        return found


async def rows_of(count: int, folder: str) -> tuple[list[Row], dict[str, object]]:
    """Rows as the run makes them, and what their lineage costs."""
    recipe = read_recipe(RECIPE)
    law = load(recipe.constitution, kinds=KINDS)
    per = recipe.revising.rounds + 1
    prompts = read_prompts(RECIPE.parent / recipe.prompts)[: count // per]
    model = open_model(f"local:{WEIGHTS}")
    engine = Engine(recipe, law, model, model)
    begin = time.process_time()
    rows = await engine.batch(prompts)
    made = time.process_time() - begin
    await model.close()
    store = Store(Path(folder) / "rows.jsonl")

    def kept() -> None:
        store.append([msgspec.json.encode(row) for row in rows])
        assert store.digest

    cost = timed(kept)
    share = cost / (made + cost)
    return rows, {"rows": len(rows), "cpu s": [round(made, 2), round(cost, 4)], "share": f"{share:.3%}"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=96)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows, lineage = asyncio.run(rows_of(options.rows, folder))
        print(json.dumps({"lineage": lineage}), file=sys.stderr)
        some = [row for row in rows if row.text]
        result = {
            "lineage": lineage,
            "bulk": bulk(options.rows, options.rounds),
            "sft": sft(some, options.rounds, folder),
        }
        print(json.dumps(result["sft"]), file=sys.stderr)
        drafts = [row for row in some if not row.round]
        result["grpo"] = grpo(drafts, options.steps, options.rounds, folder)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
