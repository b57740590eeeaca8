// The message box: Enter sends (never in the middle of an IME composition). What was typed is gone from here only when
// the server has taken it; a message whose answer did not come back is sent again under its own key, so it cannot
// arrive twice.
import { toast } from "./chrome.js";
import { hasPictures } from "./pictures.js";

const { gettext } = window;

export function startComposer() {
  const form = document.getElementById("composer");
  const box = document.getElementById("composer-text");
  const kept = `composer:${document.querySelector("[data-agent]").dataset.agent}`;
  let underway = null; // the text and key that were sent and not answered yet
  let failed = null; // the same of the last message that may not have arrived
  let again = false; // Enter was pressed meanwhile

  const grow = () => {
    box.rows = Math.min(10, box.value.split("\n").length + Math.floor(box.value.length / 90));
  };
  const show = (text) => {
    box.value = text;
    grow();
    keep();
  };
  const keep = () => {
    const text = [underway?.text, box.value].filter(Boolean).join("\n");
    if (text) sessionStorage.setItem(kept, text);
    else sessionStorage.removeItem(kept);
  };

  show(sessionStorage.getItem(kept) ?? "");
  box.addEventListener("input", () => { grow(); keep(); });
  box.addEventListener("keydown", (event) => {
    const composing = event.isComposing || event.keyCode === 229;
    if (event.key === "ArrowUp" && !box.value && !composing) {
      const edits = [...document.querySelectorAll("#timeline-rows [data-edit-last]")];
      edits.at(-1)?.click();
    }
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    if (underway) again = true;
    else form.requestSubmit();
  });
  form.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt !== form) return;
    const text = box.value;
    underway = { text, key: failed?.text === text && !hasPictures() ? failed.key : newKey() };
    event.detail.parameters.key = underway.key;
  });
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt !== form) return;
    if (underway.text.trim() || hasPictures()) {
      show("");
      return;
    }
    event.preventDefault();
    underway = null;
    box.focus();
  });
  form.addEventListener("memweb:sent", () => {
    underway = failed = null;
    document.getElementById("composer-error").replaceChildren();
  });
  document.body.addEventListener("memweb:withdrawn", (event) => {
    show([box.value, event.detail.text].filter(Boolean).join("\n"));
    box.focus();
  });
  document.body.addEventListener("memweb:compose", (event) => {
    show(event.detail.text);
    box.dispatchEvent(new Event("input"));
    box.focus();
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt !== form) return;
    if (underway) { // it was not taken: back into the box, before whatever was typed since
      failed = underway;
      underway = null;
      show([failed.text, box.value].filter(Boolean).join("\n"));
    }
    keep();
    box.focus();
    // later: htmx takes the form for busy until this event is over
    if (again && !failed && box.value.trim()) setTimeout(() => form.requestSubmit());
    again = false;
  });
  form.addEventListener("htmx:timeout", () => toast(gettext("No answer from memweb. Your message is still here."), { kind: "error" }));
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
