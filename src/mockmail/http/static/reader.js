// One message: what a reader sees of it, and what a developer wants to know.

import * as api from "./api.js";
import { button, dialog, h, icon, redraw, toast } from "./dom.js";
import { address, clockTime, dayAndTime, fullTime, isFlagged, isSeen, plural, size } from "./format.js";
import { timelineOf } from "./timeline.js";

const SHOWN_SOURCE_CHARACTERS = 500_000;
// A browser lays a word of ten million letters out for minutes; the source and the download have all of it.
const SHOWN_FIELD_CHARACTERS = 2000;
const cut = (text, limit) => (text.length > limit ? `${text.slice(0, limit)}…` : text);
const WIDTHS = [["phone", "Phone", "375px"], ["tablet", "Tablet", "768px"], ["desktop", "Desktop", "100%"]];
const NUMBERED = ["html", "text", "headers", "source", "structure", "links", "timeline"];
const IMAGES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "image/svg+xml"]);
const TEXTS = /^(text\/.*|message\/.*|application\/(json|xml|yaml|x-yaml|javascript|.*\+(json|xml)))$/;
const SHOWN_PREVIEW_BYTES = 100_000;

/** What an attachment is like: a picture, something to play, or text that is shown when asked for. */
function previewOf(told, one) {
  const path = api.partPath(told.ID, one.PartID);
  const [kind] = one.ContentType.split("/");
  if (IMAGES.has(one.ContentType)) {
    const picture = h("img", { src: path, alt: `Preview of ${one.FileName}`, loading: "lazy" });
    return h("a", { href: path, target: "_blank", rel: "noopener noreferrer", class: "preview" }, picture);
  }
  if (kind === "audio" || kind === "video") return h(kind, { src: path, controls: true, preload: "none", "aria-label": `Play ${one.FileName}` });
  if (!TEXTS.test(one.ContentType)) return null;
  const show = async () => {
    const blob = await api.blob(`${path}?dl=1`);
    const text = await blob.slice(0, SHOWN_PREVIEW_BYTES).text();
    dialog(one.FileName, (body) => body.append(
      blob.size > SHOWN_PREVIEW_BYTES ? h("p", { class: "aside" }, `The first ${size(SHOWN_PREVIEW_BYTES)} of ${size(blob.size)}.`) : "",
      h("pre", { class: "code", tabindex: "0" }, text)), { wide: true });
  };
  return button("Preview", { class: "small", "aria-label": `Preview of ${one.FileName}`, run: () => show().catch((error) => toast(error.message, "error")) });
}

let count = 0;
let preferred = "";

export class Reader {
  /** `act` has what can be done: reply, replyAll, forward, star, unread, move, remove, close. */
  constructor(box, act) {
    Object.assign(this, { box, act, place: null, key: null, told: null });
    this.clear();
  }

  clear() {
    this.key = this.told = null;
    this.box.classList.remove("filled");
    this.box.replaceChildren(h("p", { class: "hint" }, "Select a message to read it."));
  }

  async open(place, key) {
    this.place = place;
    this.key = key;
    const told = await api.message(place, key);
    if (this.key !== key || this.place !== place) return null;
    this.told = told;
    this.draw();
    return told;
  }

  refuse(text) {
    this.told = null;
    this.box.classList.add("filled");
    this.box.replaceChildren(
      h("div", { class: "message-tools" }, button("Back to the list", { iconName: "back", run: this.act.close })),
      h("p", { class: "hint", role: "alert" }, text),
    );
  }

  /** Flags changed elsewhere. */
  flagged(item) {
    if (!this.told) return;
    // The item of a list counts attachments where the message has them, so nothing else is taken from it.
    const { flags, Read, Tags, copies = this.told.copies } = item;
    this.told = { ...this.told, flags, Read, Tags, copies };
    this.star?.setAttribute("aria-pressed", String(isFlagged(this.told)));
    this.unread?.setAttribute("aria-pressed", String(!isSeen(this.told)));
  }

