// The editor of a statement: CodeMirror over the plain field, which stays what the form sends.
import {
  EditorState, EditorView, Prec, acceptCompletion, autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap,
  completionKeymap, completionStatus, defaultKeymap, drawSelection, highlightSpecialChars, history, historyKeymap, keymap, lineNumbers, setDiagnostics,
} from "./vendor/codemirror.min.js";
import { completionSource, sourcesOf, streamLanguage } from "./streams-editor-language.js";
import { describeChanges } from "./streams-editor-changes.js";

const CHECK_AFTER_MS = 350;

const theme = EditorView.theme({
  "&": { backgroundColor: "var(--code)", color: "var(--ink)", border: "1px solid var(--field-edge)", borderRadius: "8px", fontSize: ".9rem" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px", borderColor: "var(--accent)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", minHeight: "10.5rem", maxHeight: "26rem" },
  ".cm-content": { caretColor: "var(--ink)", padding: ".5rem 0" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--muted)", border: "0" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { backgroundColor: "var(--accent-soft)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--danger)", textUnderlineOffset: "3px" },
  ".cm-lintPoint-error::after": { borderBottomColor: "var(--danger)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line-strong)", borderRadius: "8px", overflow: "hidden", boxShadow: "0 6px 20px rgb(0 0 0 / 18%)" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16rem" },
  ".cm-tooltip-autocomplete > ul > li": { padding: ".25rem .6rem" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-completionDetail": { color: "var(--muted)", fontStyle: "normal", marginLeft: ".8rem" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--accent-strong)" },
  ".cm-completionInfo": { padding: ".4rem .7rem", maxWidth: "20rem", fontFamily: "var(--sans)" },
  ".cm-diagnostic": { padding: ".4rem .7rem", fontFamily: "var(--sans)", maxWidth: "34rem" },
  ".cm-diagnostic-error": { borderLeft: "4px solid var(--danger)" },
});

// Lines and columns are counted from 1, columns in whole characters; JavaScript counts halves of some.
export function offsetOf(doc, line, column) {
  const found = doc.line(Math.min(Math.max(line, 1), doc.lines));
  return found.from + [...found.text].slice(0, column - 1).join("").length;
}

function toDiagnostic(doc, one) {
  const from = offsetOf(doc, one.line, one.column);
  const to = Math.max(from, offsetOf(doc, one.end_line, one.end_column));
  const expected = one.expected.length ? `; expected ${one.expected.join(" or ")}` : "";
  // At the end of the text there is nothing to underline but the last character.
  return { from: to === from ? Math.max(0, from - 1) : from, to: Math.min(to, doc.length), severity: "error", message: `${one.message}${expected}` };
}

// A browser that types over a selection copies its look into a style attribute, which the policy of the site
// refuses; so the editor itself puts the text there.
const typeOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to, empty } = view.state.selection.main;
    if (event.inputType !== "insertText" || event.data === null || empty || view.composing) return false;
    const insert = () => view.state.update(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    const isHandled = view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, event.data, insert));
    if (!isHandled) view.dispatch(insert());
    return true;
  },
});

