"""Public storage: buckets, objects and containers that everyone on the internet can read or write."""

from collections.abc import Iterator, Mapping
from typing import Final

from lawspeaker.checks.terraform.module import Module, Resource
from lawspeaker.checks.terraform.policy import statements
from lawspeaker.checks.terraform.values import Unknown, Value, document, leaves, targets_of
from lawspeaker.checks.terraform.verdict import Rule, Verdict, each, nested, undecided, upheld, violated

_ACLS: Final[Mapping[str, str]] = {
    "public-read": "lets everyone on the internet read",
    "public-read-write": "lets everyone on the internet read and write",
    "authenticated-read": "lets everybody with any AWS account read",
    "website": "lets everyone on the internet read",
}
_GROUPS: Final = ("/groups/global/AllUsers", "/groups/global/AuthenticatedUsers")
_EVERYONE: Final = frozenset({"allUsers", "allAuthenticatedUsers"})
_WITH_ACL: Final = ("aws_s3_bucket", "aws_s3_bucket_acl", "aws_s3_object", "aws_s3_bucket_object", "aws_s3_object_copy")
_WITH_POLICY: Final = (
    "aws_ecr_repository_policy",
    "aws_backup_vault_policy",
    "aws_glacier_vault",
    "aws_secretsmanager_secret_policy",
)
_OTHER_BUCKETS: Final = (
    *(
        "digitalocean_spaces_bucket",
        "digitalocean_spaces_bucket_object",
        "alicloud_oss_bucket",
        "alicloud_oss_bucket_acl",
    ),
    *("tencentcloud_cos_bucket", "yandex_storage_bucket", "linode_object_storage_bucket", "scaleway_object_bucket_acl"),
)
_WITH_MEMBERS: Final = ("google_storage_bucket_iam_member", "google_storage_bucket_iam_binding")
_WITH_ENTITY: Final = (
    "google_storage_bucket_access_control",
    "google_storage_default_object_access_control",
    "google_storage_object_access_control",
)
_WITH_ROLES: Final = ("google_storage_bucket_acl", "google_storage_default_object_acl", "google_storage_object_acl")


def s3_acl(module: Module) -> Iterator[Verdict]:
    """An ACL for everyone, unless a public access block makes S3 refuse or ignore public ACLs."""
    buckets = Buckets(module)
    for resource in module.of(*_WITH_ACL):
        yield from each(resource, _unless_blocked(resource, _public_acl(resource), _ACL_SWITCHES, buckets))


def s3_policy(module: Module) -> Iterator[Verdict]:
    """A bucket policy that allows everyone, unless a public access block refuses or restricts public
    policies.
    """
    buckets = Buckets(module)
    for resource in module.of("aws_s3_bucket_policy", "aws_s3_bucket"):
        if resource.get("policy") is not None:
            found = _public_policy(resource, module)
            yield from each(resource, _unless_blocked(resource, found, _POLICY_SWITCHES, buckets))


def store_policy(module: Module) -> Iterator[Verdict]:
    """The policy of another store (images, backups, archives, secrets) that allows everyone."""
    for resource in module.of(*_WITH_POLICY):
        yield from each(resource, _public_policy(resource, module))


def gcs_members(module: Module) -> Iterator[Verdict]:
    """A role for `allUsers` or `allAuthenticatedUsers`, unless public access prevention is enforced."""
    buckets = Buckets(module)
    for types, names in (
        (_WITH_MEMBERS, ("member", "members")),
        (_WITH_ENTITY, ("entity",)),
        (_WITH_ROLES, ("role_entity",)),
    ):
        for resource in module.of(*types):
            found = buckets.named(resource.get("bucket"))
            prevented = {bucket.get("public_access_prevention") == "enforced" for bucket in found}
            unsure = Unknown("which bucket it belongs to") if True in prevented else None
            if prevented != {True} or not buckets.key(resource.get("bucket")):
                yield from each(resource, _unless(resource, _members(resource, names), unsure))
            else:
                yield upheld(resource)


def gcs_policy(module: Module) -> Iterator[Verdict]:
    """A whole policy for a bucket, with a binding for everyone."""
    for resource in module.of("google_storage_bucket_iam_policy"):
        yield from each(resource, _bindings(resource, module))


