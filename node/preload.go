package node

import _ "embed"

//go:generate go test . -run ^TestPreloadIsEncoded$ -count 1 -update

// What Node runs before the program: the option for start.js, without and with fork.js,
// and modules. They are encoded when they are changed, and not at each start, by
//
//	go generate ./node
//
// which a test checks. The worker's module consists of two parts, the agent of three.
var (
	//go:embed preload/encoded/start.txt
	importStart string
	//go:embed preload/encoded/fork.txt
	importFork string
	//go:embed preload/encoded/join.txt
	joinModule string
	//go:embed preload/encoded/worker.txt
	workerModule string
	//go:embed preload/encoded/agent.txt
	agentModule string
	//go:embed preload/encoded/profile.txt
	profileScript string
)

// ProfileScript is what the agent runs to take a profile, as a JSON string. It is sent to
// a process when it is needed.
func ProfileScript() string { return profileScript }
