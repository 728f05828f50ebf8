"""`open-admin-ingress` and `public-database`, program by program."""

import pytest

from lawspeaker.finding import Outcome
from tests.checks.judged import outcome, reasons

GROUP = """resource "aws_security_group" "g" {
  ingress {
    from_port   = %s
    to_port     = %s
    protocol    = "%s"
    cidr_blocks = %s
  }
}
"""
EVERYONE = '["0.0.0.0/0"]'
RULE = """resource "aws_vpc_security_group_ingress_rule" "r" {
  cidr_ipv%d  = "%s"
  from_port   = %d
  to_port     = %d
  ip_protocol = "tcp"
}
"""
GOOGLE = """resource "google_compute_firewall" "f" {
  network = "default"
  %s
  allow {
    protocol = "tcp"
    ports    = ["%s"]
  }
}
"""
AZURE = """resource "azurerm_network_security_rule" "r" {
  direction              = "%s"
  access                 = "%s"
  protocol               = "*"
  source_address_prefix  = "%s"
  destination_port_range = "%s"
}
"""
OPENSTACK = 'resource "openstack_networking_secgroup_rule_v2" "r" {\n  direction = "ingress"\n  %s\n}\n'
DYNAMIC = """locals {
  ports = [%s]
}
resource "aws_security_group" "g" {
  dynamic "ingress" {
    for_each = local.ports
    content {
      from_port   = ingress.value
      to_port     = ingress.value
      protocol    = "tcp"
      cidr_blocks = ["0.0.0.0/0"]
    }
  }
}
"""


def split(first: str, port: int, second: str, other: int) -> str:
    """Two rules for an eighth of the addresses together; each has 16 ranges, and no range is everyone."""
    return "".join(
        f"""resource "aws_security_group_rule" "r{index}" {{
  type              = "ingress"
  security_group_id = {group}
  protocol          = "tcp"
  from_port         = {at}
  to_port           = {at}
  cidr_blocks       = [{", ".join(f'"{32 + 2 * net + index}.0.0.0/8"' for net in range(16))}]
}}
"""
        for index, (group, at) in enumerate(((first, port), (second, other)))
    )