  focus() {
    this.heading?.focus({ preventScroll: true });
  }

  draw() {
    const told = this.told;
    count += 1;
    this.box.classList.add("filled");
    this.heading = h("h2", { class: "subject", tabindex: "-1" }, cut(told.Subject, SHOWN_FIELD_CHARACTERS) || "(no subject)");
    this.box.replaceChildren(
      this.tools(),
      h("div", { class: "message-head" }, this.heading, this.facts(told), this.badges(told)),
      this.attachments(told) ?? "",
      ...this.tabs(told),
    );
    this.box.scrollTop = 0;
  }

  tools() {
    const act = this.act;
    this.star = button("Star", { iconName: "star", key: "s", run: act.star, "aria-pressed": String(isFlagged(this.told)) });
    this.unread = button("Mark unread", {
      iconName: "unread", key: "Shift+U", run: act.unread, "aria-pressed": String(!isSeen(this.told)),
    });
    const download = h(
      "a",
      { class: "button icon", href: api.rawPath(this.told.ID), download: true, "aria-label": "Download as .eml", title: "Download as .eml" },
      icon("download"),
    );
    return h(
      "div",
      { class: "message-tools", role: "toolbar", "aria-label": "Actions on this message" },
      button("Back to the list", { iconName: "back", key: "u", run: act.close, class: "icon back" }),
      button("Reply", { iconName: "reply", key: "r", run: act.reply }),
      button("Reply all", { iconName: "replyAll", key: "a", run: act.replyAll }),
      button("Forward", { iconName: "forward", key: "f", run: act.forward }),
      h("span", { class: "gap" }),
      this.star,
      this.unread,
      button("Move", { iconName: "move", key: "m", run: act.move }),
      download,
      button("Delete", { iconName: "trash", key: "#", run: act.remove }),
    );
  }

  facts(told) {
    const line = (name, people, more) =>
      people.length ? [h("dt", {}, name), h("dd", {}, people.map(address).join(", "), more)] : [];
    const sender = told.envelope.sender;
    const differs = sender && sender.toLowerCase() !== told.From?.Address?.toLowerCase();
    return h(
      "dl",
      { class: "facts" },
      line("From", told.From ? [told.From] : [], differs ? h("span", { class: "aside" }, ` sent as ${sender}`) : null),
      line("To", told.To),
      line("Cc", told.Cc),
      line("Bcc", told.Bcc, h("span", { class: "aside" }, " named by no header")),
      line("Reply to", told.ReplyTo),
      h("dt", {}, "Date"),
      h("dd", {}, h("time", { datetime: told.Created, title: `received ${fullTime(told.Created)}` }, fullTime(told.Date))),
    );
  }

  badges(told) {
    const badges = [];
    if (told.seeded) badges.push(["seeded by a test", "note"]);
    if (told.Username) badges.push([`sent by ${told.Username}, logged in`, "note"]);
    for (const tag of told.Tags) badges.push([tag, "tag"]);
    for (const copy of told.copies ?? [told]) badges.push([`${copy.account} · ${copy.folder}`, "where"]);
    return h("ul", { class: "badges", "aria-label": "Tags and places" }, badges.slice(0, 30).map(([text, kind]) => h("li", { class: kind }, text)));
  }

  attachments(told) {
    const all = [...told.Attachments, ...told.Inline];
    if (!all.length) return null;
    const cards = all.slice(0, 200).map((one) => {
      const path = api.partPath(told.ID, one.PartID);
      return h(
        "li",
        {},
        previewOf(told, one),
        h(
          "a",
          { href: `${path}?dl=1`, download: one.FileName, class: "file" },
          h("bdi", { class: "file-name" }, one.FileName),
          h("span", { class: "aside" }, `${one.ContentType}, ${size(one.Size)}`),
        ),
      );
    });
    return h(
      "section",
      { class: "attachments", "aria-label": "Attachments" },
      h("h3", {}, icon("clip"), plural(all.length, "attachment")),
      h("ul", {}, cards),
    );
  }

