// A real Prometheus reads /metrics of a real service: every alert and every panel under deploy/monitoring must find its metrics.
// promtool evaluates the alerts over made-up values: adjourn.test.yaml has those for which each fires, and those for which none does.
//
//     node monitoring.mjs FOLDER_OF_PROMETHEUS_AND_PROMTOOL
//
// ADJOURN_BIN names the program. Prometheus listens on 127.0.0.1 and is ended by its process id.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { api, freePort, room, startEnvironment, until } from "../browser/environment.mjs";

const programs = process.argv[2] ?? "/usr/bin";
const FOLDER = new URL("../../deploy/monitoring/", import.meta.url).pathname;
const PATIENCE = 60_000;
const eventually = (what, message) => until(what, message, PATIENCE);
const work = await mkdtemp(join(tmpdir(), "adjourn-monitoring-"));

const receiver = createServer((_, response) => response.writeHead(204).end()).listen(0, "127.0.0.1");
await once(receiver, "listening");
await writeFile(join(work, "secret"), "0123456789abcdef0123456789abcdef", { mode: 0o600 });
const webhook = `[[webhooks]]\nname = "desk"\nurl = "http://127.0.0.1:${receiver.address().port}/"\nsecret = { file = "${join(work, "secret")}" }\n`;
const service = await startEnvironment({ config: webhook });
const port = await freePort();
let prometheus;

async function query(expression) {
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expression)}`);
  const { status, data, error } = await response.json();
  assert.equal(status, "success", `${expression}: ${error}`);
  return data.result;
}

try {
  execFileSync(join(programs, "promtool"), ["check", "rules", join(FOLDER, "adjourn.rules.yaml")]);

  await cp(join(FOLDER, "adjourn.rules.yaml"), join(work, "adjourn.rules.yaml"));
  await cp(new URL("adjourn.test.yaml", import.meta.url).pathname, join(work, "adjourn.test.yaml"));
  execFileSync(join(programs, "promtool"), ["test", "rules", join(work, "adjourn.test.yaml")]);
  await writeFile(join(work, "adjourn.key"), service.keys.all);
  const published = await readFile(join(FOLDER, "prometheus.yaml"), "utf8");
  const config = published
    .replace("30s", "1s")
    .replace("/etc/prometheus/adjourn.key", join(work, "adjourn.key"))
    .replace("127.0.0.1:8480", new URL(service.url).host);
  await writeFile(join(work, "prometheus.yaml"), config);
  execFileSync(join(programs, "promtool"), ["check", "config", join(work, "prometheus.yaml")]);

  prometheus = spawn(
    join(programs, "prometheus"),
    [`--config.file=${join(work, "prometheus.yaml")}`, `--storage.tsdb.path=${join(work, "data")}`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: "ignore" },
  );
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => null))?.ok, "Prometheus is ready");
  await eventually(async () => (await fetch(`${service.url}/readyz`)).ok, "the service is ready");
  const ended = await api(service, "POST", `/v1/rooms/${room("aurora")}/end`, {});
  assert.equal(ended.status, 200, JSON.stringify(ended.json));
  await eventually(async () => (await query('adjourn_actions_total{outcome="done"}')).length > 0, "Prometheus has read the action");

  const { data } = await (await fetch(`http://127.0.0.1:${port}/api/v1/rules`)).json();
  const rules = data.groups.flatMap((group) => group.rules);
  assert.ok(rules.length >= 10, "Prometheus has the rules");
  assert.deepEqual(rules.filter((rule) => rule.health === "err").map((rule) => `${rule.name}: ${rule.lastError}`), []);
  const dashboard = JSON.parse(await readFile(join(FOLDER, "grafana-dashboard.json"), "utf8"));
  const panels = dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr.replaceAll("$job", "adjourn")));
  const expressions = [...rules.map((rule) => rule.query), ...panels];

  const metrics = new Set(expressions.flatMap((expression) => expression.match(/\badjourn_\w+/g) ?? []));
  const missing = [];
  for (const metric of metrics) if ((await query(`{__name__="${metric}"}`)).length === 0) missing.push(metric);
  assert.deepEqual(missing, [], "metrics that the service does not have");
  // A misspelled label or value would never fire. A service that works has answered nothing with a status of 5xx.
  const selectors = rules.flatMap((rule) => rule.query.match(/\badjourn_\w+\{[^}]*\}/g) ?? []);
  for (const selector of selectors.map((one) => one.replace(/status=~"5\.\."\s*,?/, "")))
    assert.ok((await query(selector)).length > 0, `the service has ${selector}`);
  for (const expression of panels) await eventually(async () => (await query(expression)).length > 0, `a value of ${expression}`);

  const firing = rules.filter((rule) => rule.state === "firing").map((rule) => rule.name);
  assert.deepEqual(firing, [], "alerts of a service that works");
  await service.stopService();
  const stopped = () => query('up{job="adjourn"} == 0');
  await eventually(async () => (await stopped()).length > 0, "Prometheus sees that the service is down");
  console.log(`monitoring: ${rules.length} alerts and ${panels.length} queries of panels find their ${metrics.size} metrics`);
} finally {
  if (prometheus && prometheus.exitCode === null) {
    prometheus.kill();
    await once(prometheus, "exit");
  }
  await service.stop();
  receiver.close();
  await rm(work, { recursive: true, force: true });
}
