import os

import httpx

answer = httpx.get(
    "https://api.example.com/v1/account/usage",
    headers={"x-api-key": os.environ["API_KEY"]},
)
answer.raise_for_status()
usage = answer.json()
print(f"{usage['used']} used, {usage['remaining']} remaining")
