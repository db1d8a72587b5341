// The log of a stream app while it grows: server-sent events become lines. Text only, never markup.
"use strict";

(() => {
  const MOST_LINES = 2000;
  const FAR_UP_PX = 40;

  const follow = (root) => {
    const list = root.querySelector("[data-log-lines]");
    const state = root.querySelector("[data-log-state]");
    const pause = root.querySelector("[data-log-pause]");
    const say = (text) => { if (state.textContent !== text) state.textContent = text; };
    const toEnd = () => { list.scrollTop = list.scrollHeight; };
    let address = root.dataset.live;
    let source = null;

    const add = (lines) => {
      const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < FAR_UP_PX;
      for (const line of lines) {
        const item = document.createElement("li");
        item.className = line.mark ? "log-mark" : `log-${line.level.toLowerCase()}`;
        item.textContent = line.text;
        list.append(item);
      }
      while (list.children.length > MOST_LINES) list.firstElementChild.remove();
      if (isAtEnd) toEnd();
    };

    const open = () => {
      source = new EventSource(address);
      source.addEventListener("open", () => say("live"));
      source.addEventListener("error", () => say("connecting again…"));
      source.addEventListener("closed", () => { source.close(); say("no longer shared with you"); });
      source.addEventListener("lines", (event) => {
        const next = new URL(address, document.baseURI);
        next.searchParams.set("cursor", event.lastEventId);
        address = `${next.pathname}${next.search}`;
        add(JSON.parse(event.data));
      });
    };

    if (pause) {
      pause.hidden = false;
      pause.addEventListener("click", () => {
        const isPaused = source === null;
        if (isPaused) open();
        else { source.close(); source = null; say("paused"); }
        pause.querySelector("span").textContent = isPaused ? "Pause" : "Go on";
      });
    }
    toEnd();
    open();
    window.addEventListener("pagehide", () => source?.close());
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const root of document.querySelectorAll("[data-live]")) {
      if (root.querySelector("[data-log-lines]")) follow(root);
    }
  });
})();
