package benchmark

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Processes share this machine with each other and with whatever else runs on
// it, so that payments per second say as much about the others. The work that a
// process puts into each payment does not.

// cpuTime is how long the process has computed, by itself and in the kernel,
// where the system tells (Linux); else 0. Number 0 is this process.
func cpuTime(pid int) time.Duration {
	who := "self"
	if pid != 0 {
		who = strconv.Itoa(pid)
	}
	raw, err := os.ReadFile("/proc/" + who + "/stat")
	if err != nil {
		return 0
	}
	// The name, in parentheses, may hold spaces.
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	const ticksPerSecond = 100 // of every Linux
	user, _ := strconv.ParseInt(string(fields[11]), 10, 64)
	system, _ := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond
}

// perPayment is the microseconds of each.
func perPayment(total time.Duration, payments int64) float64 {
	if payments == 0 {
		return 0
	}
	return round(float64(total.Microseconds()) / float64(payments))
}

// memoryMB is a line of what the system tells about a process's memory (VmHWM:
// the most it ever held; VmRSS: what it holds), else 0.
func memoryMB(pid int, line string) float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for text := range bytes.Lines(raw) {
		var kb float64
		if n, _ := fmt.Sscanf(string(text), line+": %f kB", &kb); n == 1 {
			return round(kb / 1024)
		}
	}
	return 0
}
