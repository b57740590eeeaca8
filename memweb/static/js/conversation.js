// The live conversation: the socket, the draft of what the model is writing, following the end of the timeline.
import { announce, offerCode } from "./chrome.js";
import { changed, drawGauge } from "./panels.js";

const { gettext, interpolate } = window;

const NEAR_END = 80; // pixels
const DRAW_MS = 100; // between two drawings of what the model is writing
const THOUGHTS = /"inner_thoughts":\s*"(?:[^"\\]|\\.)*"?(?:,\s*)?/g; // in a call's arguments: shown as thinking already

let socket = null;
let interrupted = false;
let following = true;
let asked = false; // for the whole draft
let drawing = null; // the timer of the next drawing of the draft
const draft = { run: null, step: null, parts: {} };
const byId = (id) => document.getElementById(id);

export function startConversation() {
  const timeline = byId("timeline");
  timeline.addEventListener("scroll", () => {
    following = timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < NEAR_END;
    byId("jump").hidden = following;
  });
  byId("jump").addEventListener("click", () => { following = true; toEnd(); });
  const chat = byId("chat");
  chat.addEventListener("htmx:wsOpen", onOpen);
  chat.addEventListener("htmx:wsClose", onClose);
  chat.addEventListener("htmx:wsBeforeMessage", onFrame);
  chat.addEventListener("htmx:wsAfterMessage", onRows);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (["waiting", "asked"].includes(event.detail.target.id)) { following = true; toEnd(); }
    hint();
  });
  keepPlaceWhenOlderRowsCome(timeline);
  hint();
  toEnd();
}

function hint() {
  byId("empty-hint").hidden = Boolean(document.querySelector(".row.user, .row.assistant:not(#draft)"));
}

function toEnd() {
  if (!following) return;
  const timeline = byId("timeline");
  timeline.scrollTop = timeline.scrollHeight;
}

// The scroll position is held by hand: rows come in above what is being read.
function keepPlaceWhenOlderRowsCome(timeline) {
  let fromEnd = null;
  timeline.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "older") fromEnd = timeline.scrollHeight - timeline.scrollTop;
  });
  timeline.addEventListener("htmx:afterSettle", () => {
    if (fromEnd !== null) timeline.scrollTop = timeline.scrollHeight - fromEnd;
    fromEnd = null;
  });
}

function onOpen(event) {
  socket = event.detail.socketWrapper;
  live("live");
  asked = false;
  byId("offline").hidden = true;
  const { seq, version } = byId("last-seq").dataset;
  tell({ type: "resume", seq: Number(seq), version: Number(version) });
  if (interrupted) changed(["context", "blocks", "archives", "archival", "documents", "runs", "agents"]);
  interrupted = false;
}

const GONE = 4404, LOGGED_OUT = 4401; // why the server closes a socket, as in consumers.py
const REFUSED = { // for good, until the page is loaded again
  4429: gettext("memweb closed the connection: this page sent too much at once. Reload it."),
  4430: gettext("memweb closed the connection: too many of your pages are open. Close some, then reload this one."),
  1009: gettext("memweb closed the connection: this page sent something far too long. Reload it."),
};

function onClose(event) {
  const code = event.detail.event?.code;
  // a changed password gives this browser a new session, whose cookie is on its way to another page of it
  if (code === LOGGED_OUT) setTimeout(() => location.assign(`/login/?ended&next=${encodeURIComponent(location.pathname)}`), 1000);
  if (REFUSED[code]) byId("offline").textContent = REFUSED[code];
  if (code === GONE) location.assign("/");
  interrupted = true; // panels may have missed something; the timeline knows by its seq
  live("offline");
  byId("offline").hidden = false;
}

function live(state) {
  byId("live").dataset.state = state;
  byId("live").textContent = state === "live" ? gettext("live") : gettext("offline");
}

function tell(frame) {
  socket?.send(JSON.stringify(frame));
}

