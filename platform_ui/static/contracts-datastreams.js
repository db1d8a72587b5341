// The Datastreams to choose from: found by a word, and asked for anew when another system is named.
const count = (box) => {
  const said = box.querySelector("[data-datastream-count]");
  if (!said) return;
  const rows = [...box.querySelectorAll(".datastream-row")];
  const shown = rows.filter((row) => !row.hidden).length;
  const ticked = rows.filter((row) => row.querySelector("input").checked).length;
  said.textContent = `${shown} shown, ${ticked} ticked`;
};

function find(box, words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of box.querySelectorAll(".datastream-row")) {
    row.hidden = !wanted.every((word) => row.dataset.words.includes(word));
  }
  count(box);
}

function enhance(box) {
  const form = box.closest("form");
  let asking = null;

  async function ask(system) {
    asking?.abort();
    asking = new AbortController();
    box.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(`/contracts/datastreams?provider=${encodeURIComponent(system)}`, {
        headers: { "HX-Request": "true", Accept: "text/html" }, signal: asking.signal,
      });
      if (!answer.ok) throw new Error(`the list answered ${answer.status}`);
      box.innerHTML = await answer.text();
      count(box);
    } catch (error) {
      if (error.name === "AbortError") return;
      const note = document.createElement("p");
      note.className = "help";
      note.textContent = "The Datastreams cannot be listed just now: write their names.";
      box.replaceChildren(note);
    }
    box.removeAttribute("aria-busy");
  }

  box.addEventListener("input", (event) => {
    if (event.target.matches("[data-datastream-filter]")) find(box, event.target.value);
    else count(box);
  });
  // Enter finds; it does not send the form.
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("[data-datastream-filter]")) event.preventDefault();
  });
  const source = form.elements.namedItem("provider") ?? form.elements.namedItem("system");
  if (source?.matches("input, select")) source.addEventListener("change", () => ask(source.value));
  count(box);
}

for (const box of document.querySelectorAll("[data-datastream-choices]")) enhance(box);
