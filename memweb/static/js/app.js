// The page's own behaviour. What is committed comes as server HTML through htmx; here is only what HTML cannot do.
import { startChrome } from "./chrome.js";
import { startCommands } from "./commands.js";
import { startComposer } from "./composer.js";
import { startConversation } from "./conversation.js";
import { startDialogs } from "./dialogs.js";
import { startKeys } from "./keys.js";
import { startLists } from "./lists.js";
import { startPanels } from "./panels.js";
import { startPictures } from "./pictures.js";
import { startUploads } from "./uploads.js";

startChrome();
startDialogs();
startPanels();
if (document.querySelector("[data-agent]")) {
  startConversation();
  startCommands(); // before the composer: Enter chooses a command before it sends
  startComposer();
  startPictures();
  startLists();
  startUploads();
  startKeys();
}
