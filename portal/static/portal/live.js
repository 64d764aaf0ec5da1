// The live panel: draws requests per minute into #live-chart from the JSON in #live-data, and shows what belongs to
// the meter's state.

import { colourOf, keepDrawn } from "./chart-style.js";

const OUTCOMES = ["succeeded", "client", "server", "refused"];

function datasets(data, canvas) {
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
  for (const element of document.querySelectorAll("[data-live-shown]")) {
    element.hidden = element.dataset.liveShown !== liveState;
  }
}

// Before the chart's own listener: it draws into what is shown.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.elt.id === "live-figures") {
    showState();
  }
});
keepDrawn("live-chart", "live-data", datasets, { stacked: true });
