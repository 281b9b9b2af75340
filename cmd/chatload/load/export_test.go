package load

// Unexported names that the tests use.

type (
	Frame    = frame
	Sequence = sequence
)

var (
	ParseFrame  = parseFrame
	AppendFrame = appendFrame
	AppendText  = appendText
	ParseText   = parseText
	CPUOf       = cpuOf
	MemoryOf    = memoryOf
)

// Opcodes of frames.
const (
	OpText  = opText
	OpClose = opClose
)

func (f Frame) Final() bool     { return f.final }
func (f Frame) Opcode() byte    { return f.opcode }
func (f Frame) Payload() []byte { return f.payload }

func (s *Sequence) Observe(seq uint64) bool   { return s.observe(seq) }
func (s *Sequence) Lost(newest uint64) uint64 { return s.lost(newest) }
func (s *Sequence) Counts() (duplicated, reordered uint64) {
	return s.duplicated, s.reordered
}
