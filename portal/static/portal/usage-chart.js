// Draws the daily usage into #usage-chart from the JSON in #usage-data.
// The quota is the period's, the bars are days: where it would squeeze them to the ground it is left out.

import { colourOf, keepDrawn } from "./chart-style.js";

const canvas = document.getElementById("usage-chart");
const IN_SIGHT = 4;

function datasets(data) {
  const bars = {
    type: "bar",
    label: canvas.dataset.usedLabel,
    data: data.used,
    backgroundColor: colourOf("used"),
    borderRadius: 3,
    maxBarThickness: 28,
  };
  const showLimit = data.limit && data.limit <= IN_SIGHT * Math.max(...data.used);
  const legend = document.querySelector("[data-chart-limit]");
  if (legend) {
    legend.hidden = !showLimit;
  }
  if (!showLimit) {
    return [bars];
  }
  const line = {
    type: "line",
    label: canvas.dataset.limitLabel,
    data: data.labels.map(() => data.limit),
    borderColor: colourOf("limit"),
    borderWidth: 1.5,
    borderDash: [6, 4],
    pointRadius: 0,
    pointHitRadius: 0,
  };
  return [bars, line];
}

if (canvas) {
  keepDrawn(canvas, "usage-data", datasets);
}
