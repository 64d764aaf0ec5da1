// Code samples: tabs of languages. Who has chosen one language sees it in all samples, and at the next visit.

const NAME = "language";

function show(language) {
  for (const tab of document.querySelectorAll(".samples [role='tab']")) {
    const isChosen = tab.dataset.language === language;
    tab.setAttribute("aria-selected", isChosen);
    tab.tabIndex = isChosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
  }
}

function choose(tab) {
  show(tab.dataset.language);
  try {
    localStorage.setItem(NAME, tab.dataset.language);
  } catch {
    // It lasts for this page only.
  }
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest(".samples [role='tab']");
  if (tab) {
    choose(tab);
  }
});

document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const tab = event.target.closest(".samples [role='tab']");
  if (!step || !tab) {
    return;
  }
  const tabs = [...tab.parentElement.children];
  const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
  choose(next);
  next.focus();
});

let language;
try {
  language = localStorage.getItem(NAME);
} catch {
  // Nothing was remembered.
}
const languages = [...document.querySelectorAll(".samples [role='tab']")].map((tab) => tab.dataset.language);
show(languages.includes(language) ? language : languages[0]);
