module launch-agent.ci/tools/pause

go 1.24.0
