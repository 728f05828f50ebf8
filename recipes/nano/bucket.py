"""Object storage: a bucket with its companions (access list, policy, public access block, versioning, …)."""

from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from . import names
from .page import CIPHER, LEAST, NAMED, PRESSURE, PUBLIC, UNTOUCHED, VERBS, Page, compose, pick, tag_words

_WEBSITE: Final = (
    "The website must be able to read it.|The website must be able to read it.|The website must read it."
    "|Our website needs to read it.|It must be readable by the website.|Our site must be able to load the files."
    "|The web site should be able to read the objects.|The website has to read from it.|The website reads it."
    "|The website must be able to read from it.|Our web site must be able to show the files."
)
_EVERYBODY: Final = (
    "Anyone should be able to download the files.|Make it public.|Everybody must be able to read it."
    "|It should be publicly readable.|The files are for the public.|Customers download the files without a login."
)
_ROLES: Final = "partners|partners|mobile app|app|api|reporting|billing|data team|analysts|auditors|backend"
_PRIVATE: Final = "Keep it private.|Nobody else may read it.|Only our account may use it.|It must not be public."


@dataclass(frozen=True)
class Bucket:
    """`reader` is empty, `website`, `everybody` or the name of a role."""

    request: str
    bucket: str
    label: str
    region: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    versioning: bool = False
    cipher: str = ""
    expiry: int = 0
    reader: str = ""
    odds: float = 0.4
    acl: str = ""
    policy: str = ""  # "", "public", "cdn" or "role"
    star: str = '"*"'
    block: bool = True
    family: str = "bucket"

    @property
    def wanted(self) -> tuple[str, ...]:
        asked = [f'"{self.bucket}"', f'"{self.label}"', *(f'"{value}"' for value in self.tags.values())]
        if self.region:
            asked.append(f'"{self.region}"')
        if self.expiry:
            asked.append(f"days = {self.expiry}")
        if self.versioning:
            asked.append("aws_s3_bucket_versioning")
        return tuple(asked)

    @property
    def public(self) -> bool:
        return self.acl.startswith("public") or self.policy == "public"

    def again(self, rng: Random, breaks: frozenset[str]) -> "Bucket":
        plan = replace(self, acl="", policy="", block=True, star=pick(rng, '"*"|"*"|{ AWS = "*" }'))
        if PUBLIC in breaks and rng.random() < self.odds:
            block = rng.random() < 0.75
            if rng.random() < 0.6:
                acl = "public-read-write" if rng.random() < 0.08 else "public-read"
                return replace(plan, acl=acl, block=block)
            return replace(plan, policy="public", block=block)
        acl = "private" if rng.random() < 0.3 else ""
        policy = "" if not self.reader else self._named
        return replace(plan, acl=acl, policy=policy, block=rng.random() < 0.8)

    @property
    def _named(self) -> str:
        return "cdn" if self.reader in {"website", "everybody"} else "role"

    def fixed(self, principle: str) -> "Bucket":
        if principle != PUBLIC or not self.public:
            return self
        needs = self.policy == "public" or self.reader
        return replace(self, acl="private" if self.acl else "", policy=self._named if needs else "", block=True)

    def upheld(self, principle: str) -> str:
        if principle == PUBLIC:
            return "only named principals can read the bucket" if self.policy else "nothing makes the bucket public"
        if principle == CIPHER:
            return "the bucket is encrypted" if self.cipher else "S3 encrypts every object by default"
        if principle == LEAST:
            return "the policy lists its actions" if self.policy else "there is no policy here"
        if principle == NAMED and self.policy:
            return "the policy names who may use it"
        return UNTOUCHED[principle]

    def page(self) -> Page:
        page = Page()
        page.provider(self.region)
        page.resource("aws_s3_bucket", self.label)
        page.put(f'bucket = "{self.bucket}"')
        page.tags(self.tags)
        page.close()
        if self.versioning:
            self._companion(page, "aws_s3_bucket_versioning")
            page.open("versioning_configuration {")
            page.put('status = "Enabled"')
            page.close()
            page.close()
        if self.cipher:
            self._companion(page, "aws_s3_bucket_server_side_encryption_configuration")
            page.open("rule {")
            page.open("apply_server_side_encryption_by_default {")
            page.put(f'sse_algorithm = "{self.cipher}"')
            page.close()
            page.close()
            page.close()
        if self.expiry:
            self._companion(page, "aws_s3_bucket_lifecycle_configuration")
            page.open("rule {")
            page.put('id = "expire"')
            page.put('status = "Enabled"')
            page.put("filter {}")
            page.open("expiration {")
            page.put(f"days = {self.expiry}")
            page.close()
            page.close()
            page.close()
        self._access(page)
        return page

    def _companion(self, page: Page, kind: str) -> None:
        page.resource(kind, self.label)
        page.put(f"bucket = aws_s3_bucket.{self.label}.id")

    def _access(self, page: Page) -> None:
        if self.block:
            self._companion(page, "aws_s3_bucket_public_access_block")
            for key in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"):
                page.put(f"{key} = {'false' if self.public else 'true'}")
            page.close()
        if self.acl:
            page.resource("aws_s3_bucket_ownership_controls", self.label)
            page.put(f"bucket = aws_s3_bucket.{self.label}.id")
            page.open("rule {")
            page.put('object_ownership = "BucketOwnerPreferred"')
            page.close()
            page.close()
            self._companion(page, "aws_s3_bucket_acl")
            deed = "read and write" if self.acl == "public-read-write" else "read"
            broken = PUBLIC if self.acl.startswith("public") else ""
            page.put(f'acl = "{self.acl}"', broken, f"{page.address} lets anyone on the internet {deed} it")
            page.close()
        if self.policy == "role":
            page.block(f'data "aws_iam_role" "{names.label(self._role)}"')
            page.put(f'name = "{self._role}"')
            page.close()
        if self.policy:
            self._policy(page)

    @property
    def _role(self) -> str:
        return self.reader or "reader"

    def _policy(self, page: Page) -> None:
        self._companion(page, "aws_s3_bucket_policy")
        page.open("policy = jsonencode({")
        page.put('Version = "2012-10-17"')
        page.open("Statement = [{")
        page.put('Effect = "Allow"')
        if self.policy == "public":
            page.put(f"Principal = {self.star}", PUBLIC, f"{page.address} lets anyone on the internet read it")
        elif self.policy == "cdn":
            page.put('Principal = { Service = "cloudfront.amazonaws.com" }')
        else:
            page.put(f"Principal = {{ AWS = data.aws_iam_role.{names.label(self._role)}.arn }}")
        page.put('Action = "s3:GetObject"')
        page.put(f'Resource = "${{aws_s3_bucket.{self.label}.arn}}/*"')
        if self.policy == "cdn":
            page.put('Condition = { StringEquals = { "AWS:SourceArn" = var.distribution_arn } }')
        page.close("}]")
        page.close("})")
        page.close()
        if self.policy == "cdn":
            page.variable("distribution_arn")


