// The chart of a Datastream: uPlot over the points of the API; asked for again while the time that is shown runs.
const zoneOf = () => document.documentElement.dataset.zone || "UTC";
// Fewer points than this hardly make a line: they are drawn large.
const MANY = 12;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function shown(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

export function columns(series) {
  const points = series.points;
  const [times, values] = [points.map((point) => point.time), points.map((point) => point.value)];
  return series.bucket_s ? [times, points.map((point) => point.low), points.map((point) => point.high), values] : [times, values];
}

// 24 hours, in the zone that the person chose; the date where a day begins, or where ticks are days apart.
function tickWords(_, ticks) {
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zoneOf(), hour: "2-digit", minute: "2-digit", ...(ticks.length > 1 && ticks[1] - ticks[0] < 60 ? { second: "2-digit" } : {}) });
  const day = new Intl.DateTimeFormat("en-CA", { timeZone: zoneOf(), month: "2-digit", day: "2-digit" });
  return ticks.map((tick, at) => {
    const date = new Date(tick * 1000);
    const isNew = at > 0 && day.format(date) !== day.format(new Date(ticks[at - 1] * 1000));
    return isNew || (ticks.length > 1 && ticks[1] - ticks[0] >= 86400) ? day.format(date) : clock.format(date);
  });
}

export function options(box, series) {
  const unit = box.dataset.unit ? ` ${box.dataset.unit}` : "";
  const [ink, line, accent, soft] = ["--muted", "--line", "--accent", "--accent-soft"].map(colour);
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const value = (_, number) => (number === null ? "–" : `${shown(number)}${unit}`);
  const drawn = series.points.filter((point) => point.value !== null).length;
  const points = { show: drawn < 90, size: drawn < MANY ? 11 : 5, fill: accent };
  const lines = [{ label: series.bucket_s ? "Mean" : box.dataset.name, stroke: accent, width: 1.6, points, value }];
  if (series.bucket_s) {
    // What is drawn later lies on top: the mean, over the band between the others.
    const edge = { stroke: soft, width: 1, points: { show: drawn < MANY, size: 7, fill: soft, stroke: accent }, value };
    lines.unshift({ label: "Lowest", ...edge }, { label: "Highest", ...edge });
  }
  return {
    width: Math.max(260, box.clientWidth - 18),
    height: box.clientHeight - 52,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zoneOf()),
    scales: { x: { time: true, range: () => [Date.parse(series.start) / 1000, Date.parse(series.end) / 1000] } },
    axes: [{ ...axis, values: tickWords }, { ...axis, size: 62, values: (_, numbers) => numbers.map(shown) }],
    series: [{ label: "Time", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" }, ...lines],
    bands: series.bucket_s ? [{ series: [2, 1], fill: soft }] : [],
    cursor: { drag: { x: true, y: false } },
  };
}

function words(series, unit) {
  if (!series.points.length) return "No value in this time. Choose a longer one, or wait for the next.";
  const count = series.points.reduce((sum, point) => sum + point.count, 0);
  const numbers = series.points.filter((point) => point.value !== null);
  if (!numbers.length) return `${count} values, none of them a number: see the table.`;
  const low = Math.min(...numbers.map((point) => point.low));
  const high = Math.max(...numbers.map((point) => point.high));
  const summed = series.bucket_s ? `, summed up by ${series.bucket_s} s` : "";
  return `${count} values${summed}; lowest ${shown(low)}, highest ${shown(high)}${unit ? ` ${unit}` : ""}.`;
}

function start(box) {
  const note = document.querySelector("[data-plot-note]");
  let plot = null;
  let last = null;
  const draw = () => {
    plot?.destroy();
    plot = last && last.points.length ? new uPlot(options(box, last), columns(last), box) : null;
  };
  const load = async () => {
    try {
      const answer = await fetch(box.dataset.series, { headers: { Accept: "application/json", "HX-Request": "true" }, credentials: "same-origin" });
      const body = await answer.json();
      if (!answer.ok) throw new Error([body.detail, body.hint].filter(Boolean).join(" "));
      last = body;
      draw();
      const told = words(last, box.dataset.unit);
      if (note.textContent !== told) note.textContent = told;
      box.setAttribute("aria-label", `Chart of ${box.dataset.name}: ${told} The newest values are in the table below.`);
    } catch (error) {
      note.textContent = `The chart cannot be drawn now: ${error.message} It is tried again.`;
    }
  };
  load();
  const every = Number(box.dataset.refresh || 0) * 1000;
  // A value that somebody points at stays under the pointer.
  if (every) setInterval(() => { if (!document.hidden && !box.matches(":hover")) load(); }, every);
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "data-zone"] });
}

for (const box of document.querySelectorAll("[data-plot]")) start(box);
