// How things are written.

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
const year = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export function shortTime(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return "";
  const now = new Date();
  if (at.toDateString() === now.toDateString()) return time.format(at);
  return (at.getFullYear() === now.getFullYear() ? day : year).format(at);
}

export function fullTime(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : full.format(at);
}

export function dayAndTime(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : `${year.format(at)}, ${time.format(at)}`;
}

export function clockTime(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? text : time.format(at);
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  for (const unit of ["kB", "MB", "GB"]) {
    bytes /= 1000;
    if (bytes < 999.5) return `${bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${unit}`;
  }
  return `${Math.round(bytes / 1000)} TB`;
}

export const plural = (count, noun) => `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;

export const person = (one) => (one ? one.Name || one.Address : "nobody");

export function address(one) {
  if (!one.Name) return one.Address;
  const name = /^[\w .'-]+$/.test(one.Name) ? one.Name : `"${one.Name.replaceAll(/(["\\])/g, "\\$1")}"`;
  return `${name} <${one.Address}>`;
}

/** Addresses in a line of text, as people type them: separated by commas, a name in front of angle brackets. */
export function addressesOf(text) {
  const found = [];
  for (const piece of text.match(/(?:"(?:\\.|[^"\\])*"|[^,;"])+/g) ?? []) {
    const named = piece.match(/^\s*(.*?)\s*<([^<>]*)>\s*$/);
    const name = named ? named[1].replace(/^"(.*)"$/, "$1").replaceAll(/\\(.)/g, "$1") : "";
    const email = (named ? named[2] : piece).trim();
    if (email) found.push({ Name: name, Email: email });
  }
  return found;
}

export const isSeen = (item) => (item.copies ? item.Read : item.flags.includes("\\Seen"));
export const isFlagged = (item) => item.flags.includes("\\Flagged");
