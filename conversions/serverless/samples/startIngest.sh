curl --fail-with-body "https://api.example.com/v1/workflows/ingest" \
  --header "x-api-key: $API_KEY" \
  --json '{"upload": "'"$UPLOAD"'"}' |
  jq --raw-output .id
