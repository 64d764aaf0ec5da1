curl --fail-with-body "https://api.example.com/v1/account/keys" \
  --header "x-api-key: $API_KEY" |
  jq --raw-output '.[] | "\(.name) \(.status)"'
