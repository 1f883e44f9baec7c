// The page: what is looked at, what arrives, and what is done about it.

import { addressOf, isList, readAddress, samePlace } from "./address.js";
import * as api from "./api.js";
import { drawNotify, notifying, store, stored, toggleNotify, toggleTheme } from "./choices.js";
import { $, ask, button, h, redraw, say, toast } from "./dom.js";
import { drawUnread } from "./favicon.js";
import { isFlagged, isSeen, person, plural } from "./format.js";
import { bindKeys, showKeys } from "./keys.js";
import { VirtualList } from "./list.js";
import { Reader } from "./reader.js";
import { renderRow } from "./row.js";
import { Sidebar, sortedAccounts } from "./sidebar.js";

const REFRESH_MILLISECONDS = 150;
const SLOWEST_MILLISECONDS = 2000;
const SEARCH_MILLISECONDS = 250;
const READ_MILLISECONDS = 180;

const state = { accounts: [], place: { kind: "all" }, query: "", key: null, paused: false, missed: 0, queued: 0, unread: 0, endpoints: {} };
const failed = (error) => toast(error.message, "error");

const go = (place, key = null, query = state.query) => {
  location.hash = addressOf(place, key, query);
};
const keyOf = (item) => (item.copies ? item.ID : String(item.uid));

// The list

const list = new VirtualList($("listbox"), {
  load: (start, limit) => api.list(state.place, state.query, start, limit),
  render: renderRow,
  keyOf,
  onOpen: (item) => go(state.place, keyOf(item)),
  onChange: (told) => {
    if (told) listed();
    drawTools();
    const open = reader.key === null ? null : [...list.pages.values()].flat().find((item) => keyOf(item) === reader.key);
    if (open) reader.flagged(open);
  },
  onError: (error) => {
    // While the server cannot be reached the banner says so, and what is known stays.
    if (!(error instanceof api.Refused) && list.total !== null) return;
    list.total = 0;
    list.pages.clear();
    list.draw();
    $("count").textContent = "";
    drawTools();
    empty("This cannot be shown", [h("p", { role: "alert" }, error.message)]);
  },
});

function listed() {
  const total = list.total;
  const place = state.place;
  const folder = place.kind === "folder" ? state.accounts.find((one) => one.address === place.account)?.folders.find((one) => one.name === place.folder) : null;
  $("count").textContent = state.query ? `${plural(total, "message")} found` : `${plural(total, "message")}${folder?.unseen ? `, ${folder.unseen} unread` : ""}`;
  if (total) {
    $("empty").hidden = true;
    $("listbox").hidden = false;
  } else if (state.query) empty("Nothing found", [h("p", {}, `No message here fits ${state.query}.`), h("p", { class: "aside" }, "A query has words of the message, and from: to: subject: tag: is:unread has:attachment before: after: larger:")]);
  else if (place.kind === "folder") empty("No messages", [h("p", {}, `${place.folder} of ${place.account} is empty.`)]);
  else empty("No mail yet", [
    h("p", {}, "Have your application send its mail here, or read it from here:"),
    h("dl", { class: "endpoints" }, Object.entries(state.endpoints).flatMap(([name, one]) => [h("dt", {}, name.toUpperCase()), h("dd", {}, h("code", {}, `${one.host}:${one.port}`))])),
    h("p", { class: "aside" }, "It appears here at once.")]);
}

function empty(title, children) {
  $("empty").replaceChildren(h("h3", {}, title), ...children);
  $("empty").hidden = false;
  $("listbox").hidden = true;
}

function drawTools() {
  const count = list.selected.size;
  const tools = $("tools");
  const items = list.chosen();
  const wanted = count ? "selected" : !list.total ? "nothing" : state.query ? "found" : "all";
  if (tools.dataset.for === wanted && !count) return;
  tools.dataset.for = wanted;
  if (!count) {
    tools.replaceChildren(...(wanted === "nothing" ? [] : [
      button("Mark all as read", { run: readAll, class: "quiet small" }),
      button(state.query ? "Delete these" : "Delete all", { run: removeAllHere, class: "quiet small" })]));
    return;
  }
  redraw(tools,
    h("span", { class: "picked-count", role: "status" }, `${count} selected`),
    button(items.every(isSeen) ? "Mark unread" : "Mark read", { iconName: "unread", run: () => setSeen(items, !items.every(isSeen)) }),
    button("Star", { iconName: "star", run: () => setFlagged(items, !items.every(isFlagged)) }),
    button("Move", { iconName: "move", run: () => chooseFolder(items) }),
    button("Delete", { iconName: "trash", run: () => removeThese(items) }),
    button("Cancel the selection", { iconName: "close", run: () => list.unpick() }));
}

