package load

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options describe a load. ParseOptions checks them.
type Options struct {
	URLs     []string // of nodes, where the chat is mounted
	Insecure bool     // accept any certificate
	Parallel int      // members that join and connect at a time

	Rooms    int
	Members  int     // of each room
	Rate     float64 // messages per second in each room; unless InFlight
	InFlight int     // messages in flight in each room
	Size     int     // of a message's text, in bytes
	Fill     int     // messages in each room before the measurement
	Empty    int     // further rooms without connections
	Stall    float64 // fraction of the members that stop reading

	Idle  int // connections that send nothing, instead of Rooms
	Storm int // connections that only join, instead of Rooms

	Warmup, Duration time.Duration

	Processes  []Process     // of the server
	GC         []string      // URLs that make them collect garbage
	MemoryWait time.Duration // for their memory to become stable

	JSON bool
}

// ParseOptions parses the arguments of the command line. It returns flag.ErrHelp
// if they ask for help.
func ParseOptions(name string, args []string, output io.Writer) (*Options, error) {
	o := new(Options)
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(output)
	list := func(into *[]string) func(string) error {
		return func(value string) error {
			*into = append(*into, strings.Split(value, ",")...)
			return nil
		}
	}
	flags.Func("url", "`URLs` where the chat is mounted, comma-separated; several are nodes of one site (default http://localhost:8080/)", list(&o.URLs))
	flags.BoolVar(&o.Insecure, "insecure", false, "accept any certificate")
	flags.IntVar(&o.Parallel, "parallel", 64, "number of members that join and connect at a time")
	flags.IntVar(&o.Rooms, "rooms", 1, "number of rooms")
	flags.IntVar(&o.Members, "members", 10, "members of each room; they send messages in turn")
	flags.Float64Var(&o.Rate, "rate", 10, "messages per second in each room")
	flags.IntVar(&o.InFlight, "flight", 0, "instead of a rate, keep this many messages in flight in each room: send the next when one has reached all members")
	ping := flags.Bool("ping", false, "one message at a time: short for -flight 1 -members 2")
	flags.IntVar(&o.Size, "size", 100, "length of a message's text in `bytes`")
	flags.IntVar(&o.Fill, "fill", 0, "messages to send to each room before the measurement")
	flags.IntVar(&o.Empty, "empty", 0, "number of further rooms without connections")
	flags.Float64Var(&o.Stall, "stall", 0, "`fraction` of the members that stop reading once they have joined")
	flags.IntVar(&o.Idle, "idle", 0, "instead of sending messages, keep this many connections idle, in rooms of -members, and measure memory")
	flags.IntVar(&o.Storm, "storm", 0, "instead of sending messages, open this many connections at once, in rooms of -members, and measure how long it takes")
	flags.DurationVar(&o.Duration, "duration", 10*time.Second, "length of the measurement")
	flags.DurationVar(&o.Warmup, "warmup", 2*time.Second, "time to send messages before the measurement")
	flags.Func("pid", "server `processes`, comma-separated, each [name=]pid: report their CPU time and memory (Linux)", o.parseProcesses)
	flags.Func("gc", "`URLs` to get before memory is measured, comma-separated, such as http://localhost:2019/debug/pprof/heap?gc=1", list(&o.GC))
	flags.DurationVar(&o.MemoryWait, "settle", 15*time.Second, "longest time to wait for memory to become stable")
	flags.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *ping {
		o.InFlight, o.Members = 1, 2
	}
	return o, o.check()
}

func (o *Options) parseProcesses(value string) error {
	for part := range strings.SplitSeq(value, ",") {
		name, number, ok := strings.Cut(part, "=")
		if !ok {
			name, number = part, part
		}
		pid, err := strconv.Atoi(number)
		if err != nil || pid < 1 {
			return fmt.Errorf("%q is no process id", number)
		}
		o.Processes = append(o.Processes, Process{Name: name, PID: pid})
	}
	return nil
}

func (o *Options) check() error {
	if len(o.URLs) == 0 {
		o.URLs = []string{"http://localhost:8080/"}
	}
	for i, address := range o.URLs {
		parsed, err := url.Parse(address)
		if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			return fmt.Errorf("-url: %q is not an http or https URL", address)
		}
		o.URLs[i] = strings.TrimRight(address, "/") + "/"
	}
	for _, count := range []struct {
		name       string
		value, min int
	}{
		{"parallel", o.Parallel, 1},
		{"rooms", o.Rooms, 1},
		{"members", o.Members, 1},
		{"flight", o.InFlight, 0},
		{"size", o.Size, 1},
		{"fill", o.Fill, 0},
		{"empty", o.Empty, 0},
		{"idle", o.Idle, 0},
		{"storm", o.Storm, 0},
	} {
		if count.value < count.min {
			return fmt.Errorf("-%s must be at least %d", count.name, count.min)
		}
	}
	switch {
	case o.Idle > 0 && o.Storm > 0:
		return errors.New("-idle and -storm exclude each other")
	case o.Rate <= 0 && o.InFlight == 0:
		return errors.New("-rate must be above 0")
	case o.Stall < 0 || o.Stall >= 1:
		return errors.New("-stall must be at least 0 and below 1")
	case o.Duration <= 0 || o.Warmup < 0 || o.MemoryWait < 0:
		return errors.New("-duration must be above 0, -warmup and -settle at least 0")
	}
	return nil
}

// node returns the URL of a node; nodes take turns.
func (o *Options) node(i int) string { return o.URLs[i%len(o.URLs)] }

// roomSizes returns the number of members of each room.
func (o *Options) roomSizes() []int {
	total := o.Rooms * o.Members
	if o.Idle > 0 || o.Storm > 0 {
		total = max(o.Idle, o.Storm)
	}
	var sizes []int
	for ; total > 0; total -= o.Members {
		sizes = append(sizes, min(total, o.Members))
	}
	return sizes
}
