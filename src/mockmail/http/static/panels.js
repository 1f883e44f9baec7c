// The relay queue and the sessions.

import * as api from "./api.js";
import { h, redraw, toast } from "./dom.js";
import { clockTime, dayAndTime } from "./format.js";

const failed = (error) => toast(error.message, "error");

export async function queuePanel(box, again) {
  const [waiting, clock] = await Promise.all([api.queue(), api.clock()]);
  const run = (work) => () => work().then(again, failed);
  const rows = waiting.map((one) => h("tr", {},
    h("td", {}, h("a", { href: `#/all/${encodeURIComponent(one.message.id)}` }, one.subject || "(no subject)"), h("div", { class: "aside" }, `from ${one.sender || "the null sender"}`)),
    h("td", {}, one.addresses.join(", "), h("div", { class: "aside" }, `by ${one.domain}`)),
    h("td", { class: "number" }, String(one.attempts)),
    h("td", {}, one.next_attempt ? dayAndTime(one.next_attempt) : "now"),
    h("td", { class: "reply" }, one.last_reply || "not tried yet"),
    h("td", {}, h("button", { type: "button", "aria-label": `Try now: ${one.subject || "the message"} for ${one.domain}`,
      on: { click: run(() => api.tryNow({ id: one.message.id, domain: one.domain })) } }, "Try now"))));
  redraw(box,
    h("div", { class: "panel-head" }, h("h2", { tabindex: "-1" }, "Relay queue"),
      h("button", { type: "button", disabled: !waiting.length, on: { click: run(() => api.tryNow({})) } }, "Try all now")),
    h("div", { class: "clock" },
      h("span", {}, "The server's clock: ", h("time", { datetime: clock.now }, dayAndTime(clock.now)), clock.frozen ? " (stands still)" : ""),
      h("button", { type: "button", on: { click: run(() => api.moveClock({ advance_seconds: 1800 })) } }, "Half an hour on"),
      h("button", { type: "button", disabled: !clock.next_due, on: { click: run(() => api.moveClock({ to_next: true })) } }, "To what is due next")),
    waiting.length
      ? h("div", { class: "table", role: "region", "aria-label": "Waiting messages", tabindex: "0" }, h("table", {},
          h("thead", {}, h("tr", {}, ["Message", "To", "Attempts", "Next attempt", "Last reply", "Action"].map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", {}, rows)))
      : h("p", { class: "hint" }, "Nothing waits to be relayed."));
}

const WORST = 4000;

function lines(session) {
  const cut = session.lines.length > WORST;
  const shown = session.lines.slice(-WORST);
  return h("div", {},
    cut ? h("p", { class: "hint" }, `${(session.lines.length - WORST).toLocaleString()} earlier lines are not shown.`) : null,
    h("pre", { class: "code transcript" }, shown.map((line) =>
      h("span", { class: line.startsWith("C:") ? "client" : line.startsWith("S:") ? "server" : "note" }, `${line}\n`))));
}

export async function sessionsPanel(box, wanted) {
  const all = (await api.sessions()).toReversed();
  const open = all.find((one) => one.session === wanted) ?? null;
  const list = all.slice(0, 500).map((one) => h("li", {},
    h("a", { href: `#/sessions/${encodeURIComponent(one.session)}`, "aria-current": one === open ? "true" : null },
      h("strong", {}, one.session), h("span", {}, one.account || "not logged in"),
      h("span", { class: "aside" }, `${one.times.length ? clockTime(one.times[0] * 1000) : ""} · ${one.lines.length} lines`))));
  const scrolled = [".session-list", `.session[data-of="${CSS.escape(wanted ?? "")}"]`].map((name) => [name, box.querySelector(name)?.scrollTop ?? 0]);
  redraw(box,
    h("div", { class: "panel-head" }, h("h2", { tabindex: "-1" }, "Sessions")),
    all.length
      ? h("div", { class: "sessions" },
          h("ul", { class: "session-list", "aria-label": "Sessions, the latest first" }, list),
          h("div", { class: "session", "data-of": wanted, role: "region", "aria-label": "Transcript", tabindex: "0" }, open ? lines(open) : h("p", { class: "hint" }, wanted ? `Of ${wanted} nothing is known any more.` : "Select a session to see what was said.")))
      : h("p", { class: "hint" }, "No client has connected yet."));
  for (const [name, top] of scrolled) box.querySelector(name)?.scrollTo(0, top);
}
