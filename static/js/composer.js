// The message box: Enter sends (never in the middle of an IME composition), the text stays until it was taken.
import { toast } from "./chrome.js";

export function startComposer() {
  const form = document.getElementById("composer");
  const box = document.getElementById("composer-text");
  const draftKey = `composer:${document.querySelector("[data-agent]").dataset.agent}`;

  const newKey = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    document.getElementById("composer-key").value = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  };
  const grow = () => {
    box.rows = Math.min(10, box.value.split("\n").length + Math.floor(box.value.length / 90));
  };

  box.value = sessionStorage.getItem(draftKey) ?? "";
  newKey();
  grow();

  box.addEventListener("keydown", (event) => {
    const composing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || composing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  box.addEventListener("input", () => {
    sessionStorage.setItem(draftKey, box.value);
    grow();
  });
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (box.value.trim()) return;
    event.preventDefault();
    box.focus();
  });
  form.addEventListener("memweb:sent", () => {
    box.value = "";
    sessionStorage.removeItem(draftKey);
    newKey();
    grow();
    box.focus();
  });
  form.addEventListener("htmx:timeout", () => toast("No answer from memweb. Your message is still here.", "error"));
}
