// Waiting for the first record: what is open stays open, what has not changed is left alone, an arrival is said.
// And for a download: it leaves the page as it was, and what it has brought is looked up.
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
      renewStanding();
    }
  });

  function renewStanding() {
    const standing = document.querySelector(".client-standing");
    if (standing) htmx.trigger(standing, "arrived");
  }

  const LOOKS = 15;
  const LOOK_PAUSE_MS = 1000;

  document.addEventListener("submit", async ({ target }) => {
    const id = target.dataset.brings;
    if (!id) return;
    const rows = () => document.querySelectorAll(`#${id} tbody tr`).length;
    const before = rows();
    for (let look = 0; look < LOOKS && rows() === before; look += 1) {
      await new Promise((done) => setTimeout(done, LOOK_PAUSE_MS));
      await htmx.ajax("GET", location.pathname, { target: `#${id}`, select: `#${id}`, swap: "outerHTML" });
    }
    if (rows() !== before) renewStanding();
  });

  document.addEventListener("click", (event) => {
    const summary = event.target.closest(".checks > summary");
    if (summary) summary.parentElement.dataset.touched = "1";
  });
})();