def gcs_bucket(module: Module) -> Iterator[Verdict]:
    """A bucket by itself is private."""
    yield from map(upheld, module.of("google_storage_bucket"))


def azure_container(module: Module) -> Iterator[Verdict]:
    """A container that serves blobs to everyone, unless its account forbids it."""
    for resource in module.of("azurerm_storage_container"):
        yield from each(resource, _container(resource, module))


def azure_account(module: Module) -> Iterator[Verdict]:
    """An account that is told to allow public containers."""
    for resource in module.of("azurerm_storage_account"):
        names = ("allow_nested_items_to_be_public", "allow_blob_public_access")
        yield from each(resource, (verdict for name in names for verdict in _allows(resource, name)))


def access_point(module: Module) -> Iterator[Verdict]:
    """A policy of an S3 access point for everyone. Its own block is on unless it is told otherwise."""
    for resource in module.of("aws_s3_access_point"):
        blocks = resource.children("public_access_block_configuration")
        off = blocks and not any(block.flag(switch) is True for block in blocks for switch in _POLICY_SWITCHES)
        given = off and resource.get("policy") is not None
        yield from each(resource, _public_policy(resource, module) if given else iter(()))


def other_buckets(module: Module) -> Iterator[Verdict]:
    """A bucket or object of another vendor with a public ACL or its kin."""
    for resource in module.of(*_OTHER_BUCKETS):
        yield from each(resource, _public_acl(resource))
    for resource in module.of("oci_objectstorage_bucket"):
        access = resource.get("access_type")
        wrong = [violated(resource, "everyone on the internet can read the bucket", resource.at("access_type"))]
        yield from each(resource, iter(wrong if str(access).startswith("ObjectRead") else []))


RULE: Final = Rule(
    "public-storage",
    (
        s3_acl,
        s3_policy,
        store_policy,
        gcs_members,
        gcs_policy,
        gcs_bucket,
        azure_container,
        azure_account,
        access_point,
        other_buckets,
    ),
    r"aws_(?:s3|ecr|backup|glacier|secretsmanager)_|google_storage_|azurerm_storage_(?:account|container)\b|digitalocean_spaces_|"
    r"alicloud_oss_bucket|oci_objectstorage_bucket|(?:tencentcloud_cos|yandex_storage|linode_object_storage|scaleway_object)_bucket",
    r"s3|bucket|storage|blob|spaces",
    doc=(
        "Buckets, objects, containers, image repositories and other stores must not be readable or writable "
        "by everyone: no public ACL, no policy or role for everyone. A public access block (or its "
        "counterpart at Google and Azure) that takes the effect away counts; a condition counts where it ties "
        "the access to somebody."
    ),
    violating="""resource "aws_s3_bucket_acl" "b" {
  bucket = "acme-invoices"
  acl    = "public-read"
}
""",
    complying="""resource "aws_s3_bucket_acl" "b" {
  bucket = "acme-invoices"
  acl    = "private"
}
""",
)

_ACL_SWITCHES: Final = ("block_public_acls", "ignore_public_acls")
_POLICY_SWITCHES: Final = ("block_public_policy", "restrict_public_buckets")


def _allows(account: Resource, name: str) -> Iterator[Verdict]:
    value = account.flag(name)
    if isinstance(value, Unknown):
        yield undecided(account, "whether containers may be public", value, account.at(name))
    elif value is True:
        yield violated(account, "the account allows containers to be public", account.at(name))


def _public_acl(resource: Resource) -> Iterator[Verdict]:
    acl = resource.get("acl")
    what = _subject(resource)
    if isinstance(acl, Unknown):
        yield undecided(resource, f"whether the ACL opens the {what}", acl, resource.at("acl"))
    elif isinstance(acl, str) and acl in _ACLS:
        yield violated(resource, f"the ACL {_ACLS[acl]} the {what}", resource.at("acl"))
    for grant in (*nested(resource, ("access_control_policy", "grant")), *resource.children("grant")):
        for grantee in (grant, *grant.children("grantee")):
            uri = grantee.get("uri")
            if isinstance(uri, Unknown) and uri.is_input:
                yield undecided(resource, f"whether a grant opens the {what}", uri, grantee.place)
            elif isinstance(uri, str) and uri.endswith(_GROUPS):
                yield violated(resource, f"a grant opens the {what} to everyone", grantee.place)


