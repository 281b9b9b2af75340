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

// Options say what load there is. ParseOptions checks them.
type Options struct {
	URLs     []string // of nodes, where the chat is mounted
	Insecure bool     // any certificate is accepted
	Parallel int      // how many members are admitted and connected at a time

	Rooms   int
	Members int     // of each room
	Rate    float64 // messages a second in each room; unless Flight
	Flight  int     // messages under way in each room
	Size    int     // of a message's text, in bytes
	Fill    int     // messages that are put into each room before
	Empty   int     // further rooms, with nobody connected
	Stall   float64 // fraction of the members that stop reading

	Idle  int // connections that say nothing, instead of Rooms
	Storm int // connections that are only opened, instead of Rooms

	Warmup, Duration time.Duration

	Processes []Process     // of the server
	GC        []string      // URLs that make them collect garbage
	Settle    time.Duration // how long their memory may take to settle

	JSON bool
}

// ParseOptions reads the arguments of the command line.
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
	flags.IntVar(&o.Parallel, "parallel", 64, "how many members are admitted and connected at a time")
	flags.IntVar(&o.Rooms, "rooms", 1, "number of rooms")
	flags.IntVar(&o.Members, "members", 10, "members of each room; they talk in turn")
	flags.Float64Var(&o.Rate, "rate", 10, "messages a second in each room")
	flags.IntVar(&o.Flight, "flight", 0, "instead of a rate, keep so many messages under way in each room: the next is sent when one has reached all members")
	ping := flags.Bool("ping", false, "one message at a time: short for -flight 1 -members 2")
	flags.IntVar(&o.Size, "size", 100, "length of a message's text in `bytes`")
	flags.IntVar(&o.Fill, "fill", 0, "messages that are put into each room before the measurement")
	flags.IntVar(&o.Empty, "empty", 0, "further rooms, that nobody is connected to")
	flags.Float64Var(&o.Stall, "stall", 0, "`fraction` of the members that stop reading once they have joined")
	flags.IntVar(&o.Idle, "idle", 0, "instead of traffic, keep so many connections idle, in rooms of -members, and measure memory")
	flags.IntVar(&o.Storm, "storm", 0, "instead of traffic, let so many connect at once, to rooms of -members, and measure how long it takes")
	flags.DurationVar(&o.Duration, "duration", 10*time.Second, "how long is measured")
	flags.DurationVar(&o.Warmup, "warmup", 2*time.Second, "how long there is traffic before that")
	flags.Func("pid", "server `processes`, comma-separated, each [name=]pid: report their CPU time and memory (Linux)", o.parseProcesses)
	flags.Func("gc", "`URLs` to get before memory is read, comma-separated, such as http://localhost:2019/debug/pprof/heap?gc=1", list(&o.GC))
	flags.DurationVar(&o.Settle, "settle", 15*time.Second, "how long memory may take to settle before it is read")
	flags.BoolVar(&o.JSON, "json", false, "print the result as JSON")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, errHelp
		}
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *ping {
		o.Flight, o.Members = 1, 2
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
		{"flight", o.Flight, 0},
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
	case o.Rate <= 0 && o.Flight == 0:
		return errors.New("-rate must be above 0")
	case o.Stall < 0 || o.Stall >= 1:
		return errors.New("-stall must be at least 0 and below 1")
	case o.Duration <= 0 || o.Warmup < 0 || o.Settle < 0:
		return errors.New("-duration must be above 0, -warmup and -settle at least 0")
	}
	return nil
}

// base returns the URL of some node.
func (o *Options) base(i int) string { return o.URLs[i%len(o.URLs)] }

// rooms returns how many members each room has.
func (o *Options) rooms() []int {
	total := o.Rooms * o.Members
	if o.Idle > 0 || o.Storm > 0 {
		total = max(o.Idle, o.Storm)
	}
	var sizes []int
	for total > 0 {
		size := min(total, o.Members)
		sizes = append(sizes, size)
		total -= size
	}
	return sizes
}
