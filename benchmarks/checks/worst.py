"""CPU time and memory of the `terraform` check on the worst inputs known.

Each input is judged by every rule in a process of its own, so that its peak of memory is its own.

    python -m benchmarks.checks.worst
"""

import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from lawspeaker.checks.registry import KINDS
from lawspeaker.checks.terraform.rules import RULES
from lawspeaker.exchange import Exchange, Message, Text
from lawspeaker.finding import combine

_BUCKET: Final = 'resource "aws_s3_bucket_acl" "b" {\n  acl = "public-read"\n}\n'
_GROUP: Final = """resource "aws_security_group_rule" "r" {
  type = "ingress"
  from_port = 22
  to_port = 22
  protocol = "tcp"
"""


def _own_source() -> str:
    return 'module "self" {\n  source = "./"\n}\nmodule "s3_bucket" {\n  source = "../infra"\n}\n' + _BUCKET


def _brackets() -> str:
    return f"locals {{\n  a = {'[' * 100_000}{']' * 100_000}\n}}\n{_BUCKET}"


def _objects() -> str:
    return f"locals {{\n  a = {'{ a = ' * 30_000}1{' }' * 30_000}\n}}\n{_BUCKET}"


def _list() -> str:
    ranges = ", ".join(f'"10.{n // 250}.{n % 250}.0/24"' for n in range(10_000))
    return f"{_GROUP}  cidr_blocks = [{ranges}]\n}}\n"


def _one_line() -> str:
    return f'resource "aws_instance" "i" {{ user_data = "{"a" * 5_000_000}" }}\n'


def _loops() -> str:
    opened = "".join(
        f'dynamic "ingress" {{ for_each = [{", ".join(map(str, range(30)))}]\ncontent {{\n' for _ in range(12)
    )
    return f'resource "aws_security_group" "s" {{\n{opened}{"}}" * 12}\n}}\n'


def _doubling() -> str:
    chain = "".join(f'  l{n} = "${{local.l{n - 1}}}${{local.l{n - 1}}}"\n' for n in range(1, 60))
    return f'locals {{\n  l0 = "x"\n{chain}}}\nresource "aws_s3_bucket" "b" {{\n  bucket = local.l59\n}}\n'


def _many() -> str:
    return "".join(_BUCKET.replace('"b"', f'"b{n}"') for n in range(10_000))


def _plan() -> str:
    item = {"mode": "managed", "type": "aws_s3_bucket_acl", "change": {"after": {"acl": "public-read"}}}
    named = [{**item, "address": f"aws_s3_bucket_acl.b{n}", "name": f"b{n}"} for n in range(10_000)]
    return json.dumps({"format_version": "1.2", "resource_changes": named})


def _commands() -> str:
    return "aws s3api put-bucket-acl --bucket b --acl public-read\n" * 20_000


def _patch() -> str:
    return "--- a/m.tf\n+++ b/m.tf\n" + "@@ -1 +1 @@\n-a\n+b\n" * 50_000


INPUTS: Final[Mapping[str, tuple[str, Callable[[], str]]]] = {
    "a module that is its own source": ("main.tf", _own_source),
    "100,000 nested brackets": ("main.tf", _brackets),
    "30,000 nested objects": ("main.tf", _objects),
    "a list of 10,000 ranges": ("main.tf", _list),
    "5 MB in one line": ("main.tf", _one_line),
    "12 nested dynamic blocks of 30 turns": ("main.tf", _loops),
    "a text that doubles 59 times": ("main.tf", _doubling),
    "10,000 buckets": ("main.tf", _many),
    "a plan of 10,000 resources": ("plan.json", _plan),
    "20,000 commands": ("run.sh", _commands),
    "a patch of 50,000 hunks": ("", _patch),
}


def _measure(name: str) -> tuple[str, int, float, int]:
    file, make = INPUTS[name]
    text = make()
    exchange = Exchange((Message("user", (Text("x"),)), Message("assistant", (Text(text, file),))))
    check = KINDS["terraform"].prepare(list(RULES), "p")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    found = check.examine(exchange, frozenset({"answer"}))
    took = time.process_time() - begin
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return combine(finding.outcome for finding in found), len(text), took, max(used - before, 0) // 1024


def main() -> None:
    print(f"{len(RULES)} rules, Python {sys.version.split()[0]}")
    for name in INPUTS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            try:
                outcome, size, took, more = pool.apply_async(_measure, (name,)).get(timeout=120)
            except multiprocessing.TimeoutError:
                print(f"{name:40} more than 120 s")
                continue
        print(f"{name:40} {size:>10,} characters {took:8.2f} s {more:6} MB {outcome}", flush=True)


if __name__ == "__main__":
    main()
