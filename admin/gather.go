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
	at      time.Time
	started time.Duration // when the process was, to know it by
	cpu     time.Duration
}

// measure adds what /proc says of workers. CPU usage is that since the last sample, or
// since the start of a young worker. Where there is neither, it is measured.
func (g *Gatherer) measure(from []supervisor.WorkerStatus, to []Worker) {
	next := make(map[int]sample, len(from))
	if g.add(from, to, next) {
		g.samples = next
		<-time.After(sampleTime)
		g.add(from, to, next)
	}
	g.samples = next
}

// add takes a sample of each worker, and fills next with those to keep. It reports
// whether it found no former sample of one.
func (g *Gatherer) add(from []supervisor.WorkerStatus, to []Worker, next map[int]sample) (missing bool) {
	for i := range from {
		pid := programOf(&from[i])
		stat, ok := readWorker(&from[i])
		if !ok {
			continue
		}
		now := sample{time.Now(), stat.started, stat.cpu}
		seconds := rounded3(stat.cpu.Seconds())
		to[i].CPUSeconds, to[i].Resident = &seconds, &stat.resident
		base, ok := g.samples[pid]
		switch age := now.at.Sub(base.at); {
		case !ok || base.started != now.started || age > maxSampleAge:
			base = sample{at: from[i].Started, started: now.started}
			next[pid] = now
		case age < minSampleAge:
			next[pid] = base
		default:
			next[pid] = now
		}
		age := now.at.Sub(base.at)
		if age < sampleTime || age > maxSampleAge {
			missing = true
			continue
		}
		ratio := rounded4(max((now.cpu-base.cpu).Seconds(), 0) / age.Seconds())
		to[i].CPU = &ratio
	}
	return missing
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
	for at, depth := pid, stat; ok; depth, ok = readStat(at) {
		if at == w.PID {
			return stat, depth.isChild(w.Started)
		}
		if at = depth.parent; at <= 1 || at == os.Getpid() {
			break
		}
	}
	return procStat{}, false
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
	const state, parent, utime, stime, started, resident = 0, 1, 11, 12, 19, 21 // after the name
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= resident || fields[state][0] == 'Z' || fields[state][0] == 'X' {
		return procStat{}, false
	}
	ok = true
	number := func(i int) int64 {
		n, err := strconv.ParseInt(string(fields[i]), 10, 64)
		const most = 1 << 62 / int64(tick) // of ticks and of pages: no product overflows
		ok = ok && err == nil && n >= 0 && n <= most
		return n
	}
	s.parent = int(number(parent))
	s.cpu = time.Duration(number(utime)+number(stime)) * tick
	s.started = time.Duration(number(started)) * tick
	s.resident = number(resident) * int64(os.Getpagesize())
	return s, ok
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
