// Buttons that copy, panels that close, boxes that select, and what was done as a toast that goes.

export function openForms() {
  document.addEventListener("click", onClick);
  document.addEventListener("change", onChange);
  document.addEventListener("renewed", countSelected);
  document.addEventListener("toggle", onToggle, true);
  countSelected();
  const told = document.querySelector(".toast.still");
  if (told) {
    toast(told.textContent);
    told.remove();
  }
}

export function toast(text, seconds = 6) {
  const shown = document.createElement("div");
  shown.className = "toast";
  shown.textContent = text;
  document.getElementById("toasts").append(shown);
  setTimeout(() => shown.remove(), seconds * 1000);
  return shown;
}

async function onClick(event) {
  const close = event.target.closest("[data-close]");
  if (close) {
    const panel = close.closest("details");
    panel.open = false;
    panel.querySelector("summary").focus();
  }
  const copies = event.target.closest("[data-copy]");
  if (copies) {
    try {
      await navigator.clipboard.writeText(copies.dataset.copy);
      toast("Copied", 2);
    } catch {
      toast("The browser doesn't let this page copy: select the text instead");
    }
  }
  for (const open of document.querySelectorAll("details.menu[open], details.confirm[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
}

// A panel that asks begins with the focus on its first button, so that the keyboard goes on from there.
function onToggle(event) {
  if (event.target.matches?.("details.confirm[open]")) event.target.querySelector(".confirm-panel .button")?.focus();
}

function onChange(event) {
  const form = event.target.closest("[data-selects]");
  if (!form) return;
  if (event.target.matches("[data-select-all]")) {
    for (const box of form.querySelectorAll("input[name=ids]")) box.checked = event.target.checked;
  }
  countSelected();
}

function countSelected() {
  for (const form of document.querySelectorAll("[data-selects]")) {
    const boxes = [...form.querySelectorAll("input[name=ids]")];
    const number = boxes.filter((box) => box.checked).length;
    const all = form.querySelector("input[name=everything]")?.checked;
    const words = all ? "All are selected" : number ? `${number} selected` : "Nothing is selected";
    const told = form.querySelector("[data-selected]");
    if (told && told.textContent !== words) told.textContent = words;
    for (const button of form.querySelectorAll(".bulk button[name=action]")) button.disabled = !all && number === 0;
    const top = form.querySelector("[data-select-all]");
    if (top) {
      top.checked = number > 0 && number === boxes.length;
      top.indeterminate = number > 0 && number < boxes.length;
    }
  }
}
