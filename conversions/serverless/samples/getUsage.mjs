const answer = await fetch("https://api.example.com/v1/account/usage", {
  headers: { "x-api-key": process.env.API_KEY },
});
if (!answer.ok) throw new Error(await answer.text());
const usage = await answer.json();
console.log(`${usage.used} used, ${usage.remaining} remaining`);
