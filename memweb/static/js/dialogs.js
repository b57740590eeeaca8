// The dialog that server partials are put into, the question before what cannot be undone, and menus.

export function startDialogs() {
  const dialog = document.getElementById("dialog");
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "dialog-body" || !event.detail.target.children.length) return;
    if (!dialog.open) dialog.showModal();
    dialog.querySelector("[autofocus]")?.focus();
  });
  dialog.addEventListener("close", () => document.getElementById("dialog-body").replaceChildren());
  // 204 says that it was done; anything else is a form with its reason, or another question
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr } = event.detail;
    if (xhr?.status === 204 && elt.closest?.("[data-closes-dialog]")) dialog.close();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close-dialog]") || (event.target === dialog && isOutside(dialog, event))) dialog.close();
    closeMenus(event.target);
  });
  document.body.addEventListener("htmx:confirm", ask);
}

// A click on the dialog's own margin is a slip; one on what is behind it means "away with it".
function isOutside(dialog, { clientX, clientY }) {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

function ask(event) {
  const { question, issueRequest } = event.detail;
  if (!question) return;
  event.preventDefault();
  const confirm = document.getElementById("confirm");
  document.getElementById("confirm-question").textContent = question;
  confirm.returnValue = "no";
  confirm.addEventListener("close", () => { if (confirm.returnValue === "yes") issueRequest(true); }, { once: true });
  confirm.showModal();
}

/** Close every open menu but the one that was clicked beside its entries. True if one was open. */
export function closeMenus(target = null) {
  const open = [...document.querySelectorAll("details.menu[open]")].filter(
    (menu) => !menu.contains(target) || target.closest("li"),
  );
  for (const menu of open) {
    menu.open = false;
    if (!target) menu.querySelector("summary").focus();
  }
  return open.length > 0;
}
