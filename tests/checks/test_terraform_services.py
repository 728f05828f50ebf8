"""Services that a rule knows, each with what is wrong and what is not, as programs written for it."""

import pytest

from tests.checks.judged import outcome

POLICY = (
    'jsonencode({ Statement = [{ Effect = "Allow", Principal = { AWS = "%s" }, Action = "s3:GetObject", '
    'Resource = "arn:aws:s3:::x/*" }] })'
)
FIREWALL = """
  direction = "INGRESS"
  action    = "allow"
  match {
    src_ip_ranges = ["%s"]
    layer4_configs {
      ip_protocol = "tcp"
      ports       = ["22"]
    }
  }
"""


@pytest.mark.parametrize(
    ("rule", "type", "wrong", "fine"),
    [
        (
            "open-admin-ingress", "aws_lightsail_instance_public_ports",
            'port_info {\n  protocol = "tcp"\n  from_port = 22\n  to_port = 22\n}',
            'port_info {\n  protocol = "tcp"\n  from_port = 22\n  to_port = 22\n  cidrs = ["10.0.0.0/8"]\n}',
        ),
        *(
            ("open-admin-ingress", f"google_compute_{scope}firewall_policy_rule", FIREWALL % "0.0.0.0/0",
             FIREWALL % "10.0.0.0/8")
            for scope in ("", "network_", "region_network_")
        ),
        (
            "open-admin-ingress", "alicloud_security_group_rule",
            'type = "ingress"\nip_protocol = "tcp"\nport_range = "22/22"\ncidr_ip = "0.0.0.0/0"',
            'type = "ingress"\nip_protocol = "tcp"\nport_range = "443/443"\ncidr_ip = "0.0.0.0/0"',
        ),
        (
            "public-storage", "aws_s3_access_point",
            f"policy = {POLICY % '*'}\npublic_access_block_configuration {{\n  block_public_policy = false\n"
            "  restrict_public_buckets = false\n}",
            f"policy = {POLICY % '*'}",
        ),
        ("public-storage", "oci_objectstorage_bucket", 'access_type = "ObjectRead"', 'access_type = "NoPublicAccess"'),
        ("public-storage", "alicloud_oss_bucket", 'acl = "public-read"', 'acl = "private"'),
        (
            "public-database", "azurerm_redis_firewall_rule",
            'start_ip = "0.0.0.0"\nend_ip = "255.255.255.255"', 'start_ip = "10.0.0.1"\nend_ip = "10.0.0.9"',
        ),
        (
            "public-database", "azurerm_cosmosdb_account",
            "public_network_access_enabled = true",
            'public_network_access_enabled = true\nip_range_filter = ["203.0.113.0/24"]',
        ),
        (
            "public-database", "azurerm_postgresql_flexible_server",
            "public_network_access_enabled = true",
            "public_network_access_enabled = true\ndelegated_subnet_id = azurerm_subnet.s.id",
        ),
        ("public-database", "aws_opensearch_domain_policy", f"access_policies = {POLICY % '*'}",
         f"access_policies = {POLICY % 'arn:aws:iam::111122223333:root'}"),
        ("public-database", "aws_db_security_group", 'ingress {\n  cidr = "0.0.0.0/0"\n}',
         'ingress {\n  cidr = "10.0.0.0/8"\n}'),
        ("public-database", "alicloud_db_instance", 'security_ips = ["0.0.0.0/0"]', 'security_ips = ["10.0.0.0/8"]'),
        ("public-database", "digitalocean_database_firewall", 'rule {\n  type = "ip_addr"\n  value = "0.0.0.0/0"\n}',
         'rule {\n  type = "droplet"\n  value = "1"\n}'),
        ("public-database", "mongodbatlas_project_ip_access_list", 'cidr_block = "0.0.0.0/0"',
         'cidr_block = "203.0.113.0/24"'),
        ("weak-transport", "azurerm_redis_cache", 'minimum_tls_version = "1.0"', 'minimum_tls_version = "1.2"'),
        ("weak-transport", "azurerm_eventhub_namespace", 'minimum_tls_version = "1.1"', 'minimum_tls_version = "1.2"'),
        ("weak-transport", "azurerm_postgresql_flexible_server_configuration",
         'name = "require_secure_transport"\nvalue = "OFF"', 'name = "require_secure_transport"\nvalue = "on"'),
        ("weak-transport", "azurerm_application_gateway",
         'ssl_policy {\n  policy_name = "AppGwSslPolicy20150501"\n}',
         'ssl_policy {\n  policy_name = "AppGwSslPolicy20220101"\n}'),
        ("weak-transport", "google_redis_instance", 'transit_encryption_mode = "DISABLED"',
         'transit_encryption_mode = "SERVER_AUTHENTICATION"'),
        ("weak-transport", "aws_db_parameter_group", 'parameter {\n  name = "rds.force_ssl"\n  value = "0"\n}',
         'parameter {\n  name = "rds.force_ssl"\n  value = "1"\n}'),
        ("weak-transport", "aws_docdb_cluster_parameter_group", 'parameter {\n  name = "tls"\n  value = "disabled"\n}',
         'parameter {\n  name = "tls"\n  value = "enabled"\n}'),
        ("weak-transport", "aws_transfer_server", 'protocols = ["SFTP", "FTP"]', 'protocols = ["SFTP"]'),
        ("weak-transport", "aws_elb", 'listener {\n  lb_port = 80\n  lb_protocol = "http"\n}',
         'listener {\n  lb_port = 443\n  lb_protocol = "https"\n}'),
        ("wildcard-action", "azurerm_role_definition",
         'permissions {\n  actions = ["Microsoft.Authorization/roleAssignments/write"]\n}',
         'permissions {\n  actions = ["Microsoft.Storage/storageAccounts/read"]\n}'),
        ("wildcard-action", "azurerm_role_assignment",
         'role_definition_name = "Owner"\nscope = data.azurerm_subscription.s.id',
         'role_definition_name = "Owner"\nscope = azurerm_storage_account.a.id'),
    ],
)  # fmt: skip
def test_a_service(rule: str, type: str, wrong: str, fine: str) -> None:
    assert outcome(rule, f'resource "{type}" "x" {{\n{wrong}\n}}\n') == "violated"
    assert outcome(rule, f'resource "{type}" "x" {{\n{fine}\n}}\n') == "upheld"


def test_a_policy_of_a_project_gives_a_basic_role() -> None:
    program = """
data "google_iam_policy" "p" {
  binding {
    role    = "roles/%s"
    members = ["user:a@example.com"]
  }
}
resource "google_project_iam_policy" "p" {
  project     = "p"
  policy_data = data.google_iam_policy.p.policy_data
}
"""
    assert outcome("wildcard-action", program % "owner") == "violated"
    assert outcome("wildcard-action", program % "viewer") == "upheld"
