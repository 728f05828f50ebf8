"""The families of one resource: what people ask for, what an answer holds, and the line that breaks a principle."""

from typing import Final

from .page import CIPHER, ENDPOINT, METADATA, NAMED, PUBLIC, SECRET, TRANSIT
from .single import Choice, Group, Part, Sheet, Wish

_ANYBODY: Final = ('Principal = "*"', 'Principal = { AWS = "*" }')
_PARTNERS: Final = (
    "Other accounts must be able to use it.|Our partners use it too.|Everyone on the team must be able to use it."
)
_ONLY_US: Final = "Only our account may use it.|Nobody else may use it."
_ENCRYPT: Final = "Encrypt it.|It must be encrypted.|Encryption must be on."
_STATEMENT: Final = ("policy = jsonencode({", "})")


def _cipher(good: str, bad: tuple[str, ...], odds: float = 0.3) -> Choice:
    return Choice(
        CIPHER, good, bad, "WHERE keeps its data unencrypted", "the data is encrypted at rest", odds, warning=_ENCRYPT
    )


def _policy(action: str, resource: str, odds: float = 0.35, principle: str = NAMED) -> tuple[str | Group, ...]:
    """A resource policy with one statement; who may use it is the choice."""
    anyone = Choice(
        principle, 'Principal = { AWS = "arn:aws:iam::111122223333:root" }', _ANYBODY,
        "WHERE lets every AWS account use it", "the policy names who may use it", odds, _PARTNERS, _ONLY_US,
    )  # fmt: skip
    rows = ('Effect = "Allow"', anyone, f'Action = "{action}"', f"Resource = {resource}")
    return (Group(_STATEMENT[0], ('Version = "2012-10-17"', Group("Statement = [{", rows, "}]")), _STATEMENT[1]),)


