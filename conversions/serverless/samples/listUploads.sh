curl --fail-with-body "https://api.example.com/v1/uploads?state=done&limit=10" \
  --header "x-api-key: $API_KEY" |
  jq --raw-output '.uploads[] | "\(.id) \(.filename)"'
