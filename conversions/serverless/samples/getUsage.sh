curl --fail-with-body "https://api.example.com/v1/account/usage" \
  --header "x-api-key: $API_KEY" |
  jq --raw-output '"\(.used) used, \(.remaining) remaining"'
