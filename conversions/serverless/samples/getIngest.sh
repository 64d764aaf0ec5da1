while
  state=$(
    curl --fail-with-body "https://api.example.com/v1/workflows/ingest/$EXECUTION" \
      --header "x-api-key: $API_KEY" |
      jq --raw-output .state
  )
  [[ $state == running ]]
do
  sleep 1
done
echo "$state"