INSTANCE: Final = Sheet(
    "instance",
    "an EC2 instance|a virtual machine|an instance|a server|an EC2 machine|a VM on AWS",
    (
        Part(
            "aws_instance",
            (
                "ami = var.ami",
                Wish("instance_type", "t3.micro|t3.small|t3.medium|t4g.small|t4g.large|m6i.large|m7g.large|c7g.xlarge",
                     "Use N.|Size N.|The instance type is N.|Run it on N.", 0.4, "t3.micro", True),
                Group("metadata_options {", (
                    Choice(METADATA, 'http_tokens = "required"', ('http_tokens = "optional"',),
                           "WHERE answers the old metadata service, which needs no token",
                           "the metadata service requires a token", 0.3,
                           "Our old agents read the metadata without a token.|Scripts use the old metadata service.",
                           "Require tokens for the metadata service.|Use IMDSv2."),
                )),
                Group("root_block_device {", (
                    Wish("volume_size", "8-500", "It needs N GB of disk.|Give it a disk of N GB.|N GB of disk.", 0.35,
                         "20"),
                    _cipher("encrypted = true", ("encrypted = false",), 0.26),
                )),
            ),
            tagged=True,
            named=True,
        ),
    ),
    ("ami",),
)  # fmt: skip
QUEUE: Final = Sheet(
    "queue",
    "an SQS queue|a queue|a message queue|an SQS message queue|a work queue",
    (
        Part(
            "aws_sqs_queue",
            (
                'name = "NAME"',
                Wish("message_retention_seconds", "3600|7200|86400|172800|345600|604800|1209600",
                     "Keep messages for N seconds.|Messages stay for N seconds."),
                Wish("visibility_timeout_seconds", "10-900",
                     "The visibility timeout is N seconds.|Hide them N seconds."),
                _cipher("sqs_managed_sse_enabled = true", ("sqs_managed_sse_enabled = false",)),
            ),
            tagged=True,
        ),
        Part("aws_sqs_queue_policy", ("queue_url = aws_sqs_queue.LABEL.id",
                                      *_policy("sqs:SendMessage", "aws_sqs_queue.LABEL.arn"))),
    ),
)  # fmt: skip
TOPIC: Final = Sheet(
    "topic",
    "an SNS topic|a topic|a notification topic|an SNS topic for alerts|a topic for messages",
    (
        Part(
            "aws_sns_topic",
            (
                'name = "NAME"',
                Wish("display_name", "Alerts|Billing|Orders|News|Incidents", "Show it as N.|The display name is N.",
                     0.2, "", True),
                _cipher('kms_master_key_id = "alias/aws/sns"', ("",)),
            ),
            tagged=True,
        ),
        Part("aws_sns_topic_policy", ("arn = aws_sns_topic.LABEL.arn",
                                      *_policy("sns:Publish", "aws_sns_topic.LABEL.arn"))),
    ),
)  # fmt: skip
KEY: Final = Sheet(
    "key",
    "a KMS key|an encryption key|a KMS encryption key|a customer managed key|a key",
    (
        Part(
            "aws_kms_key",
            (
                'description = "NAME"',
                Wish("deletion_window_in_days", "7-30", "Keep it N days when it is deleted.|Deletion takes N days."),
                "enable_key_rotation = true",
                *_policy("kms:Decrypt", '"*"', 0.45),
            ),
            tagged=True,
        ),
        Part("aws_kms_alias", ('name = "alias/NAME"', "target_key_id = aws_kms_key.LABEL.key_id")),
    ),
)  # fmt: skip
FUNCTION: Final = Sheet(
    "function",
    "a Lambda function|a function|a Lambda|an AWS Lambda function|a serverless function",
    (
        Part(
            "aws_lambda_function",
            (
                'function_name = "NAME"',
                "role = var.role_arn",
                Wish("runtime", "python3.12|python3.13|nodejs20.x|nodejs22.x|java21", "Use N.|The runtime is N.|Run N.",
                     0.4, "python3.12", True),
                Wish("memory_size", "128|256|512|1024|2048", "Give it N MB of memory.|It needs N MB."),
                Wish("timeout", "3-900", "It may run N seconds.|The timeout is N seconds."),
                'handler = "main.handler"',
                'filename = "NAME.zip"',
                Group("environment {", (Group("variables = {", (
                    Choice(SECRET, "API_TOKEN = var.api_token", ('API_TOKEN = "SECRET"',),
                           "WHERE holds a token in plain text", "the token is not in the code", 0.25,
                           "Put the token into the environment.", "Keep the token out of the code."),
                )),)),
            ),
            tagged=True,
        ),
        Part("aws_lambda_function_url", (
            "function_name = aws_lambda_function.LABEL.function_name",
            Choice(ENDPOINT, 'authorization_type = "AWS_IAM"', ('authorization_type = "NONE"',),
                   "WHERE lets anyone on the internet call the function", "callers of the function must sign in", 0.3,
                   "It must be callable from anywhere.|Anyone should be able to call it.",
                   "Only our services may call it."),
        )),
    ),
    ("role_arn", "api_token"),
)  # fmt: skip
REGISTRY: Final = Sheet(
    "registry",
    "a container registry|an ECR repository|a registry for container images|an image repository|an ECR registry",
    (
        Part("aws_ecr_repository", (
            'name = "NAME"',
            Wish("image_tag_mutability", "IMMUTABLE|MUTABLE", "Tags are N.|Image tags must be N.", 0.2,
                 "IMMUTABLE", True),
            Group("image_scanning_configuration {", ("scan_on_push = true",)),
        ), tagged=True),
        Part("aws_ecr_repository_policy", ("repository = aws_ecr_repository.LABEL.name",
                                           *_policy("ecr:BatchGetImage", '"*"', 0.45, PUBLIC))),
    ),
)  # fmt: skip
FILES: Final = Sheet(
    "file system",
    "an EFS file system|a shared file system|a file system|an EFS share|a network file system",
    (
        Part("aws_efs_file_system", (
            'creation_token = "NAME"',
            Wish("performance_mode", "generalPurpose|maxIO", "The performance mode is N.|Use N.", 0.2, "", True),
            _cipher("encrypted = true", ("encrypted = false", ""), 0.5),
        ), tagged=True),
    ),
)  # fmt: skip
LISTENER: Final = Sheet(
    "listener",
    "a load balancer listener|an ALB listener|a listener for the load balancer|a public listener for the website"
    "|an application load balancer listener",
    (
        Part("aws_lb_listener", (
            "load_balancer_arn = var.load_balancer_arn",
            Wish("port", "443|8443|4443|9443", "It listens on port N.|Use port N.", 0.4, "443"),
            'protocol = "HTTPS"',
            Choice(TRANSIT, 'ssl_policy = "ELBSecurityPolicy-TLS13-1-2-2021-06"',
                   ('ssl_policy = "ELBSecurityPolicy-2015-05"', 'ssl_policy = "ELBSecurityPolicy-TLS-1-0-2015-04"'),
                   "WHERE accepts old versions of TLS", "the listener accepts TLS 1.2 and newer only", 0.5,
                   "Old phones must be able to connect.|It must work with old browsers.", "Use TLS 1.3.|No old TLS."),
            "certificate_arn = var.certificate_arn",
            Group("default_action {", ('type = "forward"', "target_group_arn = var.target_group_arn")),
        ), tagged=True, named=True),
    ),
    ("load_balancer_arn", "certificate_arn", "target_group_arn"),
)  # fmt: skip
CACHE: Final = Sheet(
    "cache",
    "a Redis cache|an ElastiCache cluster|a cache|a Redis cluster|an ElastiCache Redis cluster",
    (
        Part("aws_elasticache_replication_group", (
            'replication_group_id = "NAME"',
            'description = "NAME"',
            Wish("node_type", "cache.t4g.micro|cache.t4g.small|cache.t3.medium|cache.m7g.large|cache.r7g.large",
                 "Use N.|Nodes are N.|Run it on N.", 0.4, "cache.t4g.micro", True),
            Wish("num_cache_clusters", "1-6", "It has N nodes.|N nodes."),
            Wish("port", "6379|6380|7000", "It listens on port N.|Use port N.", 0.2),
            _cipher("at_rest_encryption_enabled = true", ("at_rest_encryption_enabled = false", ""), 0.25),
            Choice(TRANSIT, "transit_encryption_enabled = true", ("transit_encryption_enabled = false",),
                   "WHERE talks to its clients without TLS", "clients talk to the cache over TLS", 0.25,
                   "Our clients cannot speak TLS.", "Use TLS."),
        ), tagged=True),
    ),
)  # fmt: skip
LOGS: Final = Sheet(
    "log group",
    "a log group|a CloudWatch log group|a group for logs|a log group for our app|a CloudWatch log group for logs",
    (
        Part("aws_cloudwatch_log_group", (
            'name = "NAME"',
            Wish("retention_in_days", "1|3|5|7|14|30|60|90|120|180|365|400|731",
                 "Keep logs for N days.|Keep them N days.|N days of logs.", 0.5,
                 "30"),
        ), tagged=True),
    ),
)  # fmt: skip
SUBNET: Final = Sheet(
    "subnet",
    "a public subnet|a subnet|a private subnet|a subnet for the load balancer|a public subnet for the website",
    (
        Part("aws_subnet", (
            "vpc_id = var.vpc_id",
            Wish("cidr_block", "10.0.1.0/24|10.0.2.0/24|10.1.0.0/20|172.16.4.0/22|192.168.8.0/24",
                 "Its range is N.|Use N.|The range is N.", 0.5, "10.0.0.0/24", True),
        ), tagged=True, named=True),
    ),
    ("vpc_id",),
)  # fmt: skip
VOLUME: Final = Sheet(
    "volume",
    "an EBS volume|a disk|a volume|an EBS disk|a block volume",
    (
        Part("aws_ebs_volume", (
            "availability_zone = var.zone",
            Wish("size", "1-2000", "It has N GB.|N GB, please.|Size N GB.", 0.5, "20"),
            Wish("type", "gp3|io2|st1", "Use N.|The type is N.", 0.2, "gp3", True),
            _cipher("encrypted = true", ("encrypted = false", ""), 0.5),
        ), tagged=True, named=True),
    ),
    ("zone",),
)  # fmt: skip

SHEETS: Final = (
    INSTANCE, QUEUE, TOPIC, KEY, FUNCTION, REGISTRY, FILES, LISTENER, CACHE, LOGS, SUBNET, VOLUME,
)  # fmt: skip