function enhance(box) {
  const field = box.querySelector("textarea");
  const form = field.form;
  const panel = box.querySelector("#statement-check");
  const tryButton = box.querySelector("[data-try]");
  const source = box.dataset.source;
  let checking = null;
  let waiting = 0;
  const asked = new Map();

  // What the records hold besides is known when some were tried.
  function ownAttributes() {
    const names = box.querySelector("[data-attributes]")?.dataset.attributes || "";
    return names.split("\n").filter(Boolean).map((name) => ({ name: /^[^\W\d]\w*$/.test(name) ? name : `"${name}"`, kind: "of your records", meaning: "an additional attribute" }));
  }

  async function words(sources) {
    const known = await vocabulary(sources);
    return known && { ...known, attributes: [...known.attributes, ...ownAttributes()] };
  }

  function vocabulary(sources) {
    const others = sources.filter((name) => name !== source).sort();
    const key = others.join(",");
    if (!asked.has(key)) {
      const query = new URLSearchParams(others.map((name) => ["source", name]));
      asked.set(key, fetch(`/api/v1/systems/${source}/apps:words?${query}`, { headers: { Accept: "application/json" } })
        .then((answer) => (answer.ok ? answer.json() : null))
        .catch(() => null));
    }
    return asked.get(key);
  }

  async function check() {
    checking?.abort();
    checking = new AbortController();
    const text = view.state.doc.toString();
    const body = new URLSearchParams({ statement: text, target_system: form.elements.target_system?.value || "", csrf_token: form.elements.csrf_token.value });
    try {
      const answer = await fetch(`/systems/${source}/apps/check`, { method: "POST", body, headers: { Accept: "application/json" }, signal: checking.signal });
      if (!answer.ok || view.state.doc.toString() !== text) return;
      const found = await answer.json();
      panel.innerHTML = found.panel;
      view.dispatch(setDiagnostics(view.state, found.diagnostics.map((one) => toDiagnostic(view.state.doc, one))));
    } catch (error) {
      if (error.name !== "AbortError") panel.textContent = "The statement cannot be checked just now; it is checked again when you create the app.";
    }
  }

  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(check, CHECK_AFTER_MS);
  }

  function changed(text) {
    field.value = text;
    soon();
    const changes = box.querySelector(".editor-changes");
    if (changes) describeChanges(changes, box.dataset.running, text);
  }

  const host = document.createElement("div");
  host.className = "editor-host";
  field.before(host);
  // In a tree of its own, CodeMirror adopts its style sheets; outside it would write style elements, which the
  // policy of the site refuses.
  const root = host.attachShadow({ mode: "open" });
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: field.value,
      extensions: [
        lineNumbers(), highlightSpecialChars(), history(), drawSelection(), bracketMatching(), closeBrackets(),
        EditorView.lineWrapping, EditorView.contentAttributes.of({ "aria-label": "Statement", spellcheck: "false", autocapitalize: "off" }),
        streamLanguage, theme, typeOver,
        autocompletion({ override: [completionSource(words)], activateOnTyping: true }),
        Prec.highest(keymap.of([
          { key: "Ctrl-Enter", mac: "Cmd-Enter", run: () => { tryButton.click(); return true; } },
          { key: "Tab", run: (shown) => completionStatus(shown.state) === "active" && acceptCompletion(shown) },
        ])),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
        EditorView.updateListener.of((update) => { if (update.docChanged) changed(update.state.doc.toString()); }),
      ],
    }),
  });

  field.hidden = true;
  field.required = false; // a field that cannot be seen cannot be asked for either
  box.querySelector(`label[for="${field.id}"]`).addEventListener("click", () => view.focus());
  box.querySelector(`label[for="${field.id}"]`).removeAttribute("for");
  box.classList.add("is-enhanced");
  for (const keys of box.querySelectorAll(".editor-keys")) keys.hidden = false;
  form.elements.target_system?.addEventListener("input", soon);
  if (!panel.querySelector(".plan-words, .fault") && field.value) check();
  if (box.querySelector(".editor-changes")) describeChanges(box.querySelector(".editor-changes"), box.dataset.running, field.value);

  function write(text) {
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    view.focus();
  }

  box.addEventListener("click", (event) => {
    const place = event.target.closest(".fault-place");
    if (place) {
      event.preventDefault();
      const at = offsetOf(view.state.doc, Number(place.dataset.line), Number(place.dataset.column));
      view.dispatch({ selection: { anchor: at }, scrollIntoView: true });
      view.focus();
    }
    const example = event.target.closest("[data-example]");
    if (example && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      write(example.dataset.example);
      const name = form.elements.namedItem("name");
      if (name && !name.dataset.typed) name.value = example.dataset.name;
    }
  });
  form.elements.namedItem("name")?.addEventListener("input", (event) => { event.target.dataset.typed = "1"; });
  words(sourcesOf(field.value));
}

for (const box of document.querySelectorAll("[data-statement-editor]")) enhance(box);
