// The docs page's card "Your key": which of the tenant's keys to try with, and its value where this tab knows it.

import { recall, remember } from "./key-memory.js";

const POLL_MS = 1000;
const card = document.getElementById("try-key");
const value = document.getElementById("key-value");
const choice = document.getElementById("key-choice"); // where a member is signed in
const create = document.getElementById("key-create"); // where they may
const note = document.getElementById("key-note");
const texts = card.dataset;

function check() {
  const chosen = choice?.selectedOptions[0];
  const lastFour = chosen?.value ?? "";
  const typed = value.value.trim();
  const isWrong = typed !== "" && !typed.endsWith(lastFour);
  value.setAttribute("aria-invalid", isWrong);
  if (isWrong) {
    note.textContent = `${texts.textWrong} …${lastFour}`;
  } else if (typed === "") {
    note.textContent = lastFour ? texts.textPaste : texts.textEmpty;
  } else {
    note.textContent = texts.textReady;
    if (lastFour) {
      remember(typed);
    }
  }
}

function choose(lastFour) {
  choice.value = lastFour;
  value.value = recall(lastFour);
  check();
}

function api(method, body) {
  return fetch(texts.keysUrl, {
    method,
    headers: { "content-type": "application/json", "x-csrftoken": texts.csrf },
    body: body && JSON.stringify(body),
  });
}

function freeName() {
  const taken = new Set([...choice.options].map((option) => option.dataset.name));
  let name = texts.newName;
  for (let number = 2; taken.has(name); number += 1) {
    name = `${texts.newName} ${number}`;
  }
  return name;
}

// The gateway learns a new key within seconds; until then calls with it are refused.
async function isLearnt(id) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const keys = await (await api("GET")).json();
    const status = keys.find((key) => key.id === id)?.status;
    if (status !== "pending") {
      return status === "active";
    }
  }
}

async function createKey() {
  create.setAttribute("aria-busy", "true");
  try {
    const answer = await api("POST", { name: freeName() });
    const made = await answer.json();
    if (!answer.ok) {
      note.textContent = made.detail ?? texts.textFailed;
      return;
    }
    remember(made.value);
    document.getElementById("api-key-value").textContent = made.value;
    document.getElementById("new-key").hidden = false;
    const option = new Option(`${made.name} …${made.last_four}`, made.last_four);
    option.dataset.name = made.name;
    choice.prepend(option);
    choose(made.last_four);
    note.textContent = texts.textLearning;
    note.textContent = (await isLearnt(made.id)) ? texts.textKnown : texts.textFailed;
  } catch {
    note.textContent = texts.textFailed;
  } finally {
    create.removeAttribute("aria-busy");
  }
}

value.addEventListener("input", check);
choice?.addEventListener("change", () => choose(choice.value));
create?.addEventListener("click", createKey);
if (choice) {
  const known = [...choice.options].find((option) => recall(option.value));
  choose((known ?? choice.options[0]).value);
}
