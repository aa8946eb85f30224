// The live page: the AsyncAPI document, and a console that opens a socket and shows what comes over it.
"use strict";

const LONGEST_LOG = 100;
const element = (id) => document.getElementById(id);
const fetched = async (path) => (await fetch(path, { headers: { Accept: "application/json" } })).json();

// --- the document ---

// The component's parser compiles schemas by `eval`, which our policy forbids. The document is valid (tests see to
// that), so it is enough to do what the parser does to it: put what references name in their place, and name things.
function parsed(source) {
  const known = new Map();
  const at = (pointer) => pointer.slice(2).split("/").reduce((place, step) => place[step], source);
  const resolved = (value) => {
    if (value === null || typeof value !== "object") return value;
    if (typeof value.$ref === "string") return resolved(at(value.$ref));
    if (!known.has(value)) {
      const copy = Array.isArray(value) ? [] : {};
      known.set(value, copy);
      for (const [key, below] of Object.entries(value)) copy[key] = resolved(below);
    }
    return known.get(value);
  };
  const whole = resolved(source);
  const name = (objects, key) => Object.entries(objects).forEach(([id, object]) => (object[key] = id));
  for (const objects of [whole.channels, whole.operations, whole.components.messages]) {
    name(objects, "x-parser-unique-object-id");
  }
  name(whole.components.schemas, "x-parser-schema-id");
  const marks = { "x-parser-api-version": 3, "x-parser-spec-parsed": true, "x-parser-spec-stringified": true };
  return { ...whole, ...marks };
}

async function showDocument() {
  const schema = parsed(await fetched("../spec/billing-manager/asyncapi.json"));
  const config = { show: { sidebar: false, errors: false }, expand: { messageExamples: true } };
  AsyncApiStandalone.render({ schema, config }, element("asyncapi"));
}

// --- the console ---

let socket = null;

function show(name, payload, kind) {
  const line = document.createElement("li");
  const what = document.createElement("div");
  what.className = "what";
  const title = document.createElement("span");
  title.className = "name";
  title.dataset.is = kind;
  title.textContent = name;
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString();
  what.append(title, time);
  line.append(what);
  if (payload !== undefined) {
    const body = document.createElement("pre");
    body.textContent = JSON.stringify(payload, null, 2);
    line.append(body);
  }
  element("events").prepend(line);
  while (element("events").children.length > LONGEST_LOG) element("events").lastChild.remove();
}

function say(state, words) {
  element("state").dataset.is = state;
  element("state").textContent = words;
  const connected = state === "connected";
  for (const id of ["subscribe", "unsubscribe", "disconnect"]) element(id).disabled = !connected;
}

function connect(address) {
  if (socket) socket.disconnect();
  const credentials = element("token").value.trim();
  const auth = { tenantId: element("tenant").value.trim() };
  if (credentials) auth.Authorization = credentials.includes(" ") ? credentials : `Bearer ${credentials}`;
  // At once by WebSocket: one that is still being opened beside polling can't be closed without a complaint.
  const how = { auth, forceNew: true, reconnection: false, transports: ["websocket"] };
  const opened = io(address.websocketUrl + address.websocketNamespace, how);
  socket = opened;
  say("connecting", "Connecting …");
  const current = (then) => (...given) => opened === socket && then(...given);
  opened.on("connect", current(() => say("connected", "Connected")));
  opened.on("disconnect", current((reason) => say("closed", `Disconnected: ${reason}`)));
  opened.on("connect_error", current((error) => say("failed", refusal(error.message))));
  opened.on("dashboardStatusUpdate", (payload) => show("dashboardStatusUpdate", payload, "received"));
  opened.on("error", (payload) => show("error", payload, "error"));
}

function refusal(message) {
  const unreachable = message === "websocket error";
  const hint = `: not reachable, or WEBSOCKET_CORS_ORIGIN doesn't list ${location.origin}`;
  return unreachable ? message + hint : message;
}

function send(name, ...payload) {
  show(name, payload[0], "sent");
  socket.emit(name, ...payload);
}

async function openConsole() {
  const address = await fetched("../api/config");
  element("address").textContent = address.websocketUrl + address.websocketNamespace;
  element("console").addEventListener("submit", (event) => {
    event.preventDefault();
    connect(address);
  });
  element("subscribe").addEventListener("click", () => send("subscribeDashboardStatus", {}));
  element("unsubscribe").addEventListener("click", () => send("unsubscribeDashboardStatus"));
  element("disconnect").addEventListener("click", () => socket.disconnect());
}

showDocument();
openConsole();
