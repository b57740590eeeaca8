// Inspector tabs, and the refreshing of panels when the server says that something changed.
let postponed = new Set(); // what changed while somebody was writing in the panel, or while nobody looked at it
let gaugeIsDrawn = false; // by figures that came with the news that the context changed

export function startPanels() {
  if (window.Idiomorph) {
    // Text being typed, and what a person folded or unfolded, are theirs.
    Idiomorph.defaults.ignoreActiveValue = true;
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
      !(name === "aria-expanded" || (name === "open" && node.tagName === "DETAILS"));
  }
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => select(tab, tabs));
    tab.addEventListener("keydown", (event) => onKey(event, tab, tabs));
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-shows-tab]");
    if (!link) return;
    select(document.getElementById(`tab-${link.dataset.showsTab}`), tabs);
    document.getElementById("inspector").classList.add("open");
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    event.detail.target.querySelector?.("textarea[autofocus]")?.focus();
    if (!isEditing()) catchUp();
  });
  document.addEventListener("visibilitychange", catchUp);
  document.addEventListener("toggle", ({ target }) => { // it does not bubble
    if (target.open && target.dataset?.section && !target.querySelector("pre")) refresh(["context"]);
  }, true);
  document.body.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.elt.id === "context-tab") detail.parameters.unfolded = unfoldedSections();
  });
  document.body.addEventListener("memweb:drawer-opened", catchUp);
  document.addEventListener("keydown", (event) => {
    const form = event.target.closest?.("form");
    if (event.key === "Escape" && form) form.querySelector("[data-cancel]")?.click();
    const sends = (event.ctrlKey || event.metaKey) || event.target.dataset?.submitOnEnter !== undefined;
    if (event.key === "Enter" && event.target.tagName === "TEXTAREA" && sends && !event.shiftKey && !event.isComposing && form?.id !== "composer") {
      event.preventDefault();
      form.requestSubmit();
    }
  });
}

const isEditing = () => Boolean(document.querySelector("#memory-tab .editing"));
const unfoldedSections = () => [...document.querySelectorAll("#context-tab details[open][data-section]")].map((one) => one.dataset.section);

function isHidden() {
  const inspector = document.getElementById("inspector"); // a drawer on narrow screens, which slides in when opened
  return document.hidden || (!inspector.classList.contains("open") && getComputedStyle(inspector).visibility === "hidden");
}

const inSight = (part) => (["agents", "gauge"].includes(part) ? !document.hidden : !isHidden());

export function changed(what) {
  const isContext = what.includes("context");
  refresh(isContext && !gaugeIsDrawn ? [...what, "gauge"] : what);
  if (isContext) gaugeIsDrawn = false;
}

// Has the parts that are in sight ask for their new state; the others do when they come into sight.
function refresh(parts) {
  for (const part of parts) {
    const drafting = part === "blocks" && isEditing(); // a draft is never drawn over
    if (drafting || !inSight(part)) postponed.add(part);
    else document.body.dispatchEvent(new CustomEvent(`memweb:${part}`));
  }
}

function catchUp() {
  const parts = [...postponed];
  postponed = new Set();
  refresh(parts);
}

export function drawGauge({ segments, label }) {
  const gauge = document.getElementById("gauge");
  for (const { name, start, share } of segments) {
    const bar = gauge.querySelector(`.seg-${name}`);
    bar?.setAttribute("x", start);
    bar?.setAttribute("width", share);
  }
  gauge.querySelector("span").textContent = label;
  gaugeIsDrawn = true;
}

function select(tab, tabs) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
  }
  document.getElementById("panel").setAttribute("aria-labelledby", tab.id);
}

function onKey(event, tab, tabs) {
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const ends = { Home: 0, End: tabs.length - 1 };
  const here = tabs.indexOf(tab);
  const index = event.key in steps ? (here + steps[event.key] + tabs.length) % tabs.length : ends[event.key];
  if (index === undefined) return;
  event.preventDefault();
  tabs[index].focus();
  tabs[index].click();
}
