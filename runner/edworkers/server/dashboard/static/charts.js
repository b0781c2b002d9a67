// Tells a chart's figures where the pointer is.

export function openCharts() {
  document.addEventListener("pointermove", onMove);
  document.addEventListener("pointerleave", hideAll, true);
}

let shown = null;

function onMove(event) {
  const plot = event.target.closest?.(".plot");
  if (shown && shown !== plot) hide(shown);
  if (plot) show(plot, event);
}

function show(plot, event) {
  const figures = figuresOf(plot.closest("[data-chart]"));
  if (!figures.x.length) return;
  const bounds = plot.getBoundingClientRect();
  const scale = figures.width / bounds.width;
  const nearest = nearestTo(figures.x, (event.clientX - bounds.left) * scale);
  const at = new Date(figures.at[nearest]);
  const lines = figures.names.map((name, index) => `${name}: ${figures.told[nearest][index]}`);
  const tip = plot.querySelector(".tip");
  tip.textContent = [at.toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }), ...lines].join("\n");
  tip.hidden = false;
  plot.querySelector(".cursor").setAttribute("d", `M${figures.x[nearest]} ${figures.top}V${figures.bottom}`);
  const left = figures.x[nearest] / scale;
  const place = left + 12 + tip.offsetWidth > bounds.width ? left - tip.offsetWidth - 12 : left + 12;
  tip.style.setProperty("left", `${Math.max(place, 0)}px`);
  shown = plot;
}

function figuresOf(chart) {
  if (chart.figuresText !== chart.dataset.chart) {
    chart.figuresText = chart.dataset.chart;
    chart.figures = JSON.parse(chart.dataset.chart);
  }
  return chart.figures;
}

function nearestTo(places, wanted) {
  let best = 0;
  places.forEach((place, index) => {
    if (Math.abs(place - wanted) < Math.abs(places[best] - wanted)) best = index;
  });
  return best;
}

function hide(plot) {
  const tip = plot.querySelector(".tip");
  if (tip) tip.hidden = true;
  plot.querySelector(".cursor")?.setAttribute("d", "");
  shown = null;
}

function hideAll(event) {
  if (shown && event.target === document.documentElement) hide(shown);
}
