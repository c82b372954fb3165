// The charts of the page. uPlot draws lines and standing bars; names are a list of bars, and a number is a number.
"use strict";

const DAY_SECONDS = 86400;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 864000];
const charts = new Set(); // Those in the page: they are drawn anew when the colours change.

/** A number as people read it; the same rules as in the terminal. */
function plain(size) {
  if (size >= 1e15) return size.toExponential(3).replace("+", "");
  const decimals = Number.isInteger(size) ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : Math.min(9, Math.max(3, 3 - (Math.floor(Math.log10(size)) + 1)));
  const [whole, fraction] = size.toFixed(decimals).split(".");
  const rest = (fraction || "").replace(/0+$/, "");
  return whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") + (rest ? `.${rest}` : "");
}
function lastsFor(seconds) {
  const total = Math.round(seconds);
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${plain(seconds * 1000)} ms`;
  if (seconds < 60 && total < 60) return `${plain(Math.round(seconds * 10) / 10)} s`;
  const [large, unit, small, part] = total < 3600 ? [Math.floor(total / 60), "min", total % 60, "s"]
    : total < DAY_SECONDS ? [Math.floor(total / 3600), "h", Math.floor((total % 3600) / 60), "min"]
    : [Math.floor(total / DAY_SECONDS), "d", Math.floor((total % DAY_SECONDS) / 3600), "h"];
  return `${plain(large)} ${unit}${small ? ` ${small} ${part}` : ""}`;
}
function inBytes(size) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (size >= 1000 && unit < 4) { size /= 1000; unit += 1; }
  return `${plain(Math.round(size * 10) / 10)} ${units[unit]}`;
}
const FORMATS = { number: plain, percent: (size) => `${plain(size * 100)} %`, bytes: inBytes, seconds: lastsFor, milliseconds: (size) => lastsFor(size / 1000) };
function worded(value, format) {
  if (value === null || value === undefined) return "–";
  const text = FORMATS[format](Math.abs(value));
  return value < 0 && !/^0( |$)/.test(text) ? `-${text}` : text;
}
/** A time in UTC, as exactly as marks in this distance need it. */
function moment(seconds, step) {
  const text = new Date(seconds * 1000).toISOString();
  const date = text.startsWith("+") || text.startsWith("-") ? text.slice(0, 13) : text.slice(0, 10);
  if (step >= 360 * DAY_SECONDS) return date.slice(0, -6);
  if (step >= 28 * DAY_SECONDS) return date.slice(0, -3);
  if (step >= DAY_SECONDS) return date;
  const time = text.split("T")[1].slice(0, step >= 60 ? 5 : 8);
  return step ? `${date.slice(-5)} ${time}` : /T00:00:00.000/.test(text) ? date : `${date} ${text.split("T")[1].replace(/(:00)?\.000Z$|0*Z$/, "")}`;
}

/** A colour of the page as a canvas takes it. */
function ink(name) {
  const probe = document.getElementById("view");
  const kept = probe.style.outlineColor;
  probe.style.outlineColor = `var(--${name})`;
  const found = getComputedStyle(probe).outlineColor;
  probe.style.outlineColor = kept;
  return found;
}
const paint = (place) => ink(`series${place % 8}`);

const labelOf = (chart, place) => (chart.labels ? chart.labels[place] : chart.is_time ? moment(chart.at[place], 0) : worded(chart.at[place], "number"));

/** Bars beside each other at each place. */
function barPaths(chart) {
  return (plot, series, first, last) => {
    const path = new Path2D();
    const [at, values] = [plot.data[0], plot.data[series]];
    const count = chart.series.length;
    const room = Math.abs(plot.valToPos(chart.width, "x", true) - plot.valToPos(0, "x", true));
    const group = chart.x_format ? room - 1 : Math.min(room * 0.8, 60 * devicePixelRatio * count);
    const zero = plot.valToPos(0, "y", true);
    for (let place = first; place <= last; place += 1) {
      if (values[place] === null || values[place] === 0) continue;
      const left = plot.valToPos(at[place], "x", true) - group / 2 + (group / count) * (series - 1);
      const top = plot.valToPos(values[place], "y", true);
      // A bar that is there is seen.
      const height = Math.max(1, Math.abs(zero - top));
      path.rect(left, values[place] > 0 ? zero - height : zero, Math.max(group / count, 0.5), height);
    }
    return { stroke: null, fill: path, clip: null, flags: 1 };
  };
}

/** Ends of the axis of values: bars start at zero, and so do lines that would not be flat then. */
function ends(isBars) {
  return (_, low, high) => {
    if (low === null || high === null) return [0, 1];
    if (isBars || (low > 0 && low < high * 0.6)) low = Math.min(low, 0);
    if (isBars || (high < 0 && high > low * 0.6)) high = Math.max(high, 0);
    if (low === high) { low = Math.min(low, 0); high = Math.max(high, 0); }
    if (low === high) high = low + 1;
    const margin = (high / 2 - low / 2) * 0.1;
    return [low === 0 ? 0 : low - margin, high === 0 ? 0 : high + margin];
  };
}

function uplot(chart, height) {
  const isBars = chart.shape === "bars";
  const slots = isBars && !chart.x_format ? new Map(chart.at.map((at, place) => [at, chart.labels[place]])) : null;
  const half = isBars ? chart.width / 2 : 0;
  const texts = (format) => (_, splits) => splits.map((value) => worded(value, format));
  const steps = (format) => (format === "seconds" ? TIME_STEPS : format === "milliseconds" ? TIME_STEPS.map((step) => step * 1000) : undefined);
  const wide = (_, labels) => (labels ? Math.max(44, ...labels.map((label) => String(label).length * 6.6 + 18)) : 44);
  const line = { stroke: () => ink("quiet"), grid: { stroke: () => ink("line"), width: 1 }, ticks: { stroke: () => ink("line"), width: 1, size: 4 }, font: "12px system-ui, sans-serif" };
  const along = chart.is_time
    ? { space: 84, values: (_, splits, __, ___, step) => splits.map((at) => moment(at, step)) }
    : slots ? { space: 86, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], values: (_, splits) => splits.map((at) => slots.get(at) || "") }
    : { space: 86, incrs: steps(chart.x_format), values: texts(chart.x_format) };
  const whole = chart.format === "number" && chart.series.every((series) => series.values.every((value) => Number.isInteger(value ?? 0)));
  const upwards = whole ? [1, 2, 5].flatMap((digit) => Array.from({ length: 16 }, (_, power) => digit * 10 ** power)).sort((one, other) => one - other) : steps(chart.format);
  const frame = el("div", { class: "plot", role: "img", "aria-label": chart.summary });
  const options = {
    width: 300, height,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    scales: { x: { time: chart.is_time === true, range: (_, low, high) => (low === null ? [0, 1] : low === high && !isBars ? [low - 1, high + 1] : [low - half, high + half]) }, y: { range: ends(isBars) } },
    padding: [10, 18, 0, 8],
    axes: [{ ...line, ...along, grid: { show: false }, size: 32 }, { ...line, values: texts(chart.format), incrs: upwards, size: wide }],
    series: [{ label: chart.x, value: (_, __, ___, place) => (place === null ? "–" : labelOf(chart, place)) },
      ...chart.series.map((series, place) => ({ label: series.name, stroke: () => paint(place), fill: isBars ? () => paint(place) : undefined, width: isBars ? 0 : 1.6,
        paths: isBars ? barPaths(chart) : undefined, points: isBars ? { show: false } : { size: 5 }, value: (_, value) => worded(value, chart.format) }))],
    legend: { markers: { fill: (_, place) => paint(place - 1), stroke: (_, place) => paint(place - 1), width: 0 } },
    cursor: { y: false, drag: { x: true, y: false } },
  };
  const plot = new uPlot(options, [chart.at, ...chart.series.map((series) => series.values)], frame);
  charts.add(plot);
  new ResizeObserver(() => { if (frame.clientWidth) plot.setSize({ width: frame.clientWidth, height }); }).observe(frame);
  return frame;
}

/** Lying bars: a table whose values are drawn too. */
function nameBars(chart) {
  const values = chart.series.flatMap((series) => series.values).map((value) => value || 0);
  const low = Math.min(0, ...values), high = Math.max(0, ...values);
  const share = (value) => (high > low ? (value / (high - low)) * 100 : 0);
  const rows = chart.labels.flatMap((label, place) => chart.series.map((series, number) => {
    const value = series.values[place];
    const bar = value === null ? null : el("i", { "aria-hidden": "true", style: { background: `var(--series${number % 8})`, marginLeft: `${share(Math.min(value, 0) - low)}%`, width: `${Math.abs(share(value))}%` } });
    return el("tr", {}, number ? null : el("th", { scope: "row", rowspan: chart.series.length }, label), el("td", { class: "drawn" }, bar), el("td", { class: "n" }, worded(value, chart.format)));
  }));
  const key = chart.series.length > 1 ? el("p", { class: "legend" }, chart.series.map((series, number) => el("span", {}, el("i", { class: "dot", style: { background: `var(--series${number % 8})` } }), series.name))) : null;
  return [key, el("table", { class: "lying", "aria-label": chart.summary }, el("tbody", {}, rows))];
}

/** The values of a chart as a table, for those who do not see it. */
function valueTable(chart) {
  const made = el("details", {}, el("summary", {}, "Values"));
  made.addEventListener("toggle", () => {
    if (made.children.length > 1) return;
    made.append(...paged([chart.x, ...chart.series.map((series) => `#${series.name}`)], chart.at.map((_, place) => place), (place) => el("tr", {},
      el("td", {}, labelOf(chart, place)), chart.series.map((series) => el("td", { class: "n" }, worded(series.values[place], chart.format)))), chart.title));
  });
  return made;
}