def _public_policy(resource: Resource, module: Module) -> Iterator[Verdict]:
    name = "access_policy" if resource.type == "aws_glacier_vault" else "policy"
    what = _subject(resource)
    for statement in statements(resource.get(name), resource.at(name), module):
        public = statement if isinstance(statement, Unknown) else statement.for_everyone
        place = resource.at(name) if isinstance(statement, Unknown) else statement.place
        if isinstance(public, Unknown):
            yield undecided(resource, f"whether the policy opens the {what} to everyone", public, place)
        elif public:
            yield violated(resource, f"the policy gives everyone on the internet access to the {what}", place)


class Buckets:
    """The buckets of a module by name, and the public access blocks of each."""

    def __init__(self, module: Module) -> None:
        self._addressed: dict[str, list[Resource]] = {}
        self._addresses: dict[str, str] = {}
        for bucket in module.of("aws_s3_bucket", "google_storage_bucket"):
            self._addressed.setdefault(bucket.address, []).append(bucket)
            for name in (bucket.get("bucket"), bucket.get("name")):
                if isinstance(name, str):
                    self._addresses[name] = bucket.address
        self._account = list(module.of("aws_s3_account_public_access_block"))
        self._blocks: dict[str, list[Resource]] = {}
        self._nearby: dict[str, list[Resource]] = {}
        for block in module.of("aws_s3_bucket_public_access_block"):
            self._blocks.setdefault(self.key(block.get("bucket")), []).append(block)
            for address in self._near(block.get("bucket")):
                self._nearby.setdefault(address, []).append(block)

    def key(self, value: Value) -> str:
        """One name for a bucket, whether it is given by reference or by its literal name; empty where it may be one
        or another."""
        if isinstance(value, Unknown):
            return value.instance
        if not isinstance(value, str):
            return ""
        address = self._addresses.get(value, "")
        # Of several buckets at one address (`for_each`), the name tells which.
        return _key(address) if len(self._addressed.get(address, ())) == 1 else value

    def named(self, value: Value) -> list[Resource]:
        """The buckets of the module that `value` may mean."""
        return [bucket for address in self._near(value) for bucket in self._addressed.get(address, ())]

    def _near(self, value: Value) -> tuple[str, ...]:
        if isinstance(value, str):
            return (self._addresses.get(value, value),)
        return targets_of(value)

    def blocks(self, resource: Resource) -> list[Resource]:
        """The blocks that are certainly those of `resource`'s bucket, and of its account."""
        own = resource.type == "aws_s3_bucket" and len(self._addressed[resource.address]) == 1
        key = _key(resource.address) if own else self.key(resource.get("bucket"))
        return (self._blocks.get(key, []) if key else []) + self._account

    def nearby(self, resource: Resource) -> list[Resource]:
        """The blocks that may be."""
        own = (resource.address,) if resource.type == "aws_s3_bucket" else self._near(resource.get("bucket"))
        return [block for address in own for block in self._nearby.get(address, ())]


def _key(address: str) -> str:
    """The key of the only bucket at `address`, as a reference has it."""
    return repr(tuple(address.split("."))) if address else ""


def _unless_blocked(
    resource: Resource, verdicts: Iterator[Verdict], switches: tuple[str, str], buckets: Buckets
) -> Iterator[Verdict]:
    """`verdicts`, unless one of the `switches` of a public access block takes their effect away."""
    values = [_applied(block, switch, resource) for block in buckets.blocks(resource) for switch in switches]
    if any(value is True for value in values):
        return
    unknown = next((value for value in values if isinstance(value, Unknown)), None)
    certain = buckets.blocks(resource)
    others = [block for block in buckets.nearby(resource) if not any(block is one for one in certain)]
    if any(block.flag(switch) not in (None, False) for block in others for switch in switches):
        unknown = unknown or Unknown("which bucket each block belongs to")
    yield from _unless(resource, verdicts, unknown)


