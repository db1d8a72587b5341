// What every editor of the Stream language is: CodeMirror in place of a plain field, which stays what the form sends.
import {
  EditorState, EditorView, bracketMatching, closeBrackets, closeBracketsKeymap, defaultKeymap, drawSelection,
  highlightSpecialChars, history, historyKeymap, keymap,
} from "./vendor/codemirror.min.js";
import { streamLanguage } from "./streams-editor-language.js";

export const CHECK_AFTER_MS = 350;

function themeOf(look, rules) {
  return EditorView.theme({
    "&": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--field-edge)", borderRadius: "8px", fontSize: ".9rem" },
    "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-1px", borderColor: "var(--accent)" },
    ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6", minHeight: look.minHeight, maxHeight: look.maxHeight },
    ".cm-content": { caretColor: "var(--ink)", padding: look.padding },
    ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--ink)" },
    ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { backgroundColor: "var(--accent-soft)" },
    ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "var(--accent-soft)", outline: "1px solid var(--accent)" },
    ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--danger)", textUnderlineOffset: "3px" },
    ".cm-lintPoint-error::after": { borderBottomColor: "var(--danger)" },
    ".cm-tooltip": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line-strong)", borderRadius: "8px", overflow: "hidden", boxShadow: "0 6px 20px rgb(0 0 0 / 18%)" },
    ".cm-diagnostic": { padding: ".4rem .7rem", fontFamily: "var(--sans)", maxWidth: "34rem" },
    ".cm-diagnostic-error": { borderLeft: "4px solid var(--danger)" },
    ...rules,
  });
}

// Lines and columns are counted from 1, columns in whole characters; JavaScript counts halves of some.
export function offsetOf(doc, line, column) {
  const found = doc.line(Math.min(Math.max(line, 1), doc.lines));
  return found.from + [...found.text].slice(0, column - 1).join("").length;
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

// Put an editor in place of a field.
//   label: what it is to those who do not see it; host: the class of its element; look: its heights and padding;
//   rules: more of its theme; before, keys: more extensions and keys; changed: told the text after each change.
export function openEditor(field, { label, host, look, rules = {}, before = [], keys = [], changed }) {
  const place = document.createElement("div");
  place.className = host;
  field.before(place);
  // In a tree of its own, CodeMirror adopts its style sheets; outside it would write style elements, which the
  // policy of the site refuses.
  const root = place.attachShadow({ mode: "open" });
  // Whoever came to the field before the editor did goes on where they were.
  const isHeld = document.activeElement === field;
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: field.value,
      selection: { anchor: field.selectionStart, head: field.selectionEnd },
      extensions: [
        ...before, highlightSpecialChars(), history(), drawSelection(), bracketMatching(), closeBrackets(), EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
        streamLanguage, themeOf(look, rules), typeOver,
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...keys]),
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          field.value = update.state.doc.toString();
          changed(field.value);
        }),
      ],
    }),
  });
  field.hidden = true;
  const words = document.querySelector(`label[for="${field.id}"]`);
  words.addEventListener("click", () => view.focus());
  words.removeAttribute("for");
  if (isHeld) view.focus();
  return view;
}
