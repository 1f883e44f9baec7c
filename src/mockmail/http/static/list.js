// A list that shows what fits on the screen of any number of messages, and asks the server for no more than that.

import { h } from "./dom.js";

const PAGE = 100;
const SPARE_ROWS = 6;
const SETTLE_MILLISECONDS = 60;

export class VirtualList {
  /** `box` is the listbox; `load(start, limit)` gives {matched, list}; `render(item, row)` fills a row's element;
   * `keyOf(item)`; `onOpen(item)`, `onChange()` when the selection or what is loaded changed. */
  constructor(box, { load, render, keyOf, onOpen, onChange, onError }) {
    Object.assign(this, { box, load, render, keyOf, onOpen, onChange, onError });
    this.canvas = h("div", { class: "canvas", role: "presentation" });
    box.append(this.canvas);
    this.rows = new Map();
    this.clear();
    box.addEventListener("scroll", () => this.later(), { passive: true });
    box.addEventListener("click", (event) => this.clicked(event));
    new ResizeObserver(() => this.measured()).observe(box);
  }

  clear() {
    this.generation = (this.generation ?? 0) + 1;
    this.pages = new Map();
    this.loading = new Map();
    this.total = null;
    this.active = -1;
    this.activeKey = null;
    this.anchor = -1;
    this.selected = new Map();
    for (const row of this.rows.values()) row.remove();
    this.rows.clear();
    this.canvas.style.height = "0";
    this.box.removeAttribute("aria-activedescendant");
    this.box.scrollTop = 0;
  }

  get rowHeight() {
    this.height ??= parseFloat(getComputedStyle(this.box).getPropertyValue("--row-height")) || 76;
    return this.height;
  }

  measured() {
    this.height = undefined;
    if (this.total !== null) this.canvas.style.height = `${this.total * this.rowHeight}px`;
    this.later();
  }

