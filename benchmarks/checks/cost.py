"""What a byte costs: no input of 4 KB or more should cost more than 10 times the median of such inputs.

    python -m benchmarks.checks.cost --data FOLDER [--sizes 4096,16384] [--worst 12]

FOLDER holds `terraform-requests.jsonl` and `terraform-snippets.jsonl`. The inputs are real programs put together to
each size, chat answers around them, and hostile texts: pieces repeated, nested or unfinished (`PIECES`), and the worst
inputs of `worst.py` cut to the size. Judged three times, each with a comment of its own so that no cache knows it; the
least CPU time counts. Once by the rules of `terraform`, once by every kind of check, and where light checks run without
a thread, once by the fifty checks of `checks.py` as `assess` runs them, without `terraform`. Prints a JSON object for
each: nanoseconds a byte of UTF-8, and the inputs that cost most, as a multiple of the median.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.checks.checks import fifty
from benchmarks.checks.fuzz import SETTINGS, WORDS, seeds
from benchmarks.checks.worst import INPUTS
from lawspeaker.checks.assess import assess
from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.constitution.load import load
from lawspeaker.exchange import Exchange, Message, Part, Text, ToolCall

SCOPES: Final = frozenset({"answer", "tool_call"})
TIMES: Final = 3
LIMIT: Final = 10
WITHOUT_A_THREAD: Final = 8_000  # the time of a thread is its own
Judged = Callable[[Exchange], None]
_GROUP: Final = 'resource "aws_security_group" "g" {\n'
# What is repeated up to the size. Every piece of the fuzzer is one too.
PIECES: Final = {
    "open group": _GROUP
    + '  ingress {\n    from_port = 22\n    to_port = 22\n    cidr_blocks = ["0.0.0.0/0"]\n  }\n}\n',
    "unfinished block": _GROUP + "  ingress {\n",
    "header without a body": 'resource "a_b" "c"\n',
    "comment in a header": "resource /* x */ ",
    "interpolation": 'a = "${a.b.c}"\n',
    "nested interpolation": '"${',
    "heredoc": "a = <<E\nx\nE\n",
    "unfinished heredoc": "a = <<E\n",
    "dynamic": 'dynamic "ingress" {\nfor_each = [1, 2, 3]\ncontent {\n',
    "for": "[for x in a : x]\n",
    "condition": "a = b ? c : d\n",
    "brackets": "[",
    "braces": "{",
    "closed brackets": "[]",
    "statement": '{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"},',
    "quoted": '"',
    "backslash": "\\",
    "escape": "\\u0041",
    "fence": "```\n",
    "fenced program": "```hcl\n" + _GROUP + "}\n```\n",
    "block quote": "> > ",
    "list mark": "- ",
    "blank": " ",
    "line": "\n",
    "word": "word ",
    "path": "a/b/c.d/",
    "number": "1 ",
    "letters": "a",
    "base64": "aWdub3JlIGFsbCBwcmV2aW91cw==\n",
    "hidden": "a\u200b",
    "marks": "a\u0301\u0301\u0301",
    "Hangul": "\u1100\u1161\u11a8",
    "Arabic ligature": "\ufdfa",
    "look-alikes": "p\u0430ypal ",
    "card": "4111 1111 1111 1111 ",
    "digits": "7",
    "mail": "a@b.",
    "password": 'password = "x',
    "private key": "-----BEGIN PRIVATE KEY-----\n",
    "patch": "--- a/m.tf\n+++ b/m.tf\n@@ -1 +1 @@\n-a\n+b\n",
    "command": "aws s3api put-bucket-acl --bucket b --acl public-read\n",
    "command without an end": "aws ec2 authorize-security-group-ingress \\\n",
    "manifest": "apiVersion: v1\nkind: Pod\n---\n",
    "anchors": "a: &a [*a]\n",
    "template": "Resources:\n  B:\n    Type: AWS::S3::Bucket\n",
    "plan": '{"resource_changes":[{"change":{"after":',
}


def inputs(data: Path, size: int) -> Iterator[tuple[str, str, str]]:
    """Name, form and text of each input."""
    programs = seeds(data)
    for number in range(40):
        some = "\n".join(programs[number * 29 % len(programs) :])[:size]
        yield f"programs {number}", "main.tf", some
        yield f"answer {number}", "", ("Here you are:\n\n```hcl\n" + some)[: size - 4] + "\n```"
    pieces = {**PIECES, **{f"piece {word!r}": word for word in WORDS if word}}
    for name, piece in pieces.items():
        text = (piece * (size // len(piece) + 1))[:size]
        yield from ((name, form, text) for form in ("main.tf", "", "tool"))
        yield f"{name}, in a block", "main.tf", (_GROUP + "  a = " + text)[:size]
        yield f"{name}, in a text", "main.tf", (_GROUP + '  a = "' + text)[:size]
    for name, (file, make) in INPUTS.items():
        text = make()
        if len(text) >= size:
            yield name, file, text[:size]


def by_each(kinds: Sequence[tuple[str, Any]]) -> Judged:
    """Judged by one check of each kind, one after the other."""
    checks = [KINDS[kind].prepare(settings, "p") for kind, settings in kinds]

    def judged(exchange: Exchange) -> None:
        for check in checks:
            check.examine(exchange, SCOPES)  # type: ignore[arg-type]

    return judged


def by_law() -> Judged:
    """Judged by a law, whose checks are asked together."""
    law = fifty(load("infrastructure", kinds=KINDS))
    texts = tuple(
        msgspec.structs.replace(each, checks=tuple(spec for spec in each.checks if spec.kind != "terraform"))
        for each in law.principles
    )
    law = msgspec.structs.replace(law, principles=texts)

    def judged(exchange: Exchange) -> None:
        asyncio.run(assess(exchange, law))

    return judged


def seconds(judged: Judged, form: str, text: str) -> float:
    taken = []
    for turn in range(TIMES):
        own = f"{text}\n#{turn}"
        part: Part = ToolCall("write_file", json.dumps({"content": own})) if form == "tool" else Text(own, form)
        exchange = Exchange((Message("user", (Text("x"),)), Message("assistant", (part,))))
        begun = time.thread_time()
        judged(exchange)
        taken.append(time.thread_time() - begun)
    return min(taken)


def measured(judged: Judged, cases: list[tuple[str, str, str]], worst: int) -> dict[str, object]:
    seconds(judged, "", "x")
    costs = {
        (name, form): seconds(judged, form, text) / len(text.encode("utf-8", "surrogatepass")) * 1e9
        for name, form, text in cases
    }
    median = statistics.median(costs.values())
    most = sorted(costs.items(), key=lambda each: -each[1])[:worst]
    return {
        "inputs": len(costs),
        "median, ns a byte": round(median, 1),
        f"more than {LIMIT} times the median": sum(cost > LIMIT * median for cost in costs.values()),
        "most": {f"{name} ({form or 'answer'})": round(cost / median, 1) for (name, form), cost in most},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sizes", default="4096,16384", help="of the inputs, in characters")
    parser.add_argument("--worst", type=int, default=12, help="how many inputs to name")
    options = parser.parse_args()
    terraform = ("terraform", list(RULES))
    for size in map(int, options.sizes.split(",")):
        cases = list(inputs(options.data, size))
        ways = {"terraform": by_each([terraform]), "every kind": by_each([terraform, *SETTINGS])}
        if size < WITHOUT_A_THREAD:
            ways["fifty checks"] = by_law()
        for name, judged in ways.items():
            result = {f"{name}, {size} characters": measured(judged, cases, options.worst)}
            print(json.dumps(result, indent=2), flush=True)


if __name__ == "__main__":
    main()
