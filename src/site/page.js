// The documentation page of a karat project. Texts of the project come in as text; only descriptions are HTML, which karat
// has rendered from Markdown without any HTML of the author's.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const view = document.getElementById("view");
const input = document.getElementById("find");
const found = document.getElementById("found");
/** Above so many nodes the picture shows groups. */
const MOST_NODES = 300;
/** So many rows of a list are shown before somebody asks for more. */
const MOST_ROWS = 100;
const DAY = 86400000;

let site; // The data.
let children = []; // By place: the nodes that read a node.
let byId = new Map();

/** An element; `on…` keys of the attributes are listeners. */
function el(name, attributes, ...content) {
  const svg = ["svg", "g", "path", "rect", "text", "circle", "title"].includes(name) || (attributes && attributes.svg);
  const made = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false || key === "svg") continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(made.style, value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...content.flat(3).filter((part) => part !== undefined && part !== null && part !== false));
  return made;
}

const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en-US").replaceAll(",", "\u202f"));
const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
const bytes = (value) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < 4) { value /= 1024; unit += 1; }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
};
const time = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
const lasted = (ms) => (ms < 1000 ? `${ms} ms` : ms < 60000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`);
const link = (...parts) => "#!/" + parts.map((part) => encodeURIComponent(part)).join("/");
const toNode = (node) => link(node.kind, node.id.slice(node.kind.length + 1));
const nodeLink = (node) => el("a", { href: toNode(node) }, node.name);
/** HTML that karat has rendered. */
const prose = (html) => {
  const made = el("div", { class: "prose" });
  made.innerHTML = html;
  for (const anchor of made.querySelectorAll("a[href^=http]")) { anchor.rel = "noreferrer noopener"; anchor.target = "_blank"; }
  return made;
};
const STANDINGS = { fresh: "fresh", stale: "stale", missing: "not built", broken: "broken", none: "–" };
const state = (word, text) => el("span", { class: `state ${word}` }, el("i", { class: "dot", "aria-hidden": "true" }), text || STANDINGS[word] || word);
const tested = (node) => {
  if (!node.tests.length) return "none";
  const has = (word) => node.tests.some((test) => test.status === word);
  return has("failed") ? "failed" : has("warned") ? "warned" : node.tests.every((test) => test.status) ? "passed" : "not run";
};
const testedText = (node) => {
  const passed = node.tests.filter((test) => test.status === "passed").length;
  return node.tests.length ? `${passed}/${node.tests.length}` : "–";
};
function table(heads, rows, caption, kind) {
  const head = el("tr", {}, heads.map((text) => el("th", { scope: "col", class: text.startsWith("#") ? "n" : null }, text.replace("#", ""))));
  return el("div", { class: "wide" }, el("table", { "aria-label": caption, class: kind }, el("thead", {}, head), el("tbody", {}, rows)));
}
/** The rows of a list, and a button for the rest of them. */
function paged(heads, items, row, caption) {
  let shown = MOST_ROWS;
  const made = table(heads, items.slice(0, shown).map(row), caption);
  const more = el("button", { type: "button", onclick: () => {
    made.querySelector("tbody").append(...items.slice(shown, shown + 500).map(row));
    shown += 500;
    more.hidden = shown >= items.length;
  } }, `Show more of ${number(items.length)}`);
  more.hidden = items.length <= shown;
  return [made, more];
}

// Overview

function overview() {
  const project = site.project;
  const bar = (nodes, words, of) => el("div", { class: "bar", "aria-hidden": "true" }, words.map((word) => {
    const count = nodes.filter((node) => of(node) === word).length;
    return count ? el("i", { class: word, style: { flexGrow: count } }) : null;
  }));
  const cards = site.layers.map((layer, place) => {
    const nodes = site.nodes.filter((node) => node.layer === place);
    const tables = nodes.filter((node) => node.standing !== "none");
    const fresh = tables.filter((node) => node.standing === "fresh").length;
    const built = nodes.filter((node) => node.state).length;
    const stored = nodes.filter((node) => node.state || node.standing === "missing").length;
    const tests = nodes.flatMap((node) => node.tests);
    const passed = tests.filter((test) => test.status === "passed").length;
    const count = (word) => tests.filter((test) => test.status === word).length;
    const others = ["warned", "failed"].filter(count).map((word) => `, ${number(count(word))} ${word}`).join("");
    const rows = nodes.reduce((sum, node) => sum + ((node.state && node.state.rows) || 0), 0);
    return el("a", { class: "layer", href: link("catalog") + "?layer=" + encodeURIComponent(layer) },
      el("strong", {}, layer, el("span", {}, number(nodes.length))),
      tables.length ? bar(tables, ["fresh", "stale", "missing", "broken"], (node) => node.standing) : el("div", { class: "bar" }),
      stored ? el("small", {}, `${number(built)} of ${number(stored)} built${rows ? `, ${plural(rows, "row")}` : ""}`) : null,
      tables.length ? el("small", {}, `${number(fresh)} of ${number(tables.length)} fresh`) : null,
      tests.length ? el("small", {}, `${number(passed)} of ${plural(tests.length, "test")} passed${others}`)
        : el("small", {}, "no tests"));
  });
  const wanting = site.nodes.filter((node) => ["stale", "missing", "broken"].includes(node.standing) || tested(node) === "failed");
  return [
    el("h1", {}, project.name),
    el("p", { class: "facts" }, project.version ? el("span", {}, "version ", el("b", {}, project.version)) : null,
      el("span", {}, "target ", el("b", {}, project.target)), el("span", {}, "page made ", el("b", {}, `${project.made} UTC`)),
      el("span", {}, "by karat ", el("b", {}, project.karat))),
    project.unplanned ? el("p", { class: "note" }, `It is not known what is fresh: ${project.unplanned}`) : null,
    el("div", { class: "layers" }, cards),
    el("h2", {}, "What needs attention"),
    wanting.length ? paged(["Node", "State", "Tests", "Why"], wanting, (node) => el("tr", {}, el("td", { class: "name" }, nodeLink(node)),
      el("td", {}, state(node.standing)), el("td", {}, tested(node) === "failed" ? state("failed") : testedText(node)),
      el("td", { class: "quiet" }, node.why || "")), "What needs attention")
      : el("p", { class: "quiet" }, site.nodes.some((node) => node.standing === "fresh") ? "Every table is fresh." : "No table was looked at."),
    site.runs.length ? [el("h2", {}, "Newest runs"), runTable(site.runs.slice(0, 5))] : null,
  ];
}

// Catalog

function catalog(path, query) {
  const layers = el("select", { "aria-label": "Layer", onchange: show }, el("option", { value: "" }, "all layers"),
    site.layers.map((layer) => el("option", { value: layer }, layer)));
  layers.value = site.layers.includes(query.get("layer")) ? query.get("layer") : "";
  const filter = el("input", { type: "search", placeholder: "Filter by name or tag", "aria-label": "Filter by name or tag", oninput: show });
  const list = el("div");
  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const nodes = site.nodes.filter((node) => (!layers.value || site.layers[node.layer] === layers.value)
      && words.every((word) => node.name.toLowerCase().includes(word) || node.tags.some((tag) => tag.toLowerCase().includes(word))));
    list.replaceChildren(...paged(["Node", "Kind", "State", "#Columns", "#Tests", "#Rows", "#Size", "Description"], nodes, (node) => el("tr", {},
      el("td", { class: "name" }, nodeLink(node)), el("td", { class: "quiet" }, node.materialized || node.kind),
      el("td", {}, node.standing === "none" ? el("span", { class: "quiet" }, "–") : state(node.standing)), el("td", { class: "n" }, number(node.columns.length)),
      el("td", { class: "n" }, testedText(node)), el("td", { class: "n" }, node.state ? number(node.state.rows) : "–"),
      el("td", { class: "n" }, node.state ? bytes(node.state.bytes) : "–"), el("td", { class: "quiet" }, firstLine(node))), "Nodes").flat());
    if (!nodes.length) list.replaceChildren(el("p", { class: "quiet" }, "Nothing has this name."));
  }
  show();
  return [el("h1", {}, "Catalog"), el("div", { class: "tools" }, layers, filter), list];
}

function firstLine(node) {
  const text = prose(node.description).textContent.trim().split("\n")[0];
  return text.length > 96 ? `${text.slice(0, 94).trimEnd()}…` : text;
}

function origins(list) {
  return list.map(([place, column, use]) => {
    const node = site.nodes[place];
    return el("div", {}, nodeLink(node), ".", el("a", { href: link("column", node.id, column) }, column), use === "identity" ? null : el("i", {}, ` ${use}`));
  });
}

function details(node) {
  const facts = [["layer", site.layers[node.layer]], ["kind", node.materialized || node.kind], ["table", node.table], ["file", node.path],
    ["slices of a", node.calendar && node.calendar.grain], ["version", node.state && number(node.state.version)], ["rows", node.state && number(node.state.rows)],
    ["files", node.state && `${number(node.state.files)}, ${bytes(node.state.bytes)}`]];
  const texts = [["Template", node.sql], ["Compiled SQL", node.compiled]].filter(([, text]) => text);
  const readers = children[site.nodes.indexOf(node)];
  const list = (places) => places.map((place, count) => [count ? ", " : "", nodeLink(site.nodes[place])]);
  return [
    el("h1", {}, node.name),
    el("p", { class: "facts" }, node.standing !== "none" ? state(node.standing) : null,
      facts.filter(([, value]) => value).map(([key, value]) => el("span", {}, `${key} `, el("b", {}, value))),
      el("a", { href: link("lineage", node.id) }, "Lineage"), node.calendar ? el("a", { href: link("calendar", node.calendar.keys.filter((key) => key !== "null").at(-1).slice(0, 7)) + "?node=" + encodeURIComponent(node.id) }, "Calendar") : null),
    node.tags.length ? el("p", {}, node.tags.map((tag) => el("span", { class: "tag" }, tag))) : null,
    node.why && node.standing !== "fresh" ? el("p", { class: "note" }, node.why) : null,
    node.description ? prose(node.description) : null,
    node.reads.length ? el("p", {}, el("span", { class: "quiet" }, "Reads "), list(node.reads)) : null,
    readers.length ? el("p", {}, el("span", { class: "quiet" }, "Read by "), list(readers)) : null,
    (node.charts || []).length ? [el("h2", {}, "Charts"), el("div", { class: "charts" }, node.charts.map((chart) => chartCard(chart, null, 240)))] : null,
    node.columns.length ? [el("h2", {}, "Columns"), table(["Column", "Type", "Made of", "Tests", "Description"], node.columns.map((column) => el("tr", {},
      el("td", { class: "name" }, el("a", { href: link("column", node.id, column.name) }, column.name)), el("td", { class: "type" }, column.type || ""),
      el("td", { class: "from" }, origins(column.from)), el("td", {}, column.tests.map((test) => el("span", { class: "tag" }, test))),
      el("td", {}, column.description ? prose(column.description) : ""))), "Columns", "columns")] : null,
    node.rows_from.length ? [el("h2", {}, "What decides its rows"), el("div", { class: "from" }, origins(node.rows_from))] : null,
    node.tests.length ? [el("h2", {}, "Tests"), table(["Test", "Kind", "Last result", "#Rows that fail"], node.tests.map((test) => el("tr", {},
      el("td", {}, test.sql ? el("details", {}, el("summary", {}, test.name), el("pre", {}, test.sql)) : test.name), el("td", { class: "quiet" }, test.kind),
      el("td", {}, test.status ? state(test.status) : el("span", { class: "quiet" }, "not run")), el("td", { class: "n" }, test.failures ? number(test.failures) : "")))
      , "Tests")] : null,
    texts.length ? tabs(texts) : null,
  ];
}

function tabs(texts) {
  const code = el("pre", { tabindex: "0", role: "tabpanel", "aria-label": "SQL" });
  const buttons = texts.map(([name, text]) => el("button", { type: "button", role: "tab", onclick: () => choose(name, text) }, name));
  function choose(name, text) {
    code.textContent = text;
    for (const button of buttons) button.setAttribute("aria-selected", String(button.textContent === name));
  }
  choose(...texts[0]);
  return [el("div", { class: "tabs", role: "tablist", "aria-label": "SQL" }, buttons), code];
}

// Lineage

/** All that can be reached from a node within so many steps. */
function reached(start, next, depth) {
  const seen = new Set([start]);
  let edge = [start];
  for (let step = 0; step < depth && edge.length; step += 1) {
    edge = [...new Set(edge.flatMap((place) => next(place)))].filter((place) => !seen.has(place));
    edge.forEach((place) => seen.add(place));
  }
  return seen;
}

/**
 * Draws boxes in columns. A box: { key, x, y, lane, name, small, state, href, focus, off }; an edge: [from, to, class].
 * karat has laid the nodes out; a part of them moves together in the same order.
 */
function picture(boxes, edges, label, isPart) {
  const width = 188, height = 40, across = 48, apart = 12, top = 34, pad = 16;
  const columns = [...new Set(boxes.map((box) => box.x))].sort((one, other) => one - other);
  const byColumn = columns.map((x) => boxes.filter((box) => box.x === x).sort((one, other) => one.y - other.y));
  const at = new Map();
  if (isPart) {
    const most = Math.max(...byColumn.map((column) => column.length));
    byColumn.forEach((column) => column.forEach((box, place) => { box.row = place + (most - column.length) / 2; }));
  } else boxes.forEach((box) => { box.row = box.y; });
  boxes.forEach((box) => at.set(box.key, { left: pad + columns.indexOf(box.x) * (width + across), top: top + box.row * (height + apart) }));
  const whole = { width: pad * 2 + columns.length * (width + across) - across, height: top + (Math.max(...boxes.map((box) => box.row)) + 1) * (height + apart) };
  const lanes = [];
  byColumn.forEach((column, place) => {
    const name = column[0].lane;
    const last = lanes.at(-1);
    if (last && last.name === name) last.to = place; else lanes.push({ name, from: place, to: place });
  });
  const made = el("svg", { width: whole.width, height: whole.height, role: "group", "aria-label": label });
  for (const lane of lanes) {
    const left = pad + lane.from * (width + across);
    made.append(el("rect", { class: "lane", x: left - 10, y: 0, width: (lane.to - lane.from) * (width + across) + width + 20, height: whole.height }),
      el("text", { class: "lane-name", x: left, y: 20 }, lane.name));
  }
  for (const [from, to, kind] of edges) {
    const one = at.get(from), other = at.get(to);
    if (!one || !other) continue;
    const x = one.left + width, y = one.top + height / 2, right = other.left, below = other.top + height / 2;
    const bend = Math.max(28, Math.abs(right - x) / 2);
    made.append(el("path", { class: `edge ${kind || ""}`, d: `M${x} ${y}C${x + bend} ${y} ${right - bend} ${below} ${right} ${below}` }));
  }
  for (const box of boxes) {
    const { left, top: above } = at.get(box.key);
    const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
    made.append(el("a", { svg: true, class: `node ${box.state || ""} ${box.focus ? "focus" : ""} ${box.off ? "off" : ""}`, href: box.href, "aria-label": `${box.name}, ${box.small}`, "data-key": box.key },
      el("title", {}, `${box.name}\n${box.small}`), el("rect", { x: left, y: above, width, height, rx: 6 }), el("circle", { cx: left + 13, cy: above + 15, r: 4 }),
      el("text", { x: left + 24, y: above + 19 }, cut(box.name, 24)), el("text", { class: "small", x: left + 24, y: above + 33 }, cut(box.small, 27))));
  }
  const frame = el("div", { class: "picture", tabindex: "0", role: "region", "aria-label": label }, made);
  const focus = boxes.find((box) => box.focus);
  if (focus) requestAnimationFrame(() => {
    const { left, top: above } = at.get(focus.key);
    frame.scrollTo(left - frame.clientWidth / 2 + width / 2, above - frame.clientHeight / 2);
  });
  return frame;
}

const box = (place, more) => {
  const node = site.nodes[place];
  return { key: place, x: node.x, y: node.y, lane: site.layers[node.layer], name: node.name, small: node.materialized || node.kind, state: node.standing, href: link("lineage", node.id), ...more };
};

function groups() {
  const folder = (node) => (node.kind === "model" && node.path ? node.path.split("/").slice(0, -1).join("/") : node.kind);
  const made = new Map();
  const groupOf = site.nodes.map((node) => {
    const key = `${node.layer}\n${folder(node)}`;
    if (!made.has(key)) made.set(key, { key, x: node.layer, lane: site.layers[node.layer], name: folder(node), count: 0, y: 0, stale: 0 });
    const group = made.get(key);
    group.count += 1; group.y += node.y; group.stale += ["stale", "missing", "broken"].includes(node.standing);
    return key;
  });
  const boxes = [...made.values()].map((group) => ({ ...group, y: group.y / group.count, state: group.stale ? "stale" : "fresh",
    small: `${plural(group.count, "node")}${group.stale ? `, ${number(group.stale)} not fresh` : ""}`, href: link("catalog") + "?layer=" + encodeURIComponent(group.lane) }));
  const edges = new Map();
  site.nodes.forEach((node, place) => node.reads.forEach((parent) => {
    if (groupOf[parent] !== groupOf[place]) edges.set(`${groupOf[parent]}\t${groupOf[place]}`, [groupOf[parent], groupOf[place]]);
  }));
  return [boxes, [...edges.values()]];
}

function lineage(path, query) {
  const node = byId.get(path.slice(1).join("/"));
  const place = node ? site.nodes.indexOf(node) : -1;
  const depth = Number(query.get("depth") || (site.nodes.length > MOST_NODES ? 2 : 99));
  const choose = el("select", { "aria-label": "Focus", onchange: () => { location.hash = choose.value ? link("lineage", choose.value) : link("lineage"); } },
    el("option", { value: "" }, "all nodes"), [...site.nodes].sort((one, other) => (one.name < other.name ? -1 : 1)).map((other) => el("option", { value: other.id }, other.name)));
  choose.value = node ? node.id : "";
  const steps = el("select", { "aria-label": "Steps in both directions", onchange: () => { location.hash = `${link("lineage", node.id)}?depth=${steps.value}`; } },
    [[1, "1 step"], [2, "2 steps"], [3, "3 steps"], [99, "all steps"]].map(([value, text]) => el("option", { value }, text)));
  steps.value = String(depth);
  let shown;
  if (!node && site.nodes.length > MOST_NODES) {
    shown = picture(...groups(), "Groups of nodes", true);
  } else {
    let places = site.nodes.map((_, other) => other);
    if (node) {
      const near = new Set([...reached(place, (other) => site.nodes[other].reads, depth), ...reached(place, (other) => children[other], depth)]);
      places = [...near];
    }
    const within = new Set(places);
    const boxes = places.map((other) => box(other, { focus: other === place }));
    const edges = places.flatMap((other) => site.nodes[other].reads.filter((parent) => within.has(parent)).map((parent) => [parent, other, parent === place || other === place ? "on" : ""]));
    shown = picture(boxes, edges, node ? `Lineage of ${node.name}` : "Lineage", Boolean(node));
    if (!node) highlight(shown);
  }
  return [el("h1", {}, "Lineage"), el("div", { class: "tools" }, el("label", {}, "Focus", choose), node ? el("label", {}, "Depth", steps) : null,
    node ? el("a", { href: toNode(node) }, "Open in the catalog") : null, el("span", { class: "legend" }, state("fresh"), state("stale"), state("missing"), state("broken"))), shown];
}

/** What a node reads and what reads it stands out under the pointer. */
function highlight(frame) {
  const nodes = [...frame.querySelectorAll(".node")];
  const mark = (place) => {
    const on = place === null ? null : new Set([...reached(place, (other) => site.nodes[other].reads, 99), ...reached(place, (other) => children[other], 99)]);
    for (const node of nodes) node.classList.toggle("off", Boolean(on) && !on.has(Number(node.dataset.key)));
  };
  for (const node of nodes) {
    node.addEventListener("mouseenter", () => mark(Number(node.dataset.key)));
    node.addEventListener("mouseleave", () => mark(null));
  }
}

const direct = (use) => ["identity", "transformation", "aggregation"].includes(use);

/** The path of one column, from what it is made of to what is made of it. */
function columnPath(path) {
  const node = byId.get(path.slice(1, -1).join("/"));
  const start = node && node.columns.find((column) => column.name === path.at(-1));
  if (!start) return nothing(path);
  const key = (place, name) => `${place}\t${name}`;
  const column = (place, name) => site.nodes[place].columns.find((found) => found.name === name);
  const readers = new Map();
  site.nodes.forEach((reader, place) => reader.columns.forEach((made) => made.from.forEach(([from, name, use]) => {
    if (!direct(use)) return;
    const list = readers.get(key(from, name)) || [];
    list.push(key(place, made.name));
    readers.set(key(from, name), list);
  })));
  const up = (at) => {
    const [place, name] = at.split("\t");
    const made = column(place, name);
    return made ? made.from.filter(([, , use]) => direct(use)).map(([from, origin]) => key(from, origin)) : [];
  };
  const first = key(site.nodes.indexOf(node), start.name);
  const all = new Set([...reached(first, up, 99), ...reached(first, (at) => readers.get(at) || [], 99)]);
  const names = new Map();
  for (const at of all) {
    const [place, name] = at.split("\t");
    names.set(Number(place), [...(names.get(Number(place)) || []), name]);
  }
  const boxes = [...names].map(([place, columns]) => box(place, { small: columns.join(", "), focus: site.nodes[place] === node, href: link("column", site.nodes[place].id, columns[0]) }));
  const edges = new Map();
  for (const at of all) for (const from of up(at)) if (all.has(from)) {
    const ends = [Number(from.split("\t")[0]), Number(at.split("\t")[0])];
    edges.set(ends.join(), [...ends, "on"]);
  }
  return [el("h1", {}, `${node.name}.${start.name}`), el("p", { class: "facts" }, el("span", { class: "type" }, start.type || ""), el("a", { href: toNode(node) }, "Open in the catalog"), el("a", { href: link("lineage", node.id) }, "Lineage of the table")),
    start.description ? prose(start.description) : null, picture(boxes, [...edges.values()], `Path of the column ${start.name}`, true),
    start.from.length ? [el("h2", {}, "Made of"), el("div", { class: "from" }, origins(start.from))] : null];
}

// Calendar

/** The slices of a node that lie in a month, as { from, to, places }: days of the month, and places in its calendar. */
function cells(node, first, days) {
  const { keys, grain, states } = node.calendar;
  const made = new Map();
  const until = first + days * DAY;
  for (let place = 0; place < keys.length; place += 1) {
    const key = keys[place];
    if (key === "null") continue;
    const start = Date.parse(key.length > 10 ? `${key}Z` : `${key}T00:00Z`);
    const date = new Date(start);
    const end = grain === "year" ? Date.UTC(date.getUTCFullYear() + 1, 0) : grain === "month" ? Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
      : grain === "week" ? start + 7 * DAY : grain === "hour" ? start + DAY / 24 : start + DAY;
    if (end <= first || start >= until) continue;
    const from = Math.max(0, Math.floor((start - first) / DAY)), to = Math.min(days, Math.ceil((end - first) / DAY));
    const cell = made.get(from) || { from, to, places: [], state: 0, rows: 0 };
    cell.places.push(place);
    cell.state = Math.max(cell.state, Number(states[place]));
    cell.rows += node.calendar.rows[place];
    made.set(from, cell);
  }
  return [...made.values()];
}

const CELL = ["fresh", "stale", "missing", "unknown", "failed"];

function calendar(path, query) {
  const all = site.nodes.filter((node) => node.calendar);
  if (!all.length) return [el("h1", {}, "Calendar"), el("p", { class: "quiet" }, "No table that is cut by time was built yet.")];
  const worst = new Map();
  for (const node of all) node.calendar.keys.forEach((key, place) => {
    if (key === "null") return;
    const month = key.slice(0, 7);
    worst.set(month, Math.max(worst.get(month) || 0, Number(node.calendar.states[place])));
  });
  const months = [...worst.keys()].sort();
  const month = months.includes(path[1]) ? path[1] : months.at(-1);
  const first = Date.parse(`${month}-01T00:00Z`);
  const days = new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 0)).getUTCDate();
  const strip = el("div", { class: "months", role: "group", "aria-label": "Months" }, months.map((name) => el("button", { type: "button", class: `s${worst.get(name)}`,
    "aria-pressed": String(name === month), "aria-label": `${name}, ${CELL[worst.get(name)]}`, onclick: () => { location.hash = link("calendar", name) + (query.get("node") ? `?node=${encodeURIComponent(query.get("node"))}` : ""); } }, name)));
  requestAnimationFrame(() => { const on = strip.querySelector("[aria-pressed=true]"); if (on) strip.scrollLeft = on.offsetLeft - strip.clientWidth / 2; });
  const filter = el("input", { type: "search", placeholder: "Filter by name", "aria-label": "Filter by name", oninput: () => fill(60) });
  if (byId.has(query.get("node"))) filter.value = byId.get(query.get("node")).name;
  const grid = el("div", { class: "calendar", style: { gridTemplateColumns: `minmax(150px, 210px) repeat(${days}, minmax(14px, 1fr))` } });
  const more = el("button", { type: "button", onclick: () => fill(100000) }, "Show all");
  const card = el("div", { "aria-live": "polite" });
  function fill(most) {
    const wanted = all.filter((node) => node.name.toLowerCase().includes(filter.value.trim().toLowerCase()));
    const parts = [el("span", {})];
    for (let day = 1; day <= days; day += 1) parts.push(el("span", { class: "head" }, String(day)));
    wanted.slice(0, most).forEach((node, row) => {
      const line = row + 2;
      parts.push(el("a", { class: "who", href: toNode(node), style: { gridRow: line, gridColumn: 1 }, title: node.name }, node.name));
      for (const cell of cells(node, first, days)) {
        const key = node.calendar.keys[cell.places[0]];
        parts.push(el("button", { type: "button", class: `s${cell.state}${cell.rows || cell.state ? "" : " empty"}`, style: { gridRow: line, gridColumn: `${cell.from + 2} / ${cell.to + 2}` },
          "aria-label": `${node.name} ${key.slice(0, 10)}: ${CELL[cell.state]}, ${plural(cell.rows, "row")}`, title: `${key.slice(0, 10)}: ${CELL[cell.state]}, ${plural(cell.rows, "row")}`,
          onclick: (event) => choose(event.currentTarget, node, cell) }));
      }
    });
    grid.replaceChildren(...parts);
    more.hidden = wanted.length <= most;
  }
  function choose(button, node, cell) {
    for (const other of grid.querySelectorAll("[aria-pressed]")) other.removeAttribute("aria-pressed");
    button.setAttribute("aria-pressed", "true");
    card.replaceChildren(...cell.places.map((place) => slice(node, place)));
    card.scrollIntoView({ block: "nearest" });
  }
  fill(60);
  return [el("h1", {}, "Freshness by slice"), el("div", { class: "tools" }, filter, el("span", { class: "legend" },
    [["s0", "fresh"], ["s0 empty", "fresh, without rows"], ["s1", "stale"], ["s2", "missing"], ["s3", "only a run can say"], ["s4", "the last run failed"]].map(([kind, text]) => el("span", {}, el("i", { class: `key ${kind}` }), text)))),
  strip, el("div", { class: "wide" }, grid), more, card];
}

function slice(node, place) {
  const { keys, states, rows, files, versions, reasons, reason_of } = node.calendar;
  const key = keys[place];
  const word = CELL[states[place]];
  const time = key.length > 10 ? key : key.slice(0, 10);
  const command = word === "fresh" ? `karat build --select ${node.name} --start ${time} --end ${time}` : `karat build --select +${node.name}`;
  const copy = el("button", { type: "button", "aria-label": "Copy the command", onclick: async () => {
    try { await navigator.clipboard.writeText(command); copy.textContent = "Copied"; } catch { copy.textContent = "Select it"; }
  } }, "Copy");
  const facts = [["State", state(word, word)], ["Why", reason_of[place] ? reasons[reason_of[place] - 1] : word === "unknown" ? "nobody has looked at its inputs" : "nothing that it reads has changed since it was built"], ["Rows", number(rows[place])],
    ["Files", files ? `${number(files[place][0])}, ${bytes(files[place][1])}` : "shared with other slices"], ["Version", versions[place] ? `rows last changed at version ${number(versions[place])}` : word === "missing" ? "never built" : "as of its first version"],
    ["Explain", el("code", {}, `karat plan --why ${node.name} ${time}`)]];
  return el("section", { class: "card", "aria-label": `${node.name} ${key}` }, el("h2", {}, nodeLink(node), ` ${key}`), el("dl", {}, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    el("div", { class: "quiet" }, word === "fresh" ? "Rebuilds it, although it is fresh:" : "Rebuilds what is not fresh, and what it reads first:"), el("div", { class: "command" }, el("code", {}, command), copy));
}

// Runs

const runTable = (runs) => table(["Run", "Command", "Result", "#Built", "#Took"], runs.map((run) => el("tr", {}, el("td", { class: "name" }, el("a", { href: link("runs", run.id) }, time(run.started))),
  el("td", { class: "mono" }, run.line), el("td", {}, state(run.status)), el("td", { class: "n" }, number(run.steps.filter((step) => step.status === "built").length)), el("td", { class: "n" }, lasted(run.ended - run.started)))), "Runs");

function runs(path) {
  const run = site.runs.find((found) => found.id === path[1]);
  if (!run) return [el("h1", {}, "Runs"), el("p", { class: "quiet" }, site.runs.length ? "The newest first; times are UTC." : "Nothing was run yet."), site.runs.length ? runTable(site.runs) : null];
  const whole = Math.max(1, run.ended - run.started);
  const byName = new Map(site.nodes.map((node) => [node.name, node]));
  const bar = (step) => {
    if (step.started === null || step.ended === null) return "";
    const from = ((step.started - run.started) / whole) * 100, to = ((step.ended - run.started) / whole) * 100;
    return el("svg", { width: "100%", height: 14, class: "gantt", role: "img", "aria-label": `from ${lasted(step.started - run.started)} to ${lasted(step.ended - run.started)}` },
      el("g", { class: step.status }, el("rect", { x: `${from}%`, y: 2, width: `${Math.max(.4, to - from)}%`, height: 10, rx: 2 })));
  };
  return [el("h1", {}, time(run.started)), el("p", { class: "facts" }, state(run.status), el("span", {}, "took ", el("b", {}, lasted(run.ended - run.started))), el("span", { class: "mono" }, run.line), el("a", { href: link("runs") }, "All runs")),
    run.steps.length ? table(["Model", "Result", "#Rows", "#Took", "When", "Why"], run.steps.map((step) => el("tr", {}, el("td", { class: "name" }, byName.has(step.model) ? nodeLink(byName.get(step.model)) : step.model), el("td", {}, state(step.status)),
      el("td", { class: "n" }, number(step.rows)), el("td", { class: "n" }, step.started !== null && step.ended !== null ? lasted(step.ended - step.started) : "–"), el("td", { style: { minWidth: "220px", width: "30%" } }, bar(step)), el("td", { class: "quiet" }, step.why))), "Models of the run") : el("p", { class: "quiet" }, "It built nothing.")];
}

// The frame

const VIEWS = { overview, metrics, catalog, lineage, calendar, runs };
const nothing = (path) => [el("h1", {}, "Nothing is here"), el("p", { class: "quiet" }, `The page has no ${path.join("/")}.`), el("p", {}, el("a", { href: link("catalog") }, "Catalog"))];

function route() {
  if (location.hash === "#view") return; // The link that skips the header.
  const [at, query] = location.hash.replace(/^#!?\/?/, "").split("?");
  let path;
  try { path = at.split("/").map(decodeURIComponent); } catch { path = [at]; }
  const node = byId.get(path.join("/"));
  const show = node ? () => details(node) : path[0] === "column" ? columnPath : VIEWS[path[0] || "overview"] || nothing;
  const current = node || path[0] === "column" ? "catalog" : path[0] || "overview";
  for (const anchor of document.querySelectorAll("#views a")) {
    if (anchor.dataset.view === current) anchor.setAttribute("aria-current", "page"); else anchor.removeAttribute("aria-current");
  }
  forgetCharts();
  view.replaceChildren(...[show(path, new URLSearchParams(query || ""))].flat(3).filter(Boolean));
  document.title = `${view.querySelector("h1").textContent} · ${site.project.name}`;
  window.scrollTo(0, 0);
}

/** What was typed is looked for in names first, then in columns. */
function search() {
  const word = input.value.trim().toLowerCase();
  const hits = [];
  if (word) {
    for (const node of site.nodes) {
      const at = node.name.toLowerCase().indexOf(word);
      if (at >= 0) hits.push([at, node.name, node.materialized || node.kind, toNode(node)]);
      for (const column of node.columns) if (column.name.toLowerCase().includes(word)) hits.push([1000, column.name, `column of ${node.name}`, link("column", node.id, column.name)]);
    }
    hits.sort((one, other) => one[0] - other[0] || one[1].length - other[1].length || (one[1] < other[1] ? -1 : 1));
  }
  found.replaceChildren(...hits.slice(0, 12).map(([, name, kind, href], place) => el("li", { role: "option", id: `hit${place}`, "data-href": href, "aria-selected": String(place === 0),
    onmousedown: (event) => { event.preventDefault(); go(href); } }, el("span", {}, name), el("span", {}, kind))));
  if (word && !hits.length) found.append(el("li", { role: "option", "aria-selected": "false" }, el("span", { class: "quiet" }, "Nothing has this name.")));
  found.hidden = !word;
  input.setAttribute("aria-expanded", String(Boolean(word)));
  if (hits.length) input.setAttribute("aria-activedescendant", "hit0"); else input.removeAttribute("aria-activedescendant");
}

function go(href) {
  input.value = "";
  search();
  input.blur();
  location.hash = href;
  view.focus({ preventScroll: true });
}

function keys(event) {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); input.focus(); return; }
  if (event.key === "Escape") {
    if (event.target === input) { input.value = ""; search(); input.blur(); } else if (!typing) { const up = location.hash.includes("/column/") || byId.has(decodeURIComponent(location.hash.slice(3))); if (up) location.hash = link("catalog"); }
    return;
  }
  if (event.target === input && ["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) {
    const options = [...found.querySelectorAll("li[data-href]")];
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (!options.length) return;
    event.preventDefault();
    if (event.key === "Enter") { go(options[Math.max(0, at)].dataset.href); return; }
    const next = (at + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length;
    options.forEach((option, place) => option.setAttribute("aria-selected", String(place === next)));
    options[next].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[next].id);
    return;
  }
  if (event.target.closest && event.target.closest(".calendar") && event.target.tagName === "BUTTON") {
    const buttons = [...event.target.parentNode.querySelectorAll("button")];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { event.preventDefault(); const next = buttons[buttons.indexOf(event.target) + step]; if (next) next.focus(); }
    const line = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (line) {
      const column = (button) => parseInt(button.style.gridColumnStart, 10), row = (button) => parseInt(button.style.gridRowStart, 10);
      const there = buttons.filter((button) => row(button) === row(event.target) + line && column(button) <= column(event.target)).at(-1);
      if (there) { event.preventDefault(); there.focus(); }
    }
  }
}

function theme() {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const next = dark ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  recolour();
  try { localStorage.setItem("karat-theme", next); } catch { /* A page from disk may have no storage. */ }
}

async function open() {
  try { const kept = localStorage.getItem("karat-theme"); if (kept) document.documentElement.dataset.theme = kept; } catch { /* as above */ }
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (character) => character.charCodeAt(0));
  site = JSON.parse(await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text());
  byId = new Map(site.nodes.map((node) => [node.id, node]));
  children = site.nodes.map(() => []);
  site.nodes.forEach((node, place) => node.reads.forEach((parent) => children[parent].push(place)));
  document.getElementById("brand").textContent = site.project.name;
  document.getElementById("views").append(...Object.keys(VIEWS).filter((name) => name !== "metrics" || site.nodes.some((node) => (node.charts || []).length)).map((name) => el("a", { href: name === "overview" ? "#!/" : link(name), "data-view": name }, name[0].toUpperCase() + name.slice(1))));
  document.getElementById("theme").addEventListener("click", theme);
  input.addEventListener("input", search);
  input.addEventListener("blur", () => { found.hidden = true; input.setAttribute("aria-expanded", "false"); });
  input.addEventListener("focus", search);
  addEventListener("keydown", keys);
  addEventListener("hashchange", route);
  route();
}

open().catch((error) => { view.textContent = `The page cannot be shown: ${error.message}. It needs a browser of 2024 or later.`; throw error; });
