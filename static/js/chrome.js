// Theme, drawers, the dialog, toasts, counters, copying.

const THEMES = { system: "◐", light: "○", dark: "●" };

export function toast(text, kind = "info") {
  const line = document.createElement("p");
  line.className = `toast ${kind}`;
  line.textContent = text;
  document.getElementById("toasts").append(line);
  setTimeout(() => line.remove(), 7000);
}

export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

export function startChrome() {
  startTheme();
  startDialog();
  document.addEventListener("click", onClick);
  document.addEventListener("input", (event) => count(event.target));
  document.addEventListener("change", (event) => applyPreset(event.target));
  document.body.addEventListener("htmx:load", (event) => countAll(event.target));
  document.body.addEventListener("htmx:sendError", () =>
    toast("memweb cannot be reached. What you typed is still here; try again in a moment.", "error"));
  document.body.addEventListener("htmx:responseError", (event) => toast(reason(event.detail.xhr), "error"));
  document.body.addEventListener("htmx:load", (event) => localTimes(event.target));
  document.body.addEventListener("htmx:afterSettle", (event) => localTimes(event.target));
  countAll(document);
  localTimes(document);
}

// The server writes UTC; a person reads their own clock.
function localTimes(root) {
  for (const time of root.querySelectorAll?.("time[data-clock]") ?? []) {
    const date = new Date(time.dateTime);
    const clock = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const day = date.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
    time.title = date.toLocaleString();
    time.textContent = time.dataset.clock === "day" ? `${day}, ${clock}` : clock;
    delete time.dataset.clock;
  }
}

function reason(xhr) {
  if (xhr.status === 404) return "That is no longer there. Reload the page to see what is.";
  if (xhr.status === 403) return "The page is out of date or you were logged out. Reload it.";
  return "memweb failed at that. The log in the terminal says why; what you typed is still here.";
}

function startTheme() {
  const button = document.getElementById("theme");
  if (!button) return;
  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    button.textContent = THEMES[theme];
    button.title = `Theme: ${theme}`;
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

function startDialog() {
  const dialog = document.getElementById("dialog");
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "dialog-body" || !event.detail.target.children.length) return;
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  });
  dialog.addEventListener("close", () => document.getElementById("dialog-body").replaceChildren());
}

function onClick(event) {
  const { target } = event;
  if (target.closest("[data-close-dialog]")) document.getElementById("dialog").close();
  if (target.closest("[data-close-drawers]")) closeDrawers();
  const toggle = target.closest("[data-toggle]");
  if (toggle) toggleDrawer(toggle);
  const copy = target.closest("[data-copy]");
  if (copy) copyText(copy);
  if (target.classList.contains("toast")) target.remove();
}

function toggleDrawer(button) {
  const open = document.getElementById(button.dataset.toggle).classList.toggle("open");
  button.setAttribute("aria-expanded", String(open));
}

export function closeDrawers() {
  for (const drawer of document.querySelectorAll(".sidebar.open, .inspector.open")) drawer.classList.remove("open");
  for (const button of document.querySelectorAll("[data-toggle]")) button.setAttribute("aria-expanded", "false");
}

async function copyText(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } catch {
    toast("The browser did not allow copying.", "error");
  }
}

// PostgreSQL and Python count code points, not UTF-16 units; so does this.
const length = (text) => [...text.replaceAll("\r\n", "\n")].length;

function count(field) {
  const output = field.id && document.querySelector(`[data-count-for="${CSS.escape(field.id)}"]`);
  if (!output) return;
  const used = length(field.value);
  const limit = Number(output.dataset.limit);
  output.textContent = `${used} / ${limit} characters`;
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
