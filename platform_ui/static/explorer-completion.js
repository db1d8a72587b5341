// Completion for a text field: what could stand at the caret, chosen with the arrow keys or the pointer.
import { element } from "./explorer-core.js";

const WORD = /[\w@$.]*$/;
let fields = 0;

// The entity type that a path such as Things(1)/Datastreams leads to; null for none.
export function typeOfPath(path, all) {
  let type = null;
  for (const step of path.split("/").filter(Boolean)) {
    const name = step.split("(")[0];
    if (!type) { type = all.bySet.get(name) || null; if (!type) return null; continue; }
    const relation = type.relations.find((one) => one.name === name);
    if (!relation) return type.properties.some((one) => one.name === name) || name.startsWith("$") ? type : null;
    type = all.byName.get(relation.target);
  }
  return type;
}

function offer(text, kind, meaning, insert = text) { return { text, kind, meaning, insert }; }

function propertiesOf(type) {
  return [offer("id", "number", "the entity's number"), ...type.properties.map((one) => offer(one.name, one.kind, one.meaning))];
}

function relationsOf(type, end) {
  return type.relations.map((one) => offer(one.name, one.many ? `${one.target}s`.replace(/ys$/, "ies") : one.target, one.many ? "all related ones" : "the related one", one.name + end));
}

// The type that the path before the caret leads to, such as Thing/Locations/ seen from a Datastream.
function along(type, steps, all) {
  let reached = type;
  for (const step of steps) {
    const relation = reached.relations.find((one) => one.name === step);
    if (!relation) return null;
    reached = all.byName.get(relation.target);
  }
  return reached;
}

