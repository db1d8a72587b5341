// Live records: rows that the server made are put on top, and one record is shown beside them.
"use strict";

(() => {
  const root = document.getElementById("live");
  const drawer = document.getElementById("live-record");
  const { toast, lost, back } = window.dtwin;

  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-record]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    try {
      const answer = await fetch(link.href, { headers: { "HX-Request": "true" } });
      if (!answer.ok) { location.href = link.href; return; }
      drawer.querySelector("[data-live-record]").innerHTML = await answer.text();
      drawer.showModal();
    } catch { lost(); }
  });

  document.getElementById("at").addEventListener("input", () => { document.getElementById("from").value = "time"; });

  if (!root?.dataset.live) return;
  const find = (name) => root.querySelector(`[data-live-${name}]`);
  const [rows, table, nothing, state] = ["rows", "table", "empty", "state"].map(find);
  const [pause, clear] = ["pause", "clear"].map(find);
  const limit = Number(root.dataset.limit);
  const totals = { read: number(find("read").textContent), matched: number(find("matched").textContent), skipped: 0 };
  const arrivals = [];
  let held = [];
  let paused = false;
  let connection = "connecting";

  function number(text) { return Number(text.replace(/\D/g, "")); }

  const shown = (value) => value.toLocaleString("en").replaceAll(",", "\u202f");

  function showState() {
    const word = paused ? "paused" : connection;
    if (state.textContent === word) return;
    state.textContent = word;
    state.className = `state state-${word === "connecting" ? "starting" : word}`;
  }

  function showTable() {
    table.hidden = !rows.rows.length;
    nothing.hidden = !table.hidden;
  }

  function put(html) {
    const top = rows.closest(".live-wrap");
    const before = top.scrollHeight;
    rows.insertAdjacentHTML("afterbegin", html);
    while (rows.rows.length > limit) rows.lastElementChild.remove();
    showTable();
    if (top.scrollTop > 4) top.scrollTop += top.scrollHeight - before;
  }

  function take(message) {
    connection = message.is_live ? "live" : "interrupted";
    totals.read += message.read + message.skipped;
    totals.matched += message.matched;
    totals.skipped += message.skipped;
    arrivals.push([performance.now(), message.read + message.skipped]);
    find("read").textContent = shown(totals.read);
    find("matched").textContent = shown(totals.matched);
    if (message.lost) toast(`${shown(message.lost)} records had been removed by Kafka before they could be shown.`, "error");
    showState();
    if (!message.rows) return;
    if (!paused) { put(message.rows); return; }
    held.push(message.rows);
    held = held.slice(-limit);
  }

  let source;
  function open() {
    source = new EventSource(root.dataset.live);
    source.addEventListener("open", () => { connection = "live"; showState(); back(); });
    source.addEventListener("rows", (event) => take(JSON.parse(event.data)));
    source.addEventListener("closed", () => { source.close(); connection = "closed"; showState(); });
    source.addEventListener("error", () => { connection = source.readyState === EventSource.CLOSED ? "closed" : "interrupted"; showState(); });
  }
  window.addEventListener("pagehide", () => source.close());

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    const use = pause.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#player-${paused ? "play" : "pause"}`));
    pause.querySelector("span").textContent = paused ? "Resume" : "Pause";
    if (!paused) { for (const html of held) put(html); held = []; }
    showState();
  });
  clear.addEventListener("click", () => {
    rows.replaceChildren();
    held = [];
    Object.assign(totals, { read: 0, matched: 0, skipped: 0 });
    find("read").textContent = find("matched").textContent = "0";
    showTable();
  });
  setInterval(() => {
    const since = performance.now() - 5000;
    while (arrivals.length && arrivals[0][0] < since) arrivals.shift();
    const rate = arrivals.reduce((sum, [, count]) => sum + count, 0) / 5;
    const text = rate ? `· ${rate < 10 ? rate.toFixed(1) : shown(Math.round(rate))} records/s` : "";
    find("rate").textContent = totals.skipped ? `${text} · ${shown(totals.skipped)} left out to keep up` : text;
  }, 1000);

  state.hidden = pause.hidden = clear.hidden = false;
  find("refresh").hidden = true;
  open();
})();
