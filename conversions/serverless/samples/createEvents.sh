curl --fail-with-body "https://api.example.com/v1/events" \
  --header "x-api-key: $API_KEY" \
  --json '{"events": [{"upload": "'"$UPLOAD"'", "preset": "thumb", "count": 3}]}' |
  jq --raw-output .state
