// What our charts share: they are drawn in the colours of the legend beside them, which is HTML, so that the
// theme's colours are read from it as the browser resolved them.

export function colourOf(name) {
  return getComputedStyle(document.querySelector(`[data-chart-colour="${name}"]`)).color;
}

// Where not only `whole` numbers are drawn, the axis is as fine as they are.
export function options({ stacked = false, whole = true } = {}) {
  const text = colourOf("text");
  const number = new Intl.NumberFormat(document.documentElement.lang);
  return {
    animation: false,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    plugins: { legend: { display: false } },
    scales: {
      x: { stacked, grid: { display: false }, ticks: { color: text, maxRotation: 0, autoSkipPadding: 16 } },
      y: {
        stacked,
        beginAtZero: true,
        suggestedMax: whole ? 5 : undefined,
        border: { display: false },
        grid: { color: colourOf("grid") },
        ticks: {
          color: text,
          precision: whole ? 0 : undefined,
          maxTicksLimit: 6,
          callback: (value) => number.format(value),
        },
      },
    },
  };
}

// Draws into the canvas with this id from the JSON in the element `figures`: now, when the theme changes, and when
// htmx has brought a canvas or figures. Where the page has no such canvas, or none yet, it draws nothing.
export function keepDrawn(id, figures, datasets, style) {
  let chart = null;

  function draw() {
    const canvas = document.getElementById(id);
    if (chart && chart.canvas !== canvas) {
      chart.destroy();
      chart = null;
    }
    const source = document.getElementById(figures);
    if (!canvas || !source) {
      return;
    }
    const data = JSON.parse(source.textContent);
    const drawn = { labels: data.labels, datasets: datasets(data, canvas) };
    if (chart) {
      chart.data = drawn;
      chart.options = options(style);
      chart.update("none");
      return;
    }
    Chart.defaults.font.family = getComputedStyle(canvas).fontFamily;
    chart = new Chart(canvas, { data: drawn, options: options(style) });
  }

  draw();
  document.addEventListener("themechange", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  for (const news of ["htmx:afterSettle", "htmx:oobAfterSwap"]) {
    document.addEventListener(news, (event) => {
      if (event.target.querySelector?.(`#${figures}, #${id}`)) {
        draw();
      }
    });
  }
}
