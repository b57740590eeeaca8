// Pictures that go with the next message: chosen, pasted or dropped, shown small until they are sent.
import { announce, toast } from "./chrome.js";

const { gettext, interpolate } = window;
const MOST_PICTURES = 4;
const KINDS = ["image/png", "image/jpeg", "image/webp", "image/gif"];
let kept = []; // what the input holds

export function startPictures() {
  const input = document.getElementById("composer-pictures");
  const form = document.getElementById("composer");
  document.getElementById("composer-attach").addEventListener("click", () => input.click());
  input.addEventListener("change", () => { // what was chosen before goes along
    const chosen = [...input.files];
    put(input, kept);
    attach(chosen);
  });
  document.getElementById("composer-text").addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter(isPicture);
    if (!files.length) return;
    event.preventDefault();
    attach(files);
  });
  let underway = [];
  form.addEventListener("htmx:configRequest", (event) => { if (event.detail.elt === form) underway = kept; });
  form.addEventListener("memweb:sent", () => {
    put(input, kept.filter((file) => !underway.includes(file))); // those that were added meanwhile stay
    underway = [];
  });
}

export const isPicture = (file) => KINDS.includes(file.type);

export const hasPictures = () => kept.length > 0;

export function attach(files) {
  if (!files.length) return;
  const input = document.getElementById("composer-pictures");
  const all = [...kept, ...files];
  if (all.length > MOST_PICTURES) {
    toast(interpolate(gettext("At most %s pictures go with a message."), [MOST_PICTURES]), { kind: "error" });
    return;
  }
  put(input, all);
  announce(gettext("The picture goes with your next message."));
  document.getElementById("composer-text").focus();
}

function put(input, files) {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  input.files = transfer.files;
  kept = files;
  show(input);
}

function show(input) {
  const list = document.getElementById("composer-shown");
  list.hidden = !kept.length;
  list.replaceChildren(...kept.map((file) => {
    const item = document.createElement("li");
    const picture = document.createElement("img");
    picture.alt = file.name;
    const reader = new FileReader();
    reader.addEventListener("load", () => { picture.src = reader.result; });
    reader.readAsDataURL(file);
    const away = document.createElement("button");
    away.type = "button";
    away.className = "quiet small";
    away.textContent = "✕";
    away.ariaLabel = interpolate(gettext("Do not send %s"), [file.name]);
    away.addEventListener("click", () => put(input, kept.filter((other) => other !== file)));
    item.append(picture, away);
    return item;
  }));
}
