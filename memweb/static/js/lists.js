// Lists of the inspector: jumping from a result to its place in the conversation, choosing passages.
import { closeDrawers } from "./chrome.js";

const { gettext, interpolate, ngettext } = window;

export function startLists() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-jump]");
    if (link && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      jump(link);
    }
    const choice = event.target.closest("[data-choose]");
    if (choice) chooseAll(choice.dataset.choose === "all");
  });
  document.addEventListener("change", (event) => {
    if (event.target.name === "chosen") showChosen();
  });
  document.body.addEventListener("htmx:beforeRequest", leaveBusyListsAlone);
  document.body.addEventListener("htmx:afterRequest", removeDeleted);
  document.body.addEventListener("htmx:afterSwap", showChosen);
  if (location.hash.startsWith("#message-")) point(document.getElementById(location.hash.slice(1)));
}

// Rows that are drawn are scrolled to; a stretch of the past is fetched around any other.
async function jump(link) {
  closeDrawers();
  const id = new URL(link.href).hash.slice(1);
  if (!document.getElementById(id)) {
    const { around } = document.querySelector("[data-agent]").dataset;
    const before = document.getElementById("timeline-rows").dataset.firstSeq;
    const address = `${around}?seq=${link.dataset.jump}&before=${before}`;
    await window.htmx.ajax("GET", address, { target: "#history", swap: "innerHTML" });
  }
  point(document.getElementById(id));
}

function point(row) {
  if (!row) return;
  row.scrollIntoView({ block: "center" });
  row.classList.remove("pointed");
  void row.offsetWidth; // starts the animation anew
  row.classList.add("pointed");
  row.tabIndex = -1;
  row.focus({ preventScroll: true });
}

// What was deleted goes at once: a list that was read further down is not drawn anew.
function removeDeleted(event) {
  const { xhr, requestConfig } = event.detail;
  if (xhr.status !== 204 || !requestConfig.path.endsWith("/passages/delete/")) return;
  for (const pk of requestConfig.formData.getAll("chosen")) document.getElementById(`passage-${pk}`)?.remove();
  showChosen();
  document.body.dispatchEvent(new CustomEvent("memweb:archival"));
}

function chosen() {
  return [...document.querySelectorAll("#archival-results [name=chosen]")];
}

function chooseAll(checked) {
  for (const box of chosen()) box.checked = checked;
  showChosen();
}

function showChosen() {
  const bulk = document.getElementById("bulk");
  if (!bulk) return;
  const count = chosen().filter((box) => box.checked).length;
  bulk.hidden = !count;
  document.getElementById("bulk-count").textContent = interpolate(ngettext("%s chosen", "%s chosen", count), [count]);
}

// A list that somebody is at work on, or has read further down, is not drawn anew under their hands.
function leaveBusyListsAlone(event) {
  const { elt, requestConfig } = event.detail;
  const type = requestConfig?.triggeringEvent?.type ?? "";
  if (!type.startsWith("memweb:")) return;
  const results = document.querySelector("[id$=-results]");
  if (!results || !(results.contains(elt) || elt.matches("form.search"))) return;
  const busy = results.querySelector(".editing, .why[open], [name=chosen]:checked") || results.querySelectorAll("ol.list, ol.runs").length > 1;
  if (busy) event.preventDefault();
}
