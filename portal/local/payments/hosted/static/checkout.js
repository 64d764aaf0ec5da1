// Comforts only: every page works without this file.
"use strict";

const number = document.getElementById("card_number");
const expiry = document.getElementById("exp");

function group(field, size, separator, most) {
  if (!field) return;
  field.addEventListener("input", () => {
    // Leave the text alone while somebody edits in the middle of it.
    if (field.selectionStart !== field.value.length) return;
    const digits = field.value.replace(/\D/g, "").slice(0, most);
    field.value = digits.match(new RegExp(`.{1,${size}}`, "g"))?.join(separator) ?? "";
  });
}

group(number, 4, " ", 19);

if (expiry) {
  expiry.addEventListener("input", () => {
    const digits = expiry.value.replace(/\D/g, "").slice(0, 4);
    if (expiry.selectionStart === expiry.value.length && digits.length > 2) {
      expiry.value = `${digits.slice(0, 2)} / ${digits.slice(2)}`;
    }
  });
}

for (const button of document.querySelectorAll("button[data-card]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const fill = { card_number: button.dataset.card.replace(/(.{4})(?=.)/g, "$1 ") };
    fill.exp = `12 / ${String((new Date().getFullYear() + 3) % 100).padStart(2, "0")}`;
    fill.cvc = "123";
    for (const [id, value] of Object.entries(fill)) document.getElementById(id).value = value;
    const name = document.getElementById("name");
    if (!name.value) name.value = "Test Taro";
    document.querySelector("button.primary").focus();
  });
}

// A second click while the first is on its way would be harmless; showing that it is, is kinder.
for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    event.submitter?.classList.add("busy");
  });
}
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-once]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll(".busy")) button.classList.remove("busy");
});
