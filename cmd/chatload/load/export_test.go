package load

// What the tests of this package look at from outside.

type (
	Frame = frame
	Order = order
)

var (
	ParseFrame  = parseFrame
	AppendFrame = appendFrame
	AppendText  = appendText
	ParseStamp  = parseStamp
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

func (o *Order) See(seq uint64) bool       { return o.see(seq) }
func (o *Order) Lost(newest uint64) uint64 { return o.lost(newest) }
func (o *Order) Counts() (duplicated, reordered uint64) {
	return o.duplicated, o.reordered
}
