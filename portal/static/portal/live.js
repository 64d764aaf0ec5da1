// The live panel: draws requests per minute into #live-chart from the JSON in #live-data, shows what belongs to
// the meter's state, and asks for new figures only while somebody can see them.

import { colourOf, keepDrawn } from "./chart-style.js";

const panel = document.getElementById("live-panel");
const canvas = document.getElementById("live-chart");
const OUTCOMES = ["succeeded", "client", "server", "refused"];

function datasets(data) {
  return OUTCOMES.map((name) => ({
    type: "bar",
    label: canvas.dataset[name],
    data: data[name],
    backgroundColor: colourOf(name),
    maxBarThickness: 14,
  }));
}

function showState() {
  const { liveState } = document.getElementById("live-figures").dataset;
  for (const element of panel.querySelectorAll("[data-live-shown]")) {
    element.hidden = element.dataset.liveShown !== liveState;
  }
}

if (panel) {
  // Before the chart's own listener: it draws into what is shown.
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt.id === "live-figures") {
      showState();
    }
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id === "live-figures" && document.hidden) {
      event.preventDefault();
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      htmx.trigger("#live-figures", "look");
    }
  });
  keepDrawn(canvas, "live-data", datasets, { stacked: true });
}
