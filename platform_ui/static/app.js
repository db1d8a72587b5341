// Small comforts; every form works without them.
// For scripts of pages: window.dtwin.toast(text, kind), dtwin.time(iso), dtwin.ago(iso), dtwin.lost(), dtwin.back().
"use strict";

const chosen = document.documentElement.dataset;
const element = (name, cls, text = "") => Object.assign(document.createElement(name), { className: cls, textContent: text });
const symbol = (name) => {
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.setAttribute("class", "icon");
  drawing.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${document.body.dataset.sprite}#${name}`);
  drawing.append(use);
  return drawing;
};

// A sentence at the edge that goes by itself; one about a failure stays until it is closed.
const TOAST_MS = 6000;
const toast = (text, kind = "info") => {
  const box = document.querySelector("[data-toasts]");
  const isError = kind === "error";
  const same = [...box.children].find((one) => one.dataset.text === text);
  if (same) same.remove();
  const note = element("p", `toast toast-${kind}`);
  note.dataset.text = text;
  if (isError) note.setAttribute("role", "alert");
  const close = element("button", "ghost");
  close.type = "button";
  close.title = "Close";
  close.append(symbol("x"), element("span", "visually-hidden", "Close"));
  close.addEventListener("click", () => note.remove());
  note.append(symbol(isError ? "alert-circle" : "check"), element("span", "", text), close);
  box.append(note);
  while (box.children.length > 4) box.firstChild.remove();
  if (!isError) setTimeout(() => note.remove(), TOAST_MS);
};

