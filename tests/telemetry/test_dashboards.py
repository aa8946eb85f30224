"""The dashboard and the alerts ask for metrics that there are, and promtool finds no fault with them."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.harness.daemons import RunningDaemon, running_daemon

CONFIG = Path(__file__).parents[2] / "config"
ALERTS, DASHBOARD = CONFIG / "alerts.yml", CONFIG / "grafana-dashboard.json"
NAME = re.compile(r"\b(?:decabilld?|process|python)_[a-z_]+")
SUFFIXES = re.compile(r"_(bucket|sum|count|total|created|info)$")
OWN = ("decabill_", "decabilld_")


def expressions() -> Iterator[str]:
    yield from re.findall(r"expr: (?:>-\n)?(.*)", ALERTS.read_text(encoding="utf-8"))
    dashboard: Any = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (one["query"]["query"] for one in dashboard["templating"]["list"] if one["type"] == "query")


async def page_of(daemon: RunningDaemon) -> str:
    async with daemon._http.get(daemon.url.removesuffix("/api") + "/otel/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        return await response.text()


async def test_every_metric_asked_for_exists_and_every_one_of_ours_is_shown(database: str, tmp_path: Path) -> None:
    async with running_daemon(database, tmp_path, otel_enabled=True) as daemon:
        page = await page_of(daemon)
    there = {SUFFIXES.sub("", family.name) for family in text_string_to_metric_families(page)}
    asked = {SUFFIXES.sub("", name) for text in expressions() for name in NAME.findall(text)}
    assert asked - there == set()
    assert {name for name in there - asked if name.startswith(OWN)} == {"decabilld_build"}


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        how = "promtool is missing: apt-get install prometheus"
        assert not os.environ.get("CI"), how
        pytest.skip(how)
    return found


def test_promtool_finds_no_fault_with_the_alerts(promtool: str) -> None:
    told(promtool, "check", "rules", str(ALERTS))
    told(promtool, "test", "rules", str(Path(__file__).with_name("alerts_test.yml")))


def test_grafana_can_lay_the_dashboard_out() -> None:
    """What its import needs (JSON model, schema 39): it mends nothing of this, and says little."""
    board: Any = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert board["schemaVersion"] == 39
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    covered = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(covered)) == len(covered), "two panels overlap"
    assert max(x for x, _ in covered) < 24
    chosen = {one["name"]: one for one in board["templating"]["list"]}
    assert chosen["datasource"] == {"name": "datasource", "type": "datasource", "query": "prometheus",
                                    "label": "Prometheus"}  # fmt: skip
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert all(one["datasource"] == source for name, one in chosen.items() if name != "datasource")
    for panel in panels:
        targets = panel.get("targets", [])
        if panel["type"] == "row":
            assert (panel["collapsed"], panel["panels"], targets) == (False, [], [])
            continue
        assert panel["type"] in ("stat", "timeseries")
        assert panel["datasource"] == source
        assert panel["fieldConfig"]["defaults"]["unit"] in ("none", "s", "bytes", "reqps", "ops")
        assert targets
        assert len({target["refId"] for target in targets}) == len(targets)
        for target in targets:
            assert target["datasource"] == source
            used = set(re.findall(r"\$(?!__)\{?(\w+)", target["expr"]))
            assert used <= chosen.keys(), target["expr"]


def test_promtool_reads_every_expression_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": text.replace("$__rate_interval", "5m")}
        for number, text in enumerate(expressions())
        if not text.startswith("label_values")
    ]
    assert len(rules) > 40
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    told(promtool, "check", "rules", str(file))


async def test_promtool_finds_the_page_well_written(database: str, tmp_path: Path, promtool: str) -> None:
    async with running_daemon(database, tmp_path, otel_enabled=True) as daemon:
        await daemon.admin()
        page = await page_of(daemon)
    told(promtool, "check", "metrics", text=page)


def told(*command: str, text: str = "") -> None:
    ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
