// Inspector tabs, and the refreshing of panels when the server says that something changed.
let postponed = new Set(); // what changed while somebody was writing in the panel

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
    if (postponed.size && !isEditing()) {
      const what = [...postponed];
      postponed = new Set();
      changed(what);
    }
  });
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

export function changed(what) {
  for (const part of what) {
    if (part === "blocks" && isEditing()) postponed.add(part); // a draft is never drawn over
    else document.body.dispatchEvent(new CustomEvent(`memweb:${part}`));
  }
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
