"""Checks the rendered objects of deploy/kubernetes: against Kubernetes's schemas and that of ServiceMonitor, that each name one of them
uses is there, and that adjourn reads the ConfigMap's configuration. `kubernetes.py NODE_MODULES BINARY BASE OVERLAY...`. It changes nothing."""

import copy
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

# The oldest version that the manifests support, and the newest whose schemas are here.
VERSIONS = ["1.27", "1.37"]
# The members of Kubernetes's SecretKeySelector, which the operator's declarations do not repeat.
SECRET_KEY_SELECTOR = ["name", "key", "optional"]
MONITOR = "@kubernetes-models/prometheus-operator"


def load(path):
    return [item for item in yaml.safe_load_all(pathlib.Path(path).read_text()) if item]


def named(objects, kind, name):
    found = [item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects {kind} {name}"
    return found[0]


def the(objects, kind):
    found = [item for item in objects if item["kind"] == kind]
    assert len(found) == 1, f"{len(found)} objects {kind}"
    return found[0]


def workload(objects):
    """The object that makes the pods."""
    found = [item for item in objects if item["kind"] in ("StatefulSet", "Deployment")]
    assert len(found) == 1, [item["kind"] for item in found]
    return found[0]


def check_schema(item, modules):
    if item["kind"] == "ServiceMonitor":
        return check_monitor(item, modules)
    for version in VERSIONS:
        kubernetes_validate.validate(item, version, strict=True)
    return None


def check_monitor(item, modules):
    """Types and required members by the operator's schema, and member names by its declarations: the schema accepts unknown ones."""
    script = f"""
        import {{ ServiceMonitor }} from "{MONITOR}/monitoring.coreos.com/v1/ServiceMonitor";
        new ServiceMonitor(JSON.parse(process.argv[1])).validate();"""
    run = subprocess.run(
        ["node", "--input-type=module", "--eval", script, json.dumps(item)],
        cwd=modules.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode != 0:
        raise ValueError(run.stderr)
    declared = declarations(modules / MONITOR / "monitoring.coreos.com/v1", "ServiceMonitorSpec")
    for name in members({key: value for key, value in item["spec"].items() if key != "selector"}):
        if f'"{name}"' not in declared and name not in SECRET_KEY_SELECTOR:
            raise ValueError(f"ServiceMonitor has no member {name}")


def declarations(folder, name):
    """The text of a type's declaration, and of all that it imports."""
    waiting, read = [name], {}
    while waiting:
        name = waiting.pop()
        if name not in read:
            read[name] = (folder / f"{name}.d.ts").read_text()
            waiting += re.findall(r'from "\./(\w+)\.js"', read[name])
    return "\n".join(read.values())


def members(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner)


def check_references(objects):
    """What kubectl does not check: the name, the port or the label of another object."""
    pod = workload(objects)["spec"]["template"]
    container = pod["spec"]["containers"][0]
    ports = {port["name"] for port in container["ports"]}
    for volume in pod["spec"]["volumes"]:
        if "configMap" in volume:
            assert "adjourn.toml" in named(objects, "ConfigMap", volume["configMap"]["name"])["data"]
        elif "secret" in volume:
            assert "password" in named(objects, "Secret", volume["secret"]["secretName"])["data"]
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"]:
        assert container[probe]["httpGet"]["port"] in ports, probe
    service = named(objects, "Service", "adjourn")
    selects(service["spec"]["selector"], pod["metadata"]["labels"])
    check_state(objects)
    offered = {port["name"] for port in service["spec"]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    ingress = the(objects, "Ingress")["spec"]
    backend = ingress["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["name"] == "adjourn" and backend["port"]["name"] in offered
    assert ingress["tls"][0]["hosts"] == [rule["host"] for rule in ingress["rules"]]
    policy = the(objects, "NetworkPolicy")["spec"]
    selects(policy["podSelector"]["matchLabels"], pod["metadata"]["labels"])
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} <= ports
    check_monitored(objects, service, offered)


def check_state(objects):
    """One pod with a volume, or several with a database."""
    made_by, files = workload(objects), the(objects, "Secret")["data"]
    has_database = "database-url" in files
    assert has_database == ("\n[journal]\n" in the(objects, "ConfigMap")["data"]["adjourn.toml"])
    if made_by["kind"] == "StatefulSet":
        assert made_by["spec"]["replicas"] == 1 and not has_database
        assert named(objects, "Service", made_by["spec"]["serviceName"])["spec"]["clusterIP"] == "None"
    else:
        assert made_by["spec"]["replicas"] > 1 and has_database
        ports = [port["port"] for rule in the(objects, "NetworkPolicy")["spec"]["egress"] for port in rule["ports"]]
        assert 5432 in ports, ports


def check_monitored(objects, service, offered):
    """The monitor selects one service: with two, Prometheus would scrape the pod twice."""
    monitor = the(objects, "ServiceMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    selected = [item for item in objects if item["kind"] == "Service" and wanted <= item["metadata"]["labels"].items()]
    assert selected == [service], [item["metadata"]["name"] for item in selected]
    assert {endpoint["port"] for endpoint in monitor["endpoints"]} <= offered


def selects(selector, labels):
    assert selector and selector.items() <= labels.items(), f"{selector} does not select {labels}"


def check_configuration(objects, binary):
    """The configuration of the ConfigMap, by the program itself. Its ports are those of the container."""
    text = the(objects, "ConfigMap")["data"]["adjourn.toml"]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "adjourn.toml"
        path.write_text(text)
        subprocess.run([binary, "--config", path, "config", "explain", "room1@example.com"], check=True, capture_output=True)
    container = workload(objects)["spec"]["template"]["spec"]["containers"][0]
    for port in container["ports"]:
        assert f'listen = "0.0.0.0:{port["containerPort"]}"' in text, port
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert '{ file = "/run/secrets/adjourn/password" }' in text and {"/run/secrets/adjourn", "/etc/adjourn"} <= mounts


def check_that_mistakes_are_found(objects, modules):
    """A check that accepts everything would look the same."""
    mistakes = [
        (workload(objects)["kind"], ["spec", "template", "spec", "containers", 0, "securityContext"], "readOnlyRootFileSystem", True),
        ("Ingress", ["spec", "rules", 0], "hosts", "x"),
        ("ServiceMonitor", ["spec", "endpoints", 0], "intervall", "3s"),
        ("ServiceMonitor", ["spec", "endpoints", 0], "port", 80),
    ]
    for kind, path, name, value in mistakes:
        item = copy.deepcopy(the(objects, kind))
        place = item
        for step in path:
            place = place[step]
        place[name] = value
        try:
            check_schema(item, modules)
        except (ValueError, kubernetes_validate.ValidationError):
            continue
        raise AssertionError(f"{kind} is accepted with {name}")


def main():
    modules, binary, base = pathlib.Path(sys.argv[1]), sys.argv[2], load(sys.argv[3])
    for item in base:
        check_schema(item, modules)
    for objects in map(load, sys.argv[4:]):
        for item in objects:
            check_schema(item, modules)
        check_references(objects)
        check_configuration(objects, binary)
        check_that_mistakes_are_found(objects, modules)
        print(f"kubernetes: {len(objects)} objects fit Kubernetes {' and '.join(VERSIONS)}: {', '.join(item['kind'] for item in objects)}")


main()
