const answer = await fetch("https://api.example.com/v1/events", {
  method: "POST",
  headers: { "x-api-key": process.env.API_KEY, "content-type": "application/json" },
  body: JSON.stringify({
    events: [{ upload: process.env.UPLOAD, preset: "thumb", count: 3 }],
  }),
});
if (!answer.ok) throw new Error(await answer.text());
console.log((await answer.json()).state);