def draw(rng: Random) -> Bucket:
    """A request for a bucket; `again` then chooses the answer."""
    name = names.name(rng)
    noun = pick(rng, "an S3 bucket|an S3 bucket|a bucket|an AWS S3 bucket|a storage bucket|an s3 bucket|a S3 bucket")
    owner = names.company(rng) if rng.random() < 0.45 else ""
    shown = owner.capitalize() if owner and rng.random() < 0.1 else owner
    bucket = f"{owner}-{name}" if owner and shown == owner else name
    if not owner and rng.random() < 0.06:
        name, bucket, first = "main", "main", noun
    elif rng.random() < 0.18 and not owner:
        first = f"{noun} for {pick(rng, 'our|the|my|some')} {name.replace('-', ' ') if rng.random() < 0.5 else name}"
    else:
        called = pick(rng, "called|called|named|with the name|by the name of|:")
        quote = pick(rng, '||||"|`')
        first = f"{noun} {called} {quote}{name}{quote}".replace(" : ", ": ")
        first += f" for {shown}" if owner else ""
    plan = Bucket("", bucket, names.label(name))
    more: list[str] = []
    if rng.random() < 0.22:
        plan = replace(plan, region=rng.choice(names.REGIONS))
        first += f" {pick(rng, 'in|in|in region')} {plan.region}"
    if rng.random() < 0.2:
        plan = replace(plan, versioning=True)
        if rng.random() < 0.5:
            first += pick(rng, " with versioning| with versioning enabled| and keep old versions")
        else:
            more.append(pick(rng, "Switch versioning on.|Keep old versions.|Versioning must be on.|Enable versioning."))
    if rng.random() < 0.12:
        plan = replace(plan, cipher=pick(rng, "AES256|aws:kms"))
        with_kms = (
            "Encrypt it with KMS.|Use KMS encryption." if "kms" in plan.cipher else "Encrypt it.|It must be encrypted."
        )
        more.append(pick(rng, with_kms))
    if rng.random() < 0.12:
        plan = replace(plan, expiry=rng.choice((7, 14, 30, 60, 90, 180, 365, rng.randint(2, 999))))
        more.append(
            pick(rng, "Delete objects after N days.|Expire everything after N days.|Keep files for N days.").replace(
                "N", str(plan.expiry)
            )
        )
    tags = names.tags(rng)
    if tags:
        more.append(tag_words(rng, tags))
    plan = replace(plan, tags=tags)
    plan = _reader(rng, plan, more)
    request = compose(rng, f"{pick(rng, VERBS)} {first}", more)
    return replace(plan, request=request)


def _reader(rng: Random, plan: Bucket, more: list[str]) -> Bucket:
    share = rng.random()
    if share < 0.33:
        more.append(pick(rng, _WEBSITE))
        plan = replace(plan, reader="website", odds=0.65)
    elif share < 0.41:
        more.append(pick(rng, _EVERYBODY))
        plan = replace(plan, reader="everybody", odds=0.85)
    elif share < 0.56:
        who = pick(rng, _ROLES) if rng.random() < 0.6 else f"{names.word(rng)} {pick(rng, 'app|service|team|job')}"
        the = "" if who == "partners" and rng.random() < 0.6 else pick(rng, "the |our ")
        deed = pick(rng, "must be able to read it|must read it|needs to read it|should be able to read the files")
        sentence = f"{the}{who} {deed}."
        more.append(sentence[0].upper() + sentence[1:])
        plan = replace(plan, reader=who.replace(" ", "-"), odds=0.5)
    elif share < 0.63:
        more.append(pick(rng, _PRIVATE))
        plan = replace(plan, odds=0.05)
    if rng.random() < 0.1:
        more.append(pick(rng, PRESSURE))
        plan = replace(plan, odds=min(0.9, plan.odds * 1.5))
    return plan