function chartCard(chart, node, height) {
  const drawn = chart.shape === "number" ? el("p", { class: "figure" }, el("b", {}, chart.text), el("span", { class: "quiet" }, chart.of))
    : chart.shape === "names" ? nameBars(chart)
    : chart.shape === "none" ? null : [uplot(chart, height), valueTable(chart)];
  return el("section", { class: `chart ${chart.shape}` }, el("h3", {}, chart.title, node ? el("a", { href: toNode(node) }, node.name) : null),
    chart.description ? el("p", { class: "quiet" }, chart.description) : null, drawn,
    (chart.notes || []).map((note) => el("p", { class: "quiet noted" }, note)));
}

function metrics() {
  const nodes = site.nodes.filter((node) => (node.charts || []).length);
  const layers = site.layers.filter((_, layer) => nodes.some((node) => node.layer === layer));
  return [el("h1", {}, "Metrics"), layers.map((layer) => {
    const shown = nodes.filter((node) => site.layers[node.layer] === layer).flatMap((node) => node.charts.map((chart) => [chart, node]));
    const numbers = shown.filter(([chart]) => chart.shape === "number"), others = shown.filter(([chart]) => chart.shape !== "number");
    return [layers.length > 1 ? el("h2", {}, layer) : null, el("div", { class: "numbers" }, numbers.map(([chart, node]) => chartCard(chart, node, 200))),
      el("div", { class: "charts" }, others.map(([chart, node]) => chartCard(chart, node, 220)))];
  })];
}

function forgetCharts() {
  for (const plot of charts) plot.destroy();
  charts.clear();
}
function recolour() {
  for (const plot of charts) { plot.redraw(false, true); plot.root.querySelectorAll(".u-series:not(:first-child) .u-marker").forEach((marker, place) => { marker.style.background = paint(place); }); }
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
