"""Privilege escalation: sets of permissions with which a principal can give itself more.

The table holds minimal sets: what needs another permission on top of one of these is caught by the smaller set. Both
halves of a set may come from different statements, of one policy or of several that one holder has. What acts on
existing things of others (start a session, update a function's code) is escalation only where the resource is not
narrowed to named ones.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from lawspeaker.checks.terraform.holders import added_up
from lawspeaker.checks.terraform.identity import held_policies
from lawspeaker.checks.terraform.module import Module, Place, Resource
from lawspeaker.checks.terraform.policy import Statement
from lawspeaker.checks.terraform.switches import NEVER
from lawspeaker.checks.terraform.values import Unknown, leaves
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, undecided, violated

# Alone enough: they change what some principal may do, or hand out its credentials.
_ALONE: Final = """
iam:CreatePolicyVersion iam:SetDefaultPolicyVersion iam:AttachUserPolicy iam:AttachGroupPolicy iam:AttachRolePolicy
iam:PutUserPolicy iam:PutGroupPolicy iam:PutRolePolicy iam:AddUserToGroup iam:UpdateAssumeRolePolicy
iam:CreateAccessKey iam:CreateLoginProfile iam:UpdateLoginProfile sts:AssumeRole
lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration glue:UpdateDevEndpoint apprunner:UpdateService
cloudformation:UpdateStack codebuild:StartBuild codebuild:StartBuildBatch ssm:SendCommand ssm:StartSession
sagemaker:CreatePresignedNotebookInstanceUrl ec2-instance-connect:SendSSHPublicKey
""".split()  # noqa: SIM905 - a table reads best as one
# Together enough. With iam:PassRole: services that run the caller's code under the role that is passed.
_PASS_ROLE: Final = """
ec2:RunInstances|ec2:RequestSpotInstances|ec2:RequestSpotFleet|autoscaling:CreateAutoScalingGroup
lambda:CreateFunction+lambda:InvokeFunction lambda:CreateFunction+lambda:CreateEventSourceMapping
lambda:CreateFunction+lambda:AddPermission lambda:CreateFunction+lambda:CreateFunctionUrlConfig
ecs:RegisterTaskDefinition+ecs:CreateService|ecs:RunTask|ecs:StartTask|ecs:UpdateService
glue:CreateDevEndpoint glue:CreateJob|glue:UpdateJob+glue:StartJobRun|glue:CreateTrigger
cloudformation:CreateStack cloudformation:CreateStackSet+cloudformation:CreateStackInstances
cloudformation:UpdateStackSet
codebuild:CreateProject|codebuild:UpdateProject+codebuild:StartBuild|codebuild:StartBuildBatch
datapipeline:CreatePipeline+datapipeline:PutPipelineDefinition+datapipeline:ActivatePipeline apprunner:CreateService
sagemaker:CreateNotebookInstance|sagemaker:CreateTrainingJob|sagemaker:CreateProcessingJob
bedrock-agentcore:CreateCodeInterpreter+bedrock-agentcore:StartCodeInterpreterSession+bedrock-agentcore:InvokeCodeInterpreter
""".split()  # noqa: SIM905
_TOGETHER: Final = """
bedrock-agentcore:StartCodeInterpreterSession+bedrock-agentcore:InvokeCodeInterpreter
cloudformation:CreateChangeSet+cloudformation:ExecuteChangeSet
ec2:ModifyInstanceAttribute+ec2:StopInstances+ec2:StartInstances
ec2:CreateLaunchTemplateVersion+ec2:ModifyLaunchTemplate
sagemaker:CreateNotebookInstanceLifecycleConfig+sagemaker:UpdateNotebookInstance+sagemaker:StartNotebookInstance
""".split()  # noqa: SIM905


def _sets(rows: Iterable[str], *first: str) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """`a|b+c` as (a or b) and c, in lower case."""
    return tuple(
        (*((action,) for action in first), *(tuple(part.lower().split("|")) for part in row.split("+"))) for row in rows
    )


SETS: Final = (*_sets(_ALONE), *_sets(_TOGETHER), *_sets(_PASS_ROLE, "iam:passrole"))
# A resource of one's own (`user/${aws:username}`) is self-service as AWS documents it, and does not fit this.
_ALL: Final = re.compile(r"\*+|arn:[^:]*:[^:]*:[^:]*:[^:]*:(?:[a-z-]+[/:])?\*+")
_MAX_PATTERNS: Final = 500
_WHETHER: Final = "whether whoever holds the policy can gain more rights"


def escalation(module: Module) -> Iterator[Verdict]:
    """The permissions of one policy, taken together."""
    for resource, found in held_policies(module):
        yield from each(resource, _judge(resource, found))


def together(module: Module) -> Iterator[Verdict]:
    """The permissions of all policies that the program gives to one role, user or group."""
    for resource, found, all_read in added_up(module):
        yield from each(resource, _certain(resource, found, all_read=all_read))


RULE: Final = Rule(
    "privilege-escalation",
    (escalation, together),
    r"aws_(?:iam|ssoadmin)_",
    NEVER,
    doc=(
        "No policy may hold permissions with which its holder gains more: to change policies or trust, to make "
        "credentials for others, to pass any role to a service that runs code, or to change the code that an existing "
        "role runs. A permission that is limited to named resources is not counted."
    ),
    violating="""data "aws_iam_policy_document" "deploy" {
  statement {
    actions   = ["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]
    resources = ["*"]
  }
}
""",
    complying="""data "aws_iam_policy_document" "deploy" {
  statement {
    actions   = ["lambda:CreateFunction", "lambda:InvokeFunction"]
    resources = ["*"]
  }
  statement {
    actions   = ["iam:PassRole"]
    resources = ["arn:aws:iam::111122223333:role/thumbnailer"]
  }
}
""",
)


class _Grant(NamedTuple):
    """What a statement allows or denies: every action that fits `pattern`, but for those that fit one of `but`."""

    pattern: str
    place: Place
    but: tuple[str, ...] = ()

    def holds(self, action: str) -> bool:
        return _matches(self.pattern, action) and not any(_matches(pattern, action) for pattern in self.but)


def _judge(resource: Resource, found: Iterable[Statement | Unknown]) -> Iterator[Verdict]:
    """What is certain; else that what is not known may be enough."""
    given = list(found)
    certain = list(_certain(resource, given))
    yield from certain
    unknown = next(filter(None, map(_open, given)), None)
    if unknown is not None and not certain:
        yield undecided(resource, _WHETHER, unknown)


def _open(statement: Statement | Unknown) -> Unknown | None:
    """The value that decides what a statement allows, where a caller chooses it."""
    if isinstance(statement, Unknown):
        return statement if statement.is_input else None
    if statement.principals is not None or not statement.allows or not _wide(statement):
        return None
    unknown = (leaf for leaf in leaves(statement.actions) if isinstance(leaf, Unknown) and not leaf.known)
    return next((leaf for leaf in unknown if leaf.is_input), None)


def _certain(resource: Resource, found: Iterable[Statement | Unknown], *, all_read: bool = True) -> Iterator[Verdict]:
    """What follows from what is known; where there is more than is looked at, that the rest may be enough."""
    granted: list[_Grant] = []
    denied: list[_Grant] = []
    for statement in found:
        if isinstance(statement, Unknown) or statement.principals is not None or not _wide(statement):
            continue
        if statement.allows:
            granted += _grants(statement)
        elif statement.condition == {}:
            denied += _grants(statement)
    all_read = all_read and len(granted) <= _MAX_PATTERNS
    del granted[_MAX_PATTERNS:], denied[_MAX_PATTERNS:]
    for needed in SETS:
        places = [_held(part, granted, denied) for part in needed]
        if all(places):
            names = " and ".join(part[0] for part in needed)
            yield violated(resource, f"whoever holds {names} on all resources can gain more rights", places[0])
            return
    if not all_read:
        yield undecided(resource, _WHETHER, Unknown("what stands beyond the first policies or actions"))


def _grants(statement: Statement) -> list[_Grant]:
    if statement.not_actions is not None:
        but = list(leaves(statement.not_actions))
        if all(isinstance(leaf, str) for leaf in but):
            return [_Grant("*", statement.place, tuple(str(leaf).lower() for leaf in but))]
        return []
    return [_Grant(leaf.lower(), statement.place) for leaf in leaves(statement.actions) if isinstance(leaf, str)]


def _held(part: tuple[str, ...], granted: list[_Grant], denied: list[_Grant]) -> Place | None:
    """Where one of the actions in `part` is granted."""
    for action in part:
        place = next((grant.place for grant in granted if grant.holds(action)), None)
        if place and not any(grant.holds(action) for grant in denied):
            return place
    return None


def _matches(pattern: str, text: str) -> bool:
    """Whether `text` fits `pattern`, where `*` is any text and `?` any character; never slower than their product."""
    at = here = 0
    star, resume = -1, 0
    while here < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, resume, at = at, here, at + 1
        elif at < len(pattern) and pattern[at] in ("?", text[here]):
            at, here = at + 1, here + 1
        elif star >= 0:
            at, here, resume = star + 1, resume + 1, resume + 1
        else:
            return False
    return not pattern[at:].strip("*")


def _wide(statement: Statement) -> bool:
    """Whether a statement reaches resources that nobody named: all of them, or all of one kind."""
    given = [leaf for leaf in leaves(statement.resources) if isinstance(leaf, str)]
    return any(_ALL.fullmatch(leaf) for leaf in given)
