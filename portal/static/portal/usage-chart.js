// The charts of usage: each day's in #usage-chart, from the JSON in #usage-data, and how a period's usage climbs
// towards its quota in #quota-chart, from #quota-data. What they say is told by shape, and not by colour alone; which
// key a part of a bar is of, by the legend's order and the table.

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

function bars(label, data, colour, style = {}) {
  return { type: "bar", label, data, backgroundColor: colourOf(colour), maxBarThickness: 28, order: 2, ...style };
}

function byDay(data, canvas) {
  const used = data.keys.length
    ? data.keys.map((key) => bars(key.label, key.used, key.colour))
    : [bars(canvas.dataset.used, data.used, "used", { borderRadius: 3 })];
  if (!data.before.length) {
    return used;
  }
  const before = line(canvas.dataset.before, data.before, "before", { borderDash: [4, 3], borderWidth: 1.5, order: 1 });
  before.tooltip = { callbacks: { label: (at) => `${data.before_labels[at.dataIndex]}: ${at.formattedValue}` } };
  return [...used, before];
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

keepDrawn("usage-chart", "usage-data", byDay, { stacked: true });
keepDrawn("quota-chart", "quota-data", towardsQuota);
