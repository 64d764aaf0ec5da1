while
  upload=$(
    curl --fail-with-body "https://api.example.com/v1/uploads/$UPLOAD" \
      --header "x-api-key: $API_KEY"
  )
  state=$(jq --raw-output .state <<< "$upload")
  [[ $state == waiting || $state == processing ]]
do
  sleep 1
done
echo "$state"
jq --raw-output '.variants[] | "\(.preset) \(.url)"' <<< "$upload"
