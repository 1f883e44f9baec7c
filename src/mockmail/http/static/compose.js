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
  told.Text && `\n\nOn ${fullTime(told.Date)}, ${told.From ? address(told.From) : "somebody"} wrote:\n` +
  told.Text.replaceAll("\r\n", "\n").trimEnd().split("\n").map((line) => `> ${line}`.trimEnd()).join("\n");

const marked = (subject, mark) => (subject.toLowerCase().startsWith(mark.toLowerCase()) ? subject : `${mark} ${subject}`.trim());

/** Whose answer it is: the account that the message came to. */
const owner = (told, place) => place?.account ?? told.copies?.[0]?.account ?? told.account ?? "";

const same = (one, other) => one.Address.toLowerCase() === other.Address.toLowerCase();

export async function answerTo(told, place, { all }) {
  const from = owner(told, place);
  const own = (one) => same(one, { Address: from });
  const sender = told.ReplyTo.length ? told.ReplyTo : told.From ? [told.From] : [];
  // An answer to what one has sent oneself goes to whom it was for.
  const to = sender.length && sender.every(own) && told.To.length ? told.To : sender;
  const others = all ? [...told.To, ...told.Cc].filter((one) => !own(one) && !to.some((other) => same(one, other))) : [];
  return {
    from, to: to.map(address).join(", "), cc: others.map(address).join(", "), subject: marked(told.Subject, "Re:"),
    text: quoted(told), headers: await thread(told), title: all ? "Reply to all" : "Reply",
  };
}

/** Where an answer belongs (RFC 5322 section 3.6.4): the thread of the message, and the message. */
async function thread(told) {
  if (!told.MessageID) return {};
  const id = `<${told.MessageID}>`;
  const fields = await api.headers(told.ID);
  const before = (fields.References?.[0] ?? fields["In-Reply-To"]?.[0] ?? "").match(/<[^<>\s]+>/g) ?? [];
  // A field has lines of at most 998 characters; of a long thread the beginning and the end are kept.
  const known = before.length > 12 ? [before[0], ...before.slice(-11)] : before;
  return { "In-Reply-To": id, References: [...known, id].join(" ") };
}

export function forwardOf(told, place) {
  const head = [
    "---------- Forwarded message ----------", `From: ${told.From ? address(told.From) : ""}`, `Date: ${fullTime(told.Date)}`,
    `Subject: ${told.Subject}`, `To: ${told.To.map(address).join(", ")}`,
  ];
  return {
    from: owner(told, place), subject: marked(told.Subject, "Fwd:"), title: "Forward",
    enclosed: told.Attachments.map((one) => ({ name: one.FileName, type: one.ContentType, size: one.Size, path: `${api.partPath(told.ID, one.PartID)}?dl=1` })),
    text: `\n\n${head.join("\n")}\n\n${told.Text.replaceAll("\r\n", "\n")}`,
  };
}

/** What goes along from the message that is forwarded, each unless it is unticked. */
const enclosing = (enclosed) => enclosed.map((one, index) => {
  const tick = h("input", { type: "checkbox", id: `mail-enclosed-${index}` });
  tick.checked = true;
  return { ...one, tick, line: h("li", {}, tick, h("label", { for: tick.id }, h("bdi", {}, ` ${one.name}`), ` (${size(one.size)})`)) };
});

async function attachmentsOf(files, enclosed) {
  const wanted = enclosed.filter((one) => one.tick.checked);
  if ([...files, ...wanted].reduce((sum, one) => sum + one.size, 0) > SMALL_BYTES) throw new Error(`The attachments are larger than ${size(SMALL_BYTES)}.`);
  const told = async (one, blob) => ({ Filename: one.name, Content: await read(blob), ContentType: one.type });
  return Promise.all([
    ...wanted.map(async (one) => told(one, await api.blob(one.path))),
    ...files.map((one) => told(one, one)),
  ]);
}

export function compose(accounts, draft = {}) {
  let changed = false;
  dialog(draft.title ?? "New message", (body, close, box) => {
    const field = (label, id, value, more = {}) => {
      const input = h("input", { id, autocomplete: "off", spellcheck: "false", ...more });
      input.value = value ?? "";
      return [h("label", { for: id }, label), input];
    };
    const from = field("From", "mail-from", draft.from || accounts[0]?.address || "", { list: "mail-accounts", required: true });
    const known = h("datalist", { id: "mail-accounts" }, accounts.map((one) => h("option", { value: one.address })));
    const to = field("To", "mail-to", draft.to, { list: "mail-accounts", required: true, placeholder: "ann@example.test, bob@example.test" });
    const cc = field("Cc", "mail-cc", draft.cc, { list: "mail-accounts" });
    const bcc = field("Bcc", "mail-bcc", "", { list: "mail-accounts" });
    const subject = field("Subject", "mail-subject", draft.subject);
    const text = h("textarea", { id: "mail-text", rows: "12", "aria-label": "Text" });
    text.value = draft.text ?? "";
    const files = h("input", { id: "mail-files", type: "file", multiple: true });
    const chosen = h("p", { class: "aside", role: "status" });
    files.addEventListener("change", () => {
      chosen.textContent = [...files.files].map((one) => `${one.name} (${size(one.size)})`).join(", ");
    });
    const enclosed = enclosing(draft.enclosed ?? []);
    const trouble = h("p", { class: "trouble", role: "alert" });
    const send = h("button", { type: "submit", class: "primary", title: "Ctrl+Enter" }, "Send");
    const form = h("form", { class: "compose" },
      known, ...from, ...to, ...cc, ...bcc, ...subject, text,
      enclosed.length ? h("ul", { class: "enclosed", "aria-label": "Attachments that go along" }, enclosed.map((one) => one.line)) : null,
      h("label", { for: "mail-files" }, "Attach"), files, chosen, trouble,
      h("div", { class: "dialog-actions" }, h("button", { type: "button", on: { click: close } }, "Discard"), send));
    form.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    form.addEventListener("input", () => {
      changed = true;
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      trouble.textContent = "";
      send.disabled = true;
      try {
        const [sender] = addressesOf(from[1].value);
        if (!sender) throw new Error("Write who it is from.");
        const told = await api.submit(sender.Email, {
          Name: sender.Name, To: addressesOf(to[1].value), Cc: addressesOf(cc[1].value),
          Bcc: addressesOf(bcc[1].value).map((one) => one.Email), Subject: subject[1].value, Text: text.value,
          Headers: draft.headers ?? {},
          Attachments: await attachmentsOf([...files.files], enclosed),
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
  }, { wide: true, keeps: () => changed });
}
