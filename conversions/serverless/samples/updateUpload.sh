curl --fail-with-body "https://api.example.com/v1/uploads/$UPLOAD" \
  --request PATCH \
  --header "x-api-key: $API_KEY" \
  --json '{"public": true}' |
  jq --raw-output '.variants[] | "\(.preset) \(.public_url)"'
