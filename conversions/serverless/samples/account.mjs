const answer = await fetch("https://api.example.com/v1/account/keys", {
  headers: { "x-api-key": process.env.API_KEY },
});
if (!answer.ok) throw new Error(await answer.text());
for (const key of await answer.json()) console.log(key.name, key.status);
