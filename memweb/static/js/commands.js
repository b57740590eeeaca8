// Completion of slash commands in the message box: a listbox that the box controls.

export function startCommands() {
  const box = document.getElementById("composer-text");
  const list = document.getElementById("command-list");
  const options = [...list.children];
  let chosen = -1;

  const shown = () => options.filter((option) => !option.hidden);
  const close = () => { list.hidden = true; choose(-1); };
  const choose = (index) => {
    chosen = index;
    for (const option of options) option.setAttribute("aria-selected", "false");
    const option = shown()[index];
    if (option) {
      option.setAttribute("aria-selected", "true");
      option.scrollIntoView({ block: "nearest" });
      box.setAttribute("aria-activedescendant", option.id);
    } else {
      box.removeAttribute("aria-activedescendant");
    }
  };
  const refresh = () => {
    const typed = /^\/([a-z]*)$/i.exec(box.value);
    for (const option of options) option.hidden = !typed || !option.dataset.name.startsWith(typed[1].toLowerCase());
    list.hidden = !shown().length;
    choose(list.hidden ? -1 : 0);
  };
  const take = (option) => {
    box.value = `/${option.dataset.name}${option.dataset.usage ? " " : ""}`;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    close();
    box.focus();
  };

  box.addEventListener("input", refresh);
  box.addEventListener("blur", close);
  box.form.addEventListener("htmx:beforeRequest", close);
  list.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the box keeps the focus
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
  box.addEventListener("keydown", (event) => {
    if (list.hidden || event.isComposing) return;
    const count = shown().length;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    const option = shown()[chosen];
    if (event.key in steps) choose((chosen + steps[event.key] + count) % count);
    else if (event.key === "Escape") close();
    else if (event.key === "Tab" && option) take(option);
    // Enter completes a command that is not whole yet; a whole one is sent
    else if (event.key === "Enter" && option && box.value !== `/${option.dataset.name}`) take(option);
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  });
}
