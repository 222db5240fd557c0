package node

import _ "embed"

//go:generate go test . -run ^TestPreloadIsEncoded$ -count 1 -update

// What Node runs before the program: the option for start.js, without and with fork.js,
// and modules. They are encoded when they are changed, and not at each start, by
//
//	go generate ./node
//
// which a test checks. The agent consists of three parts.
var (
	//go:embed preload/encoded/start.txt
	importStart string
	//go:embed preload/encoded/fork.txt
	importFork string
	//go:embed preload/encoded/join.txt
	joinModule string
	//go:embed preload/encoded/channel.txt
	channelModule string
	//go:embed preload/encoded/agent.txt
	agentModule string
)
