import { setTimeout } from "node:timers/promises";

let upload;
do {
  await setTimeout(1000);
  const answer = await fetch(`https://api.example.com/v1/uploads/${process.env.UPLOAD}`, {
    headers: { "x-api-key": process.env.API_KEY },
  });
  if (!answer.ok) throw new Error(await answer.text());
  upload = await answer.json();
} while (upload.state === "waiting" || upload.state === "processing");
console.log(upload.state);
for (const variant of upload.variants) console.log(variant.preset, variant.url);
