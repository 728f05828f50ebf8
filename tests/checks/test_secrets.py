"""`secrets`: each format, what only looks like one, and that nothing is repeated.

The positives are put together here, so that no scanner finds a key in this repository.
"""

from random import Random

import pytest

from lawspeaker.checks.secrets.formats import FORMATS, KEY_CONTEXT, PASSWORD_CONTEXT
from lawspeaker.checks.secrets.kind import entropy, find, is_placeholder, shown
from lawspeaker.checks.text.regex import PatternSet
from tests.checks.judged import findings

SOURCES = [*(format.pattern for format in FORMATS), *PASSWORD_CONTEXT, *KEY_CONTEXT]
PATTERNS, ONE_BY_ONE = PatternSet(SOURCES, at_once=True), PatternSet(SOURCES)
UPPER, LOWER, HEX = "Q7ZK3MN5VX2JH4TB6WCY", "q7zk3mn5vx2jh4tb6wcy", "a1b2c3d4e5f60718293a4b5c6d7e8f90"
MIXED = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xY"

UUID = "a1b2c3d4-e5f6-4718-8293-a4b5c6d7e8f9"


def fill(alphabet: str, length: int) -> str:
    return (alphabet * (length // len(alphabet) + 1))[:length]


POSITIVES = {
    "aws-access-key": "AKIA" + fill(UPPER, 16),
    "aws-secret-key": "aws_secret_access_key = " + fill(MIXED, 40),
    "aws-bedrock-key": "ABSK" + fill(MIXED, 120),
    "azure-storage-key": "AccountKey=" + fill(MIXED, 86) + "==",
    "azure-shared-key": "SharedAccessKey=" + fill(MIXED, 43) + "=",
    "azure-client-secret": "a1B" + "8Q~" + fill(MIXED, 33),
    "azure-devops-token": fill(MIXED, 76) + "AZDO" + "a1B2",
    "google-api-key": "AIza" + fill(MIXED, 35),
    "google-client-secret": "GOCSPX-" + fill(MIXED, 28),
    "google-access-token": "ya29." + fill(MIXED, 60),
    "alibaba-access-key": "LTAI" + fill(MIXED, 20),
    "digitalocean-token": "dop_v1_" + fill(HEX, 64),
    "heroku-key": "HRKU-" + fill(MIXED, 60),
    "cloudflare-origin-key": "v1.0-" + fill(HEX, 24) + "-" + fill(HEX, 146),
    "github-token": "ghp_" + fill(MIXED, 36),
    "github-fine-grained-token": "github_pat_" + fill(MIXED, 82),
    "gitlab-token": "glpat-" + fill(MIXED, 20),
    "atlassian-token": "ATATT3" + fill(MIXED, 100),
    "npm-token": "npm_" + fill(MIXED, 36),
    "pypi-token": "pypi-" + fill(MIXED, 80),
    "rubygems-key": "rubygems_" + fill(HEX, 48),
    "crates-token": "cio" + fill(MIXED, 32),
    "docker-token": "dckr_pat_" + fill(MIXED, 27),
    "terraform-cloud-token": fill(MIXED, 14) + ".atlasv1." + fill(MIXED, 67),
    "pulumi-token": "pul-" + fill(HEX, 40),
    "vault-token": "hvs." + fill(MIXED, 30),
    "doppler-token": "dp.st." + fill(MIXED, 43),
    "postman-key": "PMAK-" + fill(HEX, 24) + "-" + fill(HEX, 34),
    "slack-token": "xoxb-" + fill("0123456789", 12) + "-" + fill(MIXED, 24),
    "slack-app-token": "xapp-1-" + fill(MIXED, 40),
    "slack-webhook": "https://hooks.slack.com/services/T"
    + fill(UPPER, 8)
    + "/B"
    + fill(UPPER, 8)
    + "/"
    + fill(MIXED, 24),
    "discord-token": "M" + fill(MIXED, 23) + "." + fill(MIXED, 6) + "." + fill(MIXED, 27),
    "discord-webhook": "https://discord.com/api/webhooks/" + fill("123456789", 18) + "/" + fill(MIXED, 68),
    "telegram-token": fill("123456789", 9) + ":AA" + fill(MIXED, 33),
    "sendgrid-key": "SG." + fill(MIXED, 22) + "." + fill(MIXED, 43),
    "mailgun-key": "key-" + fill(HEX, 32),
    "mailchimp-key": fill(HEX, 32) + "-us12",
    "twilio-key": "SK" + fill(HEX, 32),
    "stripe-key": "sk_" + "live_" + fill(MIXED, 24),
    "stripe-webhook-secret": "whsec_" + fill(MIXED, 32),
    "shopify-token": "shpat_" + fill(HEX, 32),
    "square-token": "sq0atp-" + fill(MIXED, 22),
    "openai-key": "sk-" + "proj-" + fill(MIXED, 48),
    "anthropic-key": "sk-" + "ant-api03-" + fill(MIXED, 90),
    "huggingface-token": "hf_" + fill(MIXED, 34),
    "groq-key": "gsk_" + fill(MIXED, 52),
    "replicate-token": "r8_" + fill(MIXED, 37),
    "databricks-token": "dapi" + fill(HEX, 32),
    "airtable-token": "pat" + fill(MIXED, 14) + "." + fill(HEX, 64),
    "notion-token": "ntn_" + fill(MIXED, 46),
    "linear-key": "lin_api_" + fill(MIXED, 40),
    "planetscale-token": "pscale_tkn_" + fill(MIXED, 43),
    "supabase-token": "sbp_" + fill(HEX, 40),
    "newrelic-key": "NRAK-" + fill(UPPER, 27),
    "grafana-token": "glsa_" + fill(MIXED, 32) + "_" + fill(HEX, 8),
    "sentry-token": "sntryu_" + fill(HEX, 64),
    "dynatrace-token": "dt0c01." + fill(UPPER, 24) + "." + fill(UPPER, 64),
    "tailscale-key": "tskey-auth-" + fill(MIXED, 12) + "-" + fill(MIXED, 24),
    "openrouter-key": "sk-or-" + "v1-" + fill(HEX, 64),
    "perplexity-key": "pplx-" + fill(MIXED, 48),
    "xai-key": "xai-" + fill(MIXED, 80),
    "together-key": "tgp_v1_" + fill(MIXED, 43),
    "nvidia-key": "nvapi-" + fill(MIXED, 64),
    "langsmith-key": "lsv2_pt_" + fill(HEX, 32) + "_" + fill(HEX, 10),
    "langfuse-key": "sk-lf-" + UUID,
    "pinecone-key": "pcsk_" + fill(MIXED, 64),
    "cerebras-key": "csk-" + fill(HEX, 48),
    "tavily-key": "tvly-dev-" + fill(MIXED, 32),
    "firecrawl-key": "fc-" + fill(HEX, 32),
    "elevenlabs-key": "sk_" + fill(HEX, 48),
    "easypost-key": "EZAK" + fill(MIXED, 54),
    "shippo-token": "shippo_live_" + fill(HEX, 40),
    "flutterwave-key": "FLWSECK-" + fill(HEX, 32) + "-X",
    "razorpay-key": "rzp_live_" + fill(MIXED, 14),
    "plaid-token": "access-production-" + UUID,
    "braintree-token": "access_token$production$" + fill(HEX, 16) + "$" + fill(HEX, 32),
    "lob-key": "live_" + fill(HEX, 35),
    "duffel-token": "duffel_live_" + fill(MIXED, 43),
    "brevo-key": "xkeysib-" + fill(HEX, 64) + "-" + fill(MIXED, 16),
    "mandrill-key": "md-" + fill(MIXED, 22),
    "resend-key": "re_" + fill(MIXED, 8) + "_" + fill(MIXED, 24),
    "klaviyo-key": "pk_" + fill(HEX, 34),
    "hubspot-token": "pat-eu1-" + UUID,
    "typeform-token": "tfp_" + fill(MIXED, 59),
    "figma-token": "figd_" + fill(MIXED, 40),
    "contentful-token": "CFPAT-" + fill(MIXED, 43),
    "asana-token": "1/" + fill("1234567890", 16) + ":" + fill(HEX, 32),
    "clickup-token": "pk_" + fill("1234567890", 8) + "_" + fill(UPPER, 32),
    "fly-token": "fo1_" + fill(MIXED, 43),
    "render-key": "rnd_" + fill(MIXED, 28),
    "netlify-token": "nfp_" + fill(MIXED, 36),
    "scalingo-token": "tk-us-" + fill(MIXED, 48),
    "neon-key": "napi_" + fill(HEX, 64),
    "aiven-password": "AVNS_" + fill(MIXED, 19),
    "clickhouse-key": "4b1d" + fill(MIXED, 38),
    "mongodb-secret": "mdb_sa_sk_" + fill(MIXED, 40),
    "prefect-key": "pnu_" + fill(MIXED, 36),
    "readme-key": "rdme_" + fill(HEX, 70),
    "buildkite-token": "bkua_" + fill(HEX, 40),
    "circleci-token": "CCIPAT_" + fill(MIXED, 22) + "_" + fill(HEX, 40),
    "artifactory-key": "AKCp" + fill(MIXED, 69),
    "artifactory-token": "cmVmdGtu" + fill(MIXED, 56),
    "nuget-key": "oy2" + fill(HEX, 43),
    "clojars-token": "CLOJARS_" + fill(HEX, 60),
    "sonar-token": "squ_" + fill(HEX, 40),
    "infracost-key": "ico-" + fill(MIXED, 32),
    "harness-token": "pat." + fill(MIXED, 22) + "." + fill(HEX, 24) + "." + fill(MIXED, 20),
    "launchdarkly-key": "sdk-" + UUID,
    "newrelic-insert-key": "NRII-" + fill(MIXED, 32),
    "newrelic-license-key": fill(HEX, 36) + "NRAL",
    "honeycomb-key": "hcaik_" + fill(HEX, 58),
    "onepassword-key": "A3-" + fill(UPPER, 6) + "-" + fill(UPPER, 11) + ("-" + fill(UPPER, 5)) * 3,
    "onepassword-token": "ops_eyJ" + fill(MIXED, 260),
    "infisical-token": "st." + fill(HEX, 24) + "." + fill(HEX, 32) + "." + fill(HEX, 32),
    "yandex-key": "AQVN" + fill(MIXED, 36),
    "tencent-key": "AKID" + fill(MIXED, 32),
    "scaleway-key": "SCW" + fill(UPPER, 17),
    "azure-function-key": fill(MIXED, 44) + "AzFu" + fill(MIXED, 8) + "==",
    "azure-registry-key": fill(MIXED, 42) + "+ACR" + fill(MIXED, 6),
    "azure-search-key": fill(MIXED, 42) + "AzSe" + fill(MIXED, 6),
    "azure-cosmos-key": fill(MIXED, 76) + "ACDb" + fill(MIXED, 6) + "==",
    "databricks-secret": "dose" + fill(HEX, 32),
    "mapbox-token": "sk.eyJ" + fill(MIXED, 64) + "." + fill(MIXED, 22),
    "facebook-token": "EAAC" + fill(MIXED, 120),
    "linkedin-secret": "WPL_AP1." + fill(MIXED, 16) + "." + fill(MIXED, 8),
    "okta-token": "SSWS 00" + fill(MIXED, 40),
    "authorization-header": "Authorization: Bearer " + fill(MIXED, 40),
    "private-key": "-----BEGIN RSA " + "PRIVATE KEY-----\n" + fill(MIXED, 64) + "\n" + fill(MIXED, 64) + "\n-----END",
    "age-key": "AGE-SECRET-KEY-1" + fill(UPPER, 58),
    "jwt": "eyJ" + fill(MIXED, 20) + ".eyJ" + fill(MIXED, 30) + "." + fill(MIXED, 43),
    "url-password": "postgres://app:" + fill(MIXED, 12) + "@db.internal:5432/app",
}

CONTEXT = {
    "assigned-password": [
        'password = "%s"',
        "db_password: '%s'",
        '"adminPassword": "%s"',
        "POSTGRES_PASSWORD=%s",
        "export DB_PASSWORD=%s",
        'conn(passwd="%s")',
    ],
    "assigned-secret": ['client_secret = "%s"', "api_key: '%s'", '{"authToken": "%s"}', "SECRET_KEY=%s", "  token: %s"],
}

NEGATIVES = [
    "AKIAIOSFODNN7EXAMPLE",
    'aws_secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
    'password = "changeme"',
    'password = "<your password>"',
    'password = "${var.db_password}"',
    'password = "{{ vault_password }}"',
    'password = "your-password-here"',
    'password = "xxxxxxxxxxxx"',
    'password = "********"',
    "password = var.db_password",
    "password = os.environ['DB_PASSWORD']",
    "password: String",
    "connect(\n    user=user,\n    password=key_password,\n)",
    "  secret = client_secret_from_environment",
    'password = "secretsmanager"',
    'password_policy = "Minimum8Characters!"',
    'secret_name = "prod-db-credentials-2024"',
    'token_url = "https://login.acme.io/oauth2/v1/token"',
    'secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-Ab12Cd"',
    'api_key = "REPLACE_WITH_YOUR_KEY_123456"',
    "postgres://user:${DB_PASSWORD}@db/app",
    "postgres://user:password@localhost/example",
    "git@github.com:acme/infra.git",
    "https://acme.io:8443/path@v2",
    "sha256:" + HEX * 2,
    "commit " + fill(HEX, 40),
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    'if "-----BEGIN PRIVATE KEY-----" in text: return "a key was found in the file"',
    "Authorization: Bearer access_token_from_the_login",
    "Authorization: Bearer $TOKEN, then PYTHON-3 and pat-1",
    "The password must have 12 characters: letters, digits and signs.",
]


def test_there_are_many_formats() -> None:
    assert len({format.id for format in FORMATS}) >= 120


@pytest.mark.parametrize("id", [format.id for format in FORMATS])
def test_every_format_is_found_and_never_shown(id: str) -> None:
    text = f"before\n{POSITIVES[id]}\nafter"
    (finding,) = findings("secrets", {}, text)
    (span,) = finding.spans
    assert (finding.check, finding.outcome, span.line) == (f"secrets/{id}", "violated", 2)
    matched = text[span.start : span.end]
    assert len(matched) >= 12
    assert matched[8:] not in finding.reason + finding.evidence
    assert matched not in text[: span.start] + text[span.end :]


@pytest.mark.parametrize(("id", "line"), [(id, line) for id, lines in CONTEXT.items() for line in lines])
def test_a_value_after_a_telling_name(id: str, line: str) -> None:
    value = "c0rrect-horse9" if id == "assigned-password" else fill(MIXED, 24)
    text = "a: 1\n" + line % value + "\nb: 2\n"
    (finding,) = findings("secrets", {}, text)
    assert finding.check == f"secrets/{id}"
    assert text[finding.spans[0].start : finding.spans[0].end] == value


@pytest.mark.parametrize("text", [line for line in NEGATIVES if "user:password@" not in line])
def test_what_only_looks_like_a_secret(text: str) -> None:
    assert [finding.outcome for finding in findings("secrets", {}, text)] == ["upheld"]


@pytest.mark.parametrize("name", ["creation_token", "client_token", "clientRequestToken", "idempotency-token"])
def test_a_token_that_names_a_request_is_no_secret(name: str) -> None:
    value = fill(MIXED, 24)
    assert not find(f'{name} = "{value}"')
    assert [secret.format.id for secret in find(f'{name} = "{value}"\ntoken = "{value}"')] == ["assigned-secret"]


def test_a_weak_password_in_a_url_is_still_one() -> None:
    assert [secret.format.id for secret in find("postgres://user:password@db.internal/app")] == ["url-password"]


def test_allowed_values_are_ignored_only_as_a_whole() -> None:
    key = POSITIVES["aws-access-key"]
    assert findings("secrets", {"allow": [key]}, key)[0].outcome == "upheld"
    assert findings("secrets", {"allow": key[:8]}, key)[0].outcome == "violated"


def test_matches_are_bounded() -> None:
    assert len(findings("secrets", {}, (POSITIVES["github-token"] + " ") * 500)) == 100


def test_placeholders_do_not_hide_what_follows() -> None:
    text = 'password = "${var.password}"\n' * 100 + 'password = "c0rrect-horse9"\n'
    assert [finding.spans[0].line for finding in findings("secrets", {}, text)] == [101]


@pytest.mark.parametrize("count", [20, 300])
def test_example_keys_do_not_hide_a_real_one(count: int) -> None:
    text = "AKIAIOSFODNN7EXAMPLE\n" * count + POSITIVES["aws-access-key"]
    assert [finding.spans[0].line for finding in findings("secrets", {}, text)] == [count + 1]


def test_allowed_values_do_not_hide_what_follows() -> None:
    allowed, real = POSITIVES["github-token"], "ghp_" + fill(MIXED[::-1], 36)
    found = findings("secrets", {"allow": allowed}, f"{allowed}\n" * 300 + real)
    assert [finding.spans[0].line for finding in found] == [301]


def test_one_place_is_one_finding() -> None:
    assert len(findings("secrets", {}, f'password = "{POSITIVES["github-token"]}"')) == 1


def test_a_name_that_holds_a_secret_is_not_shown() -> None:
    assert shown("aws_s3_bucket.logs") == "aws_s3_bucket.logs"
    assert shown("aws_s3_bucket." + POSITIVES["aws-access-key"]) == "…"
    assert shown(POSITIVES["aws-access-key"] + "_password") == "…"
    assert shown("n" * 81) == "…"


def test_entropy_and_placeholders() -> None:
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2
    assert is_placeholder("<token>")
    assert not is_placeholder("c0rrect-horse9")


def test_searching_at_once_finds_what_each_pattern_finds() -> None:
    """The one pass over all patterns says "nothing" when its memory runs out, so it must never come near."""
    random = Random(7)
    samples = [*POSITIVES.values(), 'password = "', "secret: ", "token="]
    for _ in range(20):
        pieces = (sample[: random.randint(1, len(sample))] for sample in random.choices(samples, k=1000))
        text = random.choice(["", " ", "\n"]).join(pieces)
        at_once = {index for index, _, _ in PATTERNS.search(text, 1)}
        assert at_once == {index for index, _, _ in ONE_BY_ONE.search(text, 1)}


ASSIGNED = [
    ("DB_PASSWORD=my_secret_password", "my_secret_password"),
    ("export MYSQL_ROOT_PASSWORD=root_password_2024\n", "root_password_2024"),
    ("docker run -e POSTGRES_PASSWORD=my_secret_password postgres:16", "my_secret_password"),
    ("DB_USER=app DB_PASSWORD=x9!horse-battery ./migrate.sh", "x9!horse-battery"),
    ('ENV ADMIN_PASSWORD=admin_password1\nCMD ["run"]', "admin_password1"),
    ("API_TOKEN=secret_token_1f9a7c3e55\n", "secret_token_1f9a7c3e55"),
]


@pytest.mark.parametrize(("text", "value"), ASSIGNED)
def test_what_a_shell_or_an_env_file_assigns_is_a_value(text: str, value: str) -> None:
    (secret,) = find(text)
    assert text[secret.start : secret.end] == value


@pytest.mark.parametrize(
    "text",
    [
        "connect(password=key_password, token=api_token_value)",
        "PASSWORD=$DB_PASSWORD",
        "settings = Settings(\n    DB_PASSWORD=db_password,\n    API_TOKEN=token_from_the_vault1)",
        "PWD=/home/dana/project OLDPWD=/var/lib/postgresql",
        "DB_PASSWORD=changeme",
        "DB_PASSWORD=<your password>",
        "DB_PASSWORD=${db_password:-none}",
        "Set DB_PASSWORD=... before you start.",
        "password = new_password",
        "if PASSWORD == old_password:",
        "PASSWORD=%DB_PASSWORD% and TOKEN={{ token }}",
    ],
)
def test_a_name_after_a_name_is_no_value(text: str) -> None:
    assert find(text) == []
