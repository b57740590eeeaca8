// The length of a text beside its limit; a block's limit is a field of the same form. Characters as Python counts them.
for (const count of document.querySelectorAll("output.counted")) {
  const box = document.getElementById(count.htmlFor.value);
  const limitBox = document.getElementById("id_limit");
  const show = () => {
    const used = [...box.value].length;
    const limit = Number(limitBox?.value || count.dataset.limit);
    const parts = { used: used.toLocaleString("en"), limit: limit.toLocaleString("en") };
    count.textContent = count.dataset.words.replace(/%\((\w+)\)s/g, (_, name) => parts[name]);
    count.classList.toggle("over", used > limit);
  };
  box.addEventListener("input", show);
  limitBox?.addEventListener("input", show);
  show();
}
