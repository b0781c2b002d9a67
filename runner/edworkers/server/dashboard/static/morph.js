// Makes an element what another is, changing only what differs: what has the focus, is open, is ticked or is typed stays.

// What belongs to whoever looks, and not to the server: whether a fold is open, and a chart's tip.
const isOwn = (element, name) => (name === "open" && element.nodeName === "DETAILS") || element.matches(".tip, .cursor");

export function morph(old, wanted) {
  if (old.nodeName !== wanted.nodeName) return old.replaceWith(wanted);
  attributes(old, wanted);
  if (old.nodeName === "TEXTAREA" || "keep" in old.dataset || old.matches(".tip")) return undefined;
  children(old, wanted);
  return undefined;
}

function attributes(old, wanted) {
  for (const { name, value } of wanted.attributes) {
    if (!isOwn(old, name) && name !== "class" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!isOwn(old, name) && name !== "class" && !wanted.hasAttribute(name)) old.removeAttribute(name);
  }
  const looks = wanted.getAttribute("class") ?? "";
  const kept = old.classList.contains("at") ? `${looks} at`.trim() : looks;
  if ((old.getAttribute("class") ?? "") !== kept) old.setAttribute("class", kept);
}

function children(old, wanted) {
  const known = byKey(old.children);
  let place = old.firstChild;
  for (const child of [...wanted.childNodes]) {
    const same = key(child) ? known.get(key(child))?.shift() : alike(place, child) ? place : null;
    if (same) {
      if (same !== place) old.insertBefore(same, place);
      else place = place.nextSibling;
      renewOne(same, child);
    } else {
      old.insertBefore(child, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

// Two rows may be of one job, and then have one key: the first is the first, the second the second.
function byKey(elements) {
  const known = new Map();
  for (const element of elements) {
    const name = key(element);
    if (name) known.set(name, [...(known.get(name) ?? []), element]);
  }
  return known;
}

function renewOne(old, wanted) {
  if (old.nodeType === Node.ELEMENT_NODE) morph(old, wanted);
  else if (old.nodeValue !== wanted.nodeValue) old.nodeValue = wanted.nodeValue;
}

function alike(old, wanted) {
  return old && old.nodeType === wanted.nodeType && old.nodeName === wanted.nodeName && !key(old);
}

// A row is known again by its checkbox or link, so that a tick stays with its job while rows move.
function key(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  if (node.id) return `#${node.id}`;
  if (node.nodeName !== "TR") return "";
  return node.querySelector("a[data-open]")?.getAttribute("href") ?? "";
}
