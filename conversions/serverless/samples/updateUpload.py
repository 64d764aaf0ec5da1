import os

import httpx

answer = httpx.patch(
    f"https://api.example.com/v1/uploads/{os.environ['UPLOAD']}",
    headers={"x-api-key": os.environ["API_KEY"]},
    json={"public": True},
)
answer.raise_for_status()
for variant in answer.json()["variants"]:
    print(variant["preset"], variant["public_url"])
