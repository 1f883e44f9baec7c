// What happened to a message, in words.

const names = (list) => list.join(", ");

const WORDS = {
  Accepted: (e) => [`Accepted by ${e.protocol.toUpperCase() || "the test"}${e.account ? ` from ${e.account}` : ""}`, "good"],
  Rejected: (e) => [`Refused at ${e.stage} for ${names(e.recipients) || e.sender}: ${e.reply}`, "bad"],
  Delivered: (e) => [`Delivered to ${names(e.accounts)}`, "good"],
  Seeded: (e) => [`Seeded by the test into ${e.account} ${e.folder}`, "note"],
  Appended: (e) => [`Uploaded to ${e.account} ${e.folder} by ${e.protocol.toUpperCase()}`, "note"],
  Queued: (e) => [`Queued for ${e.domain}: ${names(e.addresses)}`, "wait"],
  RelayAttempted: (e) => [
    `Attempt ${e.attempt}, ${e.via ? `at ${e.via}` : "nowhere to go"}: ${e.reply}${e.tls ? ` (${e.tls})` : ""}`,
    e.reply.startsWith("2") ? "good" : "bad",
  ],
  Relayed: (e) => [`Relayed to ${e.via} at attempt ${e.attempts}: ${names(e.addresses)}`, "good"],
  Bounced: (e) => [`Bounced for ${names(e.addresses)} with ${e.status}: ${e.reply}`, "bad"],
  Fetched: (e) => [`Read by ${e.account} (${e.protocol.toUpperCase()}, ${e.part}${e.peeked ? ", without marking it seen" : ""})`, "read"],
  FlagsChanged: (e) => [
    `Flags in ${e.account} ${e.folder}: ${[...e.added.map((f) => `+${f}`), ...e.removed.map((f) => `-${f}`)].join(" ")}`,
    "read",
  ],
  Copied: (e) => [`Copied from ${e.folder} to ${e.to_folder} (${e.account})`, "note"],
  Moved: (e) => [`Moved from ${e.folder} to ${e.to_folder} (${e.account})`, "note"],
  Expunged: (e) => [`Removed from ${e.account} ${e.folder}`, "bad"],
};

export function timelineOf(event) {
  const [text, kind] = WORDS[event.kind]?.(event) ?? [event.kind, "note"];
  return { text, kind };
}
