// Writing a message: new, an answer, or handed on. It goes out by the server's own SMTP.

import * as api from "./api.js";
import { dialog, h, toast } from "./dom.js";
import { address, addressesOf, fullTime, size } from "./format.js";

const SMALL_BYTES = 25_000_000;

const read = (file) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });

const quoted = (told) =>
  `\n\nOn ${fullTime(told.Date)}, ${told.From ? address(told.From) : "somebody"} wrote:\n` +
  told.Text.replaceAll("\r\n", "\n").trimEnd().split("\n").map((line) => `> ${line}`.trimEnd()).join("\n");

const marked = (subject, mark) => (subject.toLowerCase().startsWith(mark.toLowerCase()) ? subject : `${mark} ${subject}`.trim());

/** Whose answer it is: the account that the message came to. */
const owner = (told, place) => place?.account ?? told.copies?.[0]?.account ?? told.account ?? "";

export function answerTo(told, place, { all }) {
  const from = owner(told, place);
  const own = (one) => one.Address.toLowerCase() === from.toLowerCase();
  const to = told.ReplyTo.length ? told.ReplyTo : told.From ? [told.From] : [];
  const others = all ? [...told.To, ...told.Cc].filter((one) => !own(one) && !to.some((other) => other.Address === one.Address)) : [];
  const id = told.MessageID ? `<${told.MessageID}>` : "";
  return {
    from, to: to.map(address).join(", "), cc: others.map(address).join(", "), subject: marked(told.Subject, "Re:"),
    text: quoted(told), headers: id ? { "In-Reply-To": id, References: id } : {}, title: all ? "Reply to all" : "Reply",
  };
}

export function forwardOf(told, place) {
  const head = [
    "---------- Forwarded message ----------", `From: ${told.From ? address(told.From) : ""}`, `Date: ${fullTime(told.Date)}`,
    `Subject: ${told.Subject}`, `To: ${told.To.map(address).join(", ")}`,
  ];
  return {
    from: owner(told, place), subject: marked(told.Subject, "Fwd:"), title: "Forward",
    text: `\n\n${head.join("\n")}\n\n${told.Text.replaceAll("\r\n", "\n")}`,
  };
}

export function compose(accounts, draft = {}) {
  dialog(draft.title ?? "New message", (body, close, box) => {
    const field = (label, id, value, more = {}) => {
      const input = h("input", { id, autocomplete: "off", spellcheck: "false", ...more });
      input.value = value ?? "";
      return [h("label", { for: id }, label), input];
    };
    const from = field("From", "mail-from", draft.from || accounts[0]?.address || "", { list: "mail-accounts", required: true });
    const known = h("datalist", { id: "mail-accounts" }, accounts.map((one) => h("option", { value: one.address })));
    const people = h("datalist", { id: "mail-people" }, accounts.map((one) => h("option", { value: one.address })));
    const to = field("To", "mail-to", draft.to, { list: "mail-people", required: true, placeholder: "ann@example.test, bob@example.test" });
    const cc = field("Cc", "mail-cc", draft.cc);
    const bcc = field("Bcc", "mail-bcc", "");
    const subject = field("Subject", "mail-subject", draft.subject);
    const text = h("textarea", { id: "mail-text", rows: "12", "aria-label": "Text" });
    text.value = draft.text ?? "";
    const files = h("input", { id: "mail-files", type: "file", multiple: true });
    const chosen = h("p", { class: "aside", role: "status" });
    files.addEventListener("change", () => {
      chosen.textContent = [...files.files].map((one) => `${one.name} (${size(one.size)})`).join(", ");
    });
    const trouble = h("p", { class: "trouble", role: "alert" });
    const send = h("button", { type: "submit", class: "primary", title: "Ctrl+Enter" }, "Send");
    const form = h("form", { class: "compose" },
      known, people, ...from, ...to, ...cc, ...bcc, ...subject, text,
      h("label", { for: "mail-files" }, "Attach"), files, chosen, trouble,
      h("div", { class: "dialog-actions" }, h("button", { type: "button", on: { click: close } }, "Discard"), send));
    form.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      trouble.textContent = "";
      send.disabled = true;
      try {
        const attached = [...files.files];
        if (attached.reduce((sum, one) => sum + one.size, 0) > SMALL_BYTES) throw new Error(`The attachments are larger than ${size(SMALL_BYTES)}.`);
        const [sender] = addressesOf(from[1].value);
        if (!sender) throw new Error("Write who it is from.");
        const told = await api.submit(sender.Email, {
          Name: sender.Name, To: addressesOf(to[1].value), Cc: addressesOf(cc[1].value),
          Bcc: addressesOf(bcc[1].value).map((one) => one.Email), Subject: subject[1].value, Text: text.value,
          Headers: draft.headers ?? {},
          Attachments: await Promise.all(attached.map(async (one) => ({ Filename: one.name, Content: await read(one), ContentType: one.type }))),
        });
        box.close();
        if (told.refused.length) toast(`Sent, but refused for ${told.refused.map((one) => `${one}: ${told.replies[one]}`).join("; ")}`, "error");
        else toast("Sent");
      } catch (error) {
        trouble.textContent = error.message;
      } finally {
        send.disabled = false;
      }
    });
    body.append(form);
    queueMicrotask(() => {
      const first = draft.to ? text : to[1];
      first.focus();
      if (first === text) text.setSelectionRange(0, 0);
    });
  }, { wide: true });
}