  item(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE] ?? null;
  }

  get activeItem() {
    return this.active < 0 ? null : this.item(this.active);
  }

  /** What an action is for: what is selected, else where the cursor is. */
  chosen() {
    if (this.selected.size) return [...this.selected.values()];
    const item = this.activeItem;
    return item ? [item] : [];
  }

  // Loading

  async start() {
    await this.fetchPage(0);
    this.draw();
  }

  /** Look anew at what is on the screen; what was scrolled to stays where it is when mail comes in above. */
  async refresh() {
    this.generation += 1;
    this.loading.clear();
    const before = this.total ?? 0;
    const [first, last] = this.window();
    const kept = new Map();
    const wanted = new Set([Math.floor(first / PAGE), Math.floor(Math.max(first, last - 1) / PAGE)]);
    for (const [number, page] of this.pages) if (wanted.has(number)) kept.set(number, page);
    const generation = this.generation;
    await Promise.all([...wanted].map((number) => this.fetchPage(number, kept)));
    if (generation !== this.generation) return;
    this.pages = kept;
    const grown = (this.total ?? 0) - before;
    if (grown > 0 && this.box.scrollTop > this.rowHeight) this.box.scrollTop += grown * this.rowHeight;
    this.findActive();
    this.draw();
    this.onChange();
  }

  async fetchPage(number, into = this.pages) {
    const generation = this.generation;
    if (this.loading.has(number)) return this.loading.get(number);
    const work = (async () => {
      try {
        const told = await this.load(number * PAGE, PAGE);
        if (generation !== this.generation) return;
        this.total = told.matched;
        into.set(number, told.list);
        for (const item of told.list) if (this.selected.has(this.keyOf(item))) this.selected.set(this.keyOf(item), item);
        this.canvas.style.height = `${this.total * this.rowHeight}px`;
        this.onChange(told);
      } catch (error) {
        if (generation === this.generation) this.onError(error);
      } finally {
        if (generation === this.generation) this.loading.delete(number);
      }
    })();
    this.loading.set(number, work);
    return work;
  }

  findActive() {
    if (this.activeKey === null) return;
    for (const [number, page] of this.pages) {
      const at = page.findIndex((item) => this.keyOf(item) === this.activeKey);
      if (at >= 0) {
        this.active = number * PAGE + at;
        return;
      }
    }
    if (this.active >= (this.total ?? 0)) this.active = (this.total ?? 0) - 1;
  }

  // Drawing

  window() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.rowHeight) - SPARE_ROWS);
    const count = Math.ceil(this.box.clientHeight / this.rowHeight) + 2 * SPARE_ROWS;
    return [first, Math.min(this.total ?? 0, first + count)];
  }

  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const [first, last] = this.window();
    for (const [index, row] of this.rows) {
      if (index < first || index >= last) {
        row.remove();
        this.rows.delete(index);
      }
    }
    for (let index = first; index < last; index += 1) this.drawRow(index);
    clearTimeout(this.settle);
    this.settle = setTimeout(() => this.fill(), SETTLE_MILLISECONDS);
  }

  drawRow(index) {
    const item = this.item(index);
    let row = this.rows.get(index);
    if (!row) {
      row = h("div", { class: "row", role: "option", id: `row-${index}` });
      row.dataset.index = String(index);
      this.rows.set(index, row);
      this.canvas.append(row);
    }
    row.style.transform = `translateY(${index * this.rowHeight}px)`;
    row.setAttribute("aria-posinset", String(index + 1));
    row.setAttribute("aria-setsize", String(this.total));
    const key = item && this.keyOf(item);
    const marked = item !== null && (this.selected.has(key) || (!this.selected.size && index === this.active));
    row.setAttribute("aria-selected", String(marked));
    row.classList.toggle("active", index === this.active);
    row.classList.toggle("picked", item !== null && this.selected.has(key));
    if (row.item === item && item !== null) return;
    row.item = item;
    row.classList.toggle("loading", item === null);
    if (item === null) row.replaceChildren(h("span", { class: "visually-hidden" }, "Loading"));
    else this.render(item, row);
  }

  /** Once the scrolling has come to rest: ask for what is on the screen and not known. */
  async fill() {
    const [first, last] = this.window();
    const missing = new Set();
    for (let index = first; index < last; index += 1) {
      const number = Math.floor(index / PAGE);
      if (!this.pages.has(number)) missing.add(number);
    }
    if (!missing.size) return;
    await Promise.all([...missing].map((number) => this.fetchPage(number)));
    this.draw();
  }

  // The cursor and the selection

  moveTo(index, { open = false } = {}) {
    if (!this.total) return;
    this.active = Math.min(Math.max(index, 0), this.total - 1);
    const top = this.active * this.rowHeight;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + this.rowHeight > this.box.scrollTop + this.box.clientHeight)
      this.box.scrollTop = top + this.rowHeight - this.box.clientHeight;
    this.activeKey = this.activeItem ? this.keyOf(this.activeItem) : null;
    this.draw();
    this.box.setAttribute("aria-activedescendant", `row-${this.active}`);
    this.onChange();
    if (open && this.activeItem) this.onOpen(this.activeItem);
  }

  markActive(key) {
    this.activeKey = key;
    this.active = -1;
    this.findActive();
    if (this.active >= 0) this.box.setAttribute("aria-activedescendant", `row-${this.active}`);
    this.draw();
  }

  pick(index, on) {
    const item = this.item(index);
    if (!item) return;
    const key = this.keyOf(item);
    if (on ?? !this.selected.has(key)) this.selected.set(key, item);
    else this.selected.delete(key);
  }

  toggle() {
    this.anchor = this.active;
    this.pick(this.active);
    this.draw();
    this.onChange();
  }

  unpick() {
    this.selected.clear();
    this.draw();
    this.onChange();
  }

  clicked(event) {
    const row = event.target.closest(".row");
    if (!row) return;
    const index = Number(row.dataset.index);
    if (event.shiftKey) {
      const from = this.anchor < 0 ? Math.max(this.active, 0) : this.anchor;
      for (let at = Math.min(from, index); at <= Math.max(from, index); at += 1) this.pick(at, true);
      this.moveTo(index);
    } else if (event.ctrlKey || event.metaKey || event.target.closest(".pick")) {
      this.anchor = index;
      this.pick(index);
      this.moveTo(index);
    } else {
      this.anchor = index;
      this.selected.clear();
      this.moveTo(index, { open: true });
    }
  }
}
