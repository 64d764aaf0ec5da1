const answer = await fetch("https://api.example.com/v1/jobs", {
  method: "POST",
  headers: { "x-api-key": process.env.API_KEY, "content-type": "application/json" },
  body: JSON.stringify({ uploads: [process.env.UPLOAD], presets: ["thumb"] }),
});
if (!answer.ok) throw new Error(await answer.text());
console.log((await answer.json()).id);
