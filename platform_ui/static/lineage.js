// Lineage: marks what was chosen, and a slider through the times at which something was changed.
"use strict";

(() => {
  let opener = null;

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "lineage-details") return;
    for (const old of document.querySelectorAll(".lineage-is-picked")) {
      old.classList.remove("lineage-is-picked");
      old.removeAttribute("aria-current");
    }
    const box = event.detail.requestConfig?.elt?.closest(".flow-box");
    box?.classList.add("lineage-is-picked");
    box?.setAttribute("aria-current", "true");
    const isOpen = event.detail.target.querySelector(".lineage-open") !== null;
    if (isOpen) opener = event.detail.requestConfig?.elt ?? opener;
    (isOpen ? event.detail.target : opener)?.focus?.({ preventScroll: true });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelector("[data-lineage-close]")?.click();
  });

  const select = document.querySelector("[data-lineage-at]");
  if (!select || select.options.length < 3) return;
  const last = select.options.length - 1;
  const slider = document.createElement("input");
  slider.type = "range";
  slider.className = "lineage-slider";
  slider.min = "0";
  slider.max = String(last);
  slider.value = String(last - select.selectedIndex);
  slider.setAttribute("aria-label", "As it was, from the first change to now");
  const say = () => slider.setAttribute("aria-valuetext", select.options[last - Number(slider.value)].text);
  say();
  slider.addEventListener("input", () => {
    select.selectedIndex = last - Number(slider.value);
    say();
  });
  slider.addEventListener("change", () => select.form.requestSubmit());
  select.addEventListener("change", () => {
    slider.value = String(last - select.selectedIndex);
    say();
  });
  select.after(slider);
})();
