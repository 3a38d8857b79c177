const specs = JSON.parse(document.getElementById("specs").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const atNight = JSON.parse(document.getElementById("specs").dataset.atNight);
let drawn = [];

// The colours of runs are others on dark ground, where the ones of paper would be too dark.
function coloured(spec) {
  if (!dark.matches) return spec;
  return JSON.parse(JSON.stringify(spec), (_, value) => atNight[value] ?? value);
}

function ink() {
  const [text, line] = dark.matches ? ["#d6d6d6", "#3a3d42"] : ["#333333", "#dcdfe3"];
  const words = { labelColor: text, titleColor: text };
  return {
    background: null,
    axis: { ...words, gridColor: line, domainColor: text, tickColor: text },
    legend: words,
    view: { stroke: line },
  };
}

async function draw() {
  drawn.splice(0).forEach((chart) => chart.finalize());
  const options = {
    mode: "vega-lite",
    config: ink(),
    tooltip: { theme: dark.matches ? "dark" : "light" },
    // Whatever needs the network stays off: the editor and the links to a chart's source.
    actions: { export: true, source: false, compiled: false, editor: false },
  };
  const places = [...document.querySelectorAll("[data-chart]")];
  drawn = await Promise.all(
    places.map((place) => vegaEmbed(place, coloured(specs[place.dataset.chart]), options)),
  );
}

draw();
dark.addEventListener("change", draw);
