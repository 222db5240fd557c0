//go:build !race

package supervisor_test

// seeds is how many of n random containers run: all but under the race detector.
func seeds(n uint64) uint64 { return n }
