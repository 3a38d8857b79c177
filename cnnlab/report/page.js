const specs = JSON.parse(document.getElementById("specs").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
let drawn = [];

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
    places.map((place) => vegaEmbed(place, specs[place.dataset.chart], options)),
  );
}

draw();
dark.addEventListener("change", draw);
