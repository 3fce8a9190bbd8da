// The page's part of deleting an account, and of the WebSocket. It needs no build step: browsers
// load it as a module, and tests run the same file in Node.
//
//   <script type="module" src="/users/settings/close/efface.js"></script>
//
// A page without the section can use the WebSocket too. It names the paths
//   <body data-live-path="/live" data-logout-path="/users/log_out" data-redirect-path="/">
// and its own module has
//   import { live } from "/users/settings/close/efface.js";
//   live.on("plot_taken", (payload) => { … });
//   const ack = await live.push("pick_plot", { plot: 7 });

const DELAYS = [10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000, 5000, 5000];
const ACK_TIMEOUT = 30000;
const LOGOUT_TIMEOUT = 3000;
const GOODBYE_TIMEOUT = 3000;
const OPEN = 1; // WebSocket.OPEN
const LOGGED_OUT = 4401;
const UNWANTED = [4429, 4430]; // too fast, too many; the plain form still works

const LOST = "The connection was lost, so we don't know yet whether your account was deleted. "
  + "You can safely try again.";
const FAILED = "Something went wrong. Try again in a moment.";

// Returns the path if it is on this site, else "/". The browser itself decides that.
export function localPath(path, window) {
  try {
    const url = new URL(path, window.location.href);
    if (url.origin === window.location.origin) return url.pathname + url.search;
  } catch {
    // Not a path.
  }
  return "/";
}

// Read each time, because the page may have changed it. The last name is Django's.
function csrfToken(document) {
  const meta = document.querySelector("meta[name='csrf-token']");
  const field = document.querySelector("input[name='_csrf_token']")
    ?? document.querySelector("input[name='csrfmiddlewaretoken']");
  return meta?.getAttribute("content") || field?.value || "";
}

export class Live {
  #document;
  #window;
  #paths;
  #socket = null;
  #tries = 0;
  #serial = 0;
  #waiting = new Map();
  #listeners = new Map();
  #ended = false;

  constructor(document, window, paths) {
    this.#document = document;
    this.#window = window;
    this.#paths = paths;
    this.on("logout", (payload) => this.leave(payload?.to));
    this.#connect();
  }

  get isOpen() {
    return !this.#ended && this.#socket?.readyState === OPEN;
  }

  // Calls listener(payload) for each event of that name from the server.
  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  // Sends an event and returns a promise of its answer. Without a connection the promise is
  // rejected immediately, because a click is never sent later.
  push(event, payload = {}) {
    if (!this.isOpen) return Promise.reject(new Error("efface: not connected"));
    const id = `${Date.now().toString(36)}-${++this.#serial}`;
    const ack = new Promise((resolve, reject) => {
      const timer = this.#window.setTimeout(() => this.#socket?.close(), ACK_TIMEOUT);
      this.#waiting.set(id, { resolve, reject, timer });
    });
    this.#socket.send(JSON.stringify({ id, event, payload }));
    return ack;
  }

  // Ends the socket permanently.
  end() {
    this.#ended = true;
    this.#socket?.close();
  }

