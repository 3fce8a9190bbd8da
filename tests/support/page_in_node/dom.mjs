// As much of a document as a small page and its script need: parsed HTML, selectors, events,
// forms, one dialog. Strict where a browser is: hidden and disabled things cannot be clicked.

const VOID = new Set(["br", "hr", "img", "input", "link", "meta"]);
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', middot: "·" };
const TOKEN = /<!--[\s\S]*?-->|<![^>]*>|<\/([a-z][\w-]*)\s*>|<([a-z][\w-]*)((?:\s+[^\s=>/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+))?)*)\s*\/?>|[^<]+|</gi;
const ATTRIBUTE = /([^\s=>/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g;

const decode = (text) => text.replace(/&(#x?)?(\w+);/g, (whole, number, name) => {
  if (number) return String.fromCodePoint(parseInt(name, number === "#x" ? 16 : 10));
  return ENTITIES[name] ?? whole;
});

export class DOMEvent {
  constructor(type, init = {}) {
    Object.assign(this, { type, defaultPrevented: false, ...init });
  }

  preventDefault() {
    this.defaultPrevented = true;
  }
}

export class Listening {
  #listeners = [];

  addEventListener(type, listener) {
    this.#listeners.push([type, listener]);
  }

  dispatchEvent(event) {
    for (const [type, listener] of [...this.#listeners]) if (type === event.type) listener(event);
    return !event.defaultPrevented;
  }
}

export class Element extends Listening {
  constructor(tag, attributes = new Map()) {
    super();
    this.tag = tag;
    this.attributes = attributes;
    this.children = []; // elements and strings
    this.parent = null;
    this.value = attributes.get("value") ?? "";
    this.checked = attributes.has("checked");
  }

  getAttribute(name) {
    return this.attributes.get(name) ?? null;
  }

  setAttribute(name, value) {
    this.attributes.set(name, String(value));
  }

  append(...nodes) {
    for (const node of nodes) {
      if (node instanceof Element) {
        if (node.parent) node.parent.children = node.parent.children.filter((n) => n !== node);
        node.parent = this;
      }
      this.children.push(node);
    }
  }

  get textContent() {
    return this.children.map((n) => (n instanceof Element ? n.textContent : n)).join("");
  }

  set textContent(text) {
    this.children = text ? [String(text)] : [];
  }

  * descendants() {
    for (const node of this.children) {
      if (!(node instanceof Element)) continue;
      yield node;
      yield* node.descendants();
    }
  }

  querySelectorAll(selector) {
    return [...this.descendants()].filter((element) => element.matches(selector));
  }

  querySelector(selector) {
    return this.querySelectorAll(selector)[0] ?? null;
  }

  matches(selector) {
    const [last, ...before] = selector.trim().split(/\s+(?![^[]*\])/).reverse();
    if (!this.#isOne(last)) return false;
    if (!before.length) return true;
    const outer = before.reverse().join(" ");
    return this.ancestors().some((element) => element.matches(outer));
  }

  #isOne(compound) {
    const parts = compound.match(/\[[^\]]+\]|[#.]?[\w-]+/g) ?? [];
    return parts.every((part) => {
      if (part[0] === "#") return this.getAttribute("id") === part.slice(1);
      if (part[0] === ".") return this.classes().includes(part.slice(1));
      if (part[0] !== "[") return this.tag === part;
      const [, name, value] = /^\[([\w-]+)(?:=["']?([^"']*)["']?)?\]$/.exec(part);
      return this.attributes.has(name) && (value === undefined || this.getAttribute(name) === value);
    });
  }

  classes() {
    return (this.getAttribute("class") ?? "").split(/\s+/);
  }

  ancestors() {
    return this.parent ? [this.parent, ...this.parent.ancestors()] : [];
  }

  closest(selector) {
    return [this, ...this.ancestors()].find((element) => element.matches(selector)) ?? null;
  }

  get isVisible() {
    if (this.hidden || this.getAttribute("type") === "hidden") return false;
    const { parent } = this;
    if (!parent) return true;
    if (["dialog", "details"].includes(parent.tag) && !parent.open && this.tag !== "summary") {
      return false;
    }
    return parent.isVisible;
  }

  // Forms and dialogs.

  get elements() {
    const fields = this.querySelectorAll("[name]");
    return Object.fromEntries(fields.map((field) => [field.getAttribute("name"), field]));
  }

  get isValid() {
    return this.querySelectorAll("[required]").every((field) =>
      field.getAttribute("type") === "checkbox" ? field.checked : field.value !== "");
  }

  get data() {
    const sent = (field) => field.getAttribute("type") !== "checkbox" || field.checked;
    return this.querySelectorAll("[name]").filter(sent)
      .map((field) => [field.getAttribute("name"), field.value]);
  }

  reset() {
    for (const field of this.querySelectorAll("[name]")) {
      field.value = field.getAttribute("value") ?? "";
      field.checked = field.attributes.has("checked");
    }
  }

  showModal() {
    if (this.open) throw new Error("InvalidStateError: the dialog is open already");
    this.open = true;
  }

  close() {
    this.open = false;
  }

  focus() {}
}

for (const name of ["hidden", "disabled", "open"]) {
  Object.defineProperty(Element.prototype, name, {
    get() { return this.attributes.has(name); },
    set(on) { on ? this.attributes.set(name, "") : this.attributes.delete(name); },
  });
}

// Returns the document of an HTML page.
export function parse(html) {
  const document = new Element("document");
  let current = document;
  for (let token; (token = TOKEN.exec(html));) {
    const [whole, closing, tag, attributes] = token;
    if (closing) {
      const open = [current, ...current.ancestors()].find((e) => e.tag === closing.toLowerCase());
      current = open?.parent ?? current;
    } else if (tag) {
      const pairs = [...attributes.matchAll(ATTRIBUTE)]
        .map(([, name, a, b, c]) => [name.toLowerCase(), decode(a ?? b ?? c ?? "")]);
      const element = new Element(tag.toLowerCase(), new Map(pairs));
      current.append(element);
      if (!VOID.has(element.tag)) current = element;
    } else if (!whole.startsWith("<!")) {
      current.append(decode(whole));
    }
  }
  return document;
}
