const answer = await fetch(`https://api.example.com/v1/uploads/${process.env.UPLOAD}`, {
  method: "PATCH",
  headers: { "x-api-key": process.env.API_KEY, "content-type": "application/json" },
  body: JSON.stringify({ public: true }),
});
if (!answer.ok) throw new Error(await answer.text());
const upload = await answer.json();
for (const variant of upload.variants) console.log(variant.preset, variant.public_url);
