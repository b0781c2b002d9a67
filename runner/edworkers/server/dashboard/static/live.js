// Renews the page's blocks from its own stream. Rests while the tab is hidden, and comes back by itself.
import { morph } from "./morph.js";
import { renewTimes } from "./times.js";

const LONGEST_PAUSE = 15000;
const WORDS = { on: "live", lost: "not live", off: "not live", paused: "paused" };

let source = null;
let pause = 1000;
let timer = 0;

export function followPage() {
  const retry = document.querySelector("[data-retry]");
  if (retry) return lookAgain(Number(retry.dataset.retry));
  if (!("live" in document.body.dataset)) return;
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : open()));
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", (event) => event.persisted && open());
  if (!document.hidden) open();
}

function open() {
  rest();
  const address = new URL(location.href);
  address.searchParams.set("live", "1");
  address.hash = "";
  source = new EventSource(address);
  source.addEventListener("blocks", (event) => {
    pause = 1000;
    show("on");
    tellAway(null);
    renew(JSON.parse(event.data));
  });
  source.addEventListener("away", (event) => {
    show("lost");
    tellAway(JSON.parse(event.data).message);
  });
  source.addEventListener("again", open);
  source.addEventListener("stopping", lost);
  source.onerror = lost;
}

function lost() {
  rest();
  show("lost");
  timer = setTimeout(comeBack, pause * (0.75 + Math.random() / 2));
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

// Who isn't logged in any more gets no stream, only a page that leads to the login and back: it is opened then.
async function comeBack() {
  try {
    const answer = await fetch(location.href, { method: "HEAD", headers: { Accept: "text/html" }, redirect: "manual" });
    if (answer.type === "opaqueredirect" || answer.status === 401) return location.reload();
  } catch {
    // The server is away, not the session.
  }
  if (!document.hidden) open();
}

function rest() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function renew(blocks) {
  for (const [name, html] of Object.entries(blocks)) {
    const old = document.getElementById(name);
    const parsed = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
    if (old && parsed) morph(old, parsed);
  }
  renewTimes();
  document.dispatchEvent(new CustomEvent("renewed"));
}

function show(state) {
  const dot = document.getElementById("live-dot");
  if (!dot || dot.dataset.state === state) return;
  dot.dataset.state = state;
  dot.querySelector(".live-word").textContent = WORDS[state];
}

function tellAway(message) {
  const banner = document.getElementById("away");
  banner.hidden = message === null;
  banner.textContent = message === null ? "" : `Redis can't be reached; what is shown is how it was. ${message}`;
}

function lookAgain(seconds) {
  setTimeout(async () => {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok) return location.reload();
    } catch {
      // The server itself is away: the next look may find it.
    }
    lookAgain(Math.min(seconds * 1.5, LONGEST_PAUSE / 1000));
  }, seconds * 1000);
}
