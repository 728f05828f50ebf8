"""What is in `deploy/`: parsed, and held to what matters."""

import configparser
import json
import re
from pathlib import Path

import pytest
import yaml

from lawspeaker.cli.serve import command
from lawspeaker.metrics import _HELP, _NOW

DEPLOY = Path(__file__).parent.parent / "deploy"
OPTIONS = {name for parameter in command.params for name in parameter.opts}


def test_the_image_is_pinned_and_nobody_is_root() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert bases and all(re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+[\w.-]*", base) for base in bases)
    last = lines[len(lines) - lines[::-1].index("FROM " + bases[-1]) :]
    users = [line.split()[1] for line in last if line.startswith("USER ")]
    assert users and users[-1] not in {"root", "0"}
    assert not [line for line in lines if re.match(r"ADD |.*(API_KEY|lsp_)", line)]
    (started,) = (json.loads(line[4:]) for line in lines if line.startswith("CMD "))
    assert started[0] == "serve" and set(started[1:]) <= OPTIONS


def test_the_unit_is_hardened() -> None:
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string((DEPLOY / "lawspeaker.service").read_text(encoding="utf-8"))
    service = unit["Service"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "DynamicUser", "RestrictSUIDSGID"):
        assert service[name] == "yes", name
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"], service["UMask"]) == ("strict", "", "0077")
    used = re.findall(r"--[a-z-]+", service["ExecStart"])
    assert "--require-key" in used and set(used) <= OPTIONS


def test_compose_gives_away_nothing() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "privileged" not in service
        assert "build" in service or re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).is_file(), volume
    used = services["gateway"]["command"]
    assert used[0] == "serve" and "--require-key" in used and {each.split("=")[0] for each in used[1:]} <= OPTIONS
    (apart,) = (each.partition("=")[2] for each in used if each.startswith("--metrics-bind="))
    assert apart.startswith("127.0.0.1:")
    scraped = yaml.safe_load((DEPLOY / "prometheus.yaml").read_text(encoding="utf-8"))["scrape_configs"]
    assert [each["static_configs"] for each in scraped] == [[{"targets": [apart]}]]
    assert apart not in (DEPLOY / "Caddyfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["prometheus.yaml", "grafana/datasource.yaml", "grafana/provider.yaml"])
def test_the_rest_is_yaml(name: str) -> None:
    assert yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    named = {name for expression in asked for name in re.findall(r"lawspeaker_\w+", expression)}
    assert named and named <= {*_HELP, *_NOW}
