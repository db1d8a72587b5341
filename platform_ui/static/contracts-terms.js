// The condition of terms while it is typed: highlighted, and checked with the place of what is wrong.
import { setDiagnostics } from "./vendor/codemirror.min.js";
import { CHECK_AFTER_MS, offsetOf, openEditor } from "./streams-editor-base.js";

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

  const view = openEditor(field, {
    label: "Only records where",
    host: "predicate-host",
    look: { minHeight: "3.6rem", maxHeight: "14rem", padding: ".4rem .3rem" },
    changed() {
      clearTimeout(waiting);
      waiting = setTimeout(check, CHECK_AFTER_MS);
    },
  });
}

for (const box of document.querySelectorAll("[data-terms-editor]")) enhance(box);