MANY = "[" + ", ".join(f'"{first}.0.0.0/8"' for first in range(32, 96)) + "]"
LISTED = """resource "aws_security_group_rule" "r" {
  type            = "ingress"
  protocol        = "tcp"
  from_port       = 22
  to_port         = 22
  prefix_list_ids = [%s]
}
resource "aws_ec2_managed_prefix_list" "l" {
  entry {
    cidr = "%s"
  }
}
"""
ENTRY = """resource "aws_ec2_managed_prefix_list_entry" "e" {
  prefix_list_id = aws_ec2_managed_prefix_list.l.id
  cidr           = "%s"
}
"""
INGRESS: list[tuple[Outcome, str]] = [
    ("violated", GROUP % (22, 22, "tcp", EVERYONE)),
    ("violated", GROUP % (20, 25, "6", EVERYONE)),
    ("violated", GROUP % (0, 65535, "tcp", EVERYONE)),
    ("violated", GROUP % (0, 0, "-1", EVERYONE)),
    ("violated", GROUP % (3306, 3306, "tcp", '["10.0.0.0/8", "0.0.0.0/0"]')),
    ("violated", GROUP % (3389, 3389, "tcp", '["128.0.0.0/1"]')),
    ("violated", GROUP.replace("cidr_blocks ", "ipv6_cidr_blocks") % (5432, 5432, "tcp", '["::/0"]')),
    ("violated", 'variable "who" {\n  default = ["0.0.0.0/0"]\n}\n' + GROUP % (22, 22, "tcp", "var.who")),
    ("violated", RULE % (4, "0.0.0.0/0", 22, 22)),
    ("violated", RULE % (6, "::/0", 6379, 6379)),
    ("violated", DYNAMIC % "443, 22"),
    ("violated", GROUP.replace("ingress {", "ingress = [{").replace("  }\n}", "  }]\n}") % (22, 22, "tcp", EVERYONE)),
    ("violated", GOOGLE % ('source_ranges = ["0.0.0.0/0"]', "22")),
    ("violated", GOOGLE % ("", "3380-3390")),
    ("violated", OPENSTACK % 'remote_ip_prefix = "0.0.0.0/0"'),
    ("violated", OPENSTACK % ""),
    ("violated", OPENSTACK % 'protocol = "tcp"\n  port_range_min = 22\n  port_range_max = 22'),
    ("upheld", OPENSTACK % 'protocol = "tcp"\n  port_range_min = 443\n  port_range_max = 443'),
    ("upheld", OPENSTACK % "remote_group_id = openstack_networking_secgroup_v2.g.id"),
    ("upheld", OPENSTACK % 'remote_ip_prefix = "10.0.0.0/8"'),
    ("violated", AZURE % ("Inbound", "Allow", "*", "22")),
    ("violated", AZURE % ("Inbound", "Allow", "Internet", "3000-4000")),
    ("upheld", GROUP % (443, 443, "tcp", EVERYONE)),
    ("upheld", GROUP % (80, 80, "tcp", EVERYONE)),
    ("upheld", GROUP % (22, 22, "tcp", '["10.0.0.0/8"]')),
    ("upheld", GROUP % (22, 22, "tcp", "[aws_vpc.main.cidr_block]")),
    ("upheld", GROUP % (22, 22, "tcp", '["${var.office}/32"]')),
    ("upheld", GROUP % (-1, -1, "icmp", EVERYONE)),
    ("upheld", GROUP % (0, 0, "tcp", EVERYONE)),
    ("violated", GROUP % (-1, -1, "tcp", EVERYONE)),
    ("violated", GROUP.replace('    protocol    = "%s"\n', "") % (22, 22, EVERYONE)),
    ("upheld", GROUP % (3389, 3389, "udp", EVERYONE)),
    ("upheld", GROUP.replace("ingress", "egress") % (0, 0, "-1", EVERYONE)),
    ("upheld", RULE % (4, "192.0.2.7/32", 22, 22)),
    ("upheld", DYNAMIC % "443, 80"),
    ("upheld", GOOGLE % ('source_tags = ["bastion"]', "22")),
    ("upheld", AZURE % ("Outbound", "Allow", "*", "22")),
    ("upheld", AZURE % ("Inbound", "Deny", "*", "22")),
    ("upheld", AZURE % ("Inbound", "Allow", "*", "443")),
    ("not_applicable", GOOGLE.replace("  %s", '  direction = "EGRESS"%s') % ("", "22")),
    ("not_applicable", 'resource "aws_vpc" "v" {}\n'),
    ("inconclusive", GROUP % (22, 22, "tcp", "var.who")),
    ("inconclusive", GROUP % ("var.port", "var.port", "tcp", EVERYONE)),
    ("upheld", GROUP % (443, 443, "tcp", "var.who")),
    ("violated", GROUP % (0, 65535, "udp", EVERYONE)),
    ("violated", GROUP % (22, 22, "tcp", '["0.0.0.0/1", "128.0.0.0/1"]')),
    ("violated", GROUP % (22, 22, "tcp", MANY)),
    ("upheld", GROUP % (443, 443, "tcp", MANY)),
    ("upheld", GROUP % (22, 22, "tcp", '["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]')),
    ("upheld", GROUP % (22, 22, "tcp", '["10.0.0.0/8", "10.0.0.0/8", "10.0.0.0/9"]')),
    ("violated", split("aws_security_group.g.id", 22, "aws_security_group.g.id", 22)),
    ("violated", split('"sg-1"', 5432, '"sg-1"', 5432)),
    ("upheld", split('"sg-1"', 5432, '"sg-2"', 5432)),
    ("upheld", split('"sg-1"', 5432, '"sg-1"', 22)),
    ("upheld", split('"sg-1"', 443, '"sg-1"', 443)),
    ("upheld", split("var.g", 5432, "var.h", 5432)),
    ("violated", LISTED % ("aws_ec2_managed_prefix_list.l.id", "0.0.0.0/0")),
    ("upheld", LISTED % ("aws_ec2_managed_prefix_list.l.id", "192.0.2.0/24")),
    ("upheld", LISTED % ('"pl-63a5400a"', "0.0.0.0/0")),
    ("inconclusive", LISTED.replace('"%s"', "%s") % ("aws_ec2_managed_prefix_list.l.id", "var.range")),
    ("violated", LISTED % ("aws_ec2_managed_prefix_list.l.id", "192.0.2.0/24") + ENTRY % "0.0.0.0/0"),
]

