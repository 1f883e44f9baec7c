// What the reader of this page has chosen, kept by the browser: colours and notifications.

import { $, toast } from "./dom.js";

export const stored = (name) => {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
};
export const store = (name, value) => {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It holds until the page is left.
  }
};

let wantsNotes = stored("mockmail-notify") === "yes";
export const notifying = () => wantsNotes && "Notification" in window && Notification.permission === "granted";
export const drawNotify = () => $("notify").setAttribute("aria-pressed", String(notifying()));

export async function toggleNotify() {
  if (notifying()) wantsNotes = false;
  else if (!("Notification" in window)) return toast("This browser has no notifications for this page.", "error");
  else {
    wantsNotes = (await Notification.requestPermission()) === "granted";
    if (!wantsNotes) toast("The browser does not allow notifications for this page.", "error");
  }
  store("mockmail-notify", wantsNotes ? "yes" : "no");
  drawNotify();
}

export function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  store("mockmail-theme", root.dataset.theme);
}
