curl --fail-with-body "https://api.example.com/v1/ping" \
  --header "x-api-key: $API_KEY"
