// Draws with any pointer; when it is lifted, the drawing goes to Python as a PNG.
const WIDTH = 20; // of a stroke, as on paper scanned for MNIST: a fourteenth of the pad

export default function (component) {
  const { parentElement, setStateValue } = component;
  const canvas = parentElement.querySelector("canvas");
  const clear = parentElement.querySelector("button");
  const paper = canvas.getContext("2d");
  let last = null;

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const stroke = (from, to) => {
    paper.strokeStyle = "#fff";
    paper.lineWidth = WIDTH;
    paper.lineCap = paper.lineJoin = "round";
    paper.beginPath();
    paper.moveTo(...from);
    paper.lineTo(...to);
    paper.stroke();
  };
  const blank = () => {
    paper.fillStyle = "#000";
    paper.fillRect(0, 0, canvas.width, canvas.height);
  };

  if (!canvas.dataset.ready) {
    blank();
    canvas.dataset.ready = "yes"; // a redraw of the page keeps what was drawn
  }
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
  };
  canvas.onpointermove = (event) => {
    if (!last) return;
    const next = place(event);
    stroke(last, next);
    last = next;
  };
  const lift = () => {
    if (!last) return;
    last = null;
    setStateValue("drawing", canvas.toDataURL("image/png"));
  };
  canvas.onpointerup = lift;
  canvas.onpointercancel = lift;
  clear.onclick = () => {
    blank();
    setStateValue("drawing", "");
  };
}
