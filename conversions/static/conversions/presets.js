// A preset's form: shows the fields that apply, and has the preview made anew after each change.

const form = document.getElementById("preset_form");
const controls = document.getElementById("preview-controls");
const preview = document.getElementById("preview");
let ownPicture = ""; // as the browser can show it; the server gets the file itself

function valueOf(name) {
  const field = form.elements[name];
  if (name !== "watermark") return field?.value;
  const isRemoved = form.elements["watermark-remove"]?.checked;
  const isKept = form.elements["watermark-kept"].value && !isRemoved;
  return field.files.length || isKept ? "there" : "";
}

function applies(element) {
  return JSON.parse(element.dataset.when).some((wanted) =>
    Object.entries(wanted).every(([name, values]) => values.includes(valueOf(name))),
  );
}

function rowOf(element) {
  return element.closest(".field-row");
}

// What is wrong is always shown, or nobody could mend it.
function showFields() {
  for (const option of form.querySelectorAll("option[data-when]")) {
    option.hidden = option.disabled = !applies(option);
    if (option.selected && option.disabled) {
      option.parentElement.value = option.parentElement.querySelector("option:enabled").value;
    }
  }
  for (const field of form.querySelectorAll("input[data-when], select[data-when]")) {
    const row = rowOf(field);
    row.hidden = !applies(field) && !row.querySelector(".errorlist, .preset-error");
  }
  for (const group of form.querySelectorAll("fieldset.module")) {
    group.hidden = [...group.querySelectorAll(".field-row")].every((row) => row.hidden);
  }
}

function showSamples() {
  for (const label of controls.querySelectorAll("label[data-when]")) label.hidden = !applies(label);
  const chosen = controls.querySelector("input:checked");
  if (chosen.closest("label").hidden) {
    controls.querySelector("label:not([hidden]) input").checked = true;
  }
  controls.querySelector(".preset-own").hidden = controls.elements.sample.value !== "own";
}

function showErrors() {
  for (const old of form.querySelectorAll(".preset-error")) old.remove();
  for (const error of preview.querySelectorAll("[data-error-of]")) {
    const field = form.elements[error.dataset.errorOf];
    if (!field) continue;
    const text = document.createElement("p");
    text.className = "preset-error";
    text.textContent = error.querySelector("span").textContent;
    rowOf(field).querySelector(".grow").append(text);
  }
  showFields();
}

function edited() {
  showFields();
  if (!preview) return;
  showSamples();
  htmx.trigger(preview, "edited");
}

// Unfold writes a file's name into a text field beside it, which ours do without.
for (const input of document.querySelectorAll("input[type=file]")) input.hasChangeListener = true;

if (form) {
  form.addEventListener("input", ({ target }) => {
    if (target.type === "range") target.parentElement.querySelector("output").value = target.value;
    if (!["name", "code"].includes(target.name)) edited();
  });
  edited();
}
if (preview) {
  preview.addEventListener("htmx:afterSwap", () => {
    const picture = preview.querySelector("img[data-own]");
    if (picture) picture.src = ownPicture;
    showErrors();
  });
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("change", ({ target }) => {
    if (target.name === "sample") return edited();
    if (!target.files.length) return;
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      ownPicture = reader.result;
      edited();
    });
    reader.readAsDataURL(target.files[0]);
  });
}
