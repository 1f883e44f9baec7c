// Elements, made of text alone: nothing that came by mail is ever read as HTML.

export const $ = (id) => document.getElementById(id);

/** An element: attributes, `on` for listeners, `style` for custom properties; children are nodes or text. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const PATHS = {
  star: "M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9-4.3-4.1 5.9-.8z",
  clip: "M8 12l6-6a3 3 0 0 1 4.500 4.500l-8 8a5 5 0 0 1-7-7l7-7",
  back: "M15 5l-7 7 7 7",
  reply: "M9 6l-6 6 6 6M4 12h9a7 7 0 0 1 7 7",
  replyAll: "M7 6l-5 6 5 6M13 6l-5 6 5 6M9 12h5a7 7 0 0 1 7 7",
  forward: "M15 6l6 6-6 6M20 12h-9a7 7 0 0 0-7 7",
  unread: "M4 6h16v12H4zM4 7l8 6 8-6",
  move: "M3 7h6l2 2h10v10H3zM12 12v5M9.500 14.500L12 17l2.500-2.500",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  close: "M6 6l12 12M18 6L6 18",
  inbox: "M4 13l3-8h10l3 8v6H4zM4 13h5l1.500 3h3l1.500-3h5",
  folder: "M3 6h6l2 2h10v11H3z",
  all: "M4 6h16M4 12h16M4 18h16",
  queue: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4l3 2",
  sessions: "M4 5h16v14H4zM7 9l3 3-3 3M12 15h5",
  add: "M12 5v14M5 12h14",
};

/** An icon that says nothing to a screen reader: its button has a name. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

export function button(label, { iconName, key, run, ...attributes }) {
  const title = key ? `${label} (${key})` : label;
  const base = iconName ? { class: "icon", "aria-label": label, title } : { title: key ? title : null };
  return h("button", { type: "button", ...base, ...attributes, on: { click: run } }, iconName ? icon(iconName) : label);
}

/** Say something to those who listen, and nothing to those who look. */
export function say(text) {
  $("live").textContent = text;
}

export function toast(text, kind = "note") {
  const note = h("div", { class: `toast ${kind}`, role: kind === "error" ? "alert" : "status" }, text);
  $("toasts").append(note);
  setTimeout(() => note.remove(), kind === "error" ? 9000 : 4000);
}

const nameOf = (element) => element.getAttribute("aria-label") ?? element.getAttribute("href") ?? element.textContent;

/** Put other children into a box; what has the focus keeps it, or what stands in its place gets it. */
export function redraw(box, ...children) {
  const controls = () => [...box.querySelectorAll("a, button:not(:disabled), [tabindex]")];
  const held = box.contains(document.activeElement) ? document.activeElement : null;
  const [at, name] = held ? [controls().indexOf(held), nameOf(held)] : [-1, null];
  box.replaceChildren(...children);
  if (!held) return;
  const now = controls();
  (now.find((one) => nameOf(one) === name) ?? now[Math.min(Math.max(at, 0), now.length - 1)])?.focus({ preventScroll: true });
}

/** A modal dialog that removes itself; `fill` gets its body and a function that closes it. `keeps()` says whether
 * there is something in it that would be lost. */
export function dialog(title, fill, { wide = false, keeps = () => false } = {}) {
  const body = h("div", { class: "dialog-body" });
  const heading = h("h2", { id: `dialog-${Date.now()}` }, title);
  const close = () => (keeps() ? ask("Discard it?", "What you wrote will be lost.", "Discard", () => box.close()) : box.close());
  const box = h(
    "dialog",
    { class: wide ? "wide" : null, "aria-labelledby": heading.id, on: {
      close: () => box.remove(),
      cancel: (event) => {
        if (event.target !== box) return;
        event.preventDefault();
        close();
      },
    } },
    h("div", { class: "dialog-head" }, heading, button("Close", { iconName: "close", run: close })),
    body,
  );
  fill(body, close, box);
  document.body.append(box);
  box.showModal();
  return box;
}

export function ask(title, text, verb, run) {
  dialog(title, (body, close) => {
    const yes = h("button", { type: "button", class: "danger", on: { click: () => (close(), run()) } }, verb);
    const no = h("button", { type: "button", on: { click: close } }, "Cancel");
    body.append(h("p", {}, text), h("div", { class: "dialog-actions" }, no, yes));
    queueMicrotask(() => yes.focus());
  });
}
