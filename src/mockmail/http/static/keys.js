// The keyboard. Single keys can be switched off, for those whose speech or assistive device sends them by mistake.

import { dialog, h } from "./dom.js";

const KEYS = [
  ["j or ↓", "next message"], ["k or ↑", "previous message"], ["Enter or o", "open"], ["u or Esc", "back to the list"],
  ["x", "select"], ["/", "search"], ["c", "compose"], ["r", "reply"], ["a", "reply to all"], ["f", "forward"], ["s", "star"],
  ["Shift+U", "mark unread or read"], ["m", "move"], ["# or Delete", "delete"], ["1 to 7", "HTML, text, headers, source, structure, links, timeline"],
  ["p", "pause arrival"], ["g then a, q, s", "all mail, queue, sessions"], ["?", "this list"],
];

let single = true;

export function showKeys(store) {
  dialog("Keyboard shortcuts", (body) => {
    const box = h("input", { type: "checkbox", id: "single-keys" });
    box.checked = single;
    box.addEventListener("change", () => {
      single = box.checked;
      store("mockmail-keys", single ? "on" : "off");
    });
    body.append(
      h("dl", { class: "keys" }, KEYS.flatMap(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])),
      h("p", {}, box, h("label", { for: "single-keys" }, " Keys without Ctrl do something (arrows, Enter, Esc and Delete always do)")));
  });
}

const writes = (target) => target.matches?.("input, textarea, select, [contenteditable]");

export function bindKeys(act) {
  single = act.stored("mockmail-keys") !== "off";
  let prefix = 0;
  const letters = {
    j: () => act.step(1), k: () => act.step(-1), o: act.open, u: act.back, x: act.toggle, "/": act.search, c: act.compose,
    r: act.reply, a: act.replyAll, f: act.forward, s: act.star, U: act.unread, m: act.move, "#": act.remove, p: act.pause,
    "?": act.help,
  };
  const inList = {
    ArrowDown: () => act.step(1), ArrowUp: () => act.step(-1), Enter: act.open, Home: () => act.edge(false), End: () => act.edge(true),
    PageDown: () => act.page(1), PageUp: () => act.page(-1), " ": act.toggle, Delete: act.remove,
  };
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const target = event.target;
    if (writes(target)) {
      if (event.key === "Escape" && target.id === "query") document.getElementById("listbox").focus();
      return;
    }
    const onList = target.id === "listbox" || target === document.body;
    let run = onList ? inList[event.key] : undefined;
    if (event.key === "Escape") run = act.back;
    if (event.key === "Delete" && target.closest("#reader")) run = act.remove;
    if (!run && single) {
      if (prefix && performance.now() - prefix < 1500 && "aqs".includes(event.key)) run = () => act.go({ a: "all", q: "queue", s: "sessions" }[event.key]);
      else if (event.key === "g") run = null;
      else if (/^[1-7]$/.test(event.key)) run = () => act.tab(Number(event.key) - 1);
      else run = letters[event.key];
      prefix = event.key === "g" ? performance.now() : 0;
    }
    if (!run) return;
    event.preventDefault();
    run();
  });
}
