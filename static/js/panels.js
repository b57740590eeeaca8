// Inspector tabs, and the refreshing of panels when the server says that something changed.
import { toast } from "./chrome.js";

export function startPanels() {
  if (window.Idiomorph) {
    // Text being typed, and what a person folded or unfolded, are theirs.
    Idiomorph.defaults.ignoreActiveValue = true;
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
  }
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => select(tab, tabs));
    tab.addEventListener("keydown", (event) => onKey(event, tab, tabs));
  }
  document.body.addEventListener("htmx:xhr:progress", onProgress);
  document.body.addEventListener("dragover", (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
  document.body.addEventListener("drop", onDrop);
  document.body.addEventListener("htmx:afterSwap", (event) => {
    event.detail.target.querySelector?.("textarea[autofocus]")?.focus();
  });
  document.body.addEventListener("memweb:toast", (event) => toast(event.detail.text));
}

export function changed(what) {
  for (const part of what) document.body.dispatchEvent(new CustomEvent(`memweb:${part}`));
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

function onProgress(event) {
  const bar = event.target.querySelector?.(".upload-progress");
  if (!bar || !event.detail.lengthComputable || event.detail.total < 1) return;
  bar.hidden = false;
  bar.value = (100 * event.detail.loaded) / event.detail.total;
}

function onDrop(event) {
  if (!event.dataTransfer.files.length) return; // text dragged into a box is the browser's business
  event.preventDefault();
  const input = document.getElementById("files");
  if (!input) {
    toast("Open the Archival tab and drop the file there.");
    return;
  }
  input.files = event.dataTransfer.files;
  document.getElementById("upload").dispatchEvent(new CustomEvent("memweb:dropped"));
}
