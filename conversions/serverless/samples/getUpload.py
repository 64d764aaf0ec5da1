import os
import time

import httpx

state = "waiting"
while state in ("waiting", "processing"):
    answer = httpx.get(
        f"https://api.example.com/v1/uploads/{os.environ['UPLOAD']}",
        headers={"x-api-key": os.environ["API_KEY"]},
    )
    answer.raise_for_status()
    upload = answer.json()
    state = upload["state"]
    time.sleep(1)
print(state)
for variant in upload["variants"]:
    print(variant["preset"], variant["url"])
