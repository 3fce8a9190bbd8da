// A browser without a window, for the tests: cookies, navigation, forms, modules, sockets. The
// page's modules are fetched from the server and run as they are. Commands come in as lines of
// JSON, answers go out the same way. Run by browser.py beside this file.

import { createInterface } from "node:readline";
import vm from "node:vm";
import { DOMEvent, Listening, parse } from "./dom.mjs";

const origin = process.argv[2];
const cookies = new Map();
const traffic = []; // what went over the wire and where the page went, in order
const faults = { offline: false, socketless: false, deaf: false, logOut: null };
const warnings = [];
let page = null; // what the window shows now
let loading = Promise.resolve();

const note = (kind, facts) => traffic.push({ kind, at: performance.now(), ...facts });

// ------------------------------------------------------------------ network

function keepCookies(answer) {
  for (const line of answer.headers.getSetCookie()) {
    const [pair, ...rest] = line.split(";").map((part) => part.trim());
    const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
    const isOver = rest.some((r) => /^max-age=0$/i.test(r) || /^expires=.*1970/i.test(r));
    isOver ? cookies.delete(name) : cookies.set(name, value);
  }
}

const cookieLine = () => [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");

async function once(method, url, headers, body) {
  if (faults.offline) throw new TypeError("network error");
  const sent = { ...headers, cookie: cookieLine(), "sec-fetch-site": "same-origin" };
  if (method !== "GET") sent.origin = origin;
  const answer = await fetch(url, { method, headers: sent, body, redirect: "manual" });
  keepCookies(answer);
  note("request", { method, path: url.pathname, status: answer.status });
  return answer;
}

const isRedirect = (answer) => answer.status >= 300 && answer.status < 400;

// Follows redirects as browsers do: 303 by GET; 302 keeps DELETE a DELETE.
async function follow(method, url, headers, body) {
  let answer = await once(method, url, headers, body);
  while (isRedirect(answer)) {
    const becomesGet = answer.status === 303 || (answer.status === 302 && method === "POST");
    if (becomesGet) [method, body] = ["GET", undefined];
    url = new URL(answer.headers.get("location"), url);
    answer = await once(method, url, headers, body);
  }
  return { answer, url };
}

async function fetchForPage(path, { method = "GET", headers = {}, body, redirect = "follow" } = {}) {
  const url = new URL(path, page.url);
  const named = { ...headers };
  if (method === "DELETE" && faults.logOut === "fail") throw new TypeError("network error");
  if (method === "DELETE" && faults.logOut) named["x-csrf-token"] = faults.logOut;
  if (redirect === "follow") return (await follow(method, url, named, body)).answer;
  const answer = await once(method, url, named, body);
  return isRedirect(answer) ? { ok: false, status: 0, type: "opaqueredirect" } : answer;
}

class PageSocket extends WebSocket {
  constructor(url) {
    const { pathname } = new URL(url);
    super(faults.offline || faults.socketless ? "ws://127.0.0.1:1" : url, { headers: { cookie: cookieLine(), origin } });
    page.sockets.add(this);
    super.addEventListener("open", () => note("socket open", { path: pathname }));
    super.addEventListener("close", ({ code }) => note("socket close", { code }));
    super.addEventListener("message", ({ data }) => {
      if (!faults.deaf) note("received", { message: JSON.parse(data) });
    });
  }

  addEventListener(type, listener) {
    const here = page;
    super.addEventListener(type, (event) => {
      if (here === page && !(type === "message" && faults.deaf)) listener(event);
    });
  }

  send(data) {
    note("sent", { message: JSON.parse(data) });
    super.send(data);
  }
}

// ------------------------------------------------------------------ pages

function leave() {
  if (!page) return;
  for (const timer of page.timers) clearTimeout(timer);
  for (const socket of page.sockets) socket.close();
  page = null;
}

function navigate(how, method, url, body) {
  note("navigate", { how, method, to: url.pathname + url.search });
  const headers = { accept: "text/html" };
  if (page) headers.referer = page.url.href;
  if (body) headers["content-type"] = "application/x-www-form-urlencoded";
  loading = follow(method, url, headers, body).then(async ({ answer, url: end }) => {
    const html = await answer.text();
    leave();
    page = { url: end, status: answer.status, html, document: parse(html),
      sockets: new Set(), timers: new Set(), window: null };
    await runModules(page);
  });
  loading.catch((error) => warnings.push(String(error)));
  return loading;
}

function windowOf(here) {
  const window = new Listening();
  const guard = (act) => { if (here === page) act(); };
  return Object.assign(window, {
    document: here.document,
    WebSocket: PageSocket,
    fetch: fetchForPage,
    URL, AbortController,
    console: { ...console, warn: (text) => warnings.push(text) },
    setTimeout: (act, delay) => {
      const timer = setTimeout(() => guard(act), delay);
      here.timers.add(timer);
      return timer;
    },
    clearTimeout,
    location: {
      get href() { return here.url.href; },
      get origin() { return here.url.origin; },
      replace: (to) => guard(() => navigate("replace", "GET", new URL(to, here.url))),
      reload: () => guard(() => navigate("reload", "GET", here.url)),
    },
  });
}

async function runModules(here) {
  here.window = windowOf(here);
  const scope = Object.assign(Object.create(null), {
    window: here.window, document: here.document, fetch: fetchForPage, URL, AbortController,
    console: here.window.console, WebSocket: PageSocket,
    setTimeout: here.window.setTimeout, clearTimeout,
  });
  const context = vm.createContext(scope);
  const modules = new Map();
  const load = (specifier, referrer) => {
    const url = new URL(specifier, referrer);
    if (!modules.has(url.href)) {
      modules.set(url.href, fetch(url, { headers: { cookie: cookieLine() } })
        .then((answer) => answer.text())
        .then((source) => new vm.SourceTextModule(source, { context, identifier: url.href })));
    }
    return modules.get(url.href);
  };
  for (const script of here.document.querySelectorAll("script[type=module][src]")) {
    const module = await load(script.getAttribute("src"), here.url);
    if (module.status === "unlinked") {
      await module.link((specifier, from) => load(specifier, from.identifier));
    }
    await module.evaluate();
    here.exports = { ...here.exports, ...module.namespace };
  }
}

// ------------------------------------------------------------------ commands

function find(selector) {
  const element = page.document.querySelector(selector);
  if (!element) throw new Error(`nothing matches ${selector}`);
  return element;
}

function visible(selector) {
  const element = find(selector);
  if (!element.isVisible) throw new Error(`${selector} is not visible`);
  return element;
}

// A form is sent by a click on its button; what the module does not prevent goes the plain way.
function submit(form) {
  if (!form.isValid || !form.dispatchEvent(new DOMEvent("submit"))) return;
  const body = new URLSearchParams(form.data).toString();
  navigate("form", "POST", new URL(form.getAttribute("action"), page.url), body);
}

async function until(condition, what) {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 1); });
  }
}

