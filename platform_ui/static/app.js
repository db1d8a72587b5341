// Small comforts; every form works without them.
"use strict";

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
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  setTimeout(() => { delete form.dataset.sent; }, 8000);
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
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
