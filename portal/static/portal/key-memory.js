// Values of keys that this person was shown, or has pasted: kept in this tab while they are signed in, and sent to
// nobody but the gateway. They are found again by their last four characters, all that the portal knows later.

const NAME = "keys";
const LAST = 4;
const user = document.body.dataset.user;

function read() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(NAME));
    return kept?.user === user ? kept.values : {};
  } catch {
    return {}; // storage may be forbidden
  }
}

export function remember(value) {
  if (!user) {
    return;
  }
  try {
    const values = { ...read(), [value.slice(-LAST)]: value };
    sessionStorage.setItem(NAME, JSON.stringify({ user, values }));
  } catch {
    // It lasts for this page only.
  }
}

export function recall(lastFour) {
  return read()[lastFour] ?? "";
}

// Signed out, or somebody else: nothing is left of what was kept.
try {
  if (!user || Object.keys(read()).length === 0) {
    sessionStorage.removeItem(NAME);
  }
} catch {
  // Then nothing was kept.
}

const shown = document.getElementById("api-key-value")?.textContent.trim();
if (shown) {
  remember(shown);
}
