// Before anything is drawn: the theme a person chose, else the system's.
document.documentElement.dataset.theme = localStorage.getItem("theme") || "system";
