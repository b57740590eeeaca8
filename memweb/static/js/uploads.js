// Uploading: files and folders, chosen or dropped anywhere, one after the other, each with its own progress in bytes.
// What becomes of them then (pages, passages) the Archival tab shows, also in other tabs and after a reload.
import { announce, reason, toast } from "./chrome.js";
import { attach, isPicture } from "./pictures.js";

const { gettext, interpolate, ngettext } = window;
const MOST_FILES = 200; // in one go

let queue = [];
let working = false;
let depth = 0; // dragenter and dragleave come for every element on the way

export function startUploads() {
  document.addEventListener("change", (event) => {
    if (event.target.id !== "files") return;
    take([...event.target.files]);
    event.target.value = "";
  });
  const over = document.getElementById("drop-anywhere");
  const show = (visible) => { over.hidden = !visible; };
  document.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    show(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    show(depth > 0);
  });
  document.addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", async (event) => {
    if (!hasFiles(event)) return; // text dragged into a box is the browser's business
    event.preventDefault();
    depth = 0;
    show(false);
    take(await dropped(event.dataTransfer));
  });
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (found.length > MOST_FILES || entry.name.startsWith(".")) return;
  if (entry.isFile) {
    found.push(await new Promise((done, failed) => entry.file(done, failed)));
    return;
  }
  const reader = entry.createReader();
  for (;;) { // a reader gives at most 100 entries at a time
    const entries = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!entries.length) return;
    for (const one of entries) await walk(one, found);
  }
}

function take(all) {
  const pictures = all.filter(isPicture); // for the conversation; no document is made of them
  if (pictures.length) attach(pictures);
  const files = all.filter((file) => !isPicture(file));
  if (!files.length) return;
  if (files.length > MOST_FILES) {
    toast(interpolate(gettext("That is more than %s files. Upload at most so many at once; nothing was uploaded."), [MOST_FILES]), { kind: "error" });
    return;
  }
  const archive = document.getElementById("upload-to")?.value ?? "";
  for (const file of files) queue.push({ file, archive, line: newLine(file.name) });
  announce(interpolate(ngettext("Uploading %s file.", "Uploading %s files.", files.length), [files.length]));
  if (!working) work();
}

async function work() {
  working = true;
  while (queue.length) {
    const { file, archive, line } = queue.shift();
    const problem = await send(file, archive, line);
    if (problem) fail(line, problem);
    else line.remove();
    tidy();
  }
  working = false;
}

function send(file, archive, line) {
  const form = new FormData();
  form.append("files", file, file.name);
  if (archive) form.append("archive", archive);
  const request = new XMLHttpRequest();
  request.open("POST", document.getElementById("uploads").dataset.address);
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
  const bar = line.querySelector("progress");
  request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
  return new Promise((done) => {
    request.addEventListener("load", () => {
      if (request.status !== 200) done(reason(request));
      else done(JSON.parse(request.response).errors.join(" "));
    });
    request.addEventListener("error", () => done(gettext("The upload was interrupted. Drop the file again.")));
    request.send(form);
  });
}

function newLine(name) {
  const line = document.createElement("div");
  line.className = "upload-line";
  const label = document.createElement("span");
  label.textContent = name;
  const bar = document.createElement("progress");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", interpolate(gettext("Uploading %s"), [name]));
  line.append(label, bar);
  const list = document.getElementById("uploads");
  list.append(line);
  list.hidden = false;
  return line;
}

function fail(line, problem) {
  line.classList.add("failed");
  line.setAttribute("role", "alert");
  const text = document.createElement("p");
  text.className = "error";
  text.textContent = problem;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet small";
  button.textContent = gettext("Dismiss");
  button.addEventListener("click", () => { line.remove(); tidy(); });
  line.replaceChildren(text, button);
}

function tidy() {
  const list = document.getElementById("uploads");
  list.hidden = !list.children.length;
}
