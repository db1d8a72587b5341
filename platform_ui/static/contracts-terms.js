// The condition of terms while it is typed: highlighted, and checked with the place of what is wrong.
import {
  EditorState, EditorView, bracketMatching, closeBrackets, closeBracketsKeymap, defaultKeymap, drawSelection,
  highlightSpecialChars, history, historyKeymap, keymap, setDiagnostics,
} from "./vendor/codemirror.min.js";
import { offsetOf } from "./streams-editor.js";
import { streamLanguage } from "./streams-editor-language.js";

const CHECK_AFTER_MS = 350;

const theme = EditorView.theme({
  "&": { backgroundColor: "var(--code)", color: "var(--ink)", border: "1px solid var(--field-edge)", borderRadius: "8px", fontSize: ".9rem" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px", borderColor: "var(--accent)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", minHeight: "3.6rem", maxHeight: "14rem" },
  ".cm-content": { caretColor: "var(--ink)", padding: ".4rem .3rem" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { backgroundColor: "var(--accent-soft)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--danger)", textUnderlineOffset: "3px" },
  ".cm-lintPoint-error::after": { borderBottomColor: "var(--danger)" },
  ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line-strong)", borderRadius: "8px" },
  ".cm-diagnostic": { padding: ".4rem .7rem", fontFamily: "var(--sans)", maxWidth: "34rem" },
});

function enhance(box) {
  const field = box.querySelector("textarea[name=predicate]");
  const faults = box.querySelector(".terms-faults");
  const form = field.form;
  let waiting = 0;
  let checking = null;

  const provider = () => box.dataset.provider || form.elements.namedItem("provider")?.value || form.elements.namedItem("system")?.value || "";

  function show(found, doc) {
    const marks = found.filter((one) => one.field === "predicate" && one.line !== null).map((one) => {
      const from = offsetOf(doc, one.line, one.column);
      return { from: Math.min(from, Math.max(0, doc.length - 1)), to: Math.min(doc.length, from + 1), severity: "error", message: one.message };
    });
    view.dispatch(setDiagnostics(view.state, marks));
    faults.replaceChildren(...found.filter((one) => one.field === "predicate").map((one) => {
      const drawn = document.createElement("div");
      drawn.className = "caret";
      const [first, ...rest] = one.drawing.split("\n");
      const said = document.createElement("p");
      said.textContent = first;
      drawn.append(said);
      if (rest.length) {
        const place = document.createElement("pre");
        place.textContent = rest.join("\n");
        drawn.append(place);
      }
      return drawn;
    }));
  }

  async function check() {
    checking?.abort();
    checking = new AbortController();
    const text = view.state.doc.toString();
    if (!text.trim()) { show([], view.state.doc); return; }
    // Which system gives is checked when the form is sent; here any well-formed name does.
    const body = JSON.stringify({ provider: provider() || "xx.any.Any.Any", predicate: text });
    try {
      const answer = await fetch("/api/v1/contracts:check", { method: "POST", body, signal: checking.signal, headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": form.elements.csrf_token.value } });
      if (answer.ok && view.state.doc.toString() === text) show((await answer.json()).faults, view.state.doc);
    } catch (error) {
      if (error.name !== "AbortError") faults.textContent = "The condition cannot be checked just now; it is checked again when you send the form.";
    }
  }

  const host = document.createElement("div");
  host.className = "predicate-host";
  field.before(host);
  // In a tree of its own the editor adopts its style sheets, which the policy of the site allows.
  const root = host.attachShadow({ mode: "open" });
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: field.value,
      extensions: [
        highlightSpecialChars(), history(), drawSelection(), bracketMatching(), closeBrackets(), EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": "Only records where", spellcheck: "false", autocapitalize: "off" }),
        streamLanguage, theme,
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap]),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          field.value = update.state.doc.toString();
          clearTimeout(waiting);
          waiting = setTimeout(check, CHECK_AFTER_MS);
        }),
      ],
    }),
  });
  field.hidden = true;
  const label = box.querySelector(`label[for="${field.id}"]`);
  label.addEventListener("click", () => view.focus());
  label.removeAttribute("for");
}

for (const box of document.querySelectorAll("[data-terms-editor]")) enhance(box);