// What is done

const changed = async (work) => {
  try {
    await work();
    await refresh();
    return true;
  } catch (error) {
    failed(error);
    return false;
  }
};
const setSeen = (items, seen) => changed(() => api.change(items, { [seen ? "add" : "remove"]: ["\\Seen"] }));
const setFlagged = (items, on) => changed(() => api.change(items, { [on ? "add" : "remove"]: ["\\Flagged"] }));

const acted = () => (list.selected.size || !reader.told ? list.chosen() : [reader.told]);

async function removeThese(items) {
  if (!items.length) return;
  const remove = async () => {
    const open = reader.told !== null && items.some((item) => keyOf(item) === reader.key);
    if (!(await changed(async () => {
      await api.remove(items);
      list.selected.clear();
    }))) return;
    say(`${plural(items.length, "message")} deleted`);
    toast(items.length === 1 ? "Deleted" : `${items.length} deleted`);
    if (open) openNeighbour();
  };
  if (items.length === 1) await remove();
  else ask("Delete messages", `${plural(items.length, "message")} will be gone for good.`, "Delete", remove);
}

/** After the open message has gone: the one that took its place, or the list. */
function openNeighbour() {
  const wide = matchMedia("(min-width: 900px)").matches;
  const item = wide ? list.activeItem : null;
  go(state.place, item ? keyOf(item) : null);
  if (!item) $("listbox").focus();
}

const chooseFolder = (items) =>
  items.length && import("./move.js").then((moving) => moving.askFolder(items, state.accounts, (name) => moveTo(items, name))).catch(failed);

async function moveTo(items, name) {
  const open = reader.told !== null && items.some((item) => keyOf(item) === reader.key);
  const done = await changed(async () => {
    await api.move(items, name, state.accounts);
    list.selected.clear();
  });
  if (!done) return;
  toast(`Moved to ${name}`);
  if (open && state.place.kind === "folder") openNeighbour();
}

const everythingFound = async () => (await api.list(state.place, state.query, 0, list.total ?? 0)).list;

function readAll() {
  const place = state.place;
  changed(async () => {
    if (state.query) await api.change((await everythingFound()).filter((item) => !isSeen(item)), { add: ["\\Seen"] });
    else if (place.kind === "folder") await api.change([{ account: place.account, folder: place.folder, uid: null }], { uids: "all", add: ["\\Seen"] });
    else for (const one of state.accounts) for (const folder of one.folders) if (folder.unseen) await api.change([{ account: one.address, folder: folder.name, uid: null }], { uids: "all", add: ["\\Seen"] });
  });
}

function removeAllHere() {
  const place = state.place;
  if (state.query) {
    ask("Delete what was found", `${plural(list.total ?? 0, "message")} that fit ${state.query} will be gone for good.`, "Delete", () => changed(async () => {
      await api.remove(await everythingFound());
      go(place);
    }));
    return;
  }
  const what = place.kind === "folder" ? `All messages in ${place.folder} of ${place.account}` : "All messages of all accounts";
  ask("Delete all", `${what} will be gone for good.`, "Delete all", () => changed(async () => {
    if (place.kind === "folder") await api.removeAll(place.account, place.folder);
    else for (const one of state.accounts) for (const folder of one.folders) if (folder.messages) await api.removeAll(one.address, folder.name);
    go(place);
  }));
}

// Writing, the queue and the sessions are fetched when they are first wanted.
const write = (draftOf) => import("./compose.js").then(async (writing) => writing.compose(state.accounts, await draftOf(writing))).catch(failed);
const answer = (all) => reader.told && write((writing) => writing.answerTo(reader.told, state.place, { all }));

const actions = (these) => ({
  star: () => setFlagged(these(), !these().every(isFlagged)),
  unread: () => setSeen(these(), !these().every(isSeen)),
  move: () => chooseFolder(these()),
  remove: () => removeThese(these()),
});

