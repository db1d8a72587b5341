// The charts of a system's analytics: uPlot over the tables of the page; nothing is asked for.
import { columns, options } from "./assets-chart.js";

const number = (cell) => Number(cell.querySelector("data").value);

// A bucket without a number is no point, and the line has a gap there.
function seriesOf(box) {
  const bucket = Number(box.dataset.bucket);
  const points = [];
  let last = null;
  for (const row of document.getElementById(box.dataset.buckets).tBodies[0].rows) {
    const start = Number(row.dataset.start);
    if (last !== null && start - last > bucket) points.push({ time: last + bucket * 1.5, value: null, low: null, high: null });
    const [count, value, low, high] = [...row.cells].slice(1).map(number);
    points.push({ time: start + bucket / 2, value, low, high, count });
    last = start;
  }
  const iso = (seconds) => new Date(Number(seconds) * 1000).toISOString();
  return { start: iso(box.dataset.start), end: iso(box.dataset.end), bucket_s: bucket, points };
}

function start(box) {
  const series = seriesOf(box);
  let plot = null;
  const draw = () => {
    plot?.destroy();
    plot = new uPlot(options(box, series), columns(series), box);
  };
  draw();
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "data-zone"] });
}

for (const box of document.querySelectorAll("[data-buckets]")) start(box);