  tabs(told) {
    const kinds = [
      ["html", "HTML", () => this.html(told), Boolean(told.HTML)],
      ["text", "Text", () => this.text(told), true],
      ["headers", "Headers", () => this.headers(told), true],
      ["source", "Source", () => this.source(told), true],
      ["structure", "Structure", () => h("ul", { class: "tree" }, this.branch(told, told.tree)), true],
      ["links", told.links.length ? `Links ${told.links.length}` : "Links", () => this.links(told), true],
      ["timeline", "Timeline", () => this.timeline(told), true],
    ].filter(([, , , there]) => there);
    const panel = h("div", { class: "tab-panel", role: "tabpanel", id: `panel-${count}`, tabindex: "0" });
    const names = new Map();
    const choose = (name, { focus = false } = {}) => {
      for (const [other, tab] of names) {
        tab.setAttribute("aria-selected", String(other === name));
        tab.tabIndex = other === name ? 0 : -1;
      }
      panel.setAttribute("aria-labelledby", names.get(name).id);
      panel.dataset.kind = name;
      panel.replaceChildren(kinds.find(([kind]) => kind === name)[2]());
      if (focus) names.get(name).focus();
      this.tab = name;
    };
    for (const [name, label] of kinds) {
      names.set(name, h("button", {
        type: "button", role: "tab", id: `tab-${name}-${count}`, "aria-controls": panel.id,
        on: { click: () => choose((preferred = name)) },
      }, label));
    }
    const order = kinds.map(([name]) => name);
    const bar = h("div", { class: "tabs", role: "tablist", "aria-label": "Ways to look at the message", on: {
      keydown: (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        event.stopPropagation();
        const next = order[(order.indexOf(this.tab) + step + order.length) % order.length];
        choose((preferred = next), { focus: true });
      },
    } }, [...names.values()]);
    this.chooseNumber = (number) => order.includes(NUMBERED[number]) && choose((preferred = NUMBERED[number]), { focus: true });
    choose(order.includes(preferred) ? preferred : order[0]);
    return [bar, panel];
  }

  html(told) {
    let remote = false;
    const frame = h("iframe", {
      title: "The message's HTML", sandbox: "allow-popups allow-popups-to-escape-sandbox", referrerpolicy: "no-referrer",
      src: api.viewPath(told.ID, false),
    });
    const stage = h("div", { class: "stage" }, frame);
    const widths = h("div", { class: "choice", role: "group", "aria-label": "Width" });
    const choose = (name) => {
      frame.style.setProperty("--width", WIDTHS.find(([kind]) => kind === name)[2]);
      for (const one of widths.children) one.setAttribute("aria-pressed", String(one.dataset.width === name));
    };
    for (const [name, label] of WIDTHS) {
      const one = h("button", { type: "button", on: { click: () => choose(name) } }, label);
      one.dataset.width = name;
      widths.append(one);
    }
    choose("desktop");
    const load = h("button", { type: "button", "aria-pressed": "false", title: "Pictures and styles from other servers are not fetched unless you ask", on: {
      click: () => {
        remote = !remote;
        load.setAttribute("aria-pressed", String(remote));
        frame.src = api.viewPath(told.ID, remote);
      },
    } }, "Remote content");
    const alone = h("a", { class: "button", href: api.viewPath(told.ID, false), target: "_blank", rel: "noopener noreferrer" }, "Open alone");
    return h("div", { class: "html-view" }, h("div", { class: "html-tools" }, widths, h("span", { class: "gap" }), load, alone), stage);
  }

  text(told) {
    const text = told.Text.replaceAll("\r\n", "\n");
    return text ? h("pre", { class: "wrapped" }, cut(text, SHOWN_SOURCE_CHARACTERS)) : h("p", { class: "hint" }, "This message has no text part.");
  }