const reader = new Reader($("reader"), {
  close: () => {
    go(state.place);
    $("listbox").focus();
  },
  reply: () => answer(false),
  replyAll: () => answer(true),
  forward: () => reader.told && write((writing) => writing.forwardOf(reader.told, state.place)),
  // The buttons of a message are for it, whatever is selected in the list; keys are for what is selected.
  ...actions(() => (reader.told ? [reader.told] : [])),
});

const sidebar = new Sidebar($("sidebar"), {
  addressOf,
  createFolder: (account, name) => changed(() => api.createFolder(account, name)),
  chosen: () => showSidebar(false),
});

function showSidebar(on) {
  document.body.classList.toggle("sidebar-open", on);
  $("menu").setAttribute("aria-expanded", String(on));
  if (on) $("sidebar").querySelector("a")?.focus();
}

// What is shown

async function show() {
  const { place, key, query } = readAddress();
  const moved = !samePlace(place, state.place) || query !== state.query || list.total === null;
  Object.assign(state, { place, query, key });
  if (document.activeElement !== $("query")) $("query").value = query;
  const lists = isList(place);
  $("listing").hidden = $("reader").hidden = !lists;
  $("panel").hidden = lists;
  $("panes").dataset.pane = lists ? (key === null ? "list" : "reader") : "panel";
  sidebar.draw(state);
  if (!lists) {
    reader.clear();
    await showPanel({ focus: true });
    return;
  }
  $("place").textContent = place.kind === "all" ? "All mail" : `${place.folder}`;
  if (moved) {
    list.clear();
    reader.clear();
    await list.start();
  }
  if (key === null) {
    reader.clear();
    list.markActive(list.activeKey);
  } else if (reader.key !== key) await openMessage(place, key);
}

/** Whether the focus goes with the message that is being opened, as by Enter. */
let toReader = false;

async function openMessage(place, key) {
  list.markActive(key);
  try {
    const told = await reader.open(place, key);
    if (told === null) return;
    say(`Opened ${told.Subject.slice(0, 200) || "a message without a subject"}`);
    if (toReader || !document.activeElement || document.activeElement === document.body || $("panes").clientWidth < 900) reader.focus();
    toReader = false;
    later();
  } catch (error) {
    reader.refuse(error.message);
  }
}

async function showPanel({ focus = false } = {}) {
  try {
    const panels = await import("./panels.js");
    if (state.place.kind === "queue") await panels.queuePanel($("panel"), () => showPanel());
    else if (state.place.kind === "sessions") await panels.sessionsPanel($("panel"), state.key);
    if (focus && document.activeElement === document.body) $("panel").querySelector("h2")?.focus();
  } catch (error) {
    $("panel").replaceChildren(h("p", { class: "hint", role: "alert" }, error.message));
  }
}

// What arrives

async function refresh() {
  const [accounts, waiting, unread] = await Promise.all([api.accounts(), api.queue(), api.unread()]);
  Object.assign(state, { accounts: sortedAccounts(accounts), queued: waiting.length, unread });
  sidebar.draw(state);
  drawUnread(unread);
  if (isList(state.place)) await Promise.all([list.refresh(), reader.renew?.()]);
  else if (state.place.kind === "queue") await showPanel();
}

let waiting = 0;
let running = false;
let again = false;
let took = 0;

/** Refresh soon, once for all that comes meanwhile, and the later the more it asks of a busy server. */
function later() {
  if (state.paused || waiting) return;
  waiting = setTimeout(async () => {
    waiting = 0;
    if (state.paused) return;
    if (running) {
      again = true;
      return;
    }
    running = true;
    const began = performance.now();
    try {
      await refresh();
    } catch {
      // The stream tells whether the server is lost, and has this done again when it is back.
    } finally {
      running = false;
      took = performance.now() - began;
      if (again) {
        again = false;
        later();
      }
    }
  }, Math.max(REFRESH_MILLISECONDS, Math.min(3 * took, SLOWEST_MILLISECONDS)));
}

function arrived(kind, event) {
  if (kind === "Delivered") {
    if (state.paused) state.missed += 1;
    announce(event);
  }
  if (kind === "SessionClosed" || kind === "LoggedIn") {
    if (state.place.kind === "sessions" && !state.paused) showPanel();
    return;
  }
  if (state.paused) drawPause();
  else later();
}

let fresh = [];

/** Tell once of all that comes within a moment: a test suite may send thousands. */
function announce(event) {
  if (fresh.push(event) === 1) setTimeout(() => tellOf(fresh.splice(0)).catch(failed), REFRESH_MILLISECONDS);
}

