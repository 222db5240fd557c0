package exec

import _ "embed"

// The agent, in three parts. agent.js runs it, so that comes last.
var (
	//go:embed handlers.js
	handlersScript string
	//go:embed connections.js
	connectionsScript string
	//go:embed agent.js
	agentPart string
)

// agentScript is the agent as one module.
func agentScript() string { return handlersScript + connectionsScript + agentPart }
