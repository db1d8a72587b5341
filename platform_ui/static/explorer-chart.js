// A small chart of one series over time: axes, unit, a value under the pointer. No data is asked for here.
import { drawn, element, formatResult, formatTime } from "./explorer-core.js";

const WIDTH = window.innerWidth < 560 ? 360 : 640; // units of the picture; letters keep their size on small screens
const HEIGHT = 190;
const EDGE = { left: 54, right: 14, top: 14, bottom: 26 };

function niceSteps(low, high, wanted) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => span / size <= wanted) || power * 10;
  const steps = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-9; value += step) steps.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  return { steps, step };
}

const TIME_STEPS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 7776000, 31536000].map((seconds) => seconds * 1000);

function timeSteps(low, high) {
  const step = TIME_STEPS.find((size) => (high - low) / size <= (WIDTH < 500 ? 3 : 5)) || TIME_STEPS.at(-1);
  const steps = [];
  for (let time = Math.ceil(low / step) * step; time <= high; time += step) steps.push(time);
  return { steps, step };
}

function timeLabel(time, step) {
  const iso = new Date(time).toISOString();
  if (step >= 86400000) return iso.slice(0, 10);
  const isMidnight = time % 86400000 === 0;
  if (isMidnight) return iso.slice(5, 10);
  return step >= 60000 ? iso.slice(11, 16) : iso.slice(11, 19);
}

// points: [{time: ms, value: number, text: shown value}], oldest first.
export function chart(points, unit, name) {
  const times = points.map((point) => point.time);
  const values = points.map((point) => point.value);
  let [first, last] = [Math.min(...times), Math.max(...times)];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (first === last) { first -= 1000; last += 1000; }
  if (low === high) { const room = Math.abs(low) * 0.1 || 1; low -= room; high += room; }
  const across = (time) => EDGE.left + ((time - first) / (last - first)) * (WIDTH - EDGE.left - EDGE.right);
  const down = (value) => HEIGHT - EDGE.bottom - ((value - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);
  const words = `${name}: ${points.length} values, lowest ${formatResult(Math.min(...values))}, highest ${formatResult(Math.max(...values))}${unit ? ` ${unit}` : ""}, from ${formatTime(new Date(first).toISOString())} to ${formatTime(new Date(last).toISOString())}`;
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": words });
  const axis = niceSteps(low, high, 4);
  for (const value of axis.steps) {
    picture.append(drawn("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: down(value), y2: down(value), class: "chart-grid" }),
      drawn("text", { x: EDGE.left - 8, y: down(value) + 4, class: "chart-label", "text-anchor": "end" }, formatResult(Number(value.toPrecision(8)))));
  }
  const clock = timeSteps(first, last);
  for (const time of clock.steps) {
    picture.append(drawn("line", { x1: across(time), x2: across(time), y1: HEIGHT - EDGE.bottom, y2: HEIGHT - EDGE.bottom + 4, class: "chart-axis" }),
      drawn("text", { x: Math.min(WIDTH - 34, Math.max(EDGE.left, across(time))), y: HEIGHT - 7, class: "chart-label", "text-anchor": "middle" }, timeLabel(time, clock.step)));
  }
  picture.append(drawn("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: HEIGHT - EDGE.bottom, y2: HEIGHT - EDGE.bottom, class: "chart-axis" }));
  const route = points.map((point, index) => `${index ? "L" : "M"}${across(point.time).toFixed(1)} ${down(point.value).toFixed(1)}`).join("");
  picture.append(drawn("path", { d: route, class: "chart-line" }));
  if (points.length <= 60) for (const point of points) picture.append(drawn("circle", { cx: across(point.time), cy: down(point.value), r: 2.2, class: "chart-dot" }));
  const mark = drawn("circle", { r: 4, class: "chart-mark", visibility: "hidden" });
  picture.append(mark);
  const readout = element("p", { class: "chart-readout" });
  const tell = (point) => {
    readout.replaceChildren(element("strong", {}, `${point.text}${unit ? ` ${unit}` : ""}`), ` ${formatTime(new Date(point.time).toISOString())}`);
    mark.setAttribute("cx", across(point.time));
    mark.setAttribute("cy", down(point.value));
  };
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width) * WIDTH;
    tell(points.reduce((best, point) => (Math.abs(across(point.time) - place) < Math.abs(across(best.time) - place) ? point : best)));
    mark.setAttribute("visibility", "visible");
  });
  const rest = () => { tell(points.at(-1)); mark.setAttribute("visibility", "hidden"); };
  picture.addEventListener("pointerleave", rest);
  rest();
  return element("figure", { class: "chart-figure" }, element("figcaption", { class: "chart-head" }, readout), picture);
}

function startOf(text) { return new Date(String(text).split("/")[0]).getTime(); }

// One chart for each part of the results that has numbers or truth values; nothing for texts and objects.
export function chartsOf(observations, units, names) {
  const rows = observations.filter((row) => !Number.isNaN(startOf(row.phenomenonTime))).reverse();
  const parts = rows.length && Array.isArray(rows[0].result) ? Math.min(rows[0].result.length, 4) : 1;
  const charts = [];
  for (let part = 0; part < parts; part += 1) {
    const points = [];
    for (const row of rows) {
      const value = Array.isArray(row.result) ? row.result[part] : row.result;
      if (typeof value === "number" || typeof value === "boolean") points.push({ time: startOf(row.phenomenonTime), value: Number(value), text: formatResult(value) });
    }
    if (points.length > 1) charts.push(chart(points, units[part] || "", names[part] || "Results"));
  }
  return charts;
}
