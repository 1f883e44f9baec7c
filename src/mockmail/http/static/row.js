// A message as a row of the list.

import { h, icon } from "./dom.js";
import { fullTime, isFlagged, isSeen, person, plural, shortTime } from "./format.js";

export function renderRow(item, row) {
  const seen = isSeen(item);
  row.classList.toggle("unread", !seen);
  const to = [...item.To, ...item.Cc, ...item.Bcc];
  const marks = h("span", { class: "marks" },
    isFlagged(item) ? h("span", { class: "flagged" }, icon("star"), h("span", { class: "visually-hidden" }, "starred ")) : null,
    item.Attachments ? h("span", {}, icon("clip"), h("span", { class: "visually-hidden" }, plural(item.Attachments, "attachment"))) : null,
    item.Tags.slice(0, 3).map((tag) => h("span", { class: "tag" }, tag)));
  row.replaceChildren(
    h("span", { class: "pick", "aria-hidden": "true" }),
    h("span", { class: "from" }, h("bdi", {}, person(item.From)), h("span", { class: "to" }, " to ", h("bdi", {}, to.length ? person(to[0]) : "nobody"), to.length > 1 ? ` and ${to.length - 1} more` : "")),
    h("time", { class: "when", datetime: item.Created, title: fullTime(item.Created) }, shortTime(item.Created)),
    h("span", { class: "title" }, seen ? null : h("span", { class: "visually-hidden" }, "unread "), h("bdi", {}, item.Subject || "(no subject)")),
    marks,
    h("span", { class: "snippet" }, item.Snippet));
}
