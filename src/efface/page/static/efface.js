// The page's side of closing an account, and of the live socket. No build step: browsers load it
// as a module, and tests run this very file in Node.
//
//   <script type="module" src="/users/settings/close/efface.js"></script>
//
// A page without the section may use the socket too. It says where things are
//   <body data-live-path="/live" data-logout-path="/users/log_out" data-redirect-path="/">
// and its own module does
//   import { live } from "/users/settings/close/efface.js";
//   live.on("plot_taken", (payload) => { … });
//   const ack = await live.push("pick_plot", { plot: 7 });

const DELAYS = [10, 50, 100, 150, 200, 250, 500, 1000, 2000, 5000, 5000, 5000];
const ACK_TIMEOUT = 30000;
const LOG_OUT_TIMEOUT = 3000;
const FAREWELL_TIMEOUT = 3000;
const OPEN = 1; // WebSocket.OPEN
const LOGGED_OUT = 4401;
const UNWANTED = [4429, 4430]; // too fast, too many: the plain forms are left

const LOST = "The connection was interrupted before the answer came. "
  + "You can send it again: an account closes only once.";
const FAILED = "This did not work just now. Try again in a moment.";

// Returns the path if it stays on this site, else "/". Only a browser's own reading of it counts.
export function localPath(path, window) {
  try {
    const url = new URL(path, window.location.href);
    if (url.origin === window.location.origin) return url.pathname + url.search;
  } catch {
    // Not a path at all.
  }
  return "/";
}

// Read when needed, never kept: the page may have changed it since. The last name is Django's.
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

  // Sends an event and returns a promise of its ack. Where there is no connection it is rejected
  // at once: what somebody clicked a while ago is never sent later.
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

  // Ends the socket for good.
  end() {
    this.#ended = true;
    this.#socket?.close();
  }

  // The server has revoked the session before it said so. What is left to do here: let the
  // log-out clear the cookies, and go. Once: from the first line on nothing reconnects.
  async leave(to) {
    if (this.#ended) return;
    this.end();
    const isGone = await this.#logOut();
    if (!isGone) console.warn("efface: log-out was not confirmed; the session has ended all the same");
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
    const timer = this.#window.setTimeout(() => stop.abort(), LOG_OUT_TIMEOUT);
    try {
      const answer = await this.#window.fetch(localPath(this.#paths.logout, this.#window), {
        method: "DELETE",
        // The header as most name it, and as Django does.
        headers: { "X-CSRF-Token": token, "X-CSRFToken": token, Accept: "application/json" },
        credentials: "same-origin",
        redirect: "manual", // a 302 would repeat the DELETE on the start page
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

// Turns the plain form into a dialog that closes the account over the socket.
function enhance(section, window, live) {
  const part = (name) => section.querySelector(`[data-efface="${name}"]`);
  const [open, plain, dialog, form] = ["open", "plain", "dialog", "form"].map(part);
  const [message, cancel, submit] = ["message", "cancel", "submit"].map(part);
  let isBusy = false;

  // A long closing says how many of its steps are done. It is closed when the ack says so, no sooner.
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

  // With a message the server has drawn the form open: leave that page as it is.
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
    // An account without a password is asked for none: then the tick comes first.
    (form.elements.current_password ?? form.elements.confirm).focus();
  });
  cancel.addEventListener("click", () => {
    form.reset();
    dialog.close();
  });
  form.addEventListener("submit", async (event) => {
    if (isBusy) return event.preventDefault();
    if (!live.isOpen) {
      // The plain way. The browser submits after this handler has returned, so the button may
      // be disabled now; and a message that comes in meanwhile must not take the page away.
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
      // Closed, and still busy: `logout` is the next message. Should it be lost, leave without it.
      window.setTimeout(() => live.leave(), FAREWELL_TIMEOUT);
      return undefined;
    }
    if (password) password.value = "";
    say(ack.message || section.getAttribute("data-failed") || FAILED);
    wait(false);
    (password ?? submit).focus();
    return undefined;
  });
}

// Connects the page and returns its live socket, or null where the page names none.
export function mount(document, window) {
  const section = document.querySelector("#delete-account");
  const root = section ?? document.querySelector("[data-live-path]");
  if (!root) return null;
  const live = new Live(document, window, {
    live: root.getAttribute("data-live-path"),
    logout: root.getAttribute("data-logout-path"),
    redirect: root.getAttribute("data-redirect-path"),
  });
  // Something may have to be settled first: then there is no form.
  if (section?.querySelector("[data-efface=form]")) enhance(section, window, live);
  // A page out of the back/forward cache shows what was true when it was left.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) window.location.reload();
  });
  return live;
}

export const live = typeof document === "undefined" ? null : mount(document, window);
