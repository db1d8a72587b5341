// What a statement that is being typed differs in from the one that runs, line by line.

// The longest common lines, by the usual table; statements have few lines.
export function changedLines(before, after) {
  const one = before.replace(/\r\n/g, "\n").split("\n");
  const other = after.replace(/\r\n/g, "\n").split("\n");
  const table = Array.from({ length: one.length + 1 }, () => new Array(other.length + 1).fill(0));
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) table[i][j] = one[i] === other[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
  }
  const changes = [];
  let i = 0;
  let j = 0;
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j]) { changes.push([" ", one[i]]); i += 1; j += 1; }
    else if (i < one.length && (j === other.length || table[i + 1][j] >= table[i][j + 1])) { changes.push(["-", one[i]]); i += 1; }
    else { changes.push(["+", other[j]]); j += 1; }
  }
  return changes;
}

const WORDS = { "-": "left out", "+": "new", " ": "kept" };

export function describeChanges(box, running, text) {
  const changes = changedLines(running, text);
  if (changes.every(([sign]) => sign === " ")) { box.replaceChildren(); return; }
  const title = document.createElement("p");
  title.className = "help";
  title.textContent = "Changes against the version that is deployed:";
  const list = document.createElement("ol");
  list.className = "change-lines";
  list.append(...changes.map(([sign, line]) => {
    const item = document.createElement("li");
    item.className = sign === "+" ? "change-new" : sign === "-" ? "change-old" : "change-kept";
    const word = document.createElement("span");
    word.className = "visually-hidden";
    word.textContent = `${WORDS[sign]}: `;
    const mark = document.createElement("span");
    mark.setAttribute("aria-hidden", "true");
    mark.textContent = `${sign} `;
    const code = document.createElement("code");
    code.textContent = line;
    item.append(word, mark, code);
    return item;
  }));
  box.replaceChildren(title, list);
}
