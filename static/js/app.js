// The page's own behaviour. What is committed comes as server HTML through htmx; here is only what HTML cannot do.
import { startComposer } from "./composer.js";
import { startConversation } from "./conversation.js";
import { startPanels } from "./panels.js";
import { startChrome } from "./chrome.js";

startChrome();
startPanels();
if (document.querySelector("[data-agent]")) {
  startConversation();
  startComposer();
}
