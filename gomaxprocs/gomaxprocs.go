// Package gomaxprocs sets GOMAXPROCS to 1 before anything else of the program runs. Import it
// for that effect in main.
//
// It imports nothing but runtime, so that Go initialises it before nearly all other
// packages (by import path, once what a package imports is done). Later, when main calls
// GOMAXPROCS, its goroutine may be on the second P: what was allocated until then is in
// that P's cache, which is flushed when the P is destroyed, two new pages for each size
// class, and allocation begins again in new pages of the first P. That was 50 page
// faults of 430 in most starts.
package gomaxprocs

import "runtime"

var _ = runtime.GOMAXPROCS(1)
