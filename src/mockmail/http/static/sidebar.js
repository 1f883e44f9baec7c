// Accounts and their folders, and the ways to the queue and the sessions.

import { button, dialog, h, icon, redraw } from "./dom.js";

export const sortedAccounts = (accounts) => [...accounts].sort((one, other) => one.address.localeCompare(other.address));

export class Sidebar {
  constructor(box, { addressOf, createFolder, chosen }) {
    Object.assign(this, { box, addressOf, createFolder, drawn: "" });
    box.addEventListener("click", (event) => event.target.closest("a") && chosen());
  }

  draw(state) {
    const here = this.addressOf(state.place);
    // Drawn anew only when it differs, so that the focus stays where it is.
    const facts = JSON.stringify([here, state.queued, state.unread, state.accounts.map((one) => [one.address, one.folders.map((f) => [f.name, f.messages, f.unseen])])]);
    if (facts === this.drawn) return;
    this.drawn = facts;
    const link = (place, iconName, label, count, unread) =>
      h("a", { href: this.addressOf(place), class: unread ? "place unread" : "place", "aria-current": this.addressOf(place) === here ? "page" : null },
        icon(iconName), h("bdi", { class: "place-name" }, label),
        count ? h("span", { class: "place-count" }, count.toLocaleString(), unread ? h("span", { class: "visually-hidden" }, " unread") : null) : null);
    const top = h("ul", { class: "places" },
      h("li", {}, link({ kind: "all" }, "all", "All mail", state.unread, state.unread > 0)),
      h("li", {}, link({ kind: "queue" }, "queue", "Relay queue", state.queued, false)),
      h("li", {}, link({ kind: "sessions" }, "sessions", "Sessions", 0, false)));
    const accounts = state.accounts.map((account) => h("section", { class: "account", "aria-label": account.address },
      h("h2", { class: "account-name" }, h("bdi", { title: account.address }, account.address),
        button(`New folder of ${account.address}`, { iconName: "add", run: () => this.askName(account.address) })),
      h("ul", { class: "places" }, account.folders.map((folder) => h("li", { style: { "--depth": String(folder.name.split("/").length - 1) } },
        link({ kind: "folder", account: account.address, folder: folder.name }, folder.name === "INBOX" ? "inbox" : "folder",
          folder.name.split("/").at(-1), folder.unseen || folder.messages, folder.unseen > 0))))));
    redraw(this.box, top, ...(accounts.length ? accounts : [h("p", { class: "hint" }, "Accounts appear with their first mail or login.")]));
  }

  askName(account) {
    dialog("New folder", (body, close) => {
      const name = h("input", { id: "folder-name", required: true, autocomplete: "off", placeholder: "Projects/2026" });
      body.append(h("form", { class: "inline", on: { submit: (event) => {
        event.preventDefault();
        close();
        this.createFolder(account, name.value.trim());
      } } }, h("label", { for: "folder-name" }, `Folder of ${account}`), name, h("button", { type: "submit", class: "primary" }, "Make it")));
    });
  }
}