  // The server has already ended the session. Let the logout clear the cookies, then leave. This
  // happens once, because nothing reconnects after the first line.
  async leave(to) {
    if (this.#ended) return;
    this.end();
    const isGone = await this.#logOut();
    if (!isGone) console.warn("efface: the logout was not confirmed, but the session has ended");
    this.#window.location.replace(localPath(to ?? this.#paths.redirect, this.#window));
  }

  #connect() {
    if (this.#ended) return;
    const url = new URL(localPath(this.#paths.live, this.#window), this.#window.location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("_csrf_token", csrfToken(this.#document));
    const socket = new this.#window.WebSocket(url.href);
    this.#socket = socket;
    socket.addEventListener("open", () => { this.#tries = 0; });
    socket.addEventListener("message", ({ data }) => this.#receive(data));
    socket.addEventListener("close", ({ code }) => this.#closed(code));
  }

  #receive(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    const waiting = this.#waiting.get(message?.ack);
    if (waiting) {
      this.#waiting.delete(message.ack);
      this.#window.clearTimeout(waiting.timer);
      waiting.resolve(message);
    }
    for (const listener of this.#listeners.get(message?.event) ?? []) listener(message.payload);
  }

  #closed(code) {
    for (const { reject, timer } of this.#waiting.values()) {
      this.#window.clearTimeout(timer);
      reject(new Error("efface: connection lost"));
    }
    this.#waiting.clear();
    if (code === LOGGED_OUT) this.leave();
    if (UNWANTED.includes(code)) this.#ended = true;
    if (this.#ended || this.#tries >= DELAYS.length) return;
    this.#window.setTimeout(() => this.#connect(), DELAYS[this.#tries++]);
  }

  async #logOut() {
    const stop = new AbortController();
    const token = csrfToken(this.#document);
    const timer = this.#window.setTimeout(() => stop.abort(), LOGOUT_TIMEOUT);
    try {
      const answer = await this.#window.fetch(localPath(this.#paths.logout, this.#window), {
        method: "DELETE",
        // The common name of the header, and Django's.
        headers: { "X-CSRF-Token": token, "X-CSRFToken": token, Accept: "application/json" },
        credentials: "same-origin",
        redirect: "manual", // a 302 would repeat the DELETE on the home page
        signal: stop.signal,
      });
      return answer.ok || answer.type === "opaqueredirect";
    } catch {
      return false;
    } finally {
      this.#window.clearTimeout(timer);
    }
  }
}

// Turns the plain form into a dialog that closes the account over the WebSocket.
function enhance(section, window, live) {
  const part = (name) => section.querySelector(`[data-efface="${name}"]`);
  const [open, plain, dialog, form] = ["open", "plain", "dialog", "form"].map(part);
  const [message, cancel, submit] = ["message", "cancel", "submit"].map(part);
  let isBusy = false;

  // A long closing reports its progress. The account is closed only when the answer says so.
  const bar = part("progress");
  live.on("closing_progress", ({ done, of }) => {
    if (!isBusy || !bar) return;
    bar.max = of;
    bar.value = done;
    bar.hidden = false;
  });

  const say = (text) => {
    message.textContent = text;
    message.hidden = !text;
  };
  const wait = (busy) => {
    isBusy = busy;
    submit.disabled = busy;
    cancel.disabled = busy;
    if (bar) bar.hidden = true;
  };

  // With a message, the server has opened the form in the page. Then it stays there.
  if (message.hidden) {
    dialog.append(form);
    plain.hidden = true;
    open.hidden = false;
    cancel.hidden = false;
  }

  open.addEventListener("click", () => {
    if (isBusy) return;
    say("");
    dialog.showModal();
    // Without a password field, the checkbox is the first field.
    (form.elements.current_password ?? form.elements.confirm).focus();
  });
  cancel.addEventListener("click", () => {
    form.reset();
    dialog.close();
  });
  form.addEventListener("submit", async (event) => {
    if (isBusy) return event.preventDefault();
    if (!live.isOpen) {
      // Send the plain form. The browser submits it after this handler has returned, so the button
      // can be disabled now. A message that arrives meanwhile must not leave the page.
      wait(true);
      live.end();
      return undefined;
    }
    event.preventDefault();
    wait(true);
    say("");
    const password = form.elements.current_password;
    const payload = {
      current_password: password?.value ?? "",
      confirm: form.elements.confirm.checked ? "yes" : "",
    };
    let ack;
    try {
      ack = await live.push("anonymize", payload);
    } catch {
      ack = { status: "error", message: section.getAttribute("data-lost") || LOST };
    }
    if (ack.status === "ok") {
      // Closed, and still busy, because `logout` is the next message. If it is lost, leave anyway.
      window.setTimeout(() => live.leave(), GOODBYE_TIMEOUT);
      return undefined;
    }
    if (password) password.value = "";
    say(ack.message || section.getAttribute("data-failed") || FAILED);
    wait(false);
    (password ?? submit).focus();
    return undefined;
  });
}

// Connects the page and returns its Live, or null if the page names no path for it.
export function mount(document, window) {
  const section = document.querySelector("#delete-account");
  const root = section ?? document.querySelector("[data-live-path]");
  if (!root) return null;
  const live = new Live(document, window, {
    live: root.getAttribute("data-live-path"),
    logout: root.getAttribute("data-logout-path"),
    redirect: root.getAttribute("data-redirect-path"),
  });
  // If something blocks, there is no form.
  if (section?.querySelector("[data-efface=form]")) enhance(section, window, live);
  // A page from the back/forward cache is out of date.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
  return live;
}

export const live = typeof document === "undefined" ? null : mount(document, window);
