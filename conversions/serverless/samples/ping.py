import os

import httpx

answer = httpx.get(
    "https://api.example.com/v1/ping",
    headers={"x-api-key": os.environ["API_KEY"]},
)
answer.raise_for_status()
print(answer.json()["tenant"]["name"])
