// Waiting for the first record: what is open stays open, what has not changed is left alone, an arrival is said.
"use strict";

(() => {
  let last = "";
  let isOpen = null;

  document.addEventListener("htmx:beforeSwap", (event) => {
    const waiting = event.target.closest(".waiting");
    if (!waiting || !event.detail.shouldSwap) return;
    const text = event.detail.xhr.responseText;
    if (text === last) { event.detail.shouldSwap = false; return; }
    last = text;
    const checks = waiting.querySelector(".checks");
    isOpen = checks && checks.dataset.touched ? checks.open : null;
  });

  document.addEventListener("htmx:afterSettle", () => {
    const checks = document.querySelector(".waiting .checks");
    if (checks && isOpen !== null) { checks.open = isOpen; checks.dataset.touched = "1"; }
    const place = document.querySelector("[data-arrival]");
    const arrived = document.querySelector("[data-arrived]");
    if (place && arrived && !place.textContent) {
      place.textContent = `The first record has arrived: ${arrived.querySelector(".arrived-value").textContent}`;
      const standing = document.querySelector(".client-standing");
      if (standing) htmx.trigger(standing, "arrived");
    }
  });

  document.addEventListener("click", (event) => {
    const summary = event.target.closest(".checks > summary");
    if (summary) summary.parentElement.dataset.touched = "1";
  });
})();
