// Starts the real program for the tests, as simulator, service or demo, on free ports of this machine. Ends each process by its id.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const PROGRAM = resolve(process.env.ADJOURN_BIN ?? new URL("../../target/debug/adjourn", import.meta.url).pathname);
const START_TIMEOUT = 20_000;

// Runs the program; resolves when it prints a line for which `fits` returns true.
async function run(args, fits, env = {}) {
  const child = spawn(PROGRAM, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (data) => (stderr += data));
  const stop = async (signal = "SIGTERM") => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  };
  const line = await new Promise((found, failed) => {
    const timer = setTimeout(() => failed(new Error(`${args} printed no such line: ${stderr}`)), START_TIMEOUT);
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (!fits(line)) return;
      clearTimeout(timer);
      found(line);
    });
    child.once("exit", (code) => failed(new Error(`${args} ended with ${code}: ${stderr}`)));
  });
  return { line, stop, stderr: () => stderr };
}

async function runToEnd(args, env) {
  const child = spawn(PROGRAM, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (data) => (text += data));
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${args} ended with ${code}`);
  return text;
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

// `adjourn demo --serve`.
export async function startDemo() {
  const { line, stop } = await run(["demo", "--serve", "--listen", "127.0.0.1:0"], (line) => line.startsWith("http"));
  return { url: line, stop, key: "adj_demo_demo" };
}

const ROOMS = ["aurora", "borealis", "cirrus", "delta", "ember", "fjord"];
export const room = (name) => `room-${name}@example.com`;

// A simulated Exchange (the demo's office, or this many rooms), with `adjourn serve` in front of it. `config` is added to its
// configuration, with the service's address for `{url}`; `keys` maps holders' names to the arguments of `adjourn key add`.
export async function startEnvironment({ config = "", keys = { all: ["--rights", "all"] }, rooms = 0 } = {}) {
  const directory = await mkdtemp(join(tmpdir(), "adjourn-"));
  const sim = await run(["sim", ...(rooms ? ["--rooms", String(rooms)] : [])], (line) => line.startsWith("http"));
  const names = rooms
    ? Array.from({ length: rooms }, (_, number) => room(String(number).padStart(5, "0")))
    : ROOMS.map(room);
  const port = await freePort();
  const file = join(directory, "adjourn.toml");
  await writeFile(
    file,
    `[server]\nurl = "${sim.line}"\nusername = "svc-adjourn@example.com"\n` +
      `[scope]\nrooms = ${JSON.stringify(names)}\n[journal]\ndirectory = "${directory}"\n` +
      config.replaceAll("{url}", `http://127.0.0.1:${port}`),
  );
  const env = { ADJOURN_PASSWORD: "simulated", ADJOURN_CONFIG: file };
  const tokens = {};
  for (const [name, args] of Object.entries(keys)) {
    tokens[name] = JSON.parse(await runToEnd(["key", "add", name, "--per-minute", "100000", "--json", ...args], env)).token;
  }
  const serve = () => run(["serve", "--listen", `127.0.0.1:${port}`], (line) => line.startsWith("http"), env);
  let service = await serve();
  return {
    url: service.line,
    ews: sim.line,
    keys: tokens,
    program: (...args) => runToEnd(args, env),
    stderr: () => service.stderr(),
    stopService: (signal) => service.stop(signal),
    startService: async () => {
      service = await serve();
    },
    stop: async () => {
      await service.stop();
      await sim.stop("SIGINT");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

// Sends a request to the API, as another program would.
export async function api(env, method, path, body, key = env.keys?.all ?? env.key) {
  const answer = await fetch(env.url + path, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, json: await answer.json().catch(() => null) };
}

// Creates an event in a room's calendar through EWS, as another client than Adjourn.
export async function writeEvent(env, room, { subject, start, end }) {
  const text = (value) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const body = `<?xml version="1.0" encoding="utf-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">
<s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/><t:ExchangeImpersonation><t:ConnectingSID><t:SmtpAddress>${room}</t:SmtpAddress></t:ConnectingSID></t:ExchangeImpersonation></s:Header>
<s:Body><m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId><t:DistinguishedFolderId Id="calendar"/></m:SavedItemFolderId><m:Items><t:CalendarItem><t:Subject>${text(subject)}</t:Subject><t:Start>${start.toISOString()}</t:Start><t:End>${end.toISOString()}</t:End></t:CalendarItem></m:Items></m:CreateItem></s:Body></s:Envelope>`;
  const authorization = `Basic ${Buffer.from("svc-adjourn@example.com:simulated").toString("base64")}`;
  const answer = await fetch(env.ews, { method: "POST", headers: { authorization, "content-type": "text/xml" }, body });
  const reply = await answer.text();
  if (!reply.includes("NoError")) throw new Error(reply);
}

// Waits until `what` returns a true value.
export async function until(what, message, patience = 10_000) {
  const end = Date.now() + patience;
  for (;;) {
    const value = await what();
    if (value) return value;
    if (Date.now() > end) throw new Error(`timed out: ${message}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
