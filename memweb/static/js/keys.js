// Shortcuts, and the palette that finds agents, tabs and commands.
import { closeDrawers } from "./chrome.js";
import { closeMenus } from "./dialogs.js";

export function startKeys() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-palette-open]")) openPalette();
    const option = event.target.closest("#palette-list [role=option]");
    if (option) take(option);
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "palette-query") filter(event.target.value);
  });
  document.body.addEventListener("htmx:afterSwap", () => {
    if (document.getElementById("palette-query")) filter("");
  });
}

const isTyping = (element) => element.matches("input, textarea, select, [contenteditable]");

function onKey(event) {
  if (event.isComposing || (document.querySelector("dialog[open]") && event.target.id !== "palette-query")) return;
  const { key, target } = event;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && key.toLowerCase() === "k") openPalette();
  else if (target.id === "palette-query" && ["ArrowDown", "ArrowUp", "Enter"].includes(key)) inPalette(key);
  else if (event.altKey && /^Digit[1-7]$/.test(event.code)) openTab(Number(event.code.at(-1)) - 1);
  else if (event.altKey && event.code === "KeyM") document.getElementById("composer-text").focus();
  else if (event.altKey && event.code === "KeyS") document.getElementById("stop").click();
  else if (event.altKey && event.code === "KeyN") document.getElementById("new-agent").click();
  else if (key === "?" && !isTyping(target)) showKeys();
  else if (key === "Escape") {
    if (!closeMenus() && !closeDrawers()) return;
  } else return;
  event.preventDefault();
}

function openTab(index) {
  const tab = document.querySelectorAll("[role=tab]")[index];
  document.getElementById("inspector").classList.add("open"); // a sheet on a narrow screen
  tab.focus();
  tab.click();
}

function showKeys() {
  const { keys } = document.querySelector("[data-agent]").dataset;
  window.htmx.ajax("GET", keys, { target: "#dialog-body", swap: "innerHTML" });
}

function openPalette() {
  const { palette } = document.querySelector("[data-agent]").dataset;
  window.htmx.ajax("GET", palette, { target: "#dialog-body", swap: "innerHTML" });
}

const options = () => [...document.querySelectorAll("#palette-list [role=option]")];

function filter(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const option of options()) {
    const label = option.textContent.toLowerCase();
    option.hidden = !words.every((word) => label.includes(word));
  }
  choose(0);
}

function choose(index) {
  const shown = options().filter((option) => !option.hidden);
  for (const option of options()) option.setAttribute("aria-selected", "false");
  document.getElementById("palette-empty").hidden = shown.length > 0;
  const query = document.getElementById("palette-query");
  if (!shown.length) {
    query.removeAttribute("aria-activedescendant");
    return;
  }
  const option = shown[(index + shown.length) % shown.length];
  option.setAttribute("aria-selected", "true");
  option.scrollIntoView({ block: "nearest" });
  query.setAttribute("aria-activedescendant", option.id);
}

function inPalette(key) {
  const shown = options().filter((option) => !option.hidden);
  const here = shown.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (key === "Enter") {
    if (shown[here]) take(shown[here]);
  } else choose(here + (key === "ArrowDown" ? 1 : -1));
}

function take(option) {
  const { href, click, command } = option.dataset;
  document.getElementById("dialog").close();
  if (href) location.assign(href);
  else if (click) {
    document.getElementById("inspector").classList.toggle("open", click.startsWith("#tab-"));
    document.querySelector(click).click();
  } else document.body.dispatchEvent(new CustomEvent("memweb:compose", { detail: { text: command } }));
}
