"""The dashboards that ship: about series that there are, and answered with data by the engine of Prometheus."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from sinks.metrics.prometheus import Metrics
from sinks.metrics.snapshot import EnvSnapshot
from streams.evaluate.metrics_snapshot import burn_windows
from streams.runtime.progress import Why
from streams.settings.policy_file import default_policy
from tests.deploy.queries import DASHBOARDS, DEPLOY, RULES, documented, expressions, filled_in
from tests.support.processes import needs

NOW = 1_764_590_400_000
SSOE, IDME, VAWEB = ("ssoe", "", ""), ("ssoe", "idme", ""), ("ssoe", "", "vaweb")
SCOPES = (SSOE, IDME, VAWEB)


class Page:
    """The page of a worker during an outage, whose counters go up each time that it is scraped."""

    def __init__(self) -> None:
        self._scrapes = 0
        self._burn_windows = burn_windows(default_policy())
        self._metrics = Metrics(
            clock=lambda: NOW,
            burn_windows=self._burn_windows,
            methods=("ssoe", "sis"),
            csps=("idme",),
            reasons=("not-json",),
            deliveries=[("pagerduty", "delivered")],
            whys=[why.value for why in Why],
            version="1",
            policy="0",
        )
        self._metrics.receivers.expect(["pagerduty"])
        self._metrics.set_producer_lags({0: 500})
        self._metrics.watch.set_blind(frozenset(), {"prod": 1.0})
        self._metrics.watch.set_pending({"pagerduty": 1}, {"pagerduty": 2.0})

    def scraped(self) -> bytes:
        """The page, a little later than at the last call."""
        self._scrapes += 1
        self._metrics.set_env("prod", self._snapshot(self._scrapes))
        self._metrics.set_rejected({"not-json": self._scrapes})
        self._metrics.inputs.set({("login-events", "accepted", ""): self._scrapes})
        self._metrics.observe_event_to_page(4.5, "prod-1")
        self._metrics.watch.observe_stall(0.01)
        return self._metrics.render()[0]

    def _snapshot(self, count: int) -> EnvSnapshot:
        return EnvSnapshot(
            events={("ssoe", "idme", result): count for result in ("good", "bad", "started")},
            success_ratio={(scope, "5m"): 0.5 for scope in SCOPES},
            latency_ratio={(scope, "5m"): 0.9 for scope in SCOPES},
            durations={("prod/ssoe", "5m", quantile): 2.0 for quantile in ("0.95", "0.99")},
            burn_rate={(SSOE, window): 500.0 for window in self._burn_windows},
            users_impacted=dict.fromkeys(SCOPES, 1200),
            users_impacted_error=dict.fromkeys(SCOPES, 0.02),
            error_budget_remaining={SSOE: 0.25},
            error_budget_gone={SSOE: NOW},
            severity=dict.fromkeys(SCOPES, 1),
            incidents_open={1: 1},
            clocks={("response", 1): NOW},
            in_force={"mute": 1},
            notices={"unlisted": count},
            unlisted={"csp": count},
            watermark=NOW,
        )


def series(pages: list[bytes]) -> list[dict[str, str]]:
    """What Prometheus holds after it has scraped these pages, as input of promtool; "_" is a gap."""
    held: dict[str, list[str]] = {'up{job="watchofficer", instance="a:6066"}': ["1"] * len(pages)}
    for n, page in enumerate(pages):
        for family in text_string_to_metric_families(page.decode()):
            for one in family.samples:
                labels = {**one.labels, "job": "watchofficer", "instance": "a:6066"}
                within = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items() if value)
                values = held.setdefault(f"{one.name}{{{within}}}", ["_"] * len(pages))
                values[n] = str(one.value) if math.isfinite(one.value) else "_"
    return [{"series": name, "values": " ".join(values)} for name, values in held.items()]


@needs("promtool", "prometheus")
def test_every_query_of_a_dashboard_is_answered_with_a_number(tmp_path: Path) -> None:
    page = Page()
    queries = {query for dashboard in DASHBOARDS.values() for query in filled_in(dashboard)}
    test = {
        "interval": "15s",
        "input_series": series([page.scraped() for _ in range(9)]),
        "promql_expr_test": [
            {
                "expr": f"count(({query}) > -Inf) > bool 0",
                "eval_time": "2m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
            for query in sorted(queries)
        ],
    }
    file = {"rule_files": [str(one) for one in RULES], "evaluation_interval": "15s", "tests": [test]}
    (tmp_path / "test.yml").write_text(json.dumps(file))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    text = " ".join(expressions())
    families = {
        name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in documented()
    }
    assert [name for name in sorted(families) if name not in text] == []


def test_a_variable_is_asked_of_a_series_that_has_the_label() -> None:
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"][1:]:
            query = variable["query"]["query"]
            series, label = query.removeprefix("label_values(").removesuffix(")").split(", ")
            assert label in documented()[series.partition("{")[0]] | {"instance"}, query


def test_panels_have_ids_of_their_own_and_lie_beside_each_other() -> None:
    for name, dashboard in DASHBOARDS.items():
        taken: set[tuple[int, int]] = set()
        panels: list[dict[str, Any]] = dashboard["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        for panel in panels:
            at = panel["gridPos"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            assert panel["title"], name
            assert panel["description"], name
            assert not cells & taken, (name, panel["title"])
            assert at["x"] + at["w"] <= 24, (name, panel["title"])
            taken |= cells


def test_grafana_is_provisioned_with_what_the_composed_watch_mounts() -> None:
    grafana = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["grafana"]
    mounted = {inside: outside for outside, inside, _ in (one.split(":") for one in grafana["volumes"])}
    provisioning = DEPLOY / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "watchofficer.yaml").read_text())["providers"]
    assert (DEPLOY / mounted[provider["options"]["path"]]).resolve() == DEPLOY / "grafana" / "dashboards"
    for kind in ("datasources", "dashboards"):
        assert (DEPLOY / mounted[f"/etc/grafana/provisioning/{kind}"]).resolve() == provisioning / kind
    (source,) = yaml.safe_load((provisioning / "datasources" / "watchofficer.yaml").read_text())[
        "datasources"
    ]
    assert source["type"] == "prometheus"
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    assert json.dumps(DASHBOARDS).count('"uid": "${datasource}"') > len(DASHBOARDS)
