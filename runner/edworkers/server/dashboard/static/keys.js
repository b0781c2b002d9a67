// The keyboard: go to pages, walk through rows, select, search. "?" tells which keys there are.

const PAGES = { o: "/", f: "/failures", s: "/search", c: "/schedules", a: "/activity" };
let goesTo = 0;

export function openKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return letGo(event);
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const act = chosen(event.key);
    if (act) {
      event.preventDefault();
      act();
    }
  });
}

function chosen(key) {
  if (Date.now() < goesTo && PAGES[key]) return () => location.assign(PAGES[key]);
  goesTo = 0;
  switch (key) {
    case "g": return () => { goesTo = Date.now() + 1500; };
    case "/": return () => document.getElementById("search")?.focus();
    case "?": return () => document.getElementById("keys").showModal();
    case "j": return () => walk(1);
    case "k": return () => walk(-1);
    case "x": return select();
    case "Enter": return openRow();
    default: return null;
  }
}

function isTyping(element) {
  return element.isContentEditable || element.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button])");
}

function rows() {
  return [...document.querySelectorAll("[data-row]")];
}

function walk(by) {
  const all = rows();
  if (!all.length) return;
  const here = all.findIndex((row) => row.classList.contains("at"));
  const next = here < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + by, 0), all.length - 1);
  all[here]?.classList.remove("at");
  all[next].classList.add("at");
  all[next].scrollIntoView({ block: "nearest" });
  all[next].querySelector("a[data-open], a")?.focus({ preventScroll: true });
}

function select() {
  const box = document.querySelector("[data-row].at input[name=ids]");
  return box ? () => box.click() : null;
}

function openRow() {
  if (document.activeElement?.matches("a, button, summary, input")) return null;
  const link = document.querySelector("[data-row].at a[data-open]");
  return link ? () => link.click() : null;
}

function letGo(event) {
  for (const open of document.querySelectorAll("details.menu[open], details.confirm[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
  if (isTyping(event.target)) event.target.blur();
  document.querySelector("[data-row].at")?.classList.remove("at");
}