def _applied(block: Resource, switch: str, resource: Resource) -> Value:
    """The switch of a block, where the block is sure to be there and in the same account as what it closes."""
    value = block.flag(switch)
    loops = (block.get("count"), block.get("for_each"))
    provider, own = block.get("provider"), resource.get("provider")
    account = block.type == "aws_s3_account_public_access_block"
    elsewhere = provider != own and (account or provider is not None)
    if value is True and (elsewhere or any(isinstance(loop, Unknown) for loop in loops)):
        return Unknown("whether the public access block is applied there")
    return value


def _unless(resource: Resource, verdicts: Iterator[Verdict], unknown: Unknown | None) -> Iterator[Verdict]:
    """`verdicts`; where something that is not known may close the bucket, none of them is a violation."""
    for verdict in verdicts:
        if unknown and verdict.outcome == "violated":
            yield undecided(resource, "whether a public access block closes the bucket", unknown, verdict.place)
        else:
            yield verdict


def _members(resource: Resource, names: tuple[str, ...]) -> Iterator[Verdict]:
    for name in names:
        for leaf in leaves(resource.get(name)):
            # `serviceAccount:${…}` is somebody, whoever that is.
            if isinstance(leaf, Unknown) and ":" not in leaf.known and leaf.is_input:
                yield undecided(resource, "who gets access to the bucket", leaf, resource.at(name))
            elif isinstance(leaf, str) and leaf.rpartition(":")[2] in _EVERYONE:
                yield violated(resource, "everyone on the internet gets access to the bucket", resource.at(name))
    predefined = resource.get("predefined_acl")
    if isinstance(predefined, Unknown) and predefined.is_input:
        yield undecided(resource, "whether the ACL opens the bucket", predefined, resource.at("predefined_acl"))
    elif isinstance(predefined, str) and predefined.startswith("public"):
        yield violated(resource, "the ACL opens the bucket to everyone", resource.at("predefined_acl"))


def _bindings(resource: Resource, module: Module) -> Iterator[Verdict]:
    value, place = resource.get("policy_data"), resource.at("policy_data")
    sources = [source for target in targets_of(value) for source in module.all_at(target)]
    data = document(value)
    listed = data.get("bindings") if isinstance(data, Mapping) else None
    bodies = (
        [(item.get("members"), place) for item in listed or () if isinstance(item, Mapping)]
        if isinstance(listed, tuple)
        else []
    )
    bodies += [(binding.get("members"), binding.place) for source in sources for binding in source.children("binding")]
    unknown = [leaf for members, _ in bodies for leaf in leaves(members) if isinstance(leaf, Unknown)]
    if isinstance(data, Unknown) and (not sources or data.open):
        unknown.append(data)
    for leaf in unknown[:1]:
        if leaf.is_input and ":" not in leaf.known:
            yield undecided(resource, "who gets access to the bucket", leaf, place)
    for members, at in bodies:
        if any(leaf in _EVERYONE for leaf in leaves(members) if isinstance(leaf, str)):
            yield violated(resource, "everyone on the internet gets access to the bucket", at)


def _container(resource: Resource, module: Module) -> Iterator[Verdict]:
    access = resource.get("container_access_type")
    place = resource.at("container_access_type")
    if isinstance(access, Unknown):
        yield undecided(resource, "whether the container is public", access, place)
    elif access in {"blob", "container"}:
        given = [resource.get(name) for name in ("storage_account_name", "storage_account_id")]
        accounts = [account for value in given for target in targets_of(value) for account in module.all_at(target)]
        closed = {account.flag("allow_nested_items_to_be_public") is False for account in accounts}
        certain = all(value.instance for value in given if isinstance(value, Unknown))
        if closed == {True} and certain:
            return
        if True in closed:
            unknown = Unknown("which account it belongs to")
            yield undecided(resource, "whether its account forbids public containers", unknown, place)
        else:
            yield violated(resource, "everyone on the internet can read its blobs", place)


def _subject(resource: Resource) -> str:
    words = {"object": "object", "ecr": "repository", "vault": "vault", "secret": "secret"}
    return next((noun for word, noun in words.items() if word in resource.type), "bucket")
