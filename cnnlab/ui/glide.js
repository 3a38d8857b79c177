// The curves of a run that trains glide on: what is new is uncovered from left to right. With each
// new point the page brings an element of the class "glide", whose animation begins as it comes; the
// charts read how far to show their curves from the element of that id, see `charts.gliding`.
(() => {
  if (window.cnnlabGlides) return;
  window.cnnlabGlides = true;
  const STEPS = 5;
  const STEP_MS = 100;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let shown = Infinity;
  let timer = 0;

  const show = x => {
    shown = x;
    const told = document.getElementById("glide");
    if (!told) return;
    told.value = x;
    told.dispatchEvent(new Event("glide"));
  };

  const glide = to => {
    clearInterval(timer);
    const from = Math.min(shown, to);
    let step = still.matches ? STEPS : 0;
    const go = () => {
      show(step < STEPS ? from + (to - from) * (step / STEPS) : to);
      if (step++ >= STEPS) clearInterval(timer);
    };
    timer = setInterval(go, STEP_MS);
    go();
  };

  document.addEventListener("animationstart", event => {
    if (event.animationName === "glide") glide(Number(event.target.dataset.newest));
  });
})();
