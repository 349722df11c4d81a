"""The dashboard's and the alerts' expressions against the metrics of a running service.

    expressions.py http://127.0.0.1:8000/metrics

The metrics are read by the parser of Prometheus' client, the expressions by Prometheus' grammar. Prints what is wrong.
"""

import json
import re
import sys
from pathlib import Path

import httpx
import promql_parser as promql
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

OPERATIONS = Path(__file__).parents[2] / "docs/operations"

# What Prometheus makes and adds itself.
OWN_METRICS = {"up"}
OWN_LABELS = {"job", "instance"}


def series_of(url):
    """Labels of every series, by the name of its samples."""
    series = {}
    for family in text_string_to_metric_families(httpx.get(url, trust_env=False).raise_for_status().text):
        for sample in family.samples:
            series.setdefault(sample.name, []).append(sample.labels)
    return series


def of_dashboard():
    dashboard = json.loads((OPERATIONS / "grafana-dashboard.json").read_text())
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            # Grafana's own function of a metric and a label.
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            yield "group by ({1}) ({0})".format(*asked.groups())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "5m")


def of_alerts():
    for group in yaml.safe_load((OPERATIONS / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            missing = {"alert", "expr", "for", "labels", "annotations"} - rule.keys()
            missing |= {"severity"} - rule["labels"].keys() | {"summary", "description"} - rule["annotations"].keys()
            assert not missing, f"{rule['alert']} has no {missing}"
            yield rule["expr"]


def asked_of(expression):
    """The selectors, and the labels that are grouped and joined by."""
    selectors, labels = [], set()

    def visit(node):
        match node:
            case promql.VectorSelector():
                selectors.append(node)
            case promql.AggregateExpr() if node.modifier:
                labels.update(node.modifier.labels)
            case promql.BinaryExpr() if node.modifier and node.modifier.matching:
                labels.update(node.modifier.matching.labels, node.modifier.group_labels or ())

    promql.walk(promql.parse(expression), visit)
    return selectors, labels


def wrong_with(expression, series):
    try:
        selectors, labels = asked_of(expression)
    except ValueError as error:
        yield str(error)
        return
    for selector in selectors:
        if selector.name in OWN_METRICS:
            continue
        if selector.name not in series:
            yield f"{selector.name} is nowhere"
            continue
        for matcher in selector.matchers.matchers:
            if matcher.name in OWN_LABELS:
                continue
            values = {own[matcher.name] for own in series[selector.name] if matcher.name in own}
            # Each of several must be there.
            wanted = matcher.value.split("|") if matcher.op in (promql.MatchOp.Equal, promql.MatchOp.Re) else []
            if not values or not all(any(re.fullmatch(one, value) for value in values) for one in wanted):
                yield f"{selector.name} has no {matcher.name} {matcher.value}, but {sorted(values)}"
    known = OWN_LABELS.union(*(own for all_own in series.values() for own in all_own))
    yield from (f"there is no label {label}" for label in labels - known)


def main(url):
    series = series_of(url)
    panels, alerts = list(of_dashboard()), list(of_alerts())
    assert len(panels) > 20 and len(alerts) > 10, (len(panels), len(alerts))
    wrong = [f"{what}: {expression}" for expression in panels + alerts for what in wrong_with(expression, series)]
    sys.exit("\n".join(wrong) or None)


main(*sys.argv[1:])
