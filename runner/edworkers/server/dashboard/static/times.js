// Keeps "3 min ago" right, and tells on hover when that was on the clock of whoever looks.

const UNITS = [[172800, 86400, "d"], [7200, 3600, "h"], [120, 60, "min"]];
const THIN = "\u202f";

export function inWords(milliseconds) {
  const away = Math.abs(milliseconds);
  if (away < 1000) return "now";
  const seconds = Math.round(away / 1000);
  const unit = UNITS.find(([least]) => seconds >= least);
  const shown = unit ? `${Math.round(seconds / unit[1])}${THIN}${unit[2]}` : `${seconds}${THIN}s`;
  return milliseconds > 0 ? `in ${shown}` : `${shown} ago`;
}

export function renewTimes(root = document) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time[data-ago]")) {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) continue;
    const words = inWords(at - now);
    if (time.textContent !== words) time.textContent = words;
    const here = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    const title = `${here} here\n${time.dateTime.slice(0, 19).replace("T", " ")} UTC`;
    if (time.title !== title) time.title = title;
  }
}

export function keepTimes() {
  renewTimes();
  setInterval(() => document.hidden || renewTimes(), 1000);
}
