// Where we are: #/all, #/folder/ACCOUNT/FOLDER, each with /KEY of a message and ?q=; #/queue; #/sessions/NAME

const part = encodeURIComponent;

export const addressOf = (place, key = null, query = "") => {
  const base = place.kind === "folder" ? `#/folder/${part(place.account)}/${part(place.folder)}` : `#/${place.kind}`;
  return `${base}${key === null ? "" : `/${part(key)}`}${query ? `?q=${part(query)}` : ""}`;
};

export function readAddress() {
  const [path, tail] = location.hash.replace(/^#\/?/, "").split("?");
  const [kind, ...rest] = path.split("/").map((piece) => {
    try {
      return decodeURIComponent(piece);
    } catch {
      return piece;
    }
  });
  const query = new URLSearchParams(tail ?? "").get("q") ?? "";
  if (kind === "folder" && rest.length >= 2) return { place: { kind, account: rest[0], folder: rest[1] }, key: rest[2] ?? null, query };
  if (kind === "queue" || kind === "sessions") return { place: { kind }, key: rest[0] ?? null, query };
  return { place: { kind: "all" }, key: rest[0] ?? null, query };
}

export const samePlace = (one, other) => one.kind === other.kind && one.account === other.account && one.folder === other.folder;

export const isList = (place) => place.kind === "all" || place.kind === "folder";
