#!/usr/bin/python3
"""Judges a dashboard of Grafana.

usage: dashboard.py FILE            whether it is put together as Grafana wants it
       dashboard.py FILE PROMETHEUS whether that Prometheus, which scrapes the job "kvnode", has an answer to each query
                                    now, with the labels that its legend shows

Says a line for each fault, and ends with 1 if there is one.
"""

import itertools
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request

COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Grafana ignores members that it does not know, such as mistyped ones.
DASHBOARD = {"title", "uid", "schemaVersion", "version", "editable", "refresh", "time", "tags", "templating", "panels"}
VARIABLE = {"name", "type", "query", "label", "datasource", "definition", "refresh"}
PANEL = {"id", "title", "description", "type", "datasource", "gridPos", "fieldConfig", "targets"}
TARGET = {"refId", "expr", "legendFormat"}
DEFAULTS = {"unit", "min", "max"}
PANEL_TYPES = {"timeseries"}
UNITS = {"short", "percentunit", "bytes", "binBps", "reqps", "cps", "s", "d"}


def members(where, thing, known):
    return [f"{where}: unknown member {name}" for name in sorted(set(thing) - known)]


def cells(panel):
    grid = panel["gridPos"]
    return set(
        itertools.product(range(grid["x"], grid["x"] + grid["w"]), range(grid["y"], grid["y"] + grid["h"])))


def panel_faults(panel):
    where = panel["title"]
    faults = members(where, panel, PANEL) + members(where, panel["gridPos"], {"x", "y", "w", "h"})
    faults += members(where, panel["fieldConfig"]["defaults"], DEFAULTS)
    if panel["type"] not in PANEL_TYPES:
        faults.append(f"{where}: unknown type {panel['type']}")
    if panel["fieldConfig"]["defaults"]["unit"] not in UNITS:
        faults.append(f"{where}: unknown unit {panel['fieldConfig']['defaults']['unit']}")
    if panel["datasource"] != SOURCE:
        faults.append(f"{where}: its source is not the variable")
    grid = panel["gridPos"]
    if not (grid["x"] >= 0 and grid["y"] >= 0 and grid["h"] > 0 and 0 < grid["w"] <= COLUMNS - grid["x"]):
        faults.append(f"{where}: outside the grid")
    references = [target["refId"] for target in panel["targets"]]
    if not references or len(set(references)) != len(references):
        faults.append(f"{where}: no query, or two with one refId")
    for target in panel["targets"]:
        faults += members(where, target, TARGET)
        if not target["expr"] or not target["legendFormat"]:
            faults.append(f"{where}: a query without expression or legend")
    return faults


def structure_faults(dashboard):
    variables, panels = dashboard["templating"]["list"], dashboard["panels"]
    faults = members("dashboard", dashboard, DASHBOARD)
    for name in ("title", "uid"):
        if not dashboard[name]:
            faults.append(f"dashboard: no {name}")
    for variable in variables:
        faults += members(variable["name"], variable, VARIABLE)
        if variable["type"] == "query" and variable["datasource"] != SOURCE:
            faults.append(f"{variable['name']}: its source is not the variable")
    sources = [variable["name"] for variable in variables if variable["type"] == "datasource"]
    if sources != ["datasource"]:
        faults.append("there is not one variable for the source, before those that are asked of it")
    for panel in panels:
        faults += panel_faults(panel)
    for name in ("id", "title"):
        if len({panel[name] for panel in panels}) != len(panels):
            faults.append(f"two panels have one {name}")
    for one, other in itertools.combinations(panels, 2):
        if cells(one) & cells(other):
            faults.append(f"{one['title']} and {other['title']} overlap")
    known = {variable["name"] for variable in variables}
    used = set(re.findall(r"\$\{?(\w+)\}?", json.dumps(panels + variables)))
    return faults + [f"there is no variable {name}" for name in sorted(used - known)]


def ask(prometheus, path, **parameters):
    url = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        raise ValueError(json.load(error)["error"]) from error


def values_of(variable, prometheus):
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]).groups()
    return sorted({series[label] for series in ask(prometheus, "series", **{"match[]": metric})})


def query_faults(dashboard, prometheus):
    faults = []
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and values_of(variable, prometheus) != ["kvnode"]:
            faults.append(f"{variable['name']}: its values are not those of the job")
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            where = f"{panel['title']} {target['refId']}"
            try:
                result = ask(prometheus, "query", query=target["expr"].replace("$job", "kvnode"))["result"]
            except ValueError as error:
                faults.append(f"{where}: {error}")
                continue
            if not result:
                faults.append(f"{where}: no data")
            for label, series in itertools.product(re.findall(r"{{(\w+)}}", target["legendFormat"]), result):
                if label not in series["metric"]:
                    faults.append(f"{where}: the legend shows {label}, which the result does not have")
            shown = {re.sub(r"{{(\w+)}}", lambda m, s=s: s["metric"].get(m[1], ""), target["legendFormat"]) for s in result}
            if len(shown) != len(result):
                faults.append(f"{where}: two lines have one legend")
    return faults


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        dashboard = json.load(file)
    faults = query_faults(dashboard, sys.argv[2]) if len(sys.argv) > 2 else structure_faults(dashboard)
    print("\n".join(faults), end="\n" if faults else "")
    sys.exit(1 if faults else 0)


main()
