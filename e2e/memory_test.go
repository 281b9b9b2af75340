package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
)

// mapping is a piece of the memory of a process that can be read.
type mapping struct {
	from, to uint64
	name     string // of what is mapped, empty for nothing that has one
}

// mappings are those of the process.
func (p *process) mappings(t *testing.T) []mapping {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/maps", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var all []mapping
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
		// The kernel's own cannot be read that way.
		if mode[0] == 'r' && !strings.HasPrefix(m.name, "[v") {
			all = append(all, m)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// remember looks for markers in everything that the process has in its memory,
// used or not. tell is told of each, with what stands around.
func (p *process) remember(t *testing.T, markers []*marker, tell func(what, where string, around []byte)) traces {
	t.Helper()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = memory.Close() }()
	found, read := make(traces), 0
	const piece, overlap = 4 << 20, 256
	buffer := make([]byte, piece+overlap)
	for _, m := range p.mappings(t) {
		for at := m.from; at < m.to; at += piece {
			n, err := memory.ReadAt(buffer[:min(piece+overlap, m.to-at)], int64(at))
			if n == 0 && err != nil {
				break // it is gone, or no memory that can be read
			}
			read += n
			data := buffer[:n]
			found.search(data, markers, func(k *marker, f *form, where int) {
				if tell != nil {
					tell(k.what+", "+f.name, fmt.Sprintf("%#x %s", at+uint64(where), m.name), data[max(0, where-200):min(len(data), where+200)])
				}
			})
		}
	}
	if read == 0 {
		t.Errorf("nothing of the memory of %s could be read", p.name)
	}
	return found
}
