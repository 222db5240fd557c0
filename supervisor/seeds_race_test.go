//go:build race

package supervisor_test

// seeds is how many of n random containers run. The race detector makes each four times as
// expensive, and what it looks for, which goroutine touches what, is alike in all of them:
// it sees a fifth. test/test.sh runs all of them without it.
func seeds(n uint64) uint64 { return n / 5 }
