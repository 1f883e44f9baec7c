// Choosing a folder to move messages to.

import { dialog, h, icon } from "./dom.js";

/** Ask for the name of a folder; `run(name)` once it is chosen. */
export function askFolder(items, accounts, run) {
  const owners = new Set(items.flatMap((item) => (item.copies ?? [item]).map((copy) => copy.account)));
  const names = new Set(accounts.filter((one) => owners.has(one.address)).flatMap((one) => one.folders.map((folder) => folder.name)));
  for (const usual of ["Archive", "Trash"]) names.add(usual);
  dialog(items.length === 1 ? "Move the message" : `Move ${items.length} messages`, (body, close) => {
    const choose = (name) => {
      close();
      run(name);
    };
    const choice = (name) => h("li", {}, h("button", { type: "button", on: { click: () => choose(name) } }, icon(name === "INBOX" ? "inbox" : "folder"), h("bdi", {}, name)));
    const other = h("input", { id: "new-folder", "aria-label": "Another folder", placeholder: "Another folder", autocomplete: "off" });
    const submit = (event) => {
      event.preventDefault();
      if (other.value.trim()) choose(other.value.trim());
    };
    body.append(
      h("ul", { class: "choices" }, [...names].map(choice)),
      h("form", { class: "inline", on: { submit } }, other, h("button", { type: "submit" }, "Move")));
  });
}
