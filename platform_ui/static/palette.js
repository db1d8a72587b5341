// The command palette and the keys: a combobox with a list box, as the ARIA Authoring Practices describe it.
// Without this script the field in the header is a form that leads to /find.
"use strict";

const palette = document.querySelector("[data-palette-dialog]");
const box = palette.querySelector('[role="combobox"]');
const list = palette.querySelector('[role="listbox"]');
const count = palette.querySelector("[data-palette-count]");
const keys = document.querySelector("[data-keys-dialog]");
const header = document.querySelector("[data-palette]");
const WAIT_MS = 120;
let waiting = null;
let asked = null;
let shownFor = null;

const options = () => [...list.querySelectorAll('[role="option"]')];
const current = () => list.querySelector('[aria-selected="true"]');

const select = (option) => {
  current()?.setAttribute("aria-selected", "false");
  if (!option) { box.removeAttribute("aria-activedescendant"); return; }
  option.setAttribute("aria-selected", "true");
  box.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
};

const ask = async () => {
  asked?.abort();
  asked = new AbortController();
  const words = box.value.trim();
  try {
    const answer = await fetch(`/find?q=${encodeURIComponent(words)}`, {
      headers: { "HX-Request": "true", Accept: "text/html" }, signal: asked.signal,
    });
    if (answer.status === 401) { location.assign("/login"); return; }
    if (!answer.ok) throw new Error(`the search answered ${answer.status}`);
    list.innerHTML = await answer.text();
    shownFor = words;
    list.setAttribute("aria-busy", String(box.value.trim() !== words));
  } catch (error) {
    if (error.name === "AbortError") return;
    list.innerHTML = "";
    const note = document.createElement("p");
    note.className = "palette-empty";
    note.textContent = "The search does not answer. Try again in a moment.";
    list.append(note);
    list.setAttribute("aria-busy", "false");
    if (error instanceof TypeError) window.dtwin.lost();
  }
  const found = options();
  found.forEach((option, number) => { option.id = `found-${number}`; option.tabIndex = -1; });
  select(found[0]);
  const said = found.length === 1 ? "1 result" : `${found.length} results`;
  count.textContent = found.length ? said : "Nothing found";
};

const open = (words = "") => {
  if (palette.open) { box.select(); return; }
  keys.close();
  box.value = words;
  shownFor = null;
  list.innerHTML = "";
  list.setAttribute("aria-busy", "true");
  palette.showModal();
  box.focus();
  ask();
};

const go = (option, elsewhere) => {
  if (!option) { location.assign(`/find?q=${encodeURIComponent(box.value.trim())}`); return; }
  if (option.dataset.themeChoice || option.dataset.keys !== undefined) { palette.close(); option.click(); return; }
  if (elsewhere) { window.open(option.href, "_blank", "noopener"); return; }
  palette.close();
  location.assign(option.href);
};

box.addEventListener("input", () => {
  list.setAttribute("aria-busy", "true");
  clearTimeout(waiting);
  waiting = setTimeout(ask, WAIT_MS);
});
box.addEventListener("keydown", async (event) => {
  const found = options();
  const at = found.indexOf(current());
  if (event.key === "ArrowDown") select(found[(at + 1) % found.length]);
  else if (event.key === "ArrowUp") select(found[(at - 1 + found.length) % found.length]);
  else if (event.key === "PageDown") select(found[Math.min(at + 8, found.length - 1)]);
  else if (event.key === "PageUp") select(found[Math.max(at - 8, 0)]);
  else if (event.key === "Enter") {
    event.preventDefault();
    clearTimeout(waiting);
    if (shownFor !== box.value.trim()) await ask();
    go(current(), event.ctrlKey || event.metaKey);
    return;
  } else return;
  event.preventDefault();
});
list.addEventListener("mousemove", (event) => {
  const option = event.target.closest('[role="option"]');
  if (option && option !== current()) select(option);
});
list.addEventListener("click", (event) => { if (event.target.closest("[data-theme-choice]")) palette.close(); });
for (const dialog of [palette, keys]) dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

header?.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  event.preventDefault();
  open(header.value);
});

// Keys. Single letters count only while nobody types, and can be switched off.
const PLACES = { h: "/dashboard", s: "/systems", c: "/contracts", a: "/apps", l: "/live", e: "/explorer" };
const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable], .cm-editor, [role=textbox]");
let leader = 0;
const showKeys = () => { palette.close(); keys.showModal(); };

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    open();
    return;
  }
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!isPlain || document.documentElement.dataset.keys === "off") return;
  if (event.key === "?" && event.target === box && !box.value) { event.preventDefault(); showKeys(); return; }
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const place = Date.now() - leader < 1200 ? PLACES[event.key] : null;
  leader = event.key === "g" ? Date.now() : 0;
  if (event.key === "/") { event.preventDefault(); open(); }
  else if (event.key === "?") { event.preventDefault(); showKeys(); }
  else if (place) location.assign(place);
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-keys]:not(html)")) return;
  event.preventDefault();
  showKeys();
});
