module cronlift/ci/tools/pause

go 1.26.0
