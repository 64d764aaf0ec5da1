// The charts of usage: each day's in #usage-chart, from the JSON in #usage-data, and how a period's usage climbs
// towards its quota in #quota-chart, from #quota-data. What they say is told by shape, and not by colour alone.

import { colourOf, keepDrawn } from "./chart-style.js";

function line(label, data, colour, style = {}) {
  return {
    type: "line",
    label,
    data,
    borderColor: colourOf(colour),
    backgroundColor: colourOf(colour),
    borderWidth: 2,
    pointRadius: 0,
    ...style,
  };
}

function byDay(data, canvas) {
  const bars = {
    type: "bar",
    label: canvas.dataset.used,
    data: data.used,
    backgroundColor: colourOf("used"),
    borderRadius: 3,
    maxBarThickness: 28,
    order: 2,
  };
  if (!data.before.length) {
    return [bars];
  }
  const before = line(canvas.dataset.before, data.before, "before", { borderDash: [4, 3], borderWidth: 1.5, order: 1 });
  before.tooltip = { callbacks: { label: (at) => `${data.before_labels[at.dataIndex]}: ${at.formattedValue}` } };
  return [bars, before];
}

function towardsQuota(data, canvas) {
  const lines = [
    line(canvas.dataset.used, data.so_far, "used", { borderWidth: 3 }),
    line(canvas.dataset.limit, data.limit, "limit", { stepped: "middle" }),
  ];
  if (data.projection.length) {
    lines.push(line(canvas.dataset.projection, data.projection, "projection", { borderDash: [5, 4] }));
  }
  return lines;
}

keepDrawn("usage-chart", "usage-data", byDay);
keepDrawn("quota-chart", "quota-data", towardsQuota);
