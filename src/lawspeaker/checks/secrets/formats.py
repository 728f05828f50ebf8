"""Token formats from their issuers' public documentation, as data.

Each has an id, the noun for a reason, the public prefix that evidence may show, and an RE2 pattern whose
first group, where it has one, is the secret itself. The lengths are the documented ones; where an issuer
says that they may grow, the pattern has a minimum. The pattern of a private key is its header only; what follows is
read in `private_keys`.
"""

import re
from typing import Final, NamedTuple

from lawspeaker.checks.secrets.private_keys import BEGIN


class Format(NamedTuple):
    id: str
    noun: str
    prefix: str
    pattern: str


_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
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
    # and more of each
    Format("openrouter-key", "OpenRouter key", "sk-or-", r"\bsk-or-v1-[a-f0-9]{64}\b"),
    Format("perplexity-key", "Perplexity key", "pplx-", r"\bpplx-[A-Za-z0-9]{48}\b"),
    Format("xai-key", "xAI key", "xai-", r"\bxai-[A-Za-z0-9]{80}\b"),
    Format("together-key", "Together key", "tgp_v1_", r"\btgp_v1_[A-Za-z0-9_-]{43}"),
    Format("nvidia-key", "NVIDIA key", "nvapi-", r"\bnvapi-[A-Za-z0-9_-]{60,}"),
    Format("langsmith-key", "LangSmith key", "lsv2_", r"\blsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}\b"),
    Format("langfuse-key", "Langfuse secret key", "sk-lf-", rf"\bsk-lf-{_UUID}\b"),
    Format("pinecone-key", "Pinecone key", "pcsk_", r"\bpcsk_[A-Za-z0-9_]{50,}"),
    Format("cerebras-key", "Cerebras key", "csk-", r"\bcsk-[a-z0-9]{48}\b"),
    Format("tavily-key", "Tavily key", "tvly-", r"\btvly-(?:dev-)?[A-Za-z0-9]{32}\b"),
    Format("firecrawl-key", "Firecrawl key", "fc-", r"\bfc-[a-f0-9]{32}\b"),
    Format("elevenlabs-key", "ElevenLabs key", "sk_", r"\bsk_[a-f0-9]{48}\b"),
    Format("easypost-key", "EasyPost key", "EZ", r"\bEZ[AT]K[A-Za-z0-9]{54}\b"),
    Format("shippo-token", "Shippo token", "shippo_", r"\bshippo_(?:live|test)_[a-f0-9]{40}\b"),
    Format("flutterwave-key", "Flutterwave key", "FLWSECK", r"\bFLWSECK(?:_TEST)?-[A-Za-z0-9]{32}-X\b"),
    Format("razorpay-key", "Razorpay key", "rzp_live_", r"\brzp_live_[A-Za-z0-9]{14}\b"),
    Format("plaid-token", "Plaid token", "access-", rf"\baccess-(?:sandbox|development|production)-{_UUID}\b"),
    Format(
        "braintree-token",
        "Braintree token",
        "access_token$",
        r"\baccess_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}\b",
    ),
    Format("lob-key", "Lob key", "live_", r"\blive_[a-f0-9]{35}\b"),
    Format("duffel-token", "Duffel token", "duffel_", r"\bduffel_(?:test|live)_[A-Za-z0-9_-]{43}"),
    Format("brevo-key", "Brevo key", "x", r"\bx(?:keysib|smtpsib)-[a-f0-9]{64}-[A-Za-z0-9]{16}\b"),
    Format("mandrill-key", "Mandrill key", "md-", r"\bmd-[A-Za-z0-9_-]{22}\b"),
    Format("resend-key", "Resend key", "re_", r"\bre_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}\b"),
    Format("klaviyo-key", "Klaviyo key", "pk_", r"\bpk_[a-f0-9]{34}\b"),
    Format("hubspot-token", "HubSpot token", "pat-", rf"\bpat-(?:na|eu|ap)\d-{_UUID}\b"),
    Format("typeform-token", "Typeform token", "tfp_", r"\btfp_[A-Za-z0-9_.=-]{59}"),
    Format("figma-token", "Figma token", "figd_", r"\bfigd_[A-Za-z0-9_-]{40}"),
    Format("contentful-token", "Contentful token", "CFPAT-", r"\bCFPAT-[A-Za-z0-9_-]{43}"),
    Format("asana-token", "Asana token", "", r"\b\d/\d{16}:[a-f0-9]{32}\b"),
    Format("clickup-token", "ClickUp token", "pk_", r"\bpk_\d{5,9}_[A-Z0-9]{32}\b"),
    Format("fly-token", "Fly.io token", "f", r"\b(?:fo1_[A-Za-z0-9_-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{100,}={0,3})"),
    Format("render-key", "Render key", "rnd_", r"\brnd_[A-Za-z0-9]{28,}\b"),
    Format("netlify-token", "Netlify token", "nfp_", r"\bnfp_[A-Za-z0-9]{36}\b"),
    Format("scalingo-token", "Scalingo token", "tk-us-", r"\btk-us-[A-Za-z0-9_-]{48}"),
    Format("neon-key", "Neon key", "napi_", r"\bnapi_[a-z0-9]{64}\b"),
    Format("aiven-password", "Aiven password", "AVNS_", r"\bAVNS_[A-Za-z0-9_-]{19}"),
    Format("clickhouse-key", "ClickHouse Cloud secret key", "4b1d", r"\b4b1d[A-Za-z0-9]{38}\b"),
    Format("mongodb-secret", "MongoDB Atlas secret", "mdb_sa_sk_", r"\bmdb_sa_sk_[A-Za-z0-9_-]{40}"),
    Format("prefect-key", "Prefect key", "pnu_", r"\bpnu_[A-Za-z0-9]{36}\b"),
    Format("readme-key", "ReadMe key", "rdme_", r"\brdme_[a-z0-9]{70}\b"),
    Format("buildkite-token", "Buildkite token", "bkua_", r"\bbkua_[a-f0-9]{40}\b"),
    Format("circleci-token", "CircleCI token", "CCIPAT_", r"\bCCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}\b"),
    Format("artifactory-key", "Artifactory key", "AKCp", r"\bAKCp[A-Za-z0-9]{69}\b"),
    Format("artifactory-token", "Artifactory reference token", "cmVmdGtu", r"\bcmVmdGtu[A-Za-z0-9]{56}\b"),
    Format("nuget-key", "NuGet key", "oy2", r"\boy2[a-z0-9]{43}\b"),
    Format("clojars-token", "Clojars token", "CLOJARS_", r"\bCLOJARS_[a-f0-9]{60}\b"),
    Format("sonar-token", "SonarQube token", "sq", r"\bsq[uap]_[a-f0-9]{40}\b"),
    Format("infracost-key", "Infracost key", "ico-", r"\bico-[A-Za-z0-9]{32}\b"),
    Format("harness-token", "Harness token", "pat.", r"\bpat\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}\b"),
    Format("launchdarkly-key", "LaunchDarkly key", "", rf"\b(?:sdk|api|mob)-{_UUID}\b"),
    Format("newrelic-insert-key", "New Relic insert key", "NRII-", r"\bNRII-[A-Za-z0-9_-]{32}"),
    Format("newrelic-license-key", "New Relic license key", "", r"\b[a-f0-9]{36}NRAL\b"),
    Format("honeycomb-key", "Honeycomb key", "hc", r"\bhc[a-z]ik_[0-9a-z]{58}\b"),
    Format(
        "onepassword-key",
        "1Password secret key",
        "A3-",
        r"\bA3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}\b",
    ),
    Format("onepassword-token", "1Password service account token", "ops_", r"\bops_eyJ[A-Za-z0-9+/]{250,}={0,3}"),
    Format("infisical-token", "Infisical token", "st.", r"\bst\.[a-f0-9]{24}\.[a-f0-9]{32}\.[a-f0-9]{32}\b"),
    Format("yandex-key", "Yandex Cloud key", "AQVN", r"\bAQVN[A-Za-z0-9_-]{35,38}"),
    Format("tencent-key", "Tencent Cloud secret id", "AKID", r"\bAKID[A-Za-z0-9]{32}\b"),
    Format("scaleway-key", "Scaleway access key", "SCW", r"\bSCW[A-Z0-9]{17}\b"),
    Format("azure-function-key", "Azure Functions key", "", r"\b[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{8}=="),
    Format("azure-registry-key", "Azure Container Registry key", "", r"\b[A-Za-z0-9+/]{42}\+ACR[A-Za-z0-9]{6}\b"),
    Format("azure-search-key", "Azure AI Search key", "", r"\b[A-Za-z0-9]{42}AzSe[A-Za-z0-9]{6}\b"),
    Format("azure-cosmos-key", "Azure Cosmos DB key", "", r"\b[A-Za-z0-9+/]{76}ACDb[A-Za-z0-9]{6}=="),
    Format("databricks-secret", "Databricks OAuth secret", "dose", r"\bdose[a-f0-9]{32}\b"),
    Format("mapbox-token", "Mapbox secret token", "sk.", r"\bsk\.eyJ[A-Za-z0-9_-]{60,}\.[A-Za-z0-9_-]{22}"),
    Format("facebook-token", "Facebook token", "EAA", r"\bEAA[MC][A-Za-z0-9]{100,}\b"),
    Format("linkedin-secret", "LinkedIn client secret", "WPL_AP1.", r"\bWPL_AP1\.[A-Za-z0-9]{16,}\.[A-Za-z0-9+/=]{8,}"),
    Format("okta-token", "Okta token", "", r"\bSSWS (00[A-Za-z0-9_-]{40})"),
    Format(
        "authorization-header",
        "credential in a header",
        "",
        r"""(?i:authorization)["']?\s{0,3}[:=,]\s{0,3}["']?(?i:bearer|basic|token)\s([A-Za-z0-9._~+/-]{20,}={0,2})""",
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
# These make a request the same one when it is sent again: they are names and protect nothing.
IDEMPOTENCY: Final = r"(?i:(?:creation|client|request|idempotency)[_-]?token)"
BEFORE_IDEMPOTENT: Final = re.compile(IDEMPOTENCY + _ASSIGN + r"""["']?\Z""")
_BARE: Final = r"""([^\s"'#$<{(\[,;`][^\s"'#(){}\[\],;`]{7,200})[ \t]*(?:$|[,;])"""

# What a shell, an env file or a container's options assign: a name in capitals, no blank at the sign. What follows is
# the value and ends at a blank; a variable would begin with `$`.
ENV_NAME: Final = r"[A-Z][A-Z0-9_]*="
_ENV: Final = (
    r"""(?:^|[\s;&|"'`])(?:[A-Z][A-Z0-9_]*_)?(?:%s)="""
    r"""([^\s"'#$<{(\[,;`|&%%][^\s"'(){}\[\],;`|&]{7,200})(?:[\s"';`|&]|$)"""
)

PASSWORD_CONTEXT: Final = (
    r"(?:\b|[_-]|[a-z])" + _PASSWORD + _ASSIGN + r'"([^"\n]{6,200})"',
    r"(?:\b|[_-]|[a-z])" + _PASSWORD + _ASSIGN + r"'([^'\n]{6,200})'",
    r"(?m:^[ \t]*(?:export[ \t]+|-[ \t]+)?[\w.-]*" + _PASSWORD + r"[ \t]*[=:][ \t]*" + _BARE + ")",
    _ENV % "PASSWORD|PASSWD|PASSPHRASE|PASS|PWD",
)
KEY_CONTEXT: Final = (
    r"(?:\b|[_-]|[a-z])" + _KEY + _ASSIGN + r'"([^"\n]{16,400})"',
    r"(?:\b|[_-]|[a-z])" + _KEY + _ASSIGN + r"'([^'\n]{16,400})'",
    r"(?m:^[ \t]*(?:export[ \t]+|-[ \t]+)?[\w.-]*" + _KEY + r"[ \t]*[=:][ \t]*" + _BARE + ")",
    _ENV % "SECRET|TOKEN|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|AUTH_KEY|CREDENTIALS?",
)
