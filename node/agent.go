package node

import _ "embed"

// The agent, in three parts. agent.js runs it, so that comes last.
var (
	//go:embed preload/handlers.js
	handlersScript string
	//go:embed preload/connections.js
	connectionsScript string
	//go:embed preload/agent.js
	agentPart string
)

// agentScript is the agent as one module.
func agentScript() string { return handlersScript + connectionsScript + agentPart }
