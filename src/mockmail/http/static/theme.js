// Before anything is painted: the colours that were chosen, or the system's.
(function () {
  let chosen = null;
  try {
    chosen = localStorage.getItem("mockmail-theme");
  } catch {
    // A browser that keeps nothing for this page goes by the system.
  }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
