"""A model behind a real Chat Completions server that plays every part, by what it is asked, and notes what that was."""

import hashlib
import math
from collections import Counter

from aiohttp import web

from tests.models.served import says

DRAFT = '```hcl\nresource "aws_s3_bucket_acl" "{name}" {{\n  bucket = "{name}"\n  acl    = "public-read"\n}}\n```'
REVISED = '```hcl\nresource "aws_s3_bucket_acl" "revised" {{\n  bucket = "b-{seed}"\n  acl    = "private"\n}}\n```'
PARTS = {
    "You review": "critique",
    "You revise": "revision",
    "You compare": "comparison",
}


def part(body: dict) -> str:
    """What the model is asked for."""
    head = body["messages"][0]
    name = next((name for words, name in PARTS.items() if head["content"].startswith(words)), "draft")
    return "odds" if "logprobs" in body else "thought" if name == "comparison" else name


def odds(body: dict) -> float:
    """P("(A)"): any, far from a half, and the same for the same question."""
    said = "\n".join(message["content"] for message in body["messages"])
    return (0.02, 0.15, 0.9, 0.99)[hashlib.sha256(said.encode()).digest()[0] % 4]


class Speaker:
    """Says what a seed decides. `asked` are the bodies of all requests, without the one that asks whether
    probabilities are told at all."""

    def __init__(self) -> None:
        self.asked: list[dict] = []

    def of(self, name: str) -> list[dict]:
        return [body for body in self.asked if part(body) == name]

    @property
    def counts(self) -> Counter[str]:
        return Counter(part(body) for body in self.asked)

    def __call__(self, request: web.Request, body: dict) -> web.Response:
        if body["messages"][0]["content"] != "Reply with (A) or (B).":
            self.asked.append(body)
        seed = body.get("seed")
        match part(body):
            case "draft":
                return says(DRAFT.format(name=f"d{seed}"))
            case "critique":
                return says(f"Violated: `acl`: anybody can read it ({seed}).")
            case "revision":
                return says(REVISED.format(seed=seed))
            case "thought":
                return says(f"One of them is open to everybody ({seed}).")
        p = odds(body)
        likely = [{"token": t, "logprob": math.log(q)} for t, q in (("(A", p), ("(B", 1 - p))]
        said = {"token": "(A" if p > 0.5 else "(B", "logprob": 0.0, "top_logprobs": likely}
        choice = {"message": {"role": "assistant", "content": "(A)"}, "finish_reason": "stop"}
        return web.json_response({"choices": [{**choice, "logprobs": {"content": [said]}}]})
