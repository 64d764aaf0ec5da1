// Draws the daily usage into #usage-chart from the JSON in #usage-data, in the colours of the legend beside it.
// The legend is HTML, so that the theme's colours are read from it as the browser resolved them.
// The quota is the period's, the bars are days: where it would squeeze them to the ground it is left out.

const canvas = document.getElementById("usage-chart");
const IN_SIGHT = 4;
let chart = null;

function colourOf(name) {
  return getComputedStyle(document.querySelector(`[data-chart-colour="${name}"]`)).color;
}

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

function options() {
  const text = colourOf("text");
  const number = new Intl.NumberFormat(document.documentElement.lang);
  return {
    animation: false,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    plugins: { legend: { display: false } },
    scales: {
      x: { grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 16 } },
      y: {
        beginAtZero: true,
        suggestedMax: 5,
        border: { display: false },
        grid: { color: colourOf("grid") },
        ticks: { color: text, precision: 0, maxTicksLimit: 6, callback: (value) => number.format(value) },
      },
    },
  };
}

function draw() {
  const data = JSON.parse(document.getElementById("usage-data").textContent);
  if (chart) {
    chart.data = { labels: data.labels, datasets: datasets(data) };
    chart.options = options();
    chart.update("none");
    return;
  }
  Chart.defaults.font.family = getComputedStyle(canvas).fontFamily;
  chart = new Chart(canvas, {
    data: { labels: data.labels, datasets: datasets(data) },
    options: options(),
  });
}

if (canvas) {
  draw();
  document.addEventListener("themechange", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.elt.querySelector?.("#usage-data")) {
      draw();
    }
  });
}
