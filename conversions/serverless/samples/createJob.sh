curl --fail-with-body "https://api.example.com/v1/jobs" \
  --header "x-api-key: $API_KEY" \
  --json '{"uploads": ["'"$UPLOAD"'"], "presets": ["thumb"]}' |
  jq --raw-output .id
