// Loaded in the head, before anything is painted, so that a chosen theme never flashes.
// Storage may be forbidden (private windows, policies); then the system's theme stands.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") {
    document.documentElement.dataset.theme = theme;
  }
} catch {
  // Nothing was remembered.
}
