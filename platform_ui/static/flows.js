// Home: brings new figures into the map without drawing it anew, so that nothing jumps and focus stays.
"use strict";

(() => {
  const KEEP = "dtwin-flow-still";

  const patch = (present, fresh) => {
    const found = new Map();
    for (const node of fresh.querySelectorAll("[data-live]")) found.set(node.dataset.live, node);
    for (const node of present.querySelectorAll("[data-live]")) {
      const other = found.get(node.dataset.live);
      if (other && node.innerHTML !== other.innerHTML) node.innerHTML = other.innerHTML;
      if (other && node.dataset.live === "say") node.className = other.className;
    }
    const looks = new Map();
    for (const node of fresh.querySelectorAll("[data-look]")) looks.set(node.dataset.look, node);
    for (const node of present.querySelectorAll("[data-look]")) {
      const look = looks.get(node.dataset.look)?.getAttribute("class");
      if (look && look !== node.getAttribute("class")) node.setAttribute("class", look);
    }
  };

  // A part whose shape has changed is replaced as a whole; all others keep their elements.
  const bring = (present, fresh) => {
    for (const part of present.querySelectorAll("[data-part]")) {
      const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (other && other.dataset.shape !== part.dataset.shape) part.replaceWith(document.importNode(other, true));
    }
    patch(present, fresh);
  };

  document.addEventListener("htmx:beforeSwap", (event) => {
    const live = document.getElementById("flow-live");
    if (!live || !event.detail.shouldSwap || event.detail.target !== live || event.detail.xhr.status !== 200) return;
    const fresh = new DOMParser().parseFromString(event.detail.serverResponse, "text/html").getElementById("flow-live");
    if (!fresh) return;
    event.detail.shouldSwap = false;
    bring(live, fresh);
  });

  const select = document.querySelector("[data-flow-filter]");
  if (select) {
    document.querySelector("[data-flow-filter-button]").hidden = true;
    select.addEventListener("change", () => select.form.requestSubmit());
  }

  const button = document.querySelector("[data-flow-still]");
  if (button && !window.matchMedia("(prefers-reduced-motion: reduce)").matches) {
    const show = (still) => {
      document.getElementById("flow-live").classList.toggle("flow-still", still);
      button.setAttribute("aria-pressed", String(still));
    };
    button.hidden = false;
    show(localStorage.getItem(KEEP) === "yes");
    button.addEventListener("click", () => {
      const still = button.getAttribute("aria-pressed") !== "true";
      localStorage.setItem(KEEP, still ? "yes" : "no");
      show(still);
    });
  }
})();