SQL = """resource "google_sql_database_instance" "d" {
  settings {
    ip_configuration {
      authorized_networks {
        value = "%s"
      }
    }
  }
}
"""
SEARCH = """resource "aws_opensearch_domain" "d" {
  %s
  access_policies = jsonencode({ Statement = [{ Effect = "Allow", Principal = { AWS = "*" }, Action = "es:*" }] })
}
"""
SERVER = 'resource "azurerm_mssql_server" "s" {\n  public_network_access_enabled = true\n}\n'

DATABASES: list[tuple[Outcome, str]] = [
    ("violated", 'resource "aws_db_instance" "d" {\n  publicly_accessible = true\n}\n'),
    ("violated", 'resource "aws_rds_cluster_instance" "d" {\n  publicly_accessible = true\n}\n'),
    ("violated", 'resource "aws_redshift_cluster" "d" {\n  publicly_accessible = "true"\n}\n'),
    ("violated", SQL % "0.0.0.0/0"),
    ("violated", SEARCH % ""),
    ("violated", SERVER),
    (
        "violated",
        'resource "azurerm_mssql_firewall_rule" "r" {\n  start_ip_address = "0.0.0.0"\n'
        '  end_ip_address = "255.255.255.255"\n}\n',
    ),
    (
        "violated",
        'resource "google_bigquery_dataset" "d" {\n  access {\n    special_group = "allAuthenticatedUsers"\n  }\n}\n',
    ),
    ("upheld", 'resource "aws_db_instance" "d" {\n  engine = "postgres"\n}\n'),
    ("upheld", 'resource "aws_db_instance" "d" {\n  publicly_accessible = false\n}\n'),
    ("upheld", SQL % "203.0.113.7/32"),
    ("upheld", SEARCH % "vpc_options {\n    subnet_ids = [aws_subnet.a.id]\n  }"),
    (
        "upheld",
        SERVER + 'resource "azurerm_mssql_firewall_rule" "r" {\n  server_id = azurerm_mssql_server.s.id\n'
        '  start_ip_address = "203.0.113.7"\n  end_ip_address = "203.0.113.7"\n}\n',
    ),
    ("inconclusive", 'resource "aws_db_instance" "d" {\n  publicly_accessible = var.public\n}\n'),
]


@pytest.mark.parametrize(("expected", "program"), INGRESS)
def test_ingress(expected: Outcome, program: str) -> None:
    assert outcome("open-admin-ingress", program) == expected, reasons("open-admin-ingress", program)


@pytest.mark.parametrize(("expected", "program"), DATABASES)
def test_databases(expected: Outcome, program: str) -> None:
    assert outcome("public-database", program) == expected, reasons("public-database", program)


def test_the_reason_names_the_port() -> None:
    assert reasons("open-admin-ingress", GROUP % (22, 22, "tcp", EVERYONE)) == [
        "aws_security_group.g: port 22 (SSH) can be reached from every address on the internet."
    ]
    assert "port 3306 (MySQL) and 1 more" in reasons("open-admin-ingress", GROUP % (3300, 3400, "tcp", EVERYONE))[0]