function onFrame(event) {
  const { message } = event.detail;
  if (!message.startsWith("{")) return; // HTML: htmx swaps it
  event.preventDefault();
  const frame = JSON.parse(message);
  const handlers = {
    delta: onDelta, step: onStep, dropped: onDropped, draft: onDraft, status: onStatus, cut: onCut,
    version: (f) => { byId("last-seq").dataset.version = f.version; },
    changed: (f) => changed(f.what),
    gauge: drawGauge,
    reload: () => location.reload(),
  };
  handlers[frame.type]?.(frame);
}

function onRows(event) {
  if (bringsReply(event.detail.message)) {
    clearDraft();
    const rows = document.querySelectorAll("#timeline-rows .row.assistant .reply");
    const last = rows[rows.length - 1];
    if (last) announce(interpolate(gettext("Reply: %s"), [last.textContent.trim()]));
  }
  offerCode(document.getElementById("timeline-rows"));
  hint();
  toEnd();
}

// Whether a frame holds a row of the agent's, a new one or one drawn again.
function bringsReply(frame) {
  return new DOMParser().parseFromString(frame, "text/html").querySelector(".row.assistant") !== null;
}

// Everything from a seq on was taken back.
function onCut(frame) {
  for (const row of document.querySelectorAll("#timeline .row[data-seq]")) {
    const seq = Number(row.dataset.seq);
    if (seq >= frame.from_seq && seq <= frame.to_seq) row.remove();
  }
  byId("last-seq").dataset.version = frame.version;
  clearDraft();
  hint();
}

// What the model is writing. Every piece says where it belongs; a gap makes the page ask for the whole.

function onStep(frame) {
  clearDraft();
  Object.assign(draft, { run: frame.run, step: frame.step, parts: { thinking: "", call: "", reply: "" } });
  showDraft();
}

function onDelta(frame) {
  const known = draft.run === frame.run && draft.step === frame.step ? draft.parts[frame.part] : undefined;
  if (known === undefined || frame.offset > known.length) {
    if (!asked) tell({ type: "draft" });
    asked = true; // once: what comes until the whole is here would ask again
    return;
  }
  draft.parts[frame.part] = known.slice(0, frame.offset) + frame.text;
  showDraft();
}

function onDraft(frame) {
  asked = false;
  if (!frame.draft) return;
  Object.assign(draft, frame.draft);
  showDraft();
}

function onDropped(frame) {
  if (draft.run === frame.run && draft.step === frame.step) clearDraft();
}

function clearDraft() {
  Object.assign(draft, { run: null, step: null, parts: {} });
  byId("draft").hidden = true;
}

// Each drawing lays out the end of the timeline: more often than a reader notices would only cost.
function showDraft() {
  drawing ??= setTimeout(() => requestAnimationFrame(drawDraft), DRAW_MS);
}

function drawDraft() {
  drawing = null;
  if (draft.run === null) return;
  const box = byId("draft");
  const { thinking = "", call = "", reply = "" } = draft.parts;
  box.hidden = false;
  box.querySelector(".thinking").hidden = !thinking.trim();
  setText(box.querySelector(".thinking-text"), thinking);
  box.querySelector(".draft-call").hidden = !call;
  setText(box.querySelector(".draft-call"), call.replace(THOUGHTS, ""));
  setText(box.querySelector(".draft-reply"), reply);
  box.querySelector(".thinking").open = !reply;
  toEnd();
}

function setText(element, text) {
  const node = element.firstChild;
  if (node && text.startsWith(node.data)) {
    if (text.length > node.data.length) node.appendData(text.slice(node.data.length));
  } else {
    element.textContent = text;
  }
}

let working = null; // the run that is going on

// The end of a run says which; another may have begun, of which another worker has told already.
function onStatus(frame) {
  if (!frame.running && frame.run !== null && working !== null && frame.run !== working) return;
  byId("stop").hidden = !frame.running;
  if (frame.running && working === null) announce(gettext("The agent is working."));
  if (!frame.running) clearDraft();
  working = frame.running ? frame.run : null;
}
