// The server, as the page sees it: our own API.

export class Refused extends Error {}

async function ask(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, options);
  if (response.ok) return response;
  const text = await response.text();
  let told = text;
  try {
    told = JSON.parse(text).error ?? text;
  } catch {
    // Refusals of what stands before the API are plain text.
  }
  throw new Refused(told || `${response.status} ${response.statusText}`);
}

const json = async (method, path, body) => (await ask(method, path, body)).json();
const part = encodeURIComponent;
const zone = part(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC");

export const server = () => json("GET", "/api/v1/server");
export const accounts = async () => (await json("GET", "/api/v1/accounts")).accounts;
export const queue = async () => (await json("GET", "/api/v1/queue")).queue;
export const clock = () => json("GET", "/api/v1/clock");
export const moveClock = (how) => json("POST", "/api/v1/clock", how);
export const tryNow = (which) => json("POST", "/api/v1/queue", which);
export const sessions = async () => (await json("GET", "/api/v1/transcripts")).sessions;
export const headers = (id) => json("GET", `/api/v1/message/${part(id)}/headers`);
export const source = async (id) => (await ask("GET", `/api/v1/journal/messages/${part(id)}`)).text();
export const blob = async (path) => (await ask("GET", path)).blob();
export const timeline = (id) => json("GET", `/api/v1/mail/${part(id)}/timeline`);

/** How many messages have not been seen; one of several copies counts once. */
export const unread = async () => (await json("GET", "/api/v1/mail?limit=0")).unseen;

const messagesOf = (account) => `/api/v1/accounts/${part(account)}/messages`;
const inFolder = (account, folder) => `${messagesOf(account)}?folder=${part(folder)}`;

/** A page of a list: `place` is {kind: "all"} or {kind: "folder", account, folder}. */
export async function list(place, query, start, limit) {
  const tail = `start=${start}&limit=${limit}&tz=${zone}${query ? `&query=${part(query)}` : ""}`;
  if (place.kind === "all") return json("GET", `/api/v1/mail?${tail}`);
  const told = await json("GET", `${inFolder(place.account, place.folder)}&${tail}`);
  return { ...told, unseen: told.unseen };
}

export const message = (place, key) =>
  place.kind === "all"
    ? json("GET", `/api/v1/mail/${part(key)}`)
    : json("GET", `${messagesOf(place.account)}/${part(key)}?folder=${part(place.folder)}`);

export const partPath = (id, path) => `/api/v1/message/${part(id)}/part/${part(path)}`;
export const rawPath = (id) => `/api/v1/message/${part(id)}/raw?dl=1`;
export const viewPath = (id, remote) => `/view/${part(id)}.html?embed=1${remote ? "&remote=1" : ""}`;

/** Where the copies of messages lie: [account, folder, uids] each. */
function places(items) {
  const found = new Map();
  for (const item of items) {
    for (const copy of item.copies ?? [item]) {
      const key = JSON.stringify([copy.account, copy.folder]);
      if (!found.has(key)) found.set(key, [copy.account, copy.folder, []]);
      found.get(key)[2].push(copy.uid);
    }
  }
  return [...found.values()];
}

export async function change(items, changes) {
  for (const [account, folder, uids] of places(items)) await json("PATCH", inFolder(account, folder), { uids, ...changes });
}

export async function move(items, target, known) {
  for (const [account, folder, uids] of places(items)) {
    if (folder === target) continue;
    const there = known.find((one) => one.address === account)?.folders.some((one) => one.name === target);
    if (!there) await json("POST", `/api/v1/accounts/${part(account)}/folders`, { name: target });
    await json("PATCH", inFolder(account, folder), { uids, move_to: target });
  }
}

export async function remove(items) {
  for (const [account, folder, uids] of places(items)) await json("DELETE", inFolder(account, folder), { uids });
}

export const removeAll = (account, folder) => json("DELETE", inFolder(account, folder), { uids: "all" });
export const createFolder = (account, name) => json("POST", `/api/v1/accounts/${part(account)}/folders`, { name });
export const submit = (from, mail) => json("POST", `/api/v1/accounts/${part(from)}/submissions`, mail);

const KINDS = [
  "Delivered", "Seeded", "Appended", "Expunged", "FlagsChanged", "Moved", "Copied", "Queued", "RelayAttempted", "Relayed",
  "Bounced", "Rejected", "SessionClosed", "LoggedIn",
];

/** Events as they come. `onEvent(kind, event)`; kind "world" after a reset. `onState(true)` while connected. */
export function follow(onEvent, onState) {
  const stream = new EventSource("/api/v1/stream");
  stream.addEventListener("open", () => onState(true));
  stream.addEventListener("error", () => onState(false));
  let world = null;
  stream.addEventListener("world", (told) => {
    if (world !== null && world !== told.data) onEvent("world", {});
    world = told.data;
  });
  for (const kind of KINDS) stream.addEventListener(kind, (told) => onEvent(kind, JSON.parse(told.data)));
}
