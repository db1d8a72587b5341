// The page of one stream app: counts down to the next start of an app that backs off.
"use strict";

(() => {
  const tick = () => {
    for (const shown of document.querySelectorAll("[data-until]")) {
      const seconds = Math.ceil((new Date(shown.dataset.until).getTime() - Date.now()) / 1000);
      const text = seconds > 0 ? `, in ${seconds} s` : ", now";
      if (shown.textContent !== text) shown.textContent = text;
    }
  };
  setInterval(tick, 500);
  document.addEventListener("htmx:afterSettle", tick);
  document.addEventListener("DOMContentLoaded", tick);
})();