  later(work, fill) {
    const box = h("div", {}, h("p", { class: "hint" }, "Loading…"));
    work.then((value) => box.replaceChildren(fill(value)), (error) => box.replaceChildren(h("p", { class: "hint", role: "alert" }, error.message)));
    return box;
  }

  headers(told) {
    return this.later(api.headers(told.ID), (fields) =>
      h("table", { class: "fields" }, h("tbody", {}, Object.entries(fields).flatMap(([name, values]) =>
        values.map((value) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, cut(value, 5 * SHOWN_FIELD_CHARACTERS))))))));
  }

  source(told) {
    return this.later(api.source(told.ID), (raw) => h("div", {},
      raw.length > SHOWN_SOURCE_CHARACTERS
        ? h("p", { class: "hint" }, `The first ${SHOWN_SOURCE_CHARACTERS.toLocaleString()} characters of ${size(told.Size)}; download it for the rest.`)
        : null,
      h("pre", { class: "code" }, raw.slice(0, SHOWN_SOURCE_CHARACTERS))));
  }

  branch(told, node) {
    const facts = [node.encoding, node.charset, node.disposition, size(node.size)].filter(Boolean).join(", ");
    const name = h("span", { class: "tree-type" }, node.type);
    return h("li", {},
      h("span", { class: "tree-path" }, node.path || "·"),
      node.path && !node.parts.length ? h("a", { href: `${api.partPath(told.ID, node.path)}?dl=1`, download: true }, name) : name,
      node.filename ? h("bdi", {}, node.filename) : null,
      h("span", { class: "aside" }, facts),
      node.parts.length ? h("ul", {}, node.parts.map((one) => this.branch(told, one))) : null,
      node.cut ? h("p", { class: "hint" }, "More parts are not shown.") : null);
  }

  links(told) {
    if (!told.links.length) return h("p", { class: "hint" }, "No links.");
    return h("ol", { class: "links" }, told.links.map((link) =>
      h("li", {}, h("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, link))));
  }

  timeline(told) {
    const box = this.later(api.timeline(told.ID), (found) => this.history(found));
    /** Tell what has happened since, if it is still looked at. */
    this.renew = async () => {
      if (!box.isConnected) return;
      const found = await api.timeline(told.ID);
      redraw(box, this.history(found));
    };
    return box;
  }

  history(found) {
    return h("div", {},
      found.report ? h("section", { "aria-label": "Delivery report" }, h("h3", {}, "This message is a delivery report"),
        h("ul", { class: "report" }, found.report.recipients.map((one) => h("li", { class: one.action },
          h("strong", {}, `${one.action} `), `${one.recipient} (${one.status})`, h("span", { class: "aside" }, one.diagnostic))))) : null,
      found.delivery.length ? h("section", { class: "delivery", "aria-label": "Delivery status" }, h("h3", {}, "Delivery"),
        h("ul", {}, found.delivery.map((one) => h("li", { class: one.state },
          h("strong", {}, one.state), h("span", {}, h("bdi", {}, one.recipient), one.address && one.address !== one.recipient ? [" as ", h("bdi", {}, one.address)] : null),
          h("span", { class: "aside" }, one.detail))))) : null,
      found.delivery.length ? h("h3", {}, "Timeline") : null,
      found.cut ? h("p", { class: "hint" }, "Earlier events are not shown.") : null,
      h("ol", { class: "timeline" }, found.events.map((event) => {
        const { text, kind } = timelineOf(event);
        return h("li", { class: kind },
          h("time", { datetime: event.at, title: dayAndTime(event.at) }, clockTime(event.at)),
          h("span", {}, text),
          // HTTP has sessions, and no transcripts of them.
          event.session && !event.session.startsWith("http") ? h("a", { href: `#/sessions/${encodeURIComponent(event.session)}` }, event.session) : null);
      })),
      found.events.length ? null : h("p", { class: "hint" }, "Nothing is known of it any more."));
  }
}
