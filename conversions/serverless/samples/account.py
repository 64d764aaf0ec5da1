import os

import httpx

answer = httpx.get(
    "https://api.example.com/v1/account/keys",
    headers={"x-api-key": os.environ["API_KEY"]},
)
answer.raise_for_status()
for key in answer.json():
    print(key["name"], key["status"])