// Times as the server writes them, in the zone that was chosen.
const inZone = new Intl.DateTimeFormat("en-CA", {
  timeZone: chosen.zone || "UTC", year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
});
const time = (text) => {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return String(text);
  const part = Object.fromEntries(inZone.formatToParts(at).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day} ${part.hour}:${part.minute}:${part.second} ${part.timeZoneName}`;
};
const ago = (text, now = Date.now()) => {
  const seconds = Math.trunc((now - new Date(text).getTime()) / 1000);
  const long = Math.abs(seconds);
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"]].find(([least]) => long >= least) ?? [1, "s"];
  if (seconds <= -60) return `in ${Math.trunc(long / size)} ${unit}`;
  return `${seconds < 0 ? 0 : Math.trunc(long / size)} ${unit === "s" || seconds >= 0 ? unit : "s"} ago`;
};
setInterval(() => {
  for (const shown of document.querySelectorAll("time[data-ago]")) {
    const text = ago(shown.dateTime);
    if (shown.textContent !== text) shown.textContent = text;
  }
}, 15000);

// Whether the platform answers. Pages that stream say so by dtwin.lost() and dtwin.back().
let asking = null;
const lost = () => {
  document.querySelector("[data-connection]").hidden = false;
  asking ??= setInterval(async () => {
    try {
      const answer = await fetch("/health/live", { cache: "no-store" });
      if (answer.ok) back();
    } catch { /* still away */ }
  }, 4000);
};
const back = () => {
  if (asking === null) return;
  clearInterval(asking);
  asking = null;
  document.querySelector("[data-connection]").hidden = true;
  toast("The platform answers again.");
};
window.addEventListener("offline", lost);
window.dtwin = Object.freeze({ toast, time, ago, lost, back, symbol });

// What a request of a part of a page failed with is said, never swallowed.
const said = (request) => {
  try {
    const problem = JSON.parse(request.responseText);
    return [problem.detail || problem.title, problem.hint].filter(Boolean).join(" ");
  } catch {
    return `The platform answered ${request.status}. Load the page again; if it stays, look at Platform health.`;
  }
};
document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  if (xhr.status !== 401) toast(said(xhr), "error");
});
for (const name of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(name, lost);
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) back(); });

// The look: the server keeps it, so that the next page comes as it should be; only the zone is told by a cookie.
const YEAR_S = 31536000;
const cookie = (name) => document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1).replaceAll('"', "");
const wear = (theme) => {
  chosen.theme = theme;
  document.querySelector('meta[name="color-scheme"]').content = theme === "system" ? "light dark" : theme;
  const form = new FormData();
  form.set("theme", theme);
  fetch("/look", { method: "POST", body: form, redirect: "manual", headers: JSON.parse(document.body.getAttribute("hx-headers")) }).catch(lost);
  for (const button of document.querySelectorAll('.look [name="theme"]')) {
    button.setAttribute("aria-pressed", String(button.value === theme));
    if (button.value !== theme) continue;
    document.querySelector(".who .menu > summary use").setAttribute("href", button.querySelector("use").getAttribute("href"));
  }
  window.dispatchEvent(new CustomEvent("dtwin:theme", { detail: theme }));
};
document.addEventListener("click", (event) => {
  const theme = event.target.closest('.look [name="theme"], [data-theme-choice]');
  if (!theme) return;
  event.preventDefault();
  wear(theme.dataset.themeChoice ?? theme.value);
});
{
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isSafe = location.protocol === "https:";
  const name = `${isSafe ? "__Host-" : ""}dtwin_browser_zone`;
  if (mine && cookie(name) !== mine) {
    document.cookie = `${name}=${mine}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax${isSafe ? "; Secure" : ""}`;
    const isKept = cookie(name) === mine;
    if (isKept && chosen.zoneChoice === "browser") location.reload();
  }
}

// Menus close when somebody goes elsewhere; Escape gives the focus back.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.activeElement?.closest?.("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// Drawers.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  else if (event.target.matches?.("dialog.drawer")) event.target.close();
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  const label = button.querySelector("span");
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Select and copy by hand";
  }
  setTimeout(() => { label.textContent = "Copy"; }, 2000);
});

// A form is sent once, however often its button is pressed.
const unsend = (form) => {
  delete form.dataset.sent;
  for (const button of form.elements) delete button.dataset.sending;
};
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.getAttribute("method") !== "post") return; // searches, and the buttons that close a dialog
  if (form.dataset.sent) { event.preventDefault(); return; }
  if (event.defaultPrevented) return;
  form.dataset.sent = "1";
  if (event.submitter) event.submitter.dataset.sending = "1";
  setTimeout(() => unsend(form), 8000);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) unsend(form);
});

// What changes by itself stands still under a press: a click that begins on an element and ends on its successor
// is none. The next turn brings it up to date.
let pressed = null;
const release = () => setTimeout(() => { pressed = null; });
window.addEventListener("pointerdown", (event) => { if (event.button === 0) pressed = event.target; }, true);
window.addEventListener("keydown", (event) => { if (event.key === " ") pressed = event.target; }, true);
for (const name of ["pointerup", "pointercancel", "keyup", "blur"]) window.addEventListener(name, release);
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, requestConfig } = event.detail;
  if (pressed && target.contains(pressed) && !requestConfig.triggeringEvent) event.detail.shouldSwap = false;
});

// Logs show their newest lines; the log is replaced every two seconds, unless somebody reads further up.
let keepTop = null;
const toEnd = () => {
  for (const log of document.querySelectorAll("pre.log")) {
    log.scrollTop = keepTop === null ? log.scrollHeight : keepTop;
  }
};
document.addEventListener("htmx:beforeSwap", () => {
  const log = document.querySelector("pre.log");
  keepTop = log && log.scrollHeight - log.scrollTop - log.clientHeight > 30 ? log.scrollTop : null;
});
document.addEventListener("htmx:afterSettle", toEnd);
document.addEventListener("DOMContentLoaded", toEnd);

// A text that is too long is told of and stays whole: a cut of what somebody pasted would go unnoticed.
document.addEventListener("input", ({ target }) => {
  if (!target.dataset.max) return;
  const text = target.value.replaceAll("\n", "\r\n"); // as it is sent
  const most = Number(target.dataset.max), has = [...(target.type === "password" ? text : text.trim())].length;
  target.setCustomValidity(has > most ? `At most ${most} characters; this has ${has}.` : "");
});

// Passwords can be shown while they are typed.
document.addEventListener("DOMContentLoaded", () => {
  for (const input of document.querySelectorAll('input[type="password"]')) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "ghost show-password";
    button.textContent = "Show";
    button.title = "Show what is typed";
    button.setAttribute("aria-controls", input.id);
    button.addEventListener("click", () => {
      const isShown = input.type === "text";
      input.type = isShown ? "password" : "text";
      button.textContent = isShown ? "Show" : "Hide";
      button.title = isShown ? "Show what is typed" : "Hide what is typed";
    });
    input.after(button);
  }
});

// Where tabs need more room than there is, the one that is shown is in view.
for (const tab of document.querySelectorAll(".tab-links [aria-current]")) {
  const bar = tab.parentElement;
  bar.scrollLeft += tab.getBoundingClientRect().right - bar.getBoundingClientRect().right + bar.clientWidth / 3;
}
// So is the one that the keyboard has come to; under a pointer nothing moves.
document.addEventListener("focusin", ({ target }) => {
  if (target.matches(".tab-links a:focus-visible")) target.scrollIntoView({ block: "nearest", inline: "nearest" });
});
