// Draws each report's chart from the JSON that its canvas names.

import { colourOf, keepDrawn } from "../portal/chart-style.js";

const root = document.documentElement;

function datasets(data) {
  return data.series.map(({ label, values, colour }) => ({
    type: data.lines ? "line" : "bar",
    label,
    data: values,
    backgroundColor: colourOf(colour),
    borderColor: colourOf(colour),
    borderWidth: data.lines ? 2 : 0,
    pointRadius: 2,
    maxBarThickness: 36,
  }));
}

for (const canvas of document.querySelectorAll("canvas[data-figures]")) {
  const stacked = canvas.dataset.lines === undefined;
  keepDrawn(canvas, canvas.dataset.figures, datasets, { stacked, whole: false });
}

// The admin's theme is a class, which its own script sets.
new MutationObserver(() => document.dispatchEvent(new CustomEvent("themechange"))).observe(root, {
  attributeFilter: ["class"],
});
