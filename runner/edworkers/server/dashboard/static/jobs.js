// What pages about jobs do beyond app.js: go on with a search, guard what was typed, undo what was begun for many.
import { toast } from "./forms.js";
import { renewTimes } from "./times.js";

const THIN = "\u202f";
const LOOK_MS = 500;
const STAY_MS = 6000;
const count = (number) => number.toLocaleString("en").replaceAll(",", THIN);

goOnSearching();
guardTyped();
sendAtOnce();
followOperations();
streamText();

// Goes on with a search from where the page left off, until it is over, stopped, or much was found.
function goOnSearching() {
  const list = document.querySelector("[data-search][data-next]");
  if (!list) return;
  const part = (name) => list.querySelector(`[data-search-${name}]`);
  const stop = part("stop");
  const more = part("more");
  const address = new URL("/search/stream", location);
  address.search = location.search;
  address.searchParams.set("from", list.dataset.next);
  const source = new EventSource(address);
  let next = list.dataset.next;
  let found = part("rows").children.length;

  stop.hidden = false;
  more.hidden = true;
  stop.addEventListener("click", () => end("Stopped."));
  source.addEventListener("found", (event) => {
    const step = JSON.parse(event.data);
    next = step.next;
    add(step.html);
    tell(step);
  });
  source.addEventListener("away", (event) => end(JSON.parse(event.data).message));
  source.addEventListener("end", () => end(""));
  source.onerror = () => end("The server is away: the search stopped.");

  function add(html) {
    if (!html) return;
    const rows = new DOMParser().parseFromString(`<table><tbody>${html}</tbody></table>`, "text/html").querySelectorAll("tr");
    found += rows.length;
    part("rows").append(...rows);
    part("none").hidden = true;
    offer();
    renewTimes();
    document.dispatchEvent(new CustomEvent("renewed"));
  }

  // What can be done is offered once a job is found to which it can be done.
  function offer() {
    for (const offered of list.querySelectorAll("[data-offers]")) {
      const states = offered.dataset.offers.split(" ");
      if (states.some((state) => list.querySelector(`[data-state="${state}"]`))) offered.hidden = false;
    }
  }

  function tell(step) {
    part("found").textContent = count(found);
    part("looked").textContent = count(step.looked_at);
    part("total").textContent = count(step.total);
    const share = step.total ? Math.min(step.looked_at / step.total, 1) : 1;
    list.querySelector(".meter-used").setAttribute("width", String(share * 100));
  }

  function end(words) {
    source.close();
    stop.hidden = true;
    if (words) toast(words);
    if (!next) {
      list.querySelector(".meter").classList.add("good");
      const title = part("none").querySelector(".empty-title");
      if (title) title.textContent = "No job matches";
      return;
    }
    const on = new URL(location);
    on.searchParams.set("from", next);
    more.href = on.pathname + on.search;
    more.hidden = false;
  }
}

// Says at once where JSON is broken, and asks before what was typed is left.
function guardTyped() {
  const text = document.querySelector("[data-json]");
  if (!text) return;
  const fault = document.querySelector("[data-json-fault]");
  const faults = document.getElementById("faults");
  let sends = false;
  text.form.addEventListener("submit", () => { sends = true; });
  text.addEventListener("input", () => {
    const told = broken(text.value);
    fault.textContent = told;
    fault.hidden = !told;
    text.setAttribute("aria-invalid", String(Boolean(told)));
  });
  window.addEventListener("beforeunload", (event) => {
    if (!sends && (text.value !== text.defaultValue || faults)) event.preventDefault();
  });
  faults?.focus();
}

function broken(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `Not JSON yet: ${error.message}`;
  }
}

function sendAtOnce() {
  for (const form of document.querySelectorAll("form[data-autosubmit]")) {
    form.addEventListener("change", () => form.requestSubmit());
    form.querySelector("button").hidden = true;
  }
}

// Forms for many jobs stay on their page: a toast counts down, undoes, and tells how far it is.
function followOperations() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const address = new URL(form.getAttribute("action") ?? "", location); // form.action may be a field of that name
    if (!address.pathname.endsWith("/bulk")) return;
    event.preventDefault();
    const body = new FormData(form, event.submitter);
    const answer = await send(address, body);
    for (const open of document.querySelectorAll("details.confirm[open]")) open.open = false;
    if (!answer) return;
    for (const box of document.querySelectorAll("input[name=ids]:checked, input[name=everything]:checked")) box.checked = false;
    document.dispatchEvent(new CustomEvent("renewed"));
    for (const id of answer.operations) showOperation(id);
  });
}

async function send(address, body) {
  try {
    const answer = await fetch(address, { method: "POST", body, headers: { Accept: "application/json" } });
    if (answer.status === 401) location.reload(); // leads to the login, and back
    const told = await answer.json();
    if (answer.ok) return told;
    toast(told.detail ?? "That couldn't be done", 10);
  } catch {
    toast("The server can't be reached: nothing was begun", 10);
  }
  return null;
}

function showOperation(id) {
  const shown = toast("", 3600);
  shown.classList.add("undo-toast");
  shown.setAttribute("role", "status");
  const line = document.createElement("div");
  line.className = "line";
  const words = document.createElement("span");
  const undo = document.createElement("button");
  undo.type = "button";
  undo.className = "button small";
  undo.addEventListener("click", () => takeBack(id, undo));
  line.append(words, undo);
  shown.append(line);
  look();

  async function look() {
    const state = await ask(id);
    if (state) {
      if (words.textContent !== state.words) words.textContent = state.words;
      undo.hidden = !state.undo;
      if (state.undo && undo.textContent !== state.undo) undo.textContent = state.undo;
    }
    if (state && !state.undo) setTimeout(() => shown.remove(), STAY_MS);
    else setTimeout(look, LOOK_MS);
  }
}

async function ask(id) {
  try {
    const answer = await fetch(`/operations/${encodeURIComponent(id)}`, { headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

async function takeBack(id, undo) {
  undo.disabled = true;
  const address = new URL(`/operations/${encodeURIComponent(id)}/undo`, location);
  const answer = await send(address, new FormData());
  if (answer?.told) toast(answer.told);
  undo.disabled = false;
}

// Writes a job's text as its handler does, on the page where it was asked to be shown.
function streamText() {
  const shown = document.querySelector("[data-stream]");
  if (!shown) return;
  const source = new EventSource(shown.dataset.stream);
  let isFirst = true;
  source.addEventListener("text", (event) => {
    const piece = JSON.parse(event.data);
    if (isFirst || piece.restart) shown.textContent = ""; // the stream begins with the first piece of all, a new attempt
    isFirst = false;
    shown.append(piece.text);
  });
  source.addEventListener("outcome", (event) => {
    source.close();
    const told = document.querySelector("[data-stream-state]");
    if (told) told.textContent = JSON.parse(event.data).state;
  });
}
