// The Stream language for the editor: how its words look, and what could stand at the caret.
import { HighlightStyle, StreamLanguage, syntaxHighlighting, tags } from "./vendor/codemirror.min.js";

const KEYWORD = /^(?:explain|select|from|where|as|unit|join|within|on|time|left|right|mean|later|max|latency|lateness|xor|or|and|not|between|in|like|is|null|true|false)(?!\w)/i;
const SOURCE = /^[^\s,;()'"*=<>]+/;

function token(stream, state) {
  if (stream.eatSpace()) return null;
  const wantsSource = state.wantsSource;
  state.wantsSource = false;
  if (stream.match(/^'(?:[^']|'')*'?/)) return "string";
  if (stream.match(/^"(?:[^"]|"")*"?/)) return wantsSource ? "namespace" : "propertyName";
  if (wantsSource && stream.match(SOURCE)) return "namespace";
  const word = stream.match(KEYWORD, false);
  if (word && !/^max\s*\(/i.test(stream.string.slice(stream.pos))) {
    stream.match(KEYWORD);
    state.wantsSource = /^(?:from|join)$/i.test(word[0]);
    return "keyword";
  }
  if (stream.match(/^\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/)) return "number";
  if (stream.match(/^[^\W\d]\w*(?=\s*\()/)) return "functionName";
  if (stream.match(/^[^\W\d]\w*/)) return "propertyName";
  if (stream.match(/^(?:<>|!=|<=|>=|[=<>+\-*/%^])/)) return "operator";
  stream.next();
  return "punctuation";
}

const language = StreamLanguage.define({
  name: "stream-statement",
  startState: () => ({ wantsSource: false }),
  token,
  tokenTable: { functionName: tags.function(tags.name) },
  languageData: { closeBrackets: { brackets: ["(", "'", '"'] } },
});

// The colours are those of the site, so that they follow light and dark.
const look = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent-strong)", fontWeight: "600" },
  { tag: tags.string, color: "var(--good)" },
  { tag: tags.number, color: "var(--warn)" },
  { tag: tags.function(tags.name), color: "var(--info)" },
  { tag: tags.namespace, color: "var(--ink)", fontWeight: "600" },
  { tag: tags.propertyName, color: "var(--ink)" },
  { tag: tags.operator, color: "var(--muted)" },
]);

export const streamLanguage = [language, syntaxHighlighting(look)];

function offer(label, kind, detail, info = "", extra = {}) {
  return { label, type: kind, detail, info: info || undefined, ...extra };
}

// The names of the sources before the caret and behind it, such as l and r.
function aliasesOf(text) {
  return [...text.matchAll(/\b(?:from|join)\s+[^\s,;()]+\s+as\s+([^\W\d]\w*)/gi)].map((found) => found[1]);
}

export function sourcesOf(text) {
  return [...new Set([...text.matchAll(/\b(?:from|join)\s+([^\s,;()'"*=<>]+)/gi)].map((found) => found[1]).filter((name) => name.split(".").length === 4))];
}

function inText(before, words) {
  const options = (list) => list.map((one) => one);
  if (/\bunit\s*'[^']*$/i.test(before) || /\bconvert\s*\([^)]*'[^']*$/i.test(before)) return options(words.units.map((one) => offer(one.name, "unit", one.meaning)));
  if (/\bthing\b[^']*(?:'[^']*'\s*,\s*)*'[^']*$/i.test(before)) return [...new Set(words.datastreams.map((one) => one.thing))].map((thing) => offer(thing, "class", "Thing"));
  if (/\bsystem\b[^']*(?:'[^']*'\s*,\s*)*'[^']*$/i.test(before)) return words.systems.map((name) => offer(name, "namespace", "system"));
  if (/\bname\b[^']*(?:'[^']*'\s*,\s*)*'[^']*$/i.test(before)) return words.datastreams.map((one) => offer(one.name, "variable", one.unit || "no unit", "", { displayLabel: one.name.split(".").slice(4).join(".") }));
  return [];
}

function inOpen(before, text, words) {
  if (/\b(?:from|join)\s+[^\s,;()'"]*$/i.test(before)) return words.systems.map((name) => offer(name, "namespace", "system"));
  const attributes = words.attributes.map((one) => offer(one.name, "property", one.kind, one.meaning));
  const aliases = aliasesOf(text);
  const qualified = /\b([^\W\d]\w*)\.\w*$/.exec(before);
  if (qualified) return aliases.includes(qualified[1]) ? attributes : [];
  if (/\bas\s+\w*$/i.test(before)) return [];
  return [
    ...aliases.map((name) => offer(`${name}.`, "variable", "source")),
    ...(aliases.length > 1 ? [] : attributes),
    ...words.functions.map((one) => offer(one.name, "function", one.kind.slice(one.name.length), one.meaning, { apply: `${one.name}(` })),
    ...words.keywords.map((name) => offer(name, "keyword", "")),
  ];
}

// words() resolves to what may stand in a statement; it is asked for when it is first needed.
export function completionSource(words) {
  return async (context) => {
    const text = context.state.doc.toString();
    const before = text.slice(0, context.pos);
    const isText = (before.match(/'/g) || []).length % 2 === 1;
    const typed = isText ? context.matchBefore(/[^']*/) : context.matchBefore(/\b(?:from|join)\s+[^\s,;()'"]*$/i) ? context.matchBefore(/[^\s,;()'"]*/) : context.matchBefore(/\w*/);
    if (!context.explicit && !isText && (!typed || typed.from === typed.to) && !/\.$/.test(before)) return null;
    const known = await words(sourcesOf(text));
    if (!known || context.aborted) return null;
    const options = isText ? inText(before, known) : inOpen(before, text, known);
    return options.length ? { from: typed ? typed.from : context.pos, options, validFor: isText ? /^[^']*$/ : /^[\w.]*$/ } : null;
  };
}
