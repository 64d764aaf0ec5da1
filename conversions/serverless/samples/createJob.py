import os

import httpx

answer = httpx.post(
    "https://api.example.com/v1/jobs",
    headers={"x-api-key": os.environ["API_KEY"]},
    json={"uploads": [os.environ["UPLOAD"]], "presets": ["thumb"]},
)
answer.raise_for_status()
print(answer.json()["id"])
