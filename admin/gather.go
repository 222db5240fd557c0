package admin

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeinit/nodeinit/files"
	"github.com/nodeinit/nodeinit/supervisor"
)

const (
	// sampleTime is the least time over which CPU usage is measured, and maxSampleAge
	// the greatest.
	sampleTime   = 200 * time.Millisecond
	maxSampleAge = 10 * time.Second
	// minSampleAge is the age from which a sample is replaced by the next: many clients
	// do not shorten the time over which usage is measured.
	minSampleAge = 500 * time.Millisecond

	// ticks is USER_HZ, in which /proc counts time: on all architectures that Go has.
	ticks = 100
	tick  = time.Second / ticks
)

// A sample is the CPU time that a process had used at a moment.
type sample struct {
	pid     int
	at      time.Time
	started time.Duration // when the process was, to know it by
	cpu     time.Duration
}

// measure adds what /proc says of workers. CPU usage is that since the last sample, or
// since the start of a young worker. Where there is neither, it is measured.
func (g *Gatherer) measure(from []supervisor.WorkerStatus, to []Worker) {
	if g.sample(from, to) {
		<-time.After(sampleTime)
		g.sample(from, to)
	}
}

// sample takes a sample of each worker. It reports whether there was none before of one
// that needs it.
func (g *Gatherer) sample(from []supervisor.WorkerStatus, to []Worker) (missing bool) {
	var kept []sample
	for i := range from {
		pid := programOf(&from[i])
		stat, ok := readWorker(&from[i])
		if !ok {
			continue
		}
		now := sample{pid, time.Now(), stat.started, stat.cpu}
		seconds := rounded3(stat.cpu.Seconds())
		to[i].CPUSeconds, to[i].Resident = &seconds, &stat.resident
		base, ok := g.last(now)
		if ok && now.at.Sub(base.at) < minSampleAge {
			kept = append(kept, base)
		} else {
			kept = append(kept, now)
		}
		if !ok {
			base.at = from[i].Started // when it had used nothing
		}
		if age := now.at.Sub(base.at); age < sampleTime || age > maxSampleAge {
			missing = true
		} else {
			ratio := rounded4(max(now.cpu-base.cpu, 0).Seconds() / age.Seconds())
			to[i].CPU = &ratio
		}
	}
	g.samples = kept
	return missing
}

// last returns the former sample of a process, unless that is too old.
func (g *Gatherer) last(now sample) (sample, bool) {
	for _, s := range g.samples {
		if s.pid == now.pid && s.started == now.started && now.at.Sub(s.at) <= maxSampleAge {
			return s, true
		}
	}
	return sample{}, false
}

// programOf returns the process ID of a worker's program: below a wrapper, such as npm,
// that of the process that has joined.
func programOf(w *supervisor.WorkerStatus) int {
	if w.Reported.PID > 1 {
		return w.Reported.PID
	}
	return w.PID
}

// maxDepth is how many processes there may be from a program to the child of nodeinit
// that stands before it.
const maxDepth = 16

// readWorker reads the figures of a worker. They are not those of another process that
// has its ID by now, nor of one that a worker has named without being below it.
func readWorker(w *supervisor.WorkerStatus) (procStat, bool) {
	if w.PID == 0 {
		return procStat{}, false
	}
	pid := programOf(w)
	cpu := cpuTime(pid)
	// What it read is of the worker if what is read after it is: a process ID does not
	// come back.
	stat, ok := readStat(pid)
	if cpu > 0 {
		stat.cpu = cpu
	}
	at, above := pid, stat
	for depth := 0; ok && at != w.PID && depth < maxDepth; depth++ {
		at = above.parent
		above, ok = readStat(at)
	}
	return stat, ok && at == w.PID && above.isChild(w.Started)
}

// A procStat is what /proc/PID/stat has of a process.
type procStat struct {
	parent   int
	cpu      time.Duration // of all threads that it has had
	started  time.Duration // since the machine was booted
	resident int64         // bytes
}

// isChild reports whether s is a child of this process that was started at a time, or
// before it. One that got its process ID later is younger. The machine may have been
// suspended meanwhile, which its age includes and the time since then does not.
func (s procStat) isChild(started time.Time) bool {
	var now unix.Timespec
	if s.parent != os.Getpid() || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return false
	}
	age := time.Duration(now.Nano()) - s.started
	return age+2*tick >= time.Since(started)
}

// readStat reads /proc/PID/stat. One that has ended, though nobody has waited for it,
// has none.
func readStat(pid int) (procStat, bool) {
	text, err := files.Read("/proc/"+strconv.Itoa(pid)+"/stat", 4<<10)
	if err != nil {
		return procStat{}, false
	}
	return parseStat(text)
}

// parseStat parses the text of /proc/PID/stat (proc_pid_stat(5)): the name of the
// process, in parentheses, may have any bytes in it.
func parseStat(text []byte) (s procStat, ok bool) {
	const state, parent, utime, stime, started, resident = 3, 4, 14, 15, 22, 24
	const most = 1 << 62 / int64(tick) // of ticks and of pages: no product overflows
	rest := text[bytes.LastIndexByte(text, ')')+1:]
	for i := state; i <= resident; i++ {
		field, after, _ := bytes.Cut(bytes.TrimPrefix(rest, []byte(" ")), []byte(" "))
		rest = after
		if i == state {
			if string(field) == "Z" || string(field) == "X" {
				return procStat{}, false
			}
			continue
		}
		if i != parent && i != utime && i != stime && i != started && i != resident {
			continue
		}
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil || n < 0 || n > most {
			return procStat{}, false
		}
		switch i {
		case parent:
			s.parent = int(n)
		case utime, stime:
			s.cpu += time.Duration(n) * tick
		case started:
			s.started = time.Duration(n) * tick
		case resident:
			s.resident = n * int64(os.Getpagesize())
		}
	}
	return s, true
}

// cpuTime returns the CPU time of a process, to the nanosecond where /proc has ticks; 0
// if it is not known. The ID of its clock is made as by clock_getcpuclockid(3).
func cpuTime(pid int) time.Duration {
	const schedulerClock = 2 // CPUCLOCK_SCHED (include/linux/posix-timers_types.h)
	var t unix.Timespec
	if unix.ClockGettime(int32(^pid<<3|schedulerClock), &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
