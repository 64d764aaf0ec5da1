import { readFile } from "node:fs/promises";

const answer = await fetch("https://api.example.com/v1/uploads", {
  method: "POST",
  headers: { "x-api-key": process.env.API_KEY, "content-type": "application/json" },
  body: JSON.stringify({ filename: "photo.jpg", content_type: "image/jpeg" }),
});
if (!answer.ok) throw new Error(await answer.text());
const upload = await answer.json();

// The file goes straight to the storage: the form's fields first, then the file.
const form = new FormData();
for (const [name, value] of Object.entries(upload.form.fields)) form.append(name, value);
form.append("file", new Blob([await readFile("photo.jpg")]));
const posted = await fetch(upload.form.url, { method: "POST", body: form });
if (!posted.ok) throw new Error(await posted.text());
console.log(upload.id);
