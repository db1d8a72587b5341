// The editor of a statement: CodeMirror over the plain field, which stays what the form sends.
import { Prec, acceptCompletion, autocompletion, completionKeymap, completionStatus, keymap, lineNumbers, setDiagnostics } from "./vendor/codemirror.min.js";
import { CHECK_AFTER_MS, offsetOf, openEditor } from "./streams-editor-base.js";
import { completionSource, sourcesOf } from "./streams-editor-language.js";
import { describeChanges } from "./streams-editor-changes.js";

const RULES = {
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--muted)", border: "0" },
  ".cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxHeight: "16rem" },
  ".cm-tooltip-autocomplete > ul > li": { padding: ".25rem .6rem" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--ink)" },
  ".cm-completionDetail": { color: "var(--muted)", fontStyle: "normal", marginLeft: ".8rem" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--accent-strong)" },
  ".cm-completionInfo": { padding: ".4rem .7rem", maxWidth: "20rem", fontFamily: "var(--sans)" },
};

function toDiagnostic(doc, one) {
  const from = offsetOf(doc, one.line, one.column);
  const to = Math.max(from, offsetOf(doc, one.end_line, one.end_column));
  const expected = one.expected.length ? `; expected ${one.expected.join(" or ")}` : "";
  // At the end of the text there is nothing to underline but the last character.
  return { from: to === from ? Math.max(0, from - 1) : from, to: Math.min(to, doc.length), severity: "error", message: `${one.message}${expected}` };
}

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
    soon();
    const changes = box.querySelector(".editor-changes");
    if (changes) describeChanges(changes, box.dataset.running, text);
  }

  const view = openEditor(field, {
    label: "Statement",
    host: "editor-host",
    look: { minHeight: "10.5rem", maxHeight: "26rem", padding: ".5rem 0" },
    rules: RULES,
    before: [
      lineNumbers(),
      autocompletion({ override: [completionSource(words)], activateOnTyping: true }),
      Prec.highest(keymap.of([
        { key: "Ctrl-Enter", mac: "Cmd-Enter", run: () => { tryButton.click(); return true; } },
        { key: "Tab", run: (shown) => completionStatus(shown.state) === "active" && acceptCompletion(shown) },
      ])),
    ],
    keys: completionKeymap,
    changed,
  });

  field.required = false; // a field that cannot be seen cannot be asked for either
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