async function tellOf(events) {
  const [event] = events;
  const accounts = event.accounts.join(", ");
  say(events.length === 1 ? `New message for ${accounts}` : plural(events.length, "new message"));
  if (!document.hidden || !notifying()) return;
  let [title, body] = [plural(events.length, "new message"), ""];
  if (events.length === 1) {
    const item = (await api.list({ kind: "all" }, "", 0, 20)).list.find((one) => one.ID === event.message.id);
    [title, body] = [item?.Subject || "New message", `from ${person(item?.From)} to ${accounts}`];
  }
  const note = new Notification(title, { body, tag: event.message.id });
  note.addEventListener("click", () => {
    focus();
    go({ kind: "all" }, events.length === 1 ? event.message.id : null, "");
  });
}

// The bar

function drawPause() {
  $("pause").setAttribute("aria-pressed", String(state.paused));
  $("pause-text").textContent = state.paused ? `Resume${state.missed ? ` (${state.missed} new)` : ""}` : "Pause";
}

function togglePause() {
  state.paused = !state.paused;
  state.missed = 0;
  drawPause();
  say(state.paused ? "Arrival is paused" : "Arrival goes on");
  if (!state.paused) later();
}

let typing = 0;
const search = () => go(isList(state.place) ? state.place : { kind: "all" }, null, $("query").value.trim());

function bind() {
  addEventListener("hashchange", () => show().catch(failed));
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    search();
    $("listbox").focus();
  });
  $("query").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, SEARCH_MILLISECONDS);
  });
  $("pause").addEventListener("click", togglePause);
  $("notify").addEventListener("click", toggleNotify);
  $("theme").addEventListener("click", toggleTheme);
  $("help").addEventListener("click", () => showKeys(store));
  $("compose").addEventListener("click", () => write(() => ({ from: state.place.account })));
  $("menu").addEventListener("click", () => showSidebar(!document.body.classList.contains("sidebar-open")));
  $("main").addEventListener("click", () => showSidebar(false));
  $("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("listbox").focus();
  });
  let soon = 0;
  const step = (by) => {
    if (!isList(state.place)) return;
    list.moveTo(list.active < 0 ? 0 : list.active + by);
    if (reader.key === null) return;
    clearTimeout(soon);
    soon = setTimeout(() => list.activeItem && go(state.place, keyOf(list.activeItem)), READ_MILLISECONDS);
  };
  bindKeys({
    stored,
    step,
    edge: (last) => list.moveTo(last ? (list.total ?? 1) - 1 : 0),
    page: (by) => list.moveTo(Math.max(list.active, 0) + by * Math.max(1, Math.floor($("listbox").clientHeight / list.rowHeight) - 1)),
    open: () => {
      if (!list.activeItem) return;
      toReader = reader.key !== keyOf(list.activeItem);
      if (toReader) go(state.place, keyOf(list.activeItem));
      else reader.focus();
    },
    back: () => {
      if (document.body.classList.contains("sidebar-open")) {
        showSidebar(false);
        $("menu").focus();
      } else if (list.selected.size) list.unpick();
      else reader.act.close();
    },
    toggle: () => list.toggle(),
    search: () => ($("query").focus(), $("query").select()),
    compose: () => $("compose").click(),
    pause: togglePause,
    help: () => showKeys(store),
    go: (kind) => go({ kind }, null, ""),
    tab: (number) => reader.told && reader.chooseNumber(number),
    ...reader.act,
    ...actions(acted),
  });
}

async function begin() {
  bind();
  drawNotify();
  const [told, accounts, waiting, unread] = await Promise.all([api.server(), api.accounts(), api.queue(), api.unread()]);
  Object.assign(state, { endpoints: told.endpoints, accounts: sortedAccounts(accounts), queued: waiting.length, unread });
  drawUnread(unread);
  drawTools();
  await show();
  let lost = false;
  api.follow(arrived, (connected) => {
    if (connected) {
      // What came before the stream was open, or while it was lost, is told by nobody.
      later();
    }
    lost = !connected;
    $("lost").hidden = !lost;
  });
}

begin().catch((error) => {
  const again = h("button", { type: "button", class: "primary", on: { click: () => location.reload() } }, "Try again");
  empty("The server does not answer", [h("p", { role: "alert" }, error.message), again]);
});
