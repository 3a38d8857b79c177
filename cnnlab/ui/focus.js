// For who has no pointer: few stops before what a page is for; and where what has the focus goes
// away or is switched off, as a button that was pressed, the focus goes to its neighbour, else to the
// page's heading, for otherwise one would begin at the top.
(() => {
  if (window.cnnlabKeepsFocus) return;
  window.cnnlabKeepsFocus = true;
  const STOPS = "button:enabled, a[href], input:enabled, textarea:enabled";
  const NEAR = 4; // so far up a neighbour is looked for
  const SETTLED_MS = 150; // in which what comes instead is drawn
  let last = null;
  let around = [];
  let waiting = false;

  const lost = () =>
    last && document.activeElement === document.body && (!last.isConnected || last.disabled);

  const rescue = () => {
    waiting = false;
    if (!lost()) return;
    const near = around.filter(box => box.isConnected && !box.querySelector("h1")).slice(0, NEAR);
    const found = near.map(box => box.querySelector(STOPS)).find(Boolean);
    (found ?? document.querySelector("h1.unseen"))?.focus({ preventScroll: true });
  };

  // On the way down to Start, which is to be within ten stops, there is none for what leads where one
  // is already or where another stop leads too, nor for the menu. On the way back all are there.
  const DISPENSABLE =
    '[data-testid="stLogoLink"], [data-testid="stMain"], [data-testid="stMainMenuButton"], ' +
    '[data-testid="stBaseButton-header"]'; // Streamlit's own Stop, there while a page is drawn
  const thinOut = forwards => {
    const form = document.querySelector(".st-key-start, .st-key-race-start");
    const here = '[data-testid="stTopNavLink"][aria-current="page"]';
    for (const one of document.querySelectorAll("[data-passed]")) {
      if (one.dataset.passed) one.setAttribute("tabindex", one.dataset.passed);
      else one.removeAttribute("tabindex");
      delete one.dataset.passed;
    }
    if (!form || !forwards) return;
    for (const one of document.querySelectorAll(`${DISPENSABLE}, ${here}`)) {
      one.dataset.passed = one.getAttribute("tabindex") ?? "";
      one.tabIndex = -1;
    }
  };

  document.addEventListener("keydown", event => event.key === "Tab" && thinOut(!event.shiftKey), true);
  document.addEventListener("focusin", event => {
    last = event.target;
    around = [];
    for (let box = last.parentElement; box && box !== document.body; box = box.parentElement)
      around.push(box);
  });
  // Who looks away by a click on nothing wants no focus.
  document.addEventListener("pointerdown", event => {
    if (!event.target.closest?.(STOPS)) last = null;
  });
  new MutationObserver(() => {
    if (waiting || !lost()) return;
    waiting = true;
    setTimeout(rescue, SETTLED_MS);
  }).observe(document.body, { childList: true, subtree: true, attributeFilter: ["disabled"] });
})();
