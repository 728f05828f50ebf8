"""Token formats from their issuers' public documentation, as data.

Each has an id, the noun for a reason, the public prefix that evidence may show, and an RE2 pattern whose
first group, where it has one, is the secret itself. The lengths are the documented ones; where an issuer
says that they may grow, the pattern has a minimum. The pattern of a private key is its header only; what follows is
read in `private_keys`.
"""

from typing import Final, NamedTuple

from lawspeaker.checks.private_keys import BEGIN


class Format(NamedTuple):
    id: str
    noun: str
    prefix: str
    pattern: str


_ASSIGN: Final = r"""["'\]]?\s*(?:=>|:=|=|:)\s*"""

# Of two that overlap, the earlier is reported: a key as a whole goes before what its comment may hold.
PRIVATE_KEY: Final = Format("private-key", "private key", "", BEGIN)

FORMATS: Final[tuple[Format, ...]] = (
    PRIVATE_KEY,
    # cloud providers
    Format("aws-access-key", "AWS access key id", "AKIA", r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    Format(
        "aws-secret-key",
        "AWS secret access key",
        "",
        r"(?i:secret_?access_?key|aws_?secret(?:_?key)?)"
        + _ASSIGN
        + r"""["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)""",
    ),
    Format("aws-bedrock-key", "Amazon Bedrock key", "ABSK", r"\bABSK[A-Za-z0-9+/]{109,}={0,2}"),
    Format("azure-storage-key", "Azure storage key", "", r"(?i:AccountKey)\s*=\s*([A-Za-z0-9+/]{86}==)"),
    Format("azure-shared-key", "Azure shared access key", "", r"(?i:SharedAccessKey)\s*=\s*([A-Za-z0-9+/]{43}=)"),
    Format("azure-client-secret", "Azure client secret", "", r"\b([A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34})\b"),
    Format("azure-devops-token", "Azure DevOps token", "", r"\b[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}\b"),
    Format("google-api-key", "Google API key", "AIza", r"\bAIza[0-9A-Za-z_-]{35}"),
    Format("google-client-secret", "Google OAuth client secret", "GOCSPX-", r"\bGOCSPX-[0-9A-Za-z_-]{28}"),
    Format("google-access-token", "Google access token", "ya29.", r"\bya29\.[0-9A-Za-z_-]{30,}"),
    Format("alibaba-access-key", "Alibaba Cloud access key id", "LTAI", r"\bLTAI[A-Za-z0-9]{20}\b"),
    Format("digitalocean-token", "DigitalOcean token", "do", r"\bdo[por]_v1_[a-f0-9]{64}\b"),
    Format("heroku-key", "Heroku key", "HRKU-", r"\bHRKU-[0-9A-Za-z_-]{58,}"),
    Format("cloudflare-origin-key", "Cloudflare origin CA key", "v1.0-", r"\bv1\.0-[a-f0-9]{24}-[a-f0-9]{146}\b"),
    # code, packages and delivery
    Format("github-token", "GitHub token", "gh", r"\bgh[pousr]_[A-Za-z0-9]{36,}\b"),
    Format("github-fine-grained-token", "GitHub token", "github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{82}\b"),
    Format(
        "gitlab-token",
        "GitLab token",
        "gl",
        r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[0-9A-Za-z_-]{20,}",
    ),
    Format("atlassian-token", "Atlassian token", "ATATT3", r"\bATATT3[0-9A-Za-z_=-]{60,}"),
    Format("npm-token", "npm token", "npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    Format("pypi-token", "PyPI token", "pypi-", r"\bpypi-[0-9A-Za-z_-]{50,}"),
    Format("rubygems-key", "RubyGems key", "rubygems_", r"\brubygems_[a-f0-9]{48}\b"),
    Format("crates-token", "crates.io token", "cio", r"\bcio[A-Za-z0-9]{32}\b"),
    Format("docker-token", "Docker Hub token", "dckr_pat_", r"\bdckr_pat_[0-9A-Za-z_-]{27}"),
    Format(
        "terraform-cloud-token",
        "Terraform Cloud token",
        "",
        r"\b[A-Za-z0-9]{14}\.atlasv1\.[0-9A-Za-z_-]{60,}",
    ),
    Format("pulumi-token", "Pulumi token", "pul-", r"\bpul-[a-f0-9]{40}\b"),
    Format("vault-token", "HashiCorp Vault token", "hv", r"\bhv[sb]\.[0-9A-Za-z_-]{24,}"),
    Format("doppler-token", "Doppler token", "dp.", r"\bdp\.(?:pt|st|sa|ct|scim|audit)\.[A-Za-z0-9]{40,44}\b"),
    Format("postman-key", "Postman key", "PMAK-", r"\bPMAK-[a-f0-9]{24}-[a-f0-9]{34}\b"),
    # talk and mail
    Format("slack-token", "Slack token", "xox", r"\bxox[abeoprs]-[0-9A-Za-z-]{20,}"),
    Format("slack-app-token", "Slack app token", "xapp-", r"\bxapp-\d-[0-9A-Za-z-]{20,}"),
    Format(
        "slack-webhook",
        "Slack webhook",
        "",
        r"https://hooks\.slack\.com/(?:services|workflows)/([0-9A-Za-z/_-]{30,})",
    ),
    Format(
        "discord-token",
        "Discord token",
        "",
        r"\b[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}\b",
    ),
    Format(
        "discord-webhook",
        "Discord webhook",
        "",
        r"https://discord(?:app)?\.com/api/webhooks/(\d+/[\w-]{60,})",
    ),
    Format("telegram-token", "Telegram bot token", "", r"\b\d{8,10}:AA[0-9A-Za-z_-]{33}\b"),
    Format("sendgrid-key", "SendGrid key", "SG.", r"\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}"),
    Format("mailgun-key", "Mailgun key", "key-", r"\bkey-[0-9a-f]{32}\b"),
    Format("mailchimp-key", "Mailchimp key", "", r"\b[0-9a-f]{32}-us\d{1,2}\b"),
    Format("twilio-key", "Twilio key", "SK", r"\bSK[0-9a-f]{32}\b"),
    # money and trade
    Format("stripe-key", "Stripe key", "", r"\b[sr]k_live_[0-9A-Za-z]{16,}\b"),
    Format("stripe-webhook-secret", "Stripe webhook secret", "whsec_", r"\bwhsec_[0-9A-Za-z+/=]{32,}"),
    Format("shopify-token", "Shopify token", "shp", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    Format("square-token", "Square token", "sq0", r"\bsq0(?:atp-[0-9A-Za-z_-]{22}|csp-[0-9A-Za-z_-]{43})"),
    # models and data
    Format(
        "openai-key",
        "OpenAI key",
        "sk-",
        r"\bsk-(?:(?:proj|svcacct|admin)-[0-9A-Za-z_-]{20,}|[0-9A-Za-z]{48}\b)",
    ),
    Format("anthropic-key", "Anthropic key", "sk-ant-", r"\bsk-ant-(?:api|admin|oat)\d\d-[0-9A-Za-z_-]{20,}"),
    Format("huggingface-token", "Hugging Face token", "hf_", r"\bhf_[A-Za-z0-9]{34}\b"),
    Format("groq-key", "Groq key", "gsk_", r"\bgsk_[A-Za-z0-9]{52}\b"),
    Format("replicate-token", "Replicate token", "r8_", r"\br8_[A-Za-z0-9]{37}\b"),
    Format("databricks-token", "Databricks token", "dapi", r"\bdapi[0-9a-f]{32}\b"),
    Format("airtable-token", "Airtable token", "pat", r"\bpat[A-Za-z0-9]{14}\.[a-f0-9]{64}\b"),
    Format("notion-token", "Notion token", "ntn_", r"\bntn_[A-Za-z0-9]{46}\b"),
    Format("linear-key", "Linear key", "lin_api_", r"\blin_api_[A-Za-z0-9]{40}\b"),
    Format("planetscale-token", "PlanetScale token", "pscale_", r"\bpscale_(?:tkn|pw|oauth)_[0-9A-Za-z_.-]{32,}"),
    Format("supabase-token", "Supabase token", "sbp_", r"\bsbp_[a-f0-9]{40}\b"),
    # watching
    Format("newrelic-key", "New Relic key", "NRAK-", r"\bNRAK-[A-Z0-9]{27}\b"),
    Format(
        "grafana-token",
        "Grafana token",
        "gl",
        r"\b(?:glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/]{32,}={0,2})",
    ),
    Format("sentry-token", "Sentry token", "sntry", r"\bsntry(?:s_[A-Za-z0-9+/=_-]{60,}|u_[a-f0-9]{64}\b)"),
    Format("dynatrace-token", "Dynatrace token", "dt0c01.", r"\bdt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}\b"),
    Format(
        "tailscale-key",
        "Tailscale key",
        "tskey-",
        r"\btskey-(?:auth|api|client)-[0-9A-Za-z]+-[0-9A-Za-z]{20,}",
    ),
    # general
    Format("age-key", "age secret key", "AGE-SECRET-KEY-", r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    Format("jwt", "JSON web token", "eyJ", r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{16,}"),
    Format(
        "url-password",
        "password in a URL",
        "",
        r"""\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@"'<>`]*:([^\s@"'<>/`]{3,})@[\w\[$.-]""",
    ),
)

# Values in the context of a name, for the secrets that have no format. The name must end in the word: a
# `secret_name` or a `password_policy` is no secret.
_PASSWORD: Final = r"(?i:passwo?r?d|passwd|passphrase|pwd)"
_KEY: Final = r"(?i:secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|auth[_-]?key|credentials?)"
_BARE: Final = r"""([^\s"'#$<{(\[,;`][^\s"'#(){}\[\],;`]{7,200})[ \t]*(?:$|[,;])"""

PASSWORD_CONTEXT: Final = (
    r"(?:\b|[_-]|[a-z])" + _PASSWORD + _ASSIGN + r'"([^"\n]{6,200})"',
    r"(?:\b|[_-]|[a-z])" + _PASSWORD + _ASSIGN + r"'([^'\n]{6,200})'",
    r"(?m:^[ \t]*(?:export[ \t]+|-[ \t]+)?[\w.-]*" + _PASSWORD + r"[ \t]*[=:][ \t]*" + _BARE + ")",
)
KEY_CONTEXT: Final = (
    r"(?:\b|[_-]|[a-z])" + _KEY + _ASSIGN + r'"([^"\n]{16,400})"',
    r"(?:\b|[_-]|[a-z])" + _KEY + _ASSIGN + r"'([^'\n]{16,400})'",
    r"(?m:^[ \t]*(?:export[ \t]+|-[ \t]+)?[\w.-]*" + _KEY + r"[ \t]*[=:][ \t]*" + _BARE + ")",
)
