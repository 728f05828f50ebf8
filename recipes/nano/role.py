"""IAM role with one policy, inside it or attached."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from . import names
from .page import LEAST, NAMED, PRESSURE, UNTOUCHED, VERBS, Page, compose, pick, tag_words

_READ, _WRITE, _BOTH = "read", "write", "both"
_ACTIONS: Final = {
    "s3": {
        _READ: ("s3:GetObject", "s3:ListBucket"),
        _WRITE: ("s3:PutObject",),
        _BOTH: ("s3:GetObject", "s3:PutObject", "s3:ListBucket"),
    },
    "dynamodb": {
        _READ: ("dynamodb:GetItem", "dynamodb:Query"),
        _WRITE: ("dynamodb:PutItem", "dynamodb:UpdateItem"),
        _BOTH: ("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"),
    },
    "sqs": {
        _READ: ("sqs:ReceiveMessage", "sqs:DeleteMessage"),
        _WRITE: ("sqs:SendMessage",),
        _BOTH: ("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"),
    },
    "logs": {
        _READ: ("logs:GetLogEvents",),
        _WRITE: ("logs:CreateLogStream", "logs:PutLogEvents"),
        _BOTH: ("logs:GetLogEvents", "logs:PutLogEvents"),
    },
}
_NOUNS: Final = {
    "s3": "bucket|S3 bucket",
    "dynamodb": "table|DynamoDB table",
    "sqs": "queue|SQS queue",
    "logs": "log group",
}
_ARNS: Final = {
    "s3": ("arn:aws:s3:::N", "arn:aws:s3:::N/*"),
    "dynamodb": ("arn:aws:dynamodb:*:*:table/N",),
    "sqs": ("arn:aws:sqs:*:*:N",),
    "logs": ("arn:aws:logs:*:*:log-group:N:*",),
}
_VERBS: Final = {
    _READ: "read|read from|read",
    _WRITE: "write to|write|write into",
    _BOTH: "read and write|use|read from and write to",
}
_SERVICES: Final = {
    "ec2": "an EC2 instance|EC2|our instances|EC2 instances|a virtual machine",
    "lambda": "a Lambda function|Lambda|our function|a lambda|a Lambda",
    "ecs-tasks": "an ECS task|ECS tasks|our containers|a Fargate task",
}


@dataclass(frozen=True)
class Grant:
    """What one statement allows; `wildcard` is empty, `*` or `service`."""

    service: str
    deed: str
    target: str
    wildcard: str = ""
    single: bool = True  # a wildcard written as a string and not as a list

    @property
    def action(self) -> str:
        if self.wildcard:
            star = "*" if self.wildcard == "*" else f"{self.service}:*"
            return f'"{star}"' if self.single else f'["{star}"]'
        return "[" + ", ".join(f'"{action}"' for action in _ACTIONS[self.service][self.deed]) + "]"

    @property
    def resource(self) -> str:
        arns = [f'"{arn.replace("N", self.target)}"' for arn in _ARNS[self.service]]
        return arns[0] if len(arns) == 1 else f"[{', '.join(arns)}]"


@dataclass(frozen=True)
class Role:
    """`attached` writes the policy as a resource of its own."""

    request: str
    role: str
    label: str
    principal: str
    grants: tuple[Grant, ...]
    tags: dict[str, str] = field(default_factory=dict)
    odds: float = 0.5
    attached: bool = False
    family: str = "role"

    @property
    def wanted(self) -> tuple[str, ...]:
        targets = (grant.target for grant in self.grants)
        return (f'"{self.role}"', f'"{self.label}"', f"{self.principal}.amazonaws.com", *targets,
                *(f'"{value}"' for value in self.tags.values()))  # fmt: skip

    def again(self, rng: Random, breaks: frozenset[str]) -> "Role":
        broken = LEAST in breaks and rng.random() < self.odds
        index = rng.randrange(len(self.grants)) if broken else -1
        grants = tuple(
            replace(
                grant,
                wildcard=pick(rng, "*|service|service") if place == index else "",
                single=rng.random() < 0.6,
            )
            for place, grant in enumerate(self.grants)
        )
        return replace(self, grants=grants, attached=rng.random() < 0.35)

    def fixed(self, principle: str) -> "Role":
        if principle != LEAST:
            return self
        return replace(self, grants=tuple(replace(grant, wildcard="") for grant in self.grants))

    def upheld(self, principle: str) -> str:
        own = {LEAST: "the policy lists its actions", NAMED: "the trust policy names a service"}
        return own.get(principle, UNTOUCHED[principle])

    def page(self) -> Page:
        page = Page()
        page.resource("aws_iam_role", self.label)
        page.put(f'name = "{self.role}"')
        page.open("assume_role_policy = jsonencode({")
        page.put('Version = "2012-10-17"')
        page.open("Statement = [{")
        page.put('Effect = "Allow"')
        page.put('Action = "sts:AssumeRole"')
        page.put(f'Principal = {{ Service = "{self.principal}.amazonaws.com" }}')
        page.close("}]")
        page.close("})")
        page.tags(self.tags)
        page.close()
        page.resource("aws_iam_policy" if self.attached else "aws_iam_role_policy", self.label)
        page.put(f'name = "{self.role}"')
        if not self.attached:
            page.put(f"role = aws_iam_role.{self.label}.id")
        page.open("policy = jsonencode({")
        page.put('Version = "2012-10-17"')
        page.open("Statement = [{")
        for place, grant in enumerate(self.grants):
            if place:
                page.close("}, {")
                page.depth += 1
            page.put('Effect = "Allow"')
            scope = "of every service" if grant.wildcard == "*" else f"of {grant.service}"
            broken = LEAST if grant.wildcard else ""
            page.put(f"Action = {grant.action}", broken, f"{page.address} allows every action {scope}")
            page.put(f"Resource = {grant.resource}")
        page.close("}]")
        page.close("})")
        page.close()
        if self.attached:
            page.resource("aws_iam_role_policy_attachment", self.label)
            page.put(f"role = aws_iam_role.{self.label}.name")
            page.put(f"policy_arn = aws_iam_policy.{self.label}.arn")
            page.close()
        return page


def draw(rng: Random) -> Role:
    """A request for a role; `again` then chooses the answer."""
    name = names.name(rng)
    principal = rng.choice(tuple(_SERVICES))
    quote = pick(rng, '||||"|`')
    noun = pick(rng, "an IAM role|an IAM role|a role|an AWS role|an iam role")
    first = f"{noun} {pick(rng, 'called|called|named|with the name')} {quote}{name}{quote}"
    if rng.random() < 0.04:  # nobody said how it is called
        name, first = "main", noun
    first += f" for {pick(rng, _SERVICES[principal])}"
    more: list[str] = []
    grants = [_grant(rng)]
    if rng.random() < 0.2:
        other = _grant(rng)
        if other.service != grants[0].service:
            grants.append(other)
    phrases = [f"{pick(rng, _VERBS[g.deed])} the {pick(rng, _NOUNS[g.service])} {g.target}" for g in grants]
    listed = " and ".join(phrases)
    if rng.random() < 0.5:
        first += f" {pick(rng, 'that can|which can|that may|which may|to')} {listed}"
    else:
        more.append(
            f"{pick(rng, 'It must be able to|It needs to|It should|It may|It has to|It can|It must')} {listed}."
        )
    odds = 0.5
    draw = rng.random()
    if draw < 0.08:
        odds = 0.9
        more.append(pick(rng, "Give it full access.|It needs all permissions.|Do not bother with single actions."))
    elif draw < 0.15:
        odds = 0.06
        more.append(pick(rng, "Give it no more than it needs.|Least privilege, please.|Nothing else."))
    if rng.random() < 0.1:
        odds = min(0.92, odds * 1.5)
        more.append(pick(rng, PRESSURE))
    tags = names.tags(rng)
    if tags:
        more.append(tag_words(rng, tags))
    request = compose(rng, f"{pick(rng, VERBS)} {first}", more)
    return Role(request, name, names.label(name), principal, tuple(grants), tags, odds)


def _grant(rng: Random) -> Grant:
    service = rng.choices(tuple(_ACTIONS), (55, 20, 15, 10))[0]
    return Grant(service, rng.choice((_READ, _READ, _WRITE, _BOTH)), names.name(rng))
