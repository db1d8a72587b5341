// What people take with them: a query as a shell command and as a Python program, rows as CSV.

function shell(text) { return `'${text.replaceAll("'", "'\\''")}'`; }
function python(text) { return JSON.stringify(text); }

// Both programs send the token of the environment when there is one.
export function snippets(address, options) {
  const pairs = Object.entries(options);
  const curl = [`curl -sS -G ${shell(address)}`, ...pairs.map(([name, value]) => `--data-urlencode ${shell(`${name}=${value}`)}`), '${DTWIN_SENSORTHINGS__TOKEN:+-H "Authorization: Bearer $DTWIN_SENSORTHINGS__TOKEN"}'].join(" \\\n  ");
  const lines = [
    "import json", "import os", "import urllib.parse", "import urllib.request", "",
    `address = ${python(address)}`,
    pairs.length ? `query = {\n${pairs.map(([name, value]) => `    ${python(name)}: ${python(value)},`).join("\n")}\n}` : "query = {}",
    'token = os.environ.get("DTWIN_SENSORTHINGS__TOKEN")',
    'headers = {"Authorization": f"Bearer {token}"} if token else {}',
    'url = f"{address}?{urllib.parse.urlencode(query)}"',
    "rows = []",
    "while url:",
    "    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:",
    "        page = json.load(answer)",
    '    rows += page.get("value", [page])',
    '    url = page.get("@iot.nextLink")',
    'print(len(rows), "rows")', "",
  ];
  return { curl, python: lines.join("\n") };
}

// A text that a spreadsheet would take for a formula gets an apostrophe in front.
function csvCell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  let text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Source: RFC 4180. Names of columns are the standard's own, so no spreadsheet takes them for formulas.
export function csvOf(rows, columns) {
  return [columns.join(","), ...rows.map((row) => columns.map((name) => csvCell(row[name])).join(","))].map((line) => `${line}\r\n`).join("");
}
