package privacy_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// mapping is a readable part of the memory of a process.
type mapping struct {
	from, to uint64
	name     string // of the mapped file, or "[heap]" and the like; may be empty
}

// mappings returns the readable memory of a process.
func mappings(t *testing.T, pid int) (all []mapping) {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var m mapping
		var mode, offset, device string
		var inode uint64
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s %s %s %d", &m.from, &m.to, &mode, &offset, &device, &inode); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if parts := strings.Fields(lines.Text()); len(parts) > 5 {
			m.name = parts[5]
		}
		// The kernel's own pages ([vvar], [vsyscall]) cannot be read that way.
		if mode[0] == 'r' && !strings.HasPrefix(m.name, "[v") {
			all = append(all, m)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// searchMemory searches all memory of a process for markers, used or not. It calls
// report, unless that is nil, with each copy and the bytes around it.
func searchMemory(t *testing.T, pid int, markers []*marker, report func(what, where string, around []byte)) traces {
	t.Helper()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = memory.Close() }()
	found, read := make(traces), 0
	const piece, overlap, before = 4 << 20, 8 << 10, 5000
	buffer := make([]byte, piece+overlap)
	for _, m := range mappings(t, pid) {
		for at := m.from; at < m.to; at += piece {
			n, err := memory.ReadAt(buffer[:min(piece+overlap, m.to-at)], int64(at))
			if n == 0 && err != nil {
				break // unmapped meanwhile, or not readable
			}
			read += n
			data := buffer[:n]
			found.search(data, markers, func(k *marker, f *form, where int) {
				if report != nil {
					report(k.kind+", "+f.name, fmt.Sprintf("%#x %s", at+uint64(where), m.name), data[max(0, where-before):min(len(data), where+200)])
				}
			})
		}
	}
	if read == 0 {
		t.Errorf("no memory of process %d could be read", pid)
	}
	return found
}