function textIsOpen(before) { return (before.match(/'/g) || []).length % 2 === 1; }

export function forPath(before, all) {
  const steps = before.split("/");
  const done = steps.slice(0, -1);
  if (!done.length) return all.types.map((type) => offer(type.set, "set", `all ${type.set}`));
  const type = typeOfPath(done.join("/"), all);
  if (!type) return [];
  const last = done.at(-1);
  const isSet = !last.includes("(") && (done.length === 1 || [...all.bySet.keys()].includes(last));
  return isSet ? [offer("$ref", "links", "only addresses")] : [...relationsOf(type, ""), ...type.properties.map((one) => offer(one.name, one.kind, one.meaning)), offer("$value", "value", "the bare value")];
}

export function forCondition(before, type, all) {
  if (!type || textIsOpen(before)) return [];
  const path = /((?:[A-Za-z]\w*\/)+)\w*$/.exec(before);
  if (path) {
    const reached = along(type, path[1].split("/").filter(Boolean), all);
    return reached ? [...propertiesOf(reached), ...relationsOf(reached, "/")] : [];
  }
  const rest = before.replace(WORD, "").trimEnd();
  const afterOperand = rest !== "" && !/(\(|,|\/|\b(?:eq|ne|gt|ge|lt|le|add|sub|mul|div|mod|and|or|not|in))$/.test(rest);
  if (afterOperand) return all.operators.filter((one) => one.name !== "not").map((one) => offer(one.name, one.signature, one.meaning, `${one.name} `));
  return [...propertiesOf(type), ...relationsOf(type, "/"), ...all.functions.map((one) => offer(one.name, one.signature, one.meaning, /\(\)$/.test(one.signature) ? `${one.name}()` : `${one.name}(`)), offer("not", "not a", "the opposite", "not ")];
}

export function forOrder(before, type, all) {
  if (!type) return [];
  if (/[\w)]\s+\w*$/.test(before.split(",").pop().trimStart())) return [offer("desc", "", "largest first"), offer("asc", "", "smallest first")];
  return forCondition(before.split(",").pop(), type, all);
}

export function forSelection(before, type) {
  return type ? [...propertiesOf(type), ...type.relations.map((one) => offer(one.name, "link", "its address"))] : [];
}

// $expand nests: Datastreams($select=name;$expand=Observations($top=1)),Locations
export function forExpansion(before, type, all) {
  if (!type || textIsOpen(before)) return [];
  const levels = [{ type, start: 0, option: "$expand" }];
  for (let at = 0; at < before.length; at += 1) {
    const level = levels.at(-1);
    const sofar = before.slice(level.start, at);
    if (before[at] === "(") {
      const name = /([\w/]+)$/.exec(sofar);
      const isRelation = level.option === "$expand" && name;
      levels.push({ type: isRelation ? along(level.type, name[1].split("/"), all) : level.type, start: at + 1, option: isRelation ? "" : level.option, isCall: !isRelation });
      if (!levels.at(-1).type) return [];
    } else if (before[at] === ")") { if (levels.length > 1) levels.pop(); }
    else if (before[at] === ";" && levels.length > 1 && !level.isCall) Object.assign(level, { option: "", start: at + 1 });
    else if (before[at] === "=" && !level.option) Object.assign(level, { option: sofar.trim(), start: at + 1 });
  }
  const { type: here, start, option } = levels.at(-1);
  const rest = before.slice(start);
  if (option === "") return all.options.map((one) => offer(one.name, one.signature, one.meaning, `${one.name}=`));
  if (option === "$filter") return forCondition(rest, here, all);
  if (option === "$orderby") return forOrder(rest, here, all);
  if (option === "$select") return forSelection(rest, here);
  if (option === "$count") return [offer("true", "", "count them")];
  if (option !== "$expand") return [];
  const path = /((?:\w+\/)+)\w*$/.exec(rest);
  const reached = path ? along(here, path[1].split("/").filter(Boolean), all) : here;
  return reached ? relationsOf(reached, "") : [];
}

// Ties a field to a list of offers; offers(text before the caret) says what fits.
export function complete(field, offers, changed) {
  fields += 1;
  const box = element("ul", { class: "offers", role: "listbox", id: `offers-${fields}`, "aria-label": "Completions", hidden: true });
  field.after(box);
  // A field of several lines stays a text box: HTML lets only fields of one line be a combobox.
  const isCombobox = field.tagName === "INPUT";
  for (const [name, value] of [["aria-autocomplete", "list"], ["aria-controls", box.id], ...(isCombobox ? [["role", "combobox"]] : [["aria-haspopup", "listbox"]])]) field.setAttribute(name, value);
  const tell = (isOpen) => { box.hidden = !isOpen; if (isCombobox) field.setAttribute("aria-expanded", String(isOpen)); };
  tell(false);
  let shown = [];
  let at = -1;

  function shut() {
    tell(false);
    shown = [];
    at = -1;
    field.removeAttribute("aria-activedescendant");
  }
  function mark(index) {
    at = index;
    [...box.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === index)));
    if (index >= 0) { field.setAttribute("aria-activedescendant", box.children[index].id); box.children[index].scrollIntoView({ block: "nearest" }); } else field.removeAttribute("aria-activedescendant");
  }
  function take(one) {
    const caret = field.selectionStart;
    const before = field.value.slice(0, caret).replace(WORD, "");
    field.value = before + one.insert + field.value.slice(caret).replace(/^[\w@$.]*/, "");
    const place = before.length + one.insert.length;
    field.focus();
    field.setSelectionRange(place, place);
    shut();
    changed();
    if (/[/( =]$/.test(one.insert)) open(false);
  }
  function open(isAsked) {
    const before = field.value.slice(0, field.selectionStart);
    const word = WORD.exec(before)[0].toLowerCase();
    if (/[)'"]$/.test(before) || /^\d/.test(word)) { shut(); return; }
    const all = offers(before);
    const starts = all.filter((one) => one.text.toLowerCase().startsWith(word));
    const has = word.length > 1 ? all.filter((one) => !starts.includes(one) && one.text.toLowerCase().includes(word)) : [];
    shown = [...starts, ...has].slice(0, 60);
    if (!shown.length || (!isAsked && word && shown[0].text.toLowerCase() === word)) { shut(); return; }
    box.replaceChildren(...shown.map((one, index) => {
      const item = element("li", { role: "option", id: `${box.id}-${index}`, "aria-selected": "false" }, element("code", {}, one.text), element("span", { class: "offer-kind" }, one.kind), element("span", { class: "offer-meaning" }, one.meaning));
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(one); });
      return item;
    }));
    tell(true);
    mark(word ? 0 : -1);
  }
  field.addEventListener("input", () => { if (field.value) open(false); else shut(); changed(); });
  field.addEventListener("click", () => { if (box.hidden && !field.value) open(true); });
  field.addEventListener("blur", shut);
  field.addEventListener("keydown", (event) => {
    if (event.key === " " && event.ctrlKey) { event.preventDefault(); open(true); return; }
    if (box.hidden) { if (event.key === "ArrowDown" && field.tagName === "INPUT") { event.preventDefault(); open(true); } return; }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); mark((at + (event.key === "ArrowDown" ? 1 : -1) + shown.length + (at < 0 && event.key === "ArrowUp" ? 1 : 0)) % shown.length); }
    else if ((event.key === "Enter" || event.key === "Tab") && at >= 0 && !event.shiftKey && !event.ctrlKey && !event.metaKey) { event.preventDefault(); take(shown[at]); }
    else if (event.key === "Escape") { event.preventDefault(); shut(); }
  });
  return { isOpen: () => !box.hidden };
}