const isSeen = (text) => page?.document.querySelectorAll("body")
  .some((body) => [...body.descendants()].some((e) => e.isVisible && e.textContent.includes(text)));

const commands = {
  open: ({ path }) => navigate("open", "GET", new URL(path, origin)),
  elsewhere: async ({ path }) => {
    const { answer } = await follow("GET", new URL(path, origin), { accept: "text/html" });
    return answer.text();
  },
  click({ selector }) {
    const element = visible(selector);
    if (element.disabled) return;
    if (!element.dispatchEvent(new DOMEvent("click"))) return;
    if (element.tag === "summary") element.parent.open = !element.parent.open;
    const type = element.getAttribute("type") ?? (element.tag === "button" ? "submit" : "");
    if (type === "submit") submit(element.closest("form"));
  },
  requestSubmit({ selector }) { submit(find(selector)); },
  fill({ selector, value }) { visible(selector).value = value; },
  check({ selector }) { visible(selector).checked = true; },
  change({ selector, name, value }) { find(selector).setAttribute(name, value); },
  push: ({ event, payload }) => page.exports.live.push(event, payload),
  dispatch({ type, init }) { page.window.dispatchEvent(new DOMEvent(type, init)); },
  drop() { for (const socket of page.sockets) socket.close(); },
  faults(settings) { Object.assign(faults, settings); },
  connected: () => until(() => page?.exports?.live?.isOpen, "the socket"),
  see: ({ text }) => until(() => isSeen(text), `the text: ${text}`),
  arrive: async ({ path }) => {
    await until(() => page?.url.pathname === path, `the page ${path}`);
    await loading;
  },
  wait: ({ kind, count }) => until(
    () => traffic.filter((t) => t.kind === kind).length >= count, `${count} × ${kind}`),
  state: () => ({ path: page?.url.pathname, status: page?.status, html: page?.html,
    visible: (page?.document.querySelectorAll("[data-efface]") ?? [])
      .filter((e) => e.isVisible).map((e) => e.getAttribute("data-efface")),
    traffic, warnings, cookies: Object.fromEntries(cookies) }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await commands[command](given)) ?? null };
  } catch (error) {
    answer = { error: error.stack };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
