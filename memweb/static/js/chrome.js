// Theme, drawers, toasts, counters, copying, clocks.
const { gettext, interpolate } = window;

const THEMES = {
  system: ["◐", gettext("Theme: as the system")],
  light: ["○", gettext("Theme: light")],
  dark: ["●", gettext("Theme: dark")],
};
const TOAST_SECONDS = 8;

export function toast(text, { kind = "info", undo = "" } = {}) {
  const line = document.createElement("div");
  line.className = `toast ${kind}`;
  const words = document.createElement("p");
  words.textContent = text;
  line.append(words);
  let leaving = setTimeout(() => line.remove(), TOAST_SECONDS * 1000);
  if (undo) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = gettext("Undo");
    button.addEventListener("click", () => {
      line.remove();
      window.htmx.ajax("POST", undo, { swap: "none" });
    });
    line.append(button);
    // somebody on the way to the button must not lose it
    line.addEventListener("focusin", () => clearTimeout(leaving));
    line.addEventListener("pointerenter", () => clearTimeout(leaving));
    line.addEventListener("pointerleave", () => { leaving = setTimeout(() => line.remove(), 3000); });
  }
  document.getElementById("toasts").append(line);
}

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export function startChrome() {
  startTheme();
  noteZone();
  document.addEventListener("click", onClick);
  document.addEventListener("input", (event) => count(event.target));
  document.addEventListener("change", (event) => applyPreset(event.target));
  const { body } = document;
  body.addEventListener("htmx:load", (event) => { countAll(event.target); localTimes(event.target); });
  body.addEventListener("htmx:afterSettle", (event) => { localTimes(event.target); offerCode(event.target); });
  body.addEventListener("htmx:sendError", () =>
    toast(gettext("memweb cannot be reached. What you typed is still here; try again in a moment."), { kind: "error" }));
  body.addEventListener("htmx:responseError", (event) => toast(reason(event.detail.xhr), { kind: "error" }));
  body.addEventListener("memweb:toast", (event) => toast(event.detail.text, { undo: event.detail.undo }));
  countAll(document);
  localTimes(document);
  offerCode(document);
}

/** A button to copy each block of code by itself. */
export function offerCode(root) {
  for (const block of root.querySelectorAll?.(".reply pre:not(:has(button))") ?? []) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet small copy-code";
    button.dataset.copy = block.innerText;
    button.textContent = gettext("Copy");
    button.setAttribute("aria-label", gettext("Copy code"));
    block.append(button);
  }
}

// Days begin at the person's midnight, in the page and for agents, not at the server's.
function noteZone() {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  document.cookie = `zone=${timeZone}; path=/; max-age=31536000; samesite=lax`;
}

// A person reads the clock of the zone they set, or else the browser's own, in the language of the page.
function localTimes(root) {
  const language = document.documentElement.lang;
  const timeZone = zoneSet();
  for (const time of root.querySelectorAll?.("time[data-clock]") ?? []) {
    const date = new Date(time.dateTime);
    const clock = date.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit", timeZone });
    const day = date.toLocaleDateString(language, { day: "numeric", month: "short", year: "numeric", timeZone });
    time.title = date.toLocaleString(language, { timeZone });
    time.textContent = time.dataset.clock === "day" ? `${day}, ${clock}` : clock;
    delete time.dataset.clock;
  }
}

// A zone that this browser does not know is as none.
function zoneSet() {
  const timeZone = document.documentElement.dataset.zone;
  try {
    new Intl.DateTimeFormat(undefined, { timeZone });
    return timeZone;
  } catch {
    return undefined;
  }
}

export function reason(xhr) {
  if (xhr.status === 404) return gettext("That is no longer there. Reload the page to see what is.");
  if (xhr.status === 403) return gettext("The page is out of date or you were logged out. Reload it.");
  if (xhr.getResponseHeader("Content-Type")?.startsWith("text/plain") && xhr.responseText) return xhr.responseText;
  return gettext("memweb failed at that. The log in the terminal says why; what you typed is still here.");
}

function startTheme() {
  const button = document.getElementById("theme");
  if (!button) return;
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    [button.textContent, button.title] = THEMES[theme];
    button.setAttribute("aria-label", button.title);
  };
  show(document.documentElement.dataset.theme);
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(document.documentElement.dataset.theme) + 1) % names.length];
    localStorage.setItem("theme", next);
    show(next);
  });
}

function onClick(event) {
  const { target } = event;
  if (target.closest("[data-close-drawers]")) closeDrawers();
  const toggle = target.closest("[data-toggle]");
  if (toggle) toggleDrawer(toggle);
  const copy = target.closest("[data-copy], [data-copy-from]");
  if (copy) copyText(copy);
  if (target.closest(".toast") && !target.closest("button")) target.closest(".toast").remove();
}

function toggleDrawer(button) {
  const drawer = document.getElementById(button.dataset.toggle);
  const open = drawer.classList.toggle("open");
  for (const one of document.querySelectorAll(`[data-toggle="${drawer.id}"]`)) one.setAttribute("aria-expanded", String(open));
  if (!open) return;
  document.body.dispatchEvent(new CustomEvent("memweb:drawer-opened"));
  drawer.querySelector("[aria-selected=true], a, button")?.focus();
}

export function closeDrawers() {
  const open = [...document.querySelectorAll(".sidebar.open, .inspector.open")];
  for (const drawer of open) drawer.classList.remove("open");
  for (const button of document.querySelectorAll("[data-toggle]")) button.setAttribute("aria-expanded", "false");
  return open.length > 0;
}

async function copyText(button) {
  const source = button.dataset.copyFrom && document.querySelector(button.dataset.copyFrom);
  try {
    await navigator.clipboard.writeText(source ? source.innerText : button.dataset.copy);
    const label = button.textContent;
    button.textContent = gettext("Copied");
    setTimeout(() => { button.textContent = label; }, 1500);
  } catch {
    toast(gettext("The browser did not allow copying."), { kind: "error" });
  }
}

// PostgreSQL and Python count code points, not UTF-16 units; so does this.
const length = (text) => [...text.replaceAll("\r\n", "\n")].length;

function count(field) {
  const output = field.id && document.querySelector(`[data-count-for="${CSS.escape(field.id)}"]`);
  if (!output) return;
  const used = length(field.value);
  const limit = Number(output.dataset.limit);
  output.textContent = interpolate(gettext("%s / %s characters"), [used, limit]);
  output.classList.toggle("over", used > limit);
}

function countAll(root) {
  for (const output of root.querySelectorAll?.("[data-count-for]") ?? []) {
    const field = document.getElementById(output.dataset.countFor);
    if (field) count(field);
  }
}

function applyPreset(select) {
  const field = select.dataset?.presetFor && document.getElementById(select.dataset.presetFor);
  if (!field) return;
  field.value = select.selectedOptions[0].dataset.text;
  count(field);
}
