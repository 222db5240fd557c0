package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"
)

// A subject is an init under measurement: the words in front of the program.
type subject struct {
	name string
	argv []string
}

// A measure runs one subject once. Its results are in the order of its names.
type measure struct {
	names  []string // with units
	rounds int
	run    func(s subject) ([]float64, error)
}

// compareInits prints a Markdown table of medians of nodeinit, tini, dumb-init
// and catatonit.
func compareInits(binary string) error {
	subjects := []subject{
		{"nodeinit", []string{binary, "--log-to", "stderr", "--"}},
		{"tini", []string{"tini", "--"}},
		{"dumb-init", []string{"dumb-init", "--"}},
		{"catatonit", []string{"catatonit", "--"}},
	}
	direct := subject{"no init", nil}
	fmt.Printf("| median of paired runs |")
	for _, s := range append(subjects, direct) {
		fmt.Printf(" %s |", s.name)
	}
	fmt.Printf(" nodeinit / tini |\n|---|%s\n", "---:|---:|---:|---:|---:|---:|")

	if err := printSizes(subjects); err != nil {
		return err
	}
	for _, m := range []measure{
		{[]string{"start to the program's first output (ms)"}, 200, firstOutput},
		{[]string{"resident memory (KiB)", "of it anonymous (KiB)"}, 5, memory},
		{[]string{"signal sent to handled (ms)"}, 200, signalLatency},
		{[]string{"10,000 orphans ended to reaped (ms)"}, 5, reapOrphans},
	} {
		if err := m.print(subjects, direct); err != nil {
			return err
		}
	}
	return nil
}

func (m measure) print(subjects []subject, direct subject) error {
	all := append(slices.Clone(subjects), direct)
	results := make(map[string][][]float64) // by subject: each round's
	for round := range m.rounds {
		for i := range all {
			s := all[(i+round)%len(all)]
			values, err := m.run(s)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", s.name, m.names[0], err)
			}
			if values != nil {
				results[s.name] = append(results[s.name], values)
			}
		}
	}
	for i, name := range m.names {
		row := make([]float64, len(all))
		for j, s := range all {
			row[j] = median(results[s.name], i)
		}
		printRow(name, row)
	}
	return nil
}

func median(rounds [][]float64, i int) float64 {
	if len(rounds) == 0 {
		return 0
	}
	values := make([]float64, len(rounds))
	for j, r := range rounds {
		values[j] = r[i]
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// printRow prints a value for each subject; 0 is one that does not apply.
func printRow(name string, row []float64) {
	fmt.Printf("| %s |", name)
	for _, v := range row {
		switch {
		case v == 0:
			fmt.Print(" |")
		case v >= 100:
			fmt.Printf(" %.0f |", v)
		default:
			fmt.Printf(" %.2f |", v)
		}
	}
	fmt.Printf(" %.2f |\n", row[0]/row[1])
}

func printSizes(subjects []subject) error {
	row := make([]float64, len(subjects)+1)
	for i, s := range subjects {
		path, err := exec.LookPath(s.argv[0])
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		row[i] = float64(info.Size()) / 1024
	}
	printRow("binary (KiB)", row)
	return nil
}

func milliseconds(d time.Duration) []float64 { return []float64{float64(d) / 1e6} }
